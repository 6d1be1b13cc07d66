"""Two frames and the camera's motion go in; the second frame without it comes out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicvid import checks
from classicvid.kernels.camera.warp import warp_perspective


def warp_to_previous(
    previous: NDArray[np.uint8],
    current: NDArray[np.uint8],
    homography: ArrayLike,
    *,
    margin: int = 5,
) -> NDArray[np.uint8]:
    """Take the camera's motion out of a frame.

    Parameters
    ----------
    previous, current : array, shape (H, W), uint8
        Gray frames.
    homography : array, shape (3, 3), float64
        From pixels (x, y, 1) of the previous frame to those of the current one, as
        `CameraMotion.feed` returns it.
    margin : int, at least 0
        Width in pixels of the current frame's border that is not used.

    Returns
    -------
    warped : array, shape (H, W), uint8
        The current frame at ``homography @ (x, y, 1)``, bilinear; the previous frame at (x, y)
        where that place is not more than ``margin`` pixels inside the border.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or the frames differ in shape.

    Notes
    -----
    The rule is that of H. Wang, C. Schmid, "Action recognition with improved trajectories", ICCV
    2013. As in their program, places are rounded to 1/32 pixel, and halves of a gray level up.
    """
    before, after = check_gray_bytes("previous", previous), check_gray_bytes("current", current)
    if before.shape != after.shape:
        message = (
            f"previous and current must have the same shape, got {before.shape} and {after.shape}"
        )
        raise ValueError(message)
    matrix = _check_homography(homography)
    border = checks.check_whole("margin", margin, low=0)
    warped = np.empty_like(before)
    warp_perspective(before, after, matrix, border, warped)
    return warped


def check_gray_bytes(name: str, image: Any) -> NDArray[np.uint8]:
    """Return a C-contiguous gray image, shape (H, W), uint8."""
    gray = checks.check_gray(name, image)
    if gray.dtype != np.uint8:
        message = f"{name} must be uint8 in 0..255, got {gray.dtype}; round and convert it first"
        raise TypeError(message)
    return gray


def _check_homography(homography: ArrayLike) -> NDArray[np.float64]:
    matrix = np.asarray(homography)
    if matrix.shape != (3, 3):
        message = f"homography must be (3, 3), got shape {matrix.shape}"
        raise ValueError(message)
    if not np.issubdtype(matrix.dtype, np.number) or np.iscomplexobj(matrix):
        message = f"homography must be real numbers, got {matrix.dtype}"
        raise TypeError(message)
    matrix = np.ascontiguousarray(matrix, dtype=np.float64)
    if not np.isfinite(matrix).all():
        message = f"homography must be finite, got {matrix.tolist()}"
        raise ValueError(message)
    return matrix
