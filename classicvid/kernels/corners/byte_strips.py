"""A gray image of bytes inside a border goes in; its corner responses over blocks of 3 come out.

As in `strips`, but in whole numbers of 16 bits: a vector holds the derivatives of twice as many
pixels, and one instruction multiplies them and adds up pairs of neighbours. A block of three
columns is a pair and the pixel beside it, on the right for even lanes, on the left for odd ones.
"""

from __future__ import annotations

import numpy as np

from classicvid.kernels.corners.strips import BORDER
from classicvid.kernels.jit import kernel, part
from classicvid.kernels.simd import (
    LANES,
    first_lanes,
    fma,
    highest,
    lane_numbers,
    load_shorts,
    maximum,
    memory,
    pair_sums,
    permute,
    select,
    shift,
    short_lanes,
    splat,
    splat_pair,
    square_root,
    store_first,
    store_pairs,
    to_floats,
)

# Columns of a strip, and what the last one reads beyond the image.
STRIP = 2 * LANES - 2
RIGHT_BORDER = BORDER + 2 * LANES
# Rows that are walked down before the next strip's: what is written stays in the cache meanwhile.
TILE = 24


@kernel
def respond_to_bytes(padded, shape, scale, use_harris, harris_k, out):
    """Fill ``out`` (H, W), flattened, with responses; return the strongest.

    ``padded`` holds the image of ``shape`` (H, W), uint8, and its reflection `BORDER` pixels
    around, `RIGHT_BORDER` on the right; ``scale`` is that of `respond`.
    """
    image, responses = memory(padded), memory(out)
    measure, best = (scale, use_harris, harris_k), splat(-np.inf)
    for top in range(0, shape[0], TILE):
        for left in range(0, shape[1], STRIP):
            best = _walk_down(image, padded.shape[1], top, left, shape, measure, responses, best)
    return highest(best)


@part
def _walk_down(image, stride, top, left, shape, measure, out, best):
    """Write the responses of a strip from row ``top`` on; return ``best``, raised."""
    height, width = shape
    flipped = _flipped_lanes(left, width)
    # Lane 0 is the column left of the strip; the first row is the second above the tile.
    place = top * stride + BORDER + left - 1
    slope_a, smooth_a = _sum_columns(image, place)
    slope_b, smooth_b = _sum_columns(image, place + stride)
    slope_c, smooth_c = _sum_columns(image, place + 2 * stride)
    first_sign = ~flipped if top == 0 else flipped
    above = _multiply(slope_a, slope_b, slope_c, smooth_a, smooth_c, first_sign)
    slope_a, slope_b, smooth_a, smooth_b = slope_b, slope_c, smooth_b, smooth_c
    place += 3 * stride
    slope_c, smooth_c = _sum_columns(image, place)
    middle = _multiply(slope_a, slope_b, slope_c, smooth_a, smooth_c, flipped)
    even_best, odd_best = best, best
    count = min(width - left, STRIP)
    for y in range(top, min(top + TILE, height)):
        slope_a, slope_b, smooth_a, smooth_b = slope_b, slope_c, smooth_b, smooth_c
        place += stride
        slope_c, smooth_c = _sum_columns(image, place)
        sign = ~flipped if y + 1 == height else flipped
        below = _multiply(slope_a, slope_b, slope_c, smooth_a, smooth_c, sign)
        even, odd = _measure_block(above, middle, below, measure)
        at = y * width + left
        if left + 2 * LANES <= width:
            store_pairs(out, at, even, odd)  # the next strip overwrites the last two
        else:
            _store_first_pairs(out, at, even, odd, count)
        even_best, odd_best = maximum(even_best, even), maximum(odd_best, odd)
        above, middle = middle, below
    best = select(first_lanes((count + 1) // 2), maximum(best, even_best), best)
    return select(first_lanes(count // 2), maximum(best, odd_best), best)


@part
def _flipped_lanes(left, width):
    """Return all bits in lanes of the reflection, which turns one derivative round, else none."""
    return ~short_lanes(1 - left if left == 0 else 0, min(width - left + 1, 2 * LANES))


@part
def _sum_columns(image, place):
    a, b = load_shorts(image, place - 1), load_shorts(image, place)
    c = load_shorts(image, place + 1)
    return c - a, (a + b) + (b + c)


@part
def _multiply(slope_a, slope_b, slope_c, smooth_a, smooth_c, flipped):
    """Return gx^2, gx gy and gy^2: of every pair of lanes, then of its even lane alone."""
    gx, gy = (slope_a + slope_b) + (slope_b + slope_c), smooth_c - smooth_a
    turned = (gx ^ flipped) - flipped
    evens = splat_pair(-1, 0)
    gx_even, gy_even = gx & evens, gy & evens
    whole = pair_sums(gx, gx), pair_sums(turned, gy), pair_sums(gy, gy)
    return whole, (pair_sums(gx, gx_even), pair_sums(turned, gy_even), pair_sums(gy, gy_even))


@part
def _measure_block(above, middle, below, measure):
    """Return the responses at the odd lanes of a row of derivatives, and at the even ones after."""
    pairs_a, evens_a = above
    pairs_b, evens_b = middle
    pairs_c, evens_c = below
    xx, next_xx = _sum_three(
        pairs_a[0] + pairs_b[0] + pairs_c[0], evens_a[0] + evens_b[0] + evens_c[0]
    )
    xy, next_xy = _sum_three(
        pairs_a[1] + pairs_b[1] + pairs_c[1], evens_a[1] + evens_b[1] + evens_c[1]
    )
    yy, next_yy = _sum_three(
        pairs_a[2] + pairs_b[2] + pairs_c[2], evens_a[2] + evens_b[2] + evens_c[2]
    )
    return _measure(xx, xy, yy, measure), _measure(next_xx, next_xy, next_yy, measure)


@part
def _sum_three(pairs, evens):
    """Return sums of three columns around every odd lane, and around the even one after it."""
    next_pairs = shift(pairs, pairs, 1)
    return pairs + shift(evens, evens, 1), (pairs - evens) + next_pairs


@part
def _measure(xx, xy, yy, measure):
    scale, use_harris, k = measure
    trace = to_floats(xx + yy)
    if use_harris:
        mixed = to_floats(xy)
        determinant = fma(to_floats(xx), to_floats(yy), -(mixed * mixed))
        return (determinant - k * trace * trace) * (scale * scale)
    difference, twice = to_floats(xx - yy), to_floats(xy + xy)
    # Half of trace and difference, as halving commutes with every rounding.
    spread = square_root(fma(difference, difference, twice * twice))
    return (trace - spread) * (scale * np.float32(0.5))


@part
def _store_first_pairs(out, at, even, odd, count):
    lane = lane_numbers()
    index = (lane >> 1) + (lane & 1) * LANES
    store_first(out, at, permute(even, odd, index), min(count, LANES))
    if count > LANES:
        rest = permute(even, odd, index + LANES // 2)
        store_first(out, at + LANES, rest, count - LANES)
