"""Frames go in; gray images, bit-exact with OpenCV's, and frames of another size come out."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicvid.checks import check_frame, check_gray, check_whole


def to_gray(frame: ArrayLike) -> NDArray[np.uint8]:
    """Convert a frame to gray levels.

    Parameters
    ----------
    frame : array, shape (H, W, 3), uint8
        RGB.

    Returns
    -------
    gray : array, shape (H, W), uint8
        0.299 R + 0.587 G + 0.114 B, rounded as OpenCV's ``COLOR_RGB2GRAY`` rounds it.

    Raises
    ------
    TypeError, ValueError
        If the frame is not as described.
    """
    return np.asarray(cv2.cvtColor(check_frame("frame", frame), cv2.COLOR_RGB2GRAY), np.uint8)


def resize(image: ArrayLike, *, size: tuple[int, int]) -> NDArray[Any]:
    """Resample a frame or a gray image without aliasing.

    Parameters
    ----------
    image : array, shape (H, W, 3), uint8, or shape (H, W), uint8 or float32
        RGB frame or gray image.
    size : (int, int)
        New height and width, in pixels.

    Returns
    -------
    resized : array, shape (size[0], size[1], 3) or size, of the same dtype
        Mean over the covered area where both sides shrink, bilinear otherwise.

    Raises
    ------
    TypeError, ValueError
        If the image or the size is not as described.
    """
    array = np.asarray(image)
    array = check_frame("image", array) if array.ndim == 3 else check_gray("image", array)
    if np.shape(size) != (2,):
        message = f"size must be (height, width), got {size!r}"
        raise ValueError(message)
    height, width = (check_whole("size", side, low=1) for side in size)
    if (height, width) == array.shape[:2]:
        return array.copy()
    shrinks = height <= array.shape[0] and width <= array.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(array, (width, height), interpolation=method)
