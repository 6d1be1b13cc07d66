"""Tables of float32, a row a descriptor, go in; nearest words, sums and distances come out."""

from __future__ import annotations

import numpy as np

from classicvid.kernels.jit import kernel, kernel_fused
from classicvid.kernels.simd import (
    LANES,
    fma,
    lane_bits,
    load,
    maximum,
    memory,
    splat,
    total,
    trailing_zeros,
)

# A bin of two histograms that holds less than this, as a share of the largest, is as good as empty;
# the product of two such numbers is still a normal float32.
_EMPTY = np.float32(1e-18)
# Columns and rows of a block of histograms that stays in the second cache: 128 KiB.
_BLOCK_COLUMNS, _BLOCK_ROWS = 1024, 32
# What rows of tables must be a multiple of, whatever the processor's vectors.
ALIGNED = 32


@kernel
def smallest(scores, columns, values):
    """List the smallest numbers of each row of ``scores`` (N, K), K a multiple of ``ALIGNED``.

    ``values`` (N, n), float32, is filled with them in rising order, ``columns`` (N, n), int32, with
    their places; of equal numbers the first is taken. n is at most K.
    """
    room, count = scores.shape[1], values.shape[1]
    numbers = memory(scores)
    for i in range(scores.shape[0]):
        best, places = values[i], columns[i]
        best[:] = np.inf
        places[:] = 0
        for start in range(0, room, LANES):
            below = lane_bits(load(numbers, i * room + start) < splat(best[count - 1]))
            while below != 0:
                place = start + np.int64(trailing_zeros(below))
                below = below & (below - np.uint64(1))
                _insert(scores[i, place], place, best, places)


@kernel
def _insert(value, place, best, places):
    """Put a number where it belongs in a rising list, and drop the last; a large one not at all."""
    slot = best.size - 1
    if not value < best[slot]:
        return
    while slot > 0 and value < best[slot - 1]:
        best[slot] = best[slot - 1]
        places[slot] = places[slot - 1]
        slot -= 1
    best[slot] = value
    places[slot] = place


@kernel
def add_rows(rows, groups, sums):
    """Add each of ``rows`` (N, D) to the row of ``sums`` (K, D), float64, that ``groups`` names."""
    for i in range(rows.shape[0]):
        row, sums_row = rows[i], sums[groups[i]]
        for d in range(row.size):
            sums_row[d] += row[d]


@kernel_fused
def chi_square(first, second, above, out):
    """Add sum (x - y)^2 / (x + y) of each row of ``first`` with each of ``second`` to ``out``.

    The tables are (N, D) and (M, D), float32, from 0 to 1, D a multiple of ``ALIGNED``; ``out`` is
    (N, M), float64, of which only what lies above the diagonal is computed if ``above``. Blocks of
    ``second`` are compared with all of ``first`` while they are near.
    """
    size = first.shape[1]
    x, y = memory(first), memory(second)
    for left in range(0, size, _BLOCK_COLUMNS):
        width = min(_BLOCK_COLUMNS, size - left)
        for top in range(0, second.shape[0], _BLOCK_ROWS):
            for i in range(first.shape[0]):
                start = max(top, i + 1) if above else top
                for j in range(start, min(top + _BLOCK_ROWS, second.shape[0])):
                    out[i, j] += _row_distance(x, i * size + left, y, j * size + left, width)


@kernel_fused
def _row_distance(x, x_start, y, y_start, width):
    """Return sum (x - y)^2 / (x + y) of two stretches; two fractions share one slow division."""
    distance = splat(0)
    for k in range(0, width, 2 * LANES):
        a, b = load(x, x_start + k), load(y, y_start + k)
        c, d = load(x, x_start + k + LANES), load(y, y_start + k + LANES)
        above, below = (a - b) * (a - b), maximum(a + b, splat(_EMPTY))
        other_above, other_below = (c - d) * (c - d), maximum(c + d, splat(_EMPTY))
        distance = distance + fma(above, other_below, other_above * below) / (below * other_below)
    return np.float64(total(distance))
