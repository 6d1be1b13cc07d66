"""A gray image and points in it go in; the histogram of oriented gradients at each comes out."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicvid.checks import check_gray, check_points, check_whole
from classicvid.kernels import descriptors as kernels

# Added to every pixel's votes, gray levels: what noise and rounding make of a flat patch.
_NOISE = 1.0


def patch_hogs(
    image: ArrayLike, points: ArrayLike, *, side: int = 16, cells: int = 3, bins: int = 8
) -> NDArray[np.float32]:
    """Describe the square around each point by the orientations of its edges.

    Parameters
    ----------
    image : array, shape (H, W), uint8 or float32
        Gray image in 0..255.
    points : array, shape (N, 2)
        Centres of the squares as (x, y); near the border a square is moved into the image.
    side : int, at least 1
        Side of the square in pixels; at most the image's, else it is cut to it.
    cells : int, 1 to 16
        Cells along each side of the square.
    bins : int, 2 to 32
        Orientations in a full turn.

    Returns
    -------
    descriptors : array, shape (N, cells * cells * bins), float32
        By cell, row by row, and bin: the roots of a distribution, each row of length 1.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.

    Notes
    -----
    After N. Dalal and B. Triggs, "Histograms of oriented gradients for human detection", CVPR
    2005, with one block of cells, votes that are not shared between cells, and the root of the L1
    norm in place of the L2 norm. As each pixel brings one gray level of its own, spread over all
    bins, a flat patch is described as flat, not by the directions of its noise.
    """
    gray = check_gray("image", image).astype(np.float32)
    centres = check_points("points", points)
    if not np.isfinite(centres).all():
        message = "points must be finite, in pixels; leave the others out"
        raise ValueError(message)
    check_whole("side", side, low=1)
    check_whole("cells", cells, low=1, high=16)
    check_whole("bins", bins, low=2, high=32)
    extent = np.minimum(gray.shape[::-1], side).astype(np.int64)
    corners = np.rint(centres - (extent - 1) / 2)
    corners = np.clip(corners, 0, np.subtract(gray.shape[::-1], extent)).astype(np.int64)
    votes = np.zeros((len(corners), cells, cells, bins))
    kernels.vote_patches(gray, corners, extent, votes)
    votes += _NOISE * extent.prod() / (cells * cells * bins)
    flat = votes.reshape(len(votes), cells * cells * bins)
    return np.sqrt(flat / flat.sum(axis=1, keepdims=True)).astype(np.float32)
