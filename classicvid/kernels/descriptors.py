"""Planes and flow fields (float32, C order) go in; votes of orientations are added to histograms.

``histograms`` is ``(G, G, bins)``, one a cell: the frame is cut into G x G cells, row by row from
the top left. Bin b stands for the angle 2 pi b / bins, measured from +x (right) towards +y (down);
an angle between two bins votes for both, in proportion to its nearness.
"""

from __future__ import annotations

import numpy as np

from classicvid.kernels.jit import kernel

# Odd minimax polynomial of arctan(t) / (2 pi) for 0 <= t <= 1; error 2.7e-7 of a turn.
_A1 = np.float32(0.15915132)
_A3 = np.float32(-0.05293857)
_A5 = np.float32(0.03080291)
_A7 = np.float32(-0.01852984)
_A9 = np.float32(0.00837908)
_A11 = np.float32(-0.00186516)
_TINY = np.float32(1e-30)


@kernel
def vote_gradients(plane, histograms):
    """Add the votes of the central differences of ``plane`` (H, W), weighed by their magnitudes.

    The differences are ``plane[x + 1] - plane[x - 1]``, without a factor; across the border the
    plane is mirrored, so that they are zero there.
    """
    height, width = plane.shape
    dx, dy = np.zeros(width, np.float32), np.zeros(width, np.float32)
    turns, magnitudes = np.empty(width, np.float32), np.empty(width, np.float32)
    for y in range(height):
        if width > 2:
            _subtract(plane[y, 2:], plane[y, :-2], dx[1:-1])
        if 0 < y < height - 1:
            _subtract(plane[y + 1], plane[y - 1], dy)
        else:
            dy[:] = 0
        _to_polar(dx, dy, turns, magnitudes)
        cells = histograms[y * histograms.shape[0] // height]
        _vote_row(turns, magnitudes, histograms.shape[2], cells)


@kernel
def vote_patches(plane, corners, extent, histograms):
    """Add the votes of a patch of ``plane`` each to its ``histograms`` (N, G, G, bins).

    A patch begins at its corner (x, y) of ``corners`` (N, 2) and has the (width, height)
    ``extent``, all inside the plane; its differences end at its own border.
    """
    patch = np.empty((extent[1], extent[0]), np.float32)
    for n in range(len(corners)):
        x, y = corners[n]
        patch[:] = plane[y : y + extent[1], x : x + extent[0]]
        vote_gradients(patch, histograms[n])


@kernel
def vote_flow(flow, min_flow, histograms):
    """Add the votes of the vectors of ``flow`` (H, W, 2), weighed by their lengths in pixels.

    A vector of length ``min_flow`` or less rests: it adds 1 to the last bin, which has no angle.
    """
    height, width, _ = flow.shape
    dx, dy = np.empty(width, np.float32), np.empty(width, np.float32)
    turns, magnitudes = np.empty(width, np.float32), np.empty(width, np.float32)
    for y in range(height):
        for x in range(width):
            dx[x] = flow[y, x, 0]
            dy[x] = flow[y, x, 1]
        _to_polar(dx, dy, turns, magnitudes)
        cells = histograms[y * histograms.shape[0] // height]
        _vote_rest(magnitudes, min_flow, cells)
        _vote_row(turns, magnitudes, histograms.shape[2] - 1, cells)


@kernel
def _subtract(first, second, out):
    for x in range(out.size):
        out[x] = first[x] - second[x]


@kernel
def _to_polar(dx, dy, turns, magnitudes):
    """Fill ``turns`` with angles as shares of a full turn, from 0 to 1 with both included."""
    for x in range(dx.size):
        turns[x] = _turn(dx[x], dy[x])
        magnitudes[x] = np.sqrt(dx[x] * dx[x] + dy[x] * dy[x])


@kernel
def _turn(dx, dy):
    # Selections instead of branches, which would keep the compiler from using vectors.
    width, height = abs(dx), abs(dy)
    t = min(width, height) / (max(width, height) + _TINY)
    s = t * t
    turn = t * (_A1 + s * (_A3 + s * (_A5 + s * (_A7 + s * (_A9 + s * _A11)))))
    turn = np.float32(0.25) - turn if height > width else turn
    turn = np.float32(0.5) - turn if dx < 0 else turn
    return np.float32(1) - turn if dy < 0 else turn


@kernel
def _vote_rest(magnitudes, min_flow, cells):
    """Count a row's vectors at rest in the last bin of ``cells`` (G, bins) and weigh them zero."""
    grid, width = cells.shape[0], magnitudes.size
    for column in range(grid):
        resting = 0
        for x in range(-(-column * width // grid), -(-(column + 1) * width // grid)):
            rests = magnitudes[x] <= min_flow
            resting += rests
            magnitudes[x] = np.float32(0) if rests else magnitudes[x]
        cells[column, -1] += resting


@kernel
def _vote_row(turns, magnitudes, bins, cells):
    """Add the votes of a row of pixels to the first ``bins`` bins of its row of ``cells``."""
    grid, width = cells.shape[0], turns.size
    scale = np.float32(bins)
    for column in range(grid):
        histogram = cells[column]
        for x in range(-(-column * width // grid), -(-(column + 1) * width // grid)):
            position = turns[x] * scale
            low = int(position)
            upper = (position - np.float32(low)) * magnitudes[x]
            # A full turn is none; the lower bound keeps the index of a NaN inside the array.
            low = low if 0 <= low < bins else 0
            high = low + 1 if low + 1 < bins else 0
            histogram[low] += magnitudes[x] - upper
            histogram[high] += upper
