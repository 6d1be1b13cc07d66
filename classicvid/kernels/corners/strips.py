"""A gray image inside a border goes in; its corner responses over blocks of 3 pixels come out.

A strip as wide as a vector walks down the image. What three rows share stays in registers, and two
lanes of the vector are the neighbours that the others need.
"""

from __future__ import annotations

import numpy as np

from classicvid.kernels.jit import kernel, part
from classicvid.kernels.simd import (
    LANES,
    first_lanes,
    fma,
    highest,
    lane_numbers,
    load_floats,
    maximum,
    memory,
    select,
    shift,
    splat,
    square_root,
    store,
    store_first,
)

# Two pixels for the neighbours of neighbours; on the right also what the last vector overhangs.
BORDER = 2
RIGHT_BORDER = BORDER + LANES


@kernel
def respond_in_strips(padded, shape, scale, use_harris, harris_k, out):
    """Fill ``out`` (H, W), flattened, with responses; return the strongest.

    ``padded`` holds the image of ``shape`` (H, W), uint8 or float32, and its reflection `BORDER`
    pixels around, `RIGHT_BORDER` on the right; ``scale`` is that of `respond`.
    """
    image, responses = memory(padded), memory(out)
    measure, best = (scale, use_harris, harris_k), splat(-np.inf)
    for left in range(0, shape[1], LANES - 2):
        strongest = _walk_down(image, padded.shape[1], left, shape, measure, responses)
        inside = first_lanes(min(shape[1] - left, LANES - 2))
        best = select(inside, maximum(best, strongest), best)
    return highest(best)


@part
def _walk_down(image, stride, left, shape, measure, out):
    """Write the responses of a strip; return the strongest of each lane."""
    height, width = shape
    mirrored = _mirror_signs(left, width)
    # Lane 0 is the column left of the strip; the first row is the second above the image.
    place = BORDER + left - 1
    slope_a, smooth_a = _sum_columns(image, place)
    slope_b, smooth_b = _sum_columns(image, place + stride)
    slope_c, smooth_c = _sum_columns(image, place + 2 * stride)
    first = _multiply(slope_a, slope_b, slope_c, smooth_a, smooth_c, -mirrored)
    slope_a, slope_b, smooth_a, smooth_b = slope_b, slope_c, smooth_b, smooth_c
    place += 3 * stride
    slope_c, smooth_c = _sum_columns(image, place)
    second = _multiply(slope_a, slope_b, slope_c, smooth_a, smooth_c, mirrored)
    strongest = splat(-np.inf)
    for y in range(height):
        slope_a, slope_b, smooth_a, smooth_b = slope_b, slope_c, smooth_b, smooth_c
        place += stride
        slope_c, smooth_c = _sum_columns(image, place)
        sign = -mirrored if y + 1 == height else mirrored
        third = _multiply(slope_a, slope_b, slope_c, smooth_a, smooth_c, sign)
        response = _measure(first, second, third, measure)
        if left + LANES <= width:
            store(out, y * width + left, response)  # the next strip overwrites the last two lanes
        else:
            store_first(out, y * width + left, response, min(width - left, LANES - 2))
        strongest = maximum(strongest, response)
        first, second = second, third
    return strongest


@part
def _mirror_signs(left, width):
    """Return -1 where a lane lies in the reflection, which turns one derivative round, else 1."""
    column = lane_numbers() + (left - 1)
    return select((column >= 0) & (column < width), splat(1), splat(-1))


@part
def _sum_columns(image, place):
    a, b = load_floats(image, place - 1), load_floats(image, place)
    c = load_floats(image, place + 1)
    return c - a, fma(splat(2), b, a + c)


@part
def _multiply(slope_a, slope_b, slope_c, smooth_a, smooth_c, sign):
    gx, gy = fma(splat(2), slope_b, slope_a + slope_c), smooth_c - smooth_a
    return gx * gx, gx * gy * sign, gy * gy


@part
def _measure(first, second, third, measure):
    scale, use_harris, k = measure
    xx = _sum_three(first[0] + second[0] + third[0])
    xy = _sum_three(first[1] + second[1] + third[1])
    yy = _sum_three(first[2] + second[2] + third[2])
    trace = xx + yy
    if use_harris:
        return (fma(xx, yy, -(xy * xy)) - k * trace * trace) * (scale * scale)
    difference = xx - yy
    twice = xy + xy
    # Half of trace and difference, as halving commutes with every rounding.
    spread = square_root(fma(difference, difference, twice * twice))
    return (trace - spread) * (scale * np.float32(0.5))


@part
def _sum_three(columns):
    return columns + shift(columns, columns, 1) + shift(columns, columns, 2)
