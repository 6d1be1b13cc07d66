"""A gray image goes in; the points of a regular grid that can be followed come out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicvid import checks
from classicvid.kernels.corners.grid import free_cells
from classicvid.keypoints.corners import check_occupied, keep_response


def grid_points(
    image: NDArray[Any],
    *,
    spacing: int = 5,
    quality: float = 0.001,
    occupied: NDArray[Any] | None = None,
) -> NDArray[np.float32]:
    """Sample the image densely, leaving out flat places and cells that already hold a point.

    Parameters
    ----------
    image : array, shape (H, W), uint8 or float32
        Gray image.
    spacing : int, at least 1
        Side W in pixels of the square cells; a remainder at the right and the bottom has none.
    quality : float, at least 0
        A point's smaller eigenvalue must exceed this share of the image's greatest.
    occupied : array, shape (M, 2), optional
        Points (x, y) that are being followed; their cells yield none.

    Returns
    -------
    points : array, shape (N, 2), float32
        (x, y) of the pixel in the middle of each cell (W // 2 from its corner), row by row.

    Raises
    ------
    TypeError, ValueError
        If the image or a parameter is not as described.

    Notes
    -----
    H. Wang, A. Kläser, C. Schmid, C.-L. Liu, "Dense trajectories and motion boundary descriptors
    for action recognition", IJCV 2013, section 2.1, with the constants of the authors' program:
    eigenvalues of `corner_response` at its defaults.
    """
    gray = checks.check_gray("image", image)
    side = checks.check_whole("spacing", spacing, low=1)
    share = checks.check_number("quality", quality, low=0)
    held = check_occupied(occupied)
    response, strongest = keep_response(gray)
    middles = np.empty((gray.shape[0] // side * (gray.shape[1] // side), 2), np.float32)
    count = free_cells(response, gray.shape, side, strongest * share, held, middles)
    return middles[:count].copy()
