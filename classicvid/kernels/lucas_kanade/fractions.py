"""A padded level and a place go in; gray levels and derivatives of the window there come out."""

from __future__ import annotations

import numpy as np

from classicvid.kernels.jit import inlined, kernel
from classicvid.kernels.simd import (
    LANES,
    absolute,
    first_lanes,
    floor,
    fma,
    lane_numbers,
    load,
    load_floats,
    select,
    shift,
    splat,
    store,
    total,
)

# Interpolated gray levels have 5 fractional bits, their derivatives too, bilinear weights 14: whole
# numbers below 2^24, which float32 holds exactly.
GRAY_ONE = np.float32(32)
WEIGHT_ONE = np.float32(16384)
# Above 2^23 float32 knows whole numbers only: a gray level is rounded as it is added. Halves go up,
# as half the least share of a gray level was put on top.
WHOLE = np.float32(2**23)
UP = np.float32(1 / 2**10)
# Columns of a window that a vector covers: its last lane holds their right neighbour.
STRIP = LANES - 1


@kernel
def measure_window(image, shape, places, left, top, window, room, patch, floats):
    """Write the window's gray levels, `WHOLE` more, and derivatives; return sums of squares.

    These are gx^2, gx gy and gy^2. Derivatives are Scharr's at whole pixels, zero outside the
    image, interpolated to the place of the window as its gray levels are, and rounded. Beside the
    window they are zero.
    """
    start, u, v = split(left, top, places)
    first_x, first_y, stride = int(np.floor(left)), int(np.floor(top)), places[1]
    shares = rounded_weights(u, v)
    a11, a12, a22 = splat(0), splat(0), splat(0)
    gray, gx, gy = patch
    to = 0
    for x in range(0, window[1], STRIP):
        weights = _column_weights(first_x + x, shape[1], shares, window[1] - x)
        place = start + x - stride
        slope_a, smooth_a, _ = _scharr_row(image, place)
        slope_b, smooth_b, upper = _scharr_row(image, place + stride)
        place += 2 * stride
        slope_c, smooth_c, lower = _scharr_row(image, place)
        inside = 0 <= first_y < shape[0]
        across_above = _with_right(_smoothed(slope_a, slope_b, slope_c), inside)
        down_above = _with_right(smooth_c - smooth_a, inside)
        below = first_y + 1
        for row in range(to, to + window[0] * room, room):
            slope_a, slope_b, smooth_a, smooth_b = slope_b, slope_c, smooth_b, smooth_c
            place += stride
            slope_c, smooth_c, next_lower = _scharr_row(image, place)
            inside = 0 <= below < shape[0]
            across = _with_right(_smoothed(slope_a, slope_b, slope_c), inside)
            down = _with_right(smooth_c - smooth_a, inside)
            dx = _whole_derivative(across_above, across, weights)
            dy = _whole_derivative(down_above, down, weights)
            store(gray, row, whole_level(upper[0], upper[1], lower[0], lower[1], shares))
            store(gx, row, dx)
            store(gy, row, dy)
            a11, a12, a22 = fma(dx, dx, a11), fma(dx, dy, a12), fma(dy, dy, a22)
            upper, lower, below = lower, next_lower, below + 1
            across_above, down_above = across, down
        to += LANES
    return total(a11), total(a12), total(a22)


@inlined
def mismatches(image, starts, stride, window, room, patches, floats):
    """Return the sums of gx and gy times the difference of the windows, of two points.

    ``starts`` holds for each what `split` returns. Every sum waits for the one before: those of
    the other point fill the time.
    """
    (place_a, u_a, v_a), (place_b, u_b, v_b) = starts
    (patch_a, patch_b), none = patches, splat(0)
    weights_a, weights_b = rounded_weights(u_a, v_a), rounded_weights(u_b, v_b)
    sums_a, sums_b = (none, none), (none, none)
    to = 0
    for x in range(0, window[1], STRIP):
        at_a, at_b = place_a + x, place_b + x
        pixels_a, pixels_b = _neighbours(image, at_a), _neighbours(image, at_b)
        for row in range(to, to + window[0] * room, room):
            at_a, at_b = at_a + stride, at_b + stride
            lower_a, lower_b = _neighbours(image, at_a), _neighbours(image, at_b)
            sums_a = _add_row(sums_a, pixels_a, lower_a, weights_a, patch_a, row)
            sums_b = _add_row(sums_b, pixels_b, lower_b, weights_b, patch_b, row)
            pixels_a, pixels_b = lower_a, lower_b
        to += LANES
    return (total(sums_a[0]), total(sums_a[1])), (total(sums_b[0]), total(sums_b[1]))


