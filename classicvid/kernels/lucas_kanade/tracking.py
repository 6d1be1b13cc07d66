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
# A point on its way: its number, or -1; how many steps it took; the corner of its window in the
# next frame and how far from there the point is; its last step; what the steps are solved with;
# the smallest eigenvalue.
_FLOATS = ("x", "y", "half_x", "half_y", "dx", "dy", "a11", "a12", "a22", "inverse", "smallest")
SEARCH = np.dtype(
    [("point", np.int64), ("steps", np.int64), *((name, np.float32) for name in _FLOATS)]
)
# The last argument is the kind of the planes.
measure = chosen(given=fractions.measure_window, absent=whole.measure_window)
mismatches = chosen(given=fractions.mismatches, absent=whole.mismatches)
mean_difference = chosen(given=fractions.mean_difference, absent=whole.mean_difference)


def border_sizes(window):
    """Return how many pixels a level needs around it: top, bottom, left, right."""
    height, width = window
    room = max(-(-width // fractions.STRIP) * LANES, -(-width // whole.STRIP) * 2 * LANES)
    return height + 2, height + 2, width + 2, room + 2


def make_scratch(window, dtype):
    """Return what `track_level` works in, on levels of ``dtype``: planes, their kind and searches.

    The planes are those of gray levels and two derivatives, for each of two points. For bytes they
    are int16, and their kind is None; for floats, and for bytes whose window fits one vector of
    floats, which then is as quick, they are float32, and their kind is True.
    """
    height, width = window
    searches = np.zeros(2, SEARCH)
    if dtype == np.uint8 and width > fractions.STRIP:
        room = -(-width // whole.STRIP) * 2 * LANES
        return np.zeros((2, 3, height, room), np.int16), None, searches
    room = -(-width // fractions.STRIP) * LANES
    return np.zeros((2, 3, height, room), np.float32), True, searches


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

    Two points are followed at a time, as a step of one waits for its own sums: when one has
    arrived, the next point takes its place.
    """
    stride = previous.shape[1]
    first, second = memory(previous), memory(next)
    places = border[0] * stride + border[1], stride
    finest, eigenvalue = choice
    planes, floats, searches = scratch
    room = planes.shape[3]
    patches = (
        (memory(planes[0, 0]), memory(planes[0, 1]), memory(planes[0, 2])),
        (memory(planes[1, 0]), memory(planes[1, 1]), memory(planes[1, 2])),
    )
    zero = np.float32(0)
    sums = (zero, zero), (zero, zero)
    searches[0]["point"], searches[1]["point"], begun = -1, -1, 0
    while True:
        for k in range(2):
            search, patch = searches[k], patches[k]
            going, kept = search["point"] >= 0, False
            if going:
                going, kept = _step(search, sums[k], shape, window, limits)
            while not going:
                i = search["point"]
                if i >= 0:
                    x, y = search["x"] + search["half_x"], search["y"] + search["half_y"]
                    guesses[i, 0], guesses[i, 1] = x, y
                    if finest:
                        found = search["smallest"]
                        if not eigenvalue:
                            kept, found = _compare_windows(
                                second, shape, places, window, kept, x, y, room, patch, floats
                            )
                        status[i], measure[i] = kept, found
                    search["point"] = -1
                if begun == points.shape[0]:
                    search["x"], search["y"] = zero, zero
                    break
                search["point"] = begun
                going, kept = _begin(
                    first,
                    shape,
                    places,
                    window,
                    (points[begun, 0], points[begun, 1]),
                    (guesses[begun, 0], guesses[begun, 1]),
                    limits,
                    room,
                    patch,
                    search,
                    floats,
                )
                begun += 1
        if searches[0]["point"] < 0 and searches[1]["point"] < 0:
            return
        starts = (
            fractions.split(searches[0]["x"], searches[0]["y"], places),
            fractions.split(searches[1]["x"], searches[1]["y"], places),
        )
        sums = mismatches(second, starts, stride, window, room, patches, floats)


@kernel
def _begin(image, shape, places, window, point, guess, limits, room, patch, search, floats):
    """Measure the window of a point; return whether steps must be taken, and if the point is kept.

    Where none are, ``search`` holds the place already.
    """
    zero = np.float32(0)
    search["x"], search["y"] = guess
    search["half_x"], search["half_y"] = zero, zero
    search["smallest"] = zero
    left, top = _corner(point[0], point[1], window)
    if not _overlaps(left, top, shape, window):
        return False, False
    a11, a12, a22 = measure(image, shape, places, left, top, window, room, patch, floats)
    a11, a12, a22 = a11 * SUM_SCALE, a12 * SUM_SCALE, a22 * SUM_SCALE
    determinant = a11 * a22 - a12 * a12
    spread = np.sqrt((a11 - a22) * (a11 - a22) + np.float32(4) * a12 * a12)
    smallest = (a22 + a11 - spread) / np.float32(2 * window[0] * window[1])
    search["smallest"] = smallest
    if not (smallest >= limits[2] and determinant >= np.float32(FLT_EPSILON)):
        return False, False
    if limits[0] == 0:
        return False, True
    search["a11"], search["a12"], search["a22"] = a11, a12, a22
    search["inverse"] = np.float32(1) / determinant
    x, y = _corner(guess[0], guess[1], window)
    search["half_x"], search["half_y"] = guess[0] - x, guess[1] - y
    search["x"], search["y"], search["steps"] = x, y, 0
    return _overlaps(x, y, shape, window), False


@kernel
def _corner(x, y, window):
    half_x, half_y = np.float32((window[1] - 1) * 0.5), np.float32((window[0] - 1) * 0.5)
    return x - half_x, y - half_y


@kernel
def _overlaps(left, top, shape, window):
    # NaN compares false: a point that got lost stays lost.
    return -window[1] <= left and left < shape[1] and -window[0] <= top and top < shape[0]


@kernel
def _step(search, sums, shape, window, limits):
    """Take one of Newton's steps; return whether more must be taken, and if the point is kept."""
    dx, dy = _solve(search, sums[0], sums[1])
    before_x, before_y = search["dx"], search["dy"]
    x, y = search["x"] + dx, search["y"] + dy
    search["x"], search["y"], search["dx"], search["dy"] = x, y, dx, dy
    if np.float64(dx) * dx + np.float64(dy) * dy <= limits[1]:
        return False, True
    if search["steps"] > 0 and abs(dx + before_x) < 0.01 and abs(dy + before_y) < 0.01:
        # It swings between two places: the middle is taken.
        search["x"] = x + search["half_x"] - dx * np.float32(0.5)
        search["y"] = y + search["half_y"] - dy * np.float32(0.5)
        search["half_x"], search["half_y"] = np.float32(0), np.float32(0)
        return False, True
    search["steps"] += 1
    if search["steps"] >= limits[0]:
        return False, True
    return _overlaps(x, y, shape, window), False


@kernel
def _solve(search, b1, b2):
    a11, a12, a22, inverse = search["a11"], search["a12"], search["a22"], search["inverse"]
    b1, b2 = b1 * SUM_SCALE, b2 * SUM_SCALE
    # Solved in this order of rounding, small windows follow OpenCV's.
    return (a12 * b2 - a22 * b1) * inverse, (a12 * b1 - a11 * b2) * inverse


@kernel
def _compare_windows(image, shape, places, window, kept, x, y, room, patch, floats):
    """Return whether the point is still kept, and the mean difference of its two windows."""
    left, top = _corner(x, y, window)
    if not (kept and _overlaps(left, top, shape, window)):
        return False, np.float32(0)
    start, u, v = fractions.split(left, top, places)
    return True, mean_difference(image, start, u, v, places[1], window, room, patch, floats)
