"""Padded levels of two frames and points go in; where the points went comes out.

Levels carry a border, as wide as the window and a vector, on every side, so that a window may hang
over the edge of the image.
"""

from __future__ import annotations

import numpy as np

from classicvid.kernels.jit import chosen, kernel
from classicvid.kernels.lucas_kanade import fractions, whole
from classicvid.kernels.simd import LANES, memory

FLT_EPSILON = 1.1920929e-07
# Gray levels and derivatives have 5 fractional bits: their products are 2^20 to one.
SUM_SCALE = np.float32(1 / 2**20)
# Whole numbers need no room for levels that are not rounded.
measure = chosen(given=fractions.measure_window, absent=whole.measure_window)
mismatch = chosen(given=fractions.mismatch, absent=whole.mismatch)
mean_difference = chosen(given=fractions.mean_difference, absent=whole.mean_difference)


def border_sizes(window):
    """Return how many pixels a level needs around it: top, bottom, left, right."""
    height, width = window
    room = max(-(-width // fractions.STRIP) * LANES, -(-width // whole.STRIP) * 2 * LANES)
    return height + 2, height + 2, width + 2, room + 2


def make_scratch(window, dtype):
    """Return what `track_level` works in, on levels of ``dtype``: its planes and its levels.

    The planes are those of gray levels and two derivatives, the levels are gray levels before they
    are rounded: these have a row and a column more on every side, and vectors read beyond them.
    Bytes take planes of int16 and no levels; floats, and bytes whose window fits one vector of
    floats, which then is as quick, take float32.
    """
    height, width = window
    if dtype == np.uint8 and width > fractions.STRIP:
        room = -(-width // whole.STRIP) * 2 * LANES
        return np.zeros((3, height, room), np.int16), None
    room = -(-width // fractions.STRIP) * LANES + LANES
    return np.zeros((3, height, room), np.float32), np.zeros((height + 3, room), np.float32)


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
    ``scratch`` is that of `make_scratch`.
    """
    stride = previous.shape[1]
    first, second = memory(previous), memory(next)
    places = border[0] * stride + border[1], stride
    finest, eigenvalue = choice
    planes, levels = scratch
    room = planes.shape[2]
    patch = memory(planes[0]), memory(planes[1]), memory(planes[2])
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
            patch,
            levels,
        )
        guesses[i, 0], guesses[i, 1] = x, y
        if not finest:
            continue
        found = smallest
        if not eigenvalue:
            kept, found = _compare_windows(
                second, shape, places, window, kept, x, y, room, patch, levels
            )
        status[i], measure[i] = kept, found


@kernel
def _track_point(previous, next, shape, places, window, point, guess, limits, room, patch, levels):
    """Return whether the point was followed, where to, and the smallest eigenvalue."""
    left, top = _corner(point[0], point[1], window)
    x, y, none = guess[0], guess[1], np.float32(0)
    if not _overlaps(left, top, shape, window):
        return False, x, y, none
    a11, a12, a22 = measure(previous, shape, places, left, top, window, room, patch, levels)
    a11, a12, a22 = a11 * SUM_SCALE, a12 * SUM_SCALE, a22 * SUM_SCALE
    determinant = a11 * a22 - a12 * a12
    spread = np.sqrt((a11 - a22) * (a11 - a22) + np.float32(4) * a12 * a12)
    smallest = (a22 + a11 - spread) / np.float32(2 * window[0] * window[1])
    if not (smallest >= limits[2] and determinant >= np.float32(FLT_EPSILON)):
        return False, x, y, smallest
    system = a11, a12, a22, np.float32(1) / determinant
    kept, x, y = _step_to_match(
        next, shape, places, window, patch, levels, room, system, x, y, limits
    )
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
def _step_to_match(image, shape, places, window, patch, levels, room, system, x, y, limits):
    """Return whether the window stayed in the image, and where Newton's steps took its centre."""
    to_x, to_y = _corner(x, y, window)
    half_x, half_y = x - to_x, y - to_y
    before_x, before_y = np.float32(0), np.float32(0)
    for step in range(int(limits[0])):
        if not _overlaps(to_x, to_y, shape, window):
            return False, x, y
        place, u, v = fractions.split(to_x, to_y, places)
        b1, b2 = mismatch(image, place, u, v, places[1], window, room, patch, levels)
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
def _compare_windows(image, shape, places, window, kept, x, y, room, patch, levels):
    """Return whether the point is still kept, and the mean difference of its two windows."""
    left, top = _corner(x, y, window)
    if not (kept and _overlaps(left, top, shape, window)):
        return False, np.float32(0)
    start, u, v = fractions.split(left, top, places)
    return True, mean_difference(image, start, u, v, places[1], window, room, patch, levels)
