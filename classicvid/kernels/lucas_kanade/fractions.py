"""A padded level and a place go in; gray levels and derivatives of the window there come out."""

from __future__ import annotations

import numpy as np

from classicvid.kernels.jit import kernel
from classicvid.kernels.simd import (
    LANES,
    absolute,
    first_lanes,
    floor,
    fma,
    lane_numbers,
    load,
    load_floats,
    memory,
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
def measure_window(image, shape, places, left, top, window, room, patch, levels):
    """Write the window's gray levels, `WHOLE` more, and derivatives; return sums of squares.

    These are gx^2, gx gy and gy^2. Derivatives are Scharr's at whole pixels, zero outside the
    image, interpolated to the place of the window as its gray levels are, and rounded. Beside the
    window they are zero.
    """
    if left >= 0 and left + window[1] < shape[1] and top >= 0 and top + window[0] < shape[0]:
        return _measure_inside(image, places, left, top, window, room, patch, memory(levels))
    return _measure_anywhere(image, shape, places, left, top, window, room, patch)


@kernel
def mismatch(image, start, u, v, stride, window, room, patch, levels):
    """Return the sums of gx and gy times the difference of the windows."""
    gray, gx, gy = patch
    weights = rounded_weights(u, v)
    b1, b2 = splat(0), splat(0)
    to = 0
    for x in range(0, window[1], STRIP):
        place = start + x
        upper = load_floats(image, place)
        upper_right = shift(upper, upper, 1)
        for row in range(to, to + window[0] * room, room):
            place += stride
            lower = load_floats(image, place)
            lower_right = shift(lower, lower, 1)
            level = whole_level(upper, upper_right, lower, lower_right, weights)
            difference = level - load(gray, row)
            b1, b2 = fma(difference, load(gx, row), b1), fma(difference, load(gy, row), b2)
            upper, upper_right = lower, lower_right
        to += LANES
    return total(b1), total(b2)


@kernel
def mean_difference(image, start, u, v, stride, window, room, patch, levels):
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


@kernel
def split(left, top, places):
    """Return where the pixel at or before a place lies, and how far beyond it the place is."""
    whole_x, whole_y = np.floor(left), np.floor(top)
    place = places[0] + int(whole_y) * places[1] + int(whole_x)
    return place, left - whole_x, top - whole_y


@kernel
def rounded_weights(u, v):
    """Return bilinear weights of 14 bits that add up to `GRAY_ONE`."""
    one, share = np.float32(1), GRAY_ONE / WEIGHT_ONE
    w00 = np.rint((one - u) * (one - v) * WEIGHT_ONE)
    w01 = np.rint(u * (one - v) * WEIGHT_ONE)
    w10 = np.rint((one - u) * v * WEIGHT_ONE)
    return w00 * share, w01 * share, w10 * share, (WEIGHT_ONE - w00 - w01 - w10) * share


@kernel
def whole_level(upper, upper_right, lower, lower_right, weights):
    """Return the gray level between four pixels, rounded to a whole number, and `WHOLE` more."""
    return _level(upper, upper_right, lower, lower_right, weights) + WHOLE


@kernel
def _level(upper, upper_right, lower, lower_right, weights):
    w00, w01, w10, w11 = weights
    lower = fma(w10, lower, fma(w11, lower_right, splat(UP)))
    return fma(w00, upper, fma(w01, upper_right, lower))


@kernel
def _measure_inside(image, places, x, y, window, room, patch, levels):
    """Measure a window inside the image.

    There the interpolated derivatives are the derivatives of interpolated gray levels.
    """
    gray, gx, gy = patch
    start, u, v = split(x, y, places)
    _interpolate(image, start - places[1] - 1, places[1], u, v, window, room, levels)
    a11, a12, a22, half = splat(0), splat(0), splat(0), splat(0.5)
    for strip in range(room // LANES - 1):
        inside = first_lanes(min(window[1] - strip * STRIP, STRIP))
        unit = select(inside, splat(1 / GRAY_ONE), splat(0))
        place, first = strip * STRIP, strip * LANES
        upper0, upper1, upper2 = _three_columns(levels, place)
        left, middle, right = _three_columns(levels, place + room)
        place += 2 * room
        slope = right - left
        part = fma(splat(3), slope, upper2 - upper0)
        for row in range(first, first + window[0] * room, room):
            lower0, lower1, lower2 = _three_columns(levels, place)
            # Scharr's (3, 10, 3) is (1, 3) convolved with (3, 1).
            next_slope = lower2 - lower0
            next_part = fma(splat(3), next_slope, slope)
            across = fma(splat(3), part, next_part)
            down = _smoothed(lower0 - upper0, lower1 - upper1, lower2 - upper2)
            dx, dy = floor(fma(across, unit, half)), floor(fma(down, unit, half))
            store(gray, row, middle + WHOLE)
            store(gx, row, dx)
            store(gy, row, dy)
            a11, a12, a22 = fma(dx, dx, a11), fma(dx, dy, a12), fma(dy, dy, a22)
            upper0, upper1, upper2 = left, middle, right
            left, middle, right = lower0, lower1, lower2
            slope, part = next_slope, next_part
            place += room
    return total(a11), total(a12), total(a22)


@kernel
def _interpolate(image, place, stride, u, v, window, room, levels):
    """Write the gray levels of a window and around it, not rounded, `UP` more."""
    weights = rounded_weights(u, v)
    for x in range(0, window[1] + 2, LANES):
        at = place + x
        upper, upper_right = load_floats(image, at), load_floats(image, at + 1)
        for row in range(x, x + (window[0] + 2) * room, room):
            at += stride
            lower, lower_right = load_floats(image, at), load_floats(image, at + 1)
            level = _level(upper, upper_right, lower, lower_right, weights)
            store(levels, row, level)
            upper, upper_right = lower, lower_right


@kernel
def _three_columns(image, place):
    return load_floats(image, place), load_floats(image, place + 1), load_floats(image, place + 2)


@kernel
def _smoothed(a, b, c):
    return fma(splat(10), b, splat(3) * (a + c))


@kernel
def _measure_anywhere(image, shape, places, left, top, window, room, patch):
    gray, gx, gy = patch
    start, u, v = split(left, top, places)
    first_x, first_y, stride = int(np.floor(left)), int(np.floor(top)), places[1]
    shares = rounded_weights(u, v)
    clipped = first_y < 0 or first_y + window[0] >= shape[0]
    a11, a12, a22 = splat(0), splat(0), splat(0)
    to = 0
    for x in range(0, window[1], STRIP):
        whole = _column_weights(first_x + x, shape[1], shares, window[1] - x)
        weights = whole
        place = start + x - stride - 1
        slope_a, smooth_a, _ = _scharr_row(image, place)
        slope_b, smooth_b, upper = _scharr_row(image, place + stride)
        place += 2 * stride
        slope_c, smooth_c, lower = _scharr_row(image, place)
        across_above, down_above = _smoothed(slope_a, slope_b, slope_c), smooth_c - smooth_a
        for row in range(to, to + window[0] * room, room):
            slope_a, slope_b, smooth_a, smooth_b = slope_b, slope_c, smooth_b, smooth_c
            place += stride
            slope_c, smooth_c, below = _scharr_row(image, place)
            across, down = _smoothed(slope_a, slope_b, slope_c), smooth_c - smooth_a
            if clipped:
                weights = _row_weights(whole, first_y + (row - to) // room, shape[0])
            dx = _whole_derivative(across_above, across, weights)
            dy = _whole_derivative(down_above, down, weights)
            upper_right, lower_right = shift(upper, upper, 1), shift(lower, lower, 1)
            store(gray, row, whole_level(upper, upper_right, lower, lower_right, shares))
            store(gx, row, dx)
            store(gy, row, dy)
            a11, a12, a22 = fma(dx, dx, a11), fma(dx, dy, a12), fma(dy, dy, a22)
            upper, lower = lower, below
            across_above, down_above = across, down
        to += LANES
    return total(a11), total(a12), total(a22)


@kernel
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


@kernel
def _row_weights(weights, row, height):
    """Return the weights without those of rows outside the image."""
    w00, w01, w10, w11 = weights
    none = splat(0)
    if not 0 <= row < height:
        w00, w01 = none, none
    if not 0 <= row + 1 < height:
        w10, w11 = none, none
    return w00, w01, w10, w11


@kernel
def _scharr_row(image, place):
    """Return a row's slopes, its (3, 10, 3) sums and the column between."""
    a, b, c = _three_columns(image, place)
    return c - a, _smoothed(a, b, c), b


@kernel
def _whole_derivative(upper, lower, weights):
    """Return the derivative between four pixels, rounded."""
    w00, w01, w10, w11 = weights
    value = fma(w00, upper, fma(w01, shift(upper, upper, 1), splat(0.5)))
    return floor(fma(w10, lower, fma(w11, shift(lower, lower, 1), value)))
