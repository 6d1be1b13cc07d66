"""A padded level of bytes and a place go in; whole gray levels, derivatives and sums come out.

Gray levels between pixels, in 32nds, and derivatives are whole numbers of 16 bits, as OpenCV's are:
a vector holds twice as many as of floats, and one instruction multiplies pairs of neighbours by
their weights and adds them up. What is found is OpenCV's, to the last bit.
"""

from __future__ import annotations

import numpy as np

from classicvid.kernels.jit import inlined, kernel
from classicvid.kernels.lucas_kanade.fractions import GRAY_ONE, WEIGHT_ONE, split
from classicvid.kernels.simd import (
    LANES,
    load_shorts,
    pair_sums,
    pairs,
    shift,
    short_lanes,
    splat,
    splat_integer,
    splat_pair,
    splat_short,
    store,
    to_floats,
    total,
)

# Columns of a window that a vector covers: its last lane holds their right neighbour.
STRIP = 2 * LANES - 1
# Products of that many rows at most are added up in 32 bits: 2 * 32 * (16 * 255) * (32 * 255) fits.
ROWS = 32
WEIGHT_BITS, LEVEL_BITS = 14, 9


@kernel
def measure_window(image, shape, places, left, top, window, room, patch, floats):
    """Write the window's gray levels and derivatives; return sums of squares.

    As that of floats does: gx^2, gx gy and gy^2; derivatives are zero outside the image and
    beside the window.
    """
    start, u, v = split(left, top, places)
    first_x, first_y = int(np.floor(left)), int(np.floor(top))
    upper, lower = _pair_weights(u, v)
    a11, a12, a22 = splat(0), splat(0), splat(0)
    to = 0
    for x in range(0, window[1], STRIP):
        columns = _lanes_inside(first_x + x, shape[1]), short_lanes(0, min(window[1] - x, STRIP))
        for row in range(0, window[0], ROWS):
            rows = min(window[0] - row, ROWS)
            place = start + x + row * places[1], to + row * room
            b11, b12, b22 = _measure_strip(
                image,
                place,
                places[1],
                first_y + row,
                shape[0],
                columns,
                rows,
                room,
                patch,
                (upper, lower),
            )
            a11, a12, a22 = a11 + to_floats(b11), a12 + to_floats(b12), a22 + to_floats(b22)
        to += 2 * LANES
    return total(a11), total(a12), total(a22)


@inlined
def mismatches(image, starts, stride, window, room, patches, floats):
    """Return the sums of gx and gy times the difference of the windows, of two points.

    As that of floats does.
    """
    (place_a, u_a, v_a), (place_b, u_b, v_b) = starts
    (patch_a, patch_b), none = patches, splat(0)
    weights_a, weights_b = _pair_weights(u_a, v_a), _pair_weights(u_b, v_b)
    sums_a, sums_b = (none, none), (none, none)
    to = 0
    for x in range(0, window[1], STRIP):
        at_a, at_b = place_a + x, place_b + x
        pixels_a, pixels_b = _neighbours(image, at_a), _neighbours(image, at_b)
        for first in range(0, window[0], ROWS):
            zero = splat_integer(0)
            rows_a, rows_b = (zero, zero), (zero, zero)
            end = to + min(window[0], first + ROWS) * room
            for row in range(to + first * room, end, room):
                at_a, at_b = at_a + stride, at_b + stride
                lower_a, lower_b = _neighbours(image, at_a), _neighbours(image, at_b)
                rows_a = _add_row(rows_a, pixels_a, lower_a, weights_a, patch_a, row)
                rows_b = _add_row(rows_b, pixels_b, lower_b, weights_b, patch_b, row)
                pixels_a, pixels_b = lower_a, lower_b
            sums_a = sums_a[0] + to_floats(rows_a[0]), sums_a[1] + to_floats(rows_a[1])
            sums_b = sums_b[0] + to_floats(rows_b[0]), sums_b[1] + to_floats(rows_b[1])
        to += 2 * LANES
    return (total(sums_a[0]), total(sums_a[1])), (total(sums_b[0]), total(sums_b[1]))


@inlined
def _neighbours(image, place):
    return load_shorts(image, place), load_shorts(image, place + 1)


@inlined
def _add_row(sums, upper, lower, weights, patch, row):
    gray, gx, gy = patch
    level = _level(upper[0], upper[1], lower[0], lower[1], weights[0], weights[1])
    difference = level - load_shorts(gray, row)
    return (
        sums[0] + pair_sums(difference, load_shorts(gx, row)),
        sums[1] + pair_sums(difference, load_shorts(gy, row)),
    )


