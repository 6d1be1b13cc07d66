"""Padded levels of two frames and points go in; where the points went comes out.

Levels carry a border, as wide as the window and a vector, on every side, so that a window may hang
over the edge of the image.
"""

from __future__ import annotations

import numpy as np

from classicvid.kernels.jit import kernel
from classicvid.kernels.lucas_kanade.window import (
    GRAY_ONE,
    STRIP,
    measure_window,
    rounded_weights,
    split,
    whole_level,
)
from classicvid.kernels.simd import (
    LANES,
    absolute,
    first_lanes,
    fma,
    load,
    load_floats,
    memory,
    select,
    shift,
    splat,
    total,
)

FLT_EPSILON = 1.1920929e-07
# Gray levels and derivatives have 5 fractional bits: their products are 2^20 to one.
SUM_SCALE = np.float32(1 / 2**20)


def border_sizes(window):
    """Return how many pixels a level needs around it: top, bottom, left, right."""
    height, width = window
    return height + 2, height + 2, width + 2, room_of_row(width) + 2


def room_of_row(width):
    """Return how many floats a row of a window takes, in whole vectors."""
    return -(-width // STRIP) * LANES


def scratch_shape(window):
    """Return the shape of what `track_level` works in.

    Planes of gray levels, two derivatives, and gray levels before they are rounded: these have a
    row and a column more on every side, and vectors read beyond them.
    """
    return 4, window[0] + 3, room_of_row(window[1]) + LANES


@kernel
def track_level(
    previous, next, shape, border, window, points, guesses, status, measure, choice, limits, scratch
):
    """Refine ``guesses`` (N, 2), where ``points`` (N, 2) of one level went.

    ``previous`` and ``next`` are levels of ``shape`` (H, W), uint8 or float32, inside borders that
    begin with ``border`` (top, left); ``window`` is (height, width) in pixels; ``limits`` holds the
    greatest number of iterations, the squared step that ends them, and the smallest eigenvalue
    that is followed (mean over the window).
    ``choice`` is (finest, eigenvalue): whether the level fills ``status`` (N,) and ``measure``
    (N,), and whether that is the smallest eigenvalue or the mean difference of the windows.
    """
    stride = previous.shape[1]
    first, second = memory(previous), memory(next)
    places = border[0] * stride + border[1], stride
    finest, eigenvalue = choice
    room = scratch.shape[2]
    gray, gx, gy = memory(scratch[0]), memory(scratch[1]), memory(scratch[2])
    levels = memory(scratch[3])
    for i in range(points.shape[0]):
        kept, x, y, smallest = _track_point(
            first,
            second,
            shape,
            places,
            window,
            (points[i, 0], points[i, 1]),
            (guesses[i, 0], guesses[i, 1]),
            limits,
            room,
            (gray, gx, gy, levels),
        )
        guesses[i, 0], guesses[i, 1] = x, y
        if not finest:
            continue
        found = smallest
        if not eigenvalue:
            kept, found = _compare_windows(second, shape, places, window, kept, x, y, room, gray)
        status[i], measure[i] = kept, found


@kernel
def _track_point(previous, next, shape, places, window, point, guess, limits, room, patch):
    """Return whether the point was followed, where to, and the smallest eigenvalue."""
    left, top = _corner(point[0], point[1], window)
    x, y, none = guess[0], guess[1], np.float32(0)
    if not _overlaps(left, top, shape, window):
        return False, x, y, none
    a11, a12, a22 = measure_window(previous, shape, places, left, top, window, room, patch)
    a11, a12, a22 = a11 * SUM_SCALE, a12 * SUM_SCALE, a22 * SUM_SCALE
    determinant = a11 * a22 - a12 * a12
    spread = np.sqrt((a11 - a22) * (a11 - a22) + np.float32(4) * a12 * a12)
    smallest = (a22 + a11 - spread) / np.float32(2 * window[0] * window[1])
    if not (smallest >= limits[2] and determinant >= np.float32(FLT_EPSILON)):
        return False, x, y, smallest
    system = a11, a12, a22, np.float32(1) / determinant
    kept, x, y = _step_to_match(next, shape, places, window, patch, room, system, x, y, limits)
    return kept, x, y, smallest


@kernel
def _corner(x, y, window):
    half_x, half_y = np.float32((window[1] - 1) * 0.5), np.float32((window[0] - 1) * 0.5)
    return x - half_x, y - half_y


@kernel
def _overlaps(left, top, shape, window):
    # NaN compares false: a point that got lost stays lost.
    return -window[1] <= left and left < shape[1] and -window[0] <= top and top < shape[0]


@kernel
def _step_to_match(image, shape, places, window, patch, room, system, x, y, limits):
    """Return whether the window stayed in the image, and where Newton's steps took its centre."""
    to_x, to_y = _corner(x, y, window)
    half_x, half_y = x - to_x, y - to_y
    before_x, before_y = np.float32(0), np.float32(0)
    for step in range(int(limits[0])):
        if not _overlaps(to_x, to_y, shape, window):
            return False, x, y
        place, u, v = split(to_x, to_y, places)
        b1, b2 = _mismatch(image, place, u, v, places[1], window, patch, room)
        dx, dy = _solve(system, b1, b2)
        to_x, to_y = to_x + dx, to_y + dy
        x, y = to_x + half_x, to_y + half_y
        if np.float64(dx) * dx + np.float64(dy) * dy <= limits[1]:
            break
        if step > 0 and abs(dx + before_x) < 0.01 and abs(dy + before_y) < 0.01:
            # It swings between two places: the middle is taken.
            return True, x - dx * np.float32(0.5), y - dy * np.float32(0.5)
        before_x, before_y = dx, dy
    return True, x, y


@kernel
def _solve(system, b1, b2):
    a11, a12, a22, inverse = system
    b1, b2 = b1 * SUM_SCALE, b2 * SUM_SCALE
    # Solved in this order of rounding, small windows follow OpenCV's.
    return (a12 * b2 - a22 * b1) * inverse, (a12 * b1 - a11 * b2) * inverse


@kernel
def _mismatch(image, start, u, v, stride, window, patch, room):
    """Return the sums of gx and gy times the difference of the windows."""
    gray, gx, gy, _ = patch
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
def _compare_windows(image, shape, places, window, kept, x, y, room, gray):
    """Return whether the point is still kept, and the mean difference of its two windows."""
    left, top = _corner(x, y, window)
    if not (kept and _overlaps(left, top, shape, window)):
        return False, np.float32(0)
    start, u, v = split(left, top, places)
    weights = rounded_weights(u, v)
    differences = splat(0)
    to = 0
    for column in range(0, window[1], STRIP):
        inside, place = first_lanes(min(window[1] - column, STRIP)), start + column
        upper = load_floats(image, place)
        upper_right = shift(upper, upper, 1)
        for row in range(to, to + window[0] * room, room):
            place += places[1]
            lower = load_floats(image, place)
            lower_right = shift(lower, lower, 1)
            level = whole_level(upper, upper_right, lower, lower_right, weights)
            difference = absolute(level - load(gray, row))
            differences = differences + select(inside, difference, splat(0))
            upper, upper_right = lower, lower_right
        to += LANES
    return True, total(differences) / (GRAY_ONE * np.float32(window[0] * window[1]))
