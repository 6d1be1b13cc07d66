"""Pairs of points in two frames go in; the largest set that one homography explains comes out.

RANSAC as OpenCV's ``findHomography`` runs it, draw by draw, so that the same pairs agree.
"""

from __future__ import annotations

import numpy as np

from classicvid.kernels.jit import inlined, kernel, spliced
from classicvid.kernels.simd import LANES, load, memory, select, splat, store, total

PAIRS_DRAWN = 4
_ATTEMPTS = 10000
_SEED = np.uint64(2**64 - 1)
_FACTOR, _LOW, _HALF = np.uint64(4164903690), np.uint64(2**32 - 1), np.uint64(32)
_FLOAT_STEP = 1.1920929e-07


@kernel
def find_consensus(pairs, count, limit, rounds, confidence, agrees):
    """Fill ``agrees`` (P,), float32, with 1 where a pair agrees with the best homography, else 0.

    Each row of ``pairs`` (4, P), float32, holds ``count`` numbers, and NaN up to a multiple of
    `LANES`: x and y before, x and y after. A pair agrees if its square error is at most ``limit``.
    As many homographies, at most ``rounds``, are tried as find an outlier-free one with the
    probability ``confidence``. Returns how many pairs agree, 0 where no homography was found.
    """
    state = _SEED
    drawn = np.empty(PAIRS_DRAWN, np.int64)
    quads = np.empty((4, PAIRS_DRAWN))
    homography, best = np.empty(9), np.zeros(9)
    most, done = 0, 0
    while done < rounds:
        state, found = _draw(state, pairs, count, drawn, quads)
        if not found:
            break
        done += 1
        if not map_quads(quads, homography):
            continue
        agreeing = measure_agreement(pairs, homography, limit, agrees)
        if agreeing > max(most, PAIRS_DRAWN - 1):
            most = agreeing
            best[:] = homography
            rounds = _needed_rounds(agreeing / count, confidence, rounds)
    if most > 0:
        measure_agreement(pairs, best, limit, agrees)
    return most


@kernel
def _draw(state, pairs, count, drawn, quads):
    """Fill ``quads`` with four pairs that determine a homography; return whether some were found.

    Also returns the next state of the random numbers.
    """
    for _ in range(_ATTEMPTS):
        for i in range(PAIRS_DRAWN):
            repeated = True
            while repeated:
                state = (state & _LOW) * _FACTOR + (state >> _HALF)
                drawn[i] = np.int64((state & _LOW) % np.uint64(count))
                repeated = False
                for j in range(i):
                    repeated |= drawn[j] == drawn[i]
            for axis in range(4):
                quads[axis, i] = pairs[axis, drawn[i]]
        if _are_seen_alike(quads):
            return state, True
    return state, False


@kernel
def _are_seen_alike(quads):
    """Tell whether four pairs may be of one plane, seen from one side, no three on a line."""
    turned = 0
    for left_out in range(PAIRS_DRAWN):
        # The others, in order.
        a, b, c = int(left_out == 0), 1 + int(left_out <= 1), 2 + int(left_out <= 2)
        turned += _area(quads, 0, a, b, c) * _area(quads, 2, a, b, c) < 0
    on_a_line = False
    for axis in range(0, 4, 2):
        on_a_line |= _last_is_on_a_line(quads, axis)
    return (turned == 0 or turned == PAIRS_DRAWN) and not on_a_line


@spliced
def _last_is_on_a_line(quads, axis):
    """Tell whether the last point lies on a line with two others."""
    last = PAIRS_DRAWN - 1
    for j in range(last):
        ax = quads[axis, j] - quads[axis, last]
        ay = quads[axis + 1, j] - quads[axis + 1, last]
        for k in range(j):
            bx = quads[axis, k] - quads[axis, last]
            by = quads[axis + 1, k] - quads[axis + 1, last]
            if abs(bx * ay - by * ax) <= _FLOAT_STEP * (abs(ax) + abs(ay) + abs(bx) + abs(by)):
                return True
    return False


@spliced
def _area(quads, axis, a, b, c):
    """Return twice the area of a triangle, negative where it turns the other way round."""
    x, y = quads[axis, a], quads[axis + 1, a]
    across = (quads[axis, b] - x) * (quads[axis + 1, c] - y)
    return across - (quads[axis + 1, b] - y) * (quads[axis, c] - x)


