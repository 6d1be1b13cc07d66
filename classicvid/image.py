"""Frames, gray images and flow go in; gray, resized, blurred, differentiated, warped ones come out.

All of it is OpenCV's: on one thread its code takes no longer for these than kernels of our own.
"""

from __future__ import annotations

from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicvid.checks import check_choice, check_flow, check_frame, check_gray, check_whole

BORDERS = {
    "replicate": cv2.BORDER_REPLICATE,
    "reflect": cv2.BORDER_REFLECT_101,
    "zero": cv2.BORDER_CONSTANT,
}


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


def image_pyramid(image: ArrayLike, *, levels: int) -> list[NDArray[Any]]:
    """Blur and halve a gray image again and again.

    Parameters
    ----------
    image : array, shape (H, W), uint8 or float32
        Gray image.
    levels : int, at least 1
        Number of images, the first included; fewer where one pixel is left.

    Returns
    -------
    pyramid : list of arrays, shapes (H, W), ((H + 1) // 2, (W + 1) // 2), ..., of the same dtype
        Each holds every second pixel of the one before, blurred by 1 4 6 4 1 over 16 in both
        directions, the border reflected at the centre of the last pixel; uint8 is rounded.

    Raises
    ------
    TypeError, ValueError
        If the image or the number is not as described.
    """
    pyramid = [check_gray("image", image).copy()]
    for _ in range(check_whole("levels", levels, low=1) - 1):
        if pyramid[-1].size == 1:
            break
        pyramid.append(cv2.pyrDown(pyramid[-1]))
    return pyramid


def image_gradients(
    image: ArrayLike, *, operator: Literal["central", "sobel", "scharr"] = "central"
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Differentiate a gray image, or any plane of numbers.

    Parameters
    ----------
    image : array, shape (H, W), uint8 or float32
        Gray image, or one component of a flow.
    operator : "central", "sobel" or "scharr"
        Differences of the two neighbours, summed over three rows with weights 0 1 0, 1 2 1 or
        3 10 3; not divided.

    Returns
    -------
    dx, dy : array, shape (H, W), float32
        Derivatives to the right and downwards; the border is reflected at the centre of the last
        pixel.

    Raises
    ------
    TypeError, ValueError
        If the image or the operator is not as described.
    """
    array = check_gray("image", image)
    size = {"central": 1, "sobel": 3, "scharr": cv2.FILTER_SCHARR}[
        check_choice("operator", operator, ("central", "sobel", "scharr"))
    ]
    dx, dy = (cv2.Sobel(array, cv2.CV_32F, x, 1 - x, ksize=size) for x in (1, 0))
    return np.asarray(dx, np.float32), np.asarray(dy, np.float32)


def median_filter_flow(flow: ArrayLike, *, size: int = 5) -> NDArray[np.float32]:
    """Replace each component of a flow by its median over a square.

    Parameters
    ----------
    flow : array, shape (H, W, 2), float32
        (dx, dy) in pixels.
    size : 3 or 5
        Side of the square in pixels.

    Returns
    -------
    smoothed : array, shape (H, W, 2), float32
        The border is replicated.

    Raises
    ------
    TypeError, ValueError
        If the flow or the size is not as described.
    """
    array = check_flow("flow", flow)
    if size not in (3, 5):
        message = f"size must be 3 or 5, got {size!r}"
        raise ValueError(message)
    return np.asarray(cv2.medianBlur(array, size), np.float32)


def warp_image(
    image: ArrayLike,
    flow: ArrayLike,
    *,
    border: Literal["replicate", "reflect", "zero"] = "replicate",
) -> NDArray[Any]:
    """Fetch every pixel from where a flow points to.

    Applied to the next frame with the flow from this frame to the next, it renders this frame.

    Parameters
    ----------
    image : array, shape (H, W, 3), uint8, or shape (H, W), uint8 or float32
        RGB frame or gray image.
    flow : array, shape (H, W, 2), float32
        (dx, dy) in pixels.
    border : "replicate", "reflect" or "zero"
        What lies outside: the nearest pixel, the image mirrored at the centre of its last pixels,
        or black.

    Returns
    -------
    warped : array, of the image's shape and dtype
        image(x + dx, y + dy), bilinear between four pixels; places are rounded to 1/32 pixel.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or image and flow differ in size.
    """
    array = np.asarray(image)
    array = check_frame("image", array) if array.ndim == 3 else check_gray("image", array)
    height, width = array.shape[:2]
    motion = check_flow("flow", flow, shape=(height, width))
    check_choice("border", border, tuple(BORDERS))
    x = motion[..., 0] + np.arange(width, dtype=np.float32)
    y = motion[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    return cv2.remap(array, x, y, cv2.INTER_LINEAR, borderMode=BORDERS[border])