@inlined
def mean_difference(image, start, u, v, stride, window, room, patch, floats):
    """Return the mean distance between the levels of the window and those kept, in gray levels."""
    gray, (upper, lower) = patch[0], _pair_weights(u, v)
    sums, one = splat_integer(0), splat_short(1)
    to = 0
    for x in range(0, window[1], STRIP):
        inside, place = short_lanes(0, min(window[1] - x, STRIP)), start + x
        even, odd = load_shorts(image, place), load_shorts(image, place + 1)
        for row in range(to, to + window[0] * room, room):
            place += stride
            next_even, next_odd = load_shorts(image, place), load_shorts(image, place + 1)
            level = _level(even, odd, next_even, next_odd, upper, lower)
            difference = (level - load_shorts(gray, row)) & inside
            sign = difference >> 15
            sums = sums + pair_sums((difference ^ sign) - sign, one)
            even, odd = next_even, next_odd
        to += 2 * LANES
    return np.float32(total(sums)) / (GRAY_ONE * np.float32(window[0] * window[1]))


@inlined
def _pair_weights(u, v):
    """Return bilinear weights of 14 bits, in pairs for the upper and the lower pixels."""
    one = np.float32(1)
    w00 = np.rint((one - u) * (one - v) * WEIGHT_ONE)
    w01 = np.rint(u * (one - v) * WEIGHT_ONE)
    w10 = np.rint((one - u) * v * WEIGHT_ONE)
    w11 = WEIGHT_ONE - w00 - w01 - w10
    return splat_pair(int(w00), int(w01)), splat_pair(int(w10), int(w11))


@inlined
def _level(even, odd, next_even, next_odd, upper, lower):
    """Return gray levels between four neighbours, rounded.

    ``odd`` begins one lane after ``even``: so both hold the pairs that their half of lanes needs.
    """
    half = splat_integer(1 << (LEVEL_BITS - 1))
    first = half + pair_sums(even, upper) + pair_sums(next_even, lower)
    second = half + pair_sums(odd, upper) + pair_sums(next_odd, lower)
    return pairs(first >> LEVEL_BITS, second >> LEVEL_BITS)


@kernel
def _lanes_inside(first, width):
    """Return which of the columns from ``first`` on lie in the image."""
    return short_lanes(min(max(-first, 0), 2 * LANES), min(max(width - first, 0), 2 * LANES))


@kernel
def _measure_strip(image, place, stride, first_y, height, columns, rows, room, patch, weights):
    """Write some rows of a strip; return sums of squares of each pair of lanes."""
    gray, gx, gy = patch
    upper, lower = weights
    inside, window = columns
    at, to = place
    none = splat_short(0)
    slope_a, smooth_a, _, _ = _scharr_row(image, at - stride)
    slope_b, smooth_b, even, odd = _scharr_row(image, at)
    at += stride
    slope_c, smooth_c, next_even, next_odd = _scharr_row(image, at)
    seen = inside if 0 <= first_y < height else none
    across = _smoothed(slope_a, slope_b, slope_c) & seen | 1
    down = (smooth_c - smooth_a) & seen | 1
    a11, a12, a22 = splat_integer(0), splat_integer(0), splat_integer(0)
    for i in range(rows):
        store(gray, to, _level(even, odd, next_even, next_odd, upper, lower))
        slope_a, slope_b, smooth_a, smooth_b = slope_b, slope_c, smooth_b, smooth_c
        even, odd = next_even, next_odd
        at += stride
        slope_c, smooth_c, next_even, next_odd = _scharr_row(image, at)
        seen = inside if 0 <= first_y + i + 1 < height else none
        next_across = _smoothed(slope_a, slope_b, slope_c) & seen | 1
        next_down = (smooth_c - smooth_a) & seen | 1
        dx = _derivative(across, next_across, upper, lower) & window
        dy = _derivative(down, next_down, upper, lower) & window
        store(gx, to, dx)
        store(gy, to, dy)
        a11, a12 = a11 + pair_sums(dx, dx), a12 + pair_sums(dx, dy)
        a22 = a22 + pair_sums(dy, dy)
        across, down = next_across, next_down
        to += room
    return a11, a12, a22


@kernel
def _derivative(row, next_row, upper, lower):
    """Return derivatives between four neighbours, rounded, from twice the neighbours' plus 1.

    Weights add up to 2^14: the ones are the half that rounds what is cut off.
    """
    right, next_right = shift(row, row, 1), shift(next_row, next_row, 1)
    first = pair_sums(row, upper) + pair_sums(next_row, lower)
    second = pair_sums(right, upper) + pair_sums(next_right, lower)
    return pairs(first >> (WEIGHT_BITS + 1), second >> (WEIGHT_BITS + 1))


@kernel
def _scharr_row(image, place):
    """Return a row's slopes, its (6, 20, 6) sums, the pixels and their right neighbours."""
    a, b, c = (
        load_shorts(image, place - 1),
        load_shorts(image, place),
        load_shorts(image, place + 1),
    )
    return c - a, _smoothed(a, b, c), b, c


@kernel
def _smoothed(a, b, c):
    # Twice Scharr's weights: a bit is left for rounding.
    return (a + c) * 6 + b * 20
