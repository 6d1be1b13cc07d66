"""Two gray frames and the homography between them go in; the second on the first's grid comes out.

A place in the second frame is a whole number of 1/32 pixel, so that a mean of four pixels has whole
weights of 1/1024.
"""

from __future__ import annotations

import numpy as np

from classicvid.kernels.jit import kernel

PARTS = 32
_SHIFT, _LAST = 5, PARTS - 1
_HALF, _WEIGHT_SHIFT = PARTS * PARTS // 2, 2 * _SHIFT
_OUTSIDE = -1


@kernel
def warp_perspective(previous, current, homography, margin, out):
    """Fill ``out`` (H, W), uint8, with ``current`` at homography (x, y), bilinear.

    Where that lies not farther than ``margin`` pixels within the border, ``previous`` is copied.
    """
    height, width = previous.shape
    columns, rows = np.empty(width, np.int32), np.empty(width, np.int32)
    for y in range(height):
        _find_places(homography, y, (height, width), margin, columns, rows)
        for x in range(width):
            out[y, x] = previous[y, x]
            if columns[x] != _OUTSIDE:
                out[y, x] = _interpolate(current, columns[x], rows[x])


@kernel
def _find_places(homography, y, shape, margin, columns, rows):
    """Fill where a row of pixels comes from, in parts of a pixel, or `_OUTSIDE`."""
    right, bottom = shape[1] - 1 - margin, shape[0] - 1 - margin
    x_start = homography[0, 1] * y + homography[0, 2]
    y_start = homography[1, 1] * y + homography[1, 2]
    scale_start = homography[2, 1] * y + homography[2, 2]
    for x in range(columns.size):
        scale = homography[2, 0] * x + scale_start
        scale = 1 / scale if scale != 0 else 0.0
        to_x = (homography[0, 0] * x + x_start) * scale
        to_y = (homography[1, 0] * x + y_start) * scale
        inside = (to_x > margin) & (to_x < right) & (to_y > margin) & (to_y < bottom)
        columns[x] = np.int32(np.rint(to_x * PARTS if inside else _OUTSIDE))
        rows[x] = np.int32(np.rint(to_y * PARTS if inside else _OUTSIDE))


@kernel
def _interpolate(image, column, row):
    left, top = column >> _SHIFT, row >> _SHIFT
    # On the last row or column there is no neighbour, and none is needed: its weight is zero.
    right, bottom = min(left + 1, image.shape[1] - 1), min(top + 1, image.shape[0] - 1)
    u, v = column & _LAST, row & _LAST
    upper = image[top, left] * (PARTS - u) + image[top, right] * u
    lower = image[bottom, left] * (PARTS - u) + image[bottom, right] * u
    return np.uint8((upper * (PARTS - v) + lower * v + _HALF) >> _WEIGHT_SHIFT)