@kernel
def map_quads(quads, out):
    """Fill ``out`` (9,) with the homography, by rows, of four pairs of points ``quads`` (4, 4).

    The rows of ``quads`` are those of pairs. Both frames' points are images of the unit square,
    and such homographies have a closed form (P. Heckbert, 1989). Returns whether there is one
    whose last element can be 1.
    """
    a, b, c, d, e, f, g, h = _map_square(quads, 0)
    # The inverse, up to a factor, of what maps the square to the first frame.
    first = e - f * h, c * h - b, b * f - c * e
    second = f * g - d, a - c * g, c * d - a * f
    third = d * h - e * g, b * g - a * h, a * e - b * d
    a, b, c, d, e, f, g, h = _map_square(quads, 2)
    scale = g * first[2] + h * second[2] + third[2]
    if not abs(scale) > 0:  # NaN where three points lie on a line
        return False
    for j in range(3):
        out[j] = (a * first[j] + b * second[j] + c * third[j]) / scale
        out[3 + j] = (d * first[j] + e * second[j] + f * third[j]) / scale
        out[6 + j] = (g * first[j] + h * second[j] + third[j]) / scale
    return True


@spliced
def _map_square(quads, axis):
    """Return the elements, by rows, of what maps (0, 0), (1, 0), (1, 1), (0, 1) to four points.

    The last, 1, is left out.
    """
    x0, x1, x2, x3 = quads[axis, 0], quads[axis, 1], quads[axis, 2], quads[axis, 3]
    axis += 1
    y0, y1, y2, y3 = quads[axis, 0], quads[axis, 1], quads[axis, 2], quads[axis, 3]
    ax, ay, bx, by = x1 - x2, y1 - y2, x3 - x2, y3 - y2
    sx, sy = x0 - x1 + x2 - x3, y0 - y1 + y2 - y3
    area = ax * by - bx * ay
    area = area if area != 0 else np.nan
    g, h = (sx * by - bx * sy) / area, (ax * sy - sx * ay) / area
    return (
        x1 - x0 + g * x1,
        x3 - x0 + h * x3,
        x0,
        y1 - y0 + g * y1,
        y3 - y0 + h * y3,
        y0,
        g,
        h,
    )


@kernel
def measure_agreement(pairs, homography, limit, agrees):
    """Fill ``agrees`` (P,) with 1 where a pair errs by ``limit`` at most, else 0; return the sum.

    The error is the squared distance, in the second frame, from where the homography maps to.
    """
    x, y = memory(pairs[0]), memory(pairs[1])
    to_x, to_y, out = memory(pairs[2]), memory(pairs[3]), memory(agrees)
    h = _splat_all(homography)
    agreeing = splat(0)
    for i in range(0, pairs.shape[1], LANES):
        dx, dy = _miss(h, load(x, i), load(y, i), load(to_x, i), load(to_y, i))
        agreement = select(dx * dx + dy * dy <= limit, splat(1), splat(0))
        store(out, i, agreement)
        agreeing = agreeing + agreement
    return np.int64(total(agreeing))


@inlined
def _splat_all(homography):
    """Return the first eight elements as vectors."""
    return (
        splat(homography[0]),
        splat(homography[1]),
        splat(homography[2]),
        splat(homography[3]),
        splat(homography[4]),
        splat(homography[5]),
        splat(homography[6]),
        splat(homography[7]),
    )


@inlined
def _miss(h, x, y, to_x, to_y):
    scale = 1.0 / (h[6] * x + h[7] * y + 1.0)
    dx = (h[0] * x + h[1] * y + h[2]) * scale - to_x
    return dx, (h[3] * x + h[4] * y + h[5]) * scale - to_y


@spliced
def _needed_rounds(share, confidence, rounds):
    """Return after how many draws one is free of outliers with the probability ``confidence``."""
    spoilt = 1 - share**PAIRS_DRAWN
    if spoilt <= 0:
        return 0
    wanted, each = np.log(1 - confidence), np.log(spoilt)
    if each >= 0 or wanted <= rounds * each:
        return rounds
    return int(np.rint(wanted / each))