@inlined
def _neighbours(image, place):
    pixels = load_floats(image, place)
    return pixels, shift(pixels, pixels, 1)


@inlined
def _add_row(sums, upper, lower, weights, patch, row):
    gray, gx, gy = patch
    difference = whole_level(upper[0], upper[1], lower[0], lower[1], weights) - load(gray, row)
    return fma(difference, load(gx, row), sums[0]), fma(difference, load(gy, row), sums[1])


@inlined
def mean_difference(image, start, u, v, stride, window, room, patch, floats):
    """Return the mean distance between the levels of the window and those kept, in gray levels."""
    gray, weights = patch[0], rounded_weights(u, v)
    differences = splat(0)
    to = 0
    for column in range(0, window[1], STRIP):
        inside, place = first_lanes(min(window[1] - column, STRIP)), start + column
        upper = load_floats(image, place)
        upper_right = shift(upper, upper, 1)
        for row in range(to, to + window[0] * room, room):
            place += stride
            lower = load_floats(image, place)
            lower_right = shift(lower, lower, 1)
            level = whole_level(upper, upper_right, lower, lower_right, weights)
            difference = absolute(level - load(gray, row))
            differences = differences + select(inside, difference, splat(0))
            upper, upper_right = lower, lower_right
        to += LANES
    return total(differences) / (GRAY_ONE * np.float32(window[0] * window[1]))


@inlined
def split(left, top, places):
    """Return where the pixel at or before a place lies, and how far beyond it the place is."""
    whole_x, whole_y = np.floor(left), np.floor(top)
    place = places[0] + int(whole_y) * places[1] + int(whole_x)
    return place, left - whole_x, top - whole_y


@inlined
def rounded_weights(u, v):
    """Return bilinear weights of 14 bits that add up to `GRAY_ONE`."""
    one, share = np.float32(1), GRAY_ONE / WEIGHT_ONE
    w00 = np.rint((one - u) * (one - v) * WEIGHT_ONE)
    w01 = np.rint(u * (one - v) * WEIGHT_ONE)
    w10 = np.rint((one - u) * v * WEIGHT_ONE)
    return w00 * share, w01 * share, w10 * share, (WEIGHT_ONE - w00 - w01 - w10) * share


@inlined
def whole_level(upper, upper_right, lower, lower_right, weights):
    """Return the gray level between four pixels, rounded to a whole number, and `WHOLE` more."""
    return _level(upper, upper_right, lower, lower_right, weights) + WHOLE


@inlined
def _level(upper, upper_right, lower, lower_right, weights):
    w00, w01, w10, w11 = weights
    lower = fma(w10, lower, fma(w11, lower_right, splat(UP)))
    return fma(w00, upper, fma(w01, upper_right, lower))


@inlined
def _column_weights(first, width, shares, count):
    """Return what derivatives at a lane's place, and the next, weigh: upper two, lower two.

    Nothing outside the image, from lane ``count`` on or in the last lane.
    """
    column, inside = lane_numbers() + first, first_lanes(min(count, STRIP))
    here = inside & (column >= 0) & (column < width)
    right = inside & (column >= -1) & (column < width - 1)
    none, unit = splat(0), np.float32(1) / GRAY_ONE
    w00, w01, w10, w11 = shares
    return (
        select(here, splat(w00 * unit), none),
        select(right, splat(w01 * unit), none),
        select(here, splat(w10 * unit), none),
        select(right, splat(w11 * unit), none),
    )


@inlined
def _scharr_row(image, place):
    """Return a row's slopes, its (3, 10, 3) sums, and the pixels with their right neighbours."""
    a, b, c = (
        load_floats(image, place - 1),
        load_floats(image, place),
        load_floats(image, place + 1),
    )
    return c - a, _smoothed(a, b, c), (b, c)


@inlined
def _smoothed(a, b, c):
    return fma(splat(10), b, splat(3) * (a + c))


@inlined
def _with_right(derivative, inside):
    """Return a row's derivatives and their right neighbours, zero where the row is outside."""
    if not inside:
        derivative = splat(0)
    return derivative, shift(derivative, derivative, 1)


@inlined
def _whole_derivative(upper, lower, weights):
    """Return the derivative between four pixels, rounded."""
    w00, w01, w10, w11 = weights
    value = fma(w00, upper[0], fma(w01, upper[1], splat(0.5)))
    return floor(fma(w10, lower[0], fma(w11, lower[1], value)))
