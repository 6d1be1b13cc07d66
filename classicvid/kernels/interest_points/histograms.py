"""Boxes of space-time go in; the orientations of edges or motion in the cells of each come out.

A box lies in ``planes`` (S, H, W, ...), float32. Its frame i lies in ``slots[i]`` and in the cell
``times[i]``, int64. Along y, cell c holds the pixels from ``rows[c]`` to ``rows[c + 1]``, half
open, and so along x those between ``columns``. Every pixel votes for the two bins next to its
angle; the bins divide a circle, beginning at 0.
"""

from __future__ import annotations

import numpy as np

from classicvid.kernels.descriptors import _turn
from classicvid.kernels.jit import kernel


@kernel
def vote_edges(planes, slots, times, rows, columns, histogram):
    """Add the orientations of the gradients in a box to ``histogram`` (t, y, x, bins).

    A vote weighs the length of the gradient: central differences, zero across the border of the
    frame. A gradient and its opposite are one orientation: the circle is half a turn.
    """
    width, bins = planes.shape[2], histogram.shape[3]
    dx, dy = np.zeros(width, np.float32), np.zeros(width, np.float32)
    places, weights = np.zeros(width, np.float32), np.zeros(width, np.float32)
    first, last = columns[0], columns[columns.size - 1]
    for i in range(slots.size):
        for row in range(rows.size - 1):
            for y in range(rows[row], rows[row + 1]):
                _subtract_neighbours(planes, slots[i], y, first, last, dx, dy)
                _to_polar(dx, dy, first, last, np.float32(2 * bins), places, weights)
                _vote(places, weights, columns, bins, histogram, times[i], row)


@kernel
def vote_motion(planes, slots, times, rows, columns, rest, histogram):
    """Add the directions of the motion in a box to ``histogram`` (t, y, x, bins + 1).

    ``planes`` (S, H, W, 2) holds (dx, dy) in pixels; a vote weighs the vector's length, and a
    vector of length ``rest`` or less adds 1 to the last bin instead. The circle is a whole turn.
    """
    width, bins = planes.shape[2], histogram.shape[3] - 1
    dx, dy = np.zeros(width, np.float32), np.zeros(width, np.float32)
    places, weights = np.zeros(width, np.float32), np.zeros(width, np.float32)
    first, last = columns[0], columns[columns.size - 1]
    for i in range(slots.size):
        for row in range(rows.size - 1):
            for y in range(rows[row], rows[row + 1]):
                for x in range(first, last):
                    dx[x], dy[x] = planes[slots[i], y, x, 0], planes[slots[i], y, x, 1]
                _to_polar(dx, dy, first, last, np.float32(bins), places, weights)
                _count_rest(weights, columns, rest, histogram, times[i], row)
                _vote(places, weights, columns, bins, histogram, times[i], row)


@kernel
def _subtract_neighbours(planes, slot, y, first, last, dx, dy):
    """Fill columns of ``dx`` and ``dy`` (W,) with central differences."""
    height, width = planes.shape[1:]
    for x in range(max(first, 1), min(last, width - 1)):
        dx[x] = planes[slot, y, x + 1] - planes[slot, y, x - 1]
    inside = 0 < y < height - 1
    above, below = (y - 1, y + 1) if inside else (y, y)
    for x in range(first, last):
        dy[x] = planes[slot, below, x] - planes[slot, above, x]


@kernel
def _to_polar(dx, dy, first, last, scale, places, weights):
    """Fill columns of ``places`` with angles, ``scale`` a turn, and of ``weights`` with lengths."""
    for x in range(first, last):
        places[x] = scale * _turn(dx[x], dy[x])
        weights[x] = np.sqrt(dx[x] * dx[x] + dy[x] * dy[x])


@kernel
def _count_rest(weights, columns, rest, histogram, time, row):
    """Count what rests in the last bins of a row of cells, and weigh it zero."""
    for column in range(columns.size - 1):
        resting = 0
        for x in range(columns[column], columns[column + 1]):
            rests = weights[x] <= rest
            resting += rests
            weights[x] = np.float32(0) if rests else weights[x]
        histogram[time, row, column, histogram.shape[3] - 1] += resting


@kernel
def _vote(places, weights, columns, bins, histogram, time, row):
    for column in range(columns.size - 1):
        for x in range(columns[column], columns[column + 1]):
            low = int(places[x])
            upper = (places[x] - np.float32(low)) * weights[x]
            # A whole turn is none, and twice half a turn; NaN stays inside the array.
            low = low % bins if low >= 0 else 0
            high = low + 1 if low + 1 < bins else 0
            histogram[time, row, column, low] += weights[x] - upper
            histogram[time, row, column, high] += upper
