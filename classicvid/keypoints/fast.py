"""A gray image goes in; the corners of the segment test (FAST) come out with their scores.

The search is OpenCV's, whose code uses vectors itself.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from classicvid import checks


def fast_features(
    image: NDArray[Any],
    *,
    threshold: int = 10,
    nonmax: bool = True,
    max_corners: int = 0,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Find corners by comparing each pixel with the 16 on a circle around it.

    A corner is a pixel than which nine in a row on the circle are all brighter, or all darker.

    Parameters
    ----------
    image : array, shape (H, W), uint8 or float32
        Gray image in 0..255; floats are rounded to whole gray levels.
    threshold : int, 0 to 255
        Gray levels that the nine must differ by more than.
    nonmax : bool
        Keep only corners whose score exceeds those of their eight neighbours.
    max_corners : int, at least 0
        Return at most so many; 0 means all.

    Returns
    -------
    corners : array, shape (N, 2), float32
        (x, y) in whole pixels. With ``nonmax`` the best come first, equal ones row by row; without,
        all row by row.
    scores : array, shape (N,), float32
        The greatest threshold at which the pixel is a corner; zeros without ``nonmax``, which is
        what makes scores necessary.

    Raises
    ------
    TypeError, ValueError
        If the image or a parameter is not as described.

    Notes
    -----
    E. Rosten, T. Drummond, "Machine learning for high-speed corner detection", ECCV 2006, as
    OpenCV's ``FastFeatureDetector`` for the nine of 16 (FAST-9). Its types for smaller circles are
    left out: they miss the definition. The outer three pixels of the image hold no corner.
    """
    gray = to_bytes(checks.check_gray("image", image))
    detector = cv2.FastFeatureDetector.create(
        checks.check_whole("threshold", threshold, low=0, high=255),
        bool(nonmax),
        cv2.FAST_FEATURE_DETECTOR_TYPE_9_16,
    )
    limit = checks.check_whole("max_corners", max_corners, low=0)
    found = detector.detect(gray)
    corners = np.asarray(cv2.KeyPoint.convert(found), np.float32).reshape(-1, 2)
    scores = np.array([point.response for point in found], np.float32)
    order = np.lexsort((corners[:, 0], corners[:, 1], -scores))[: limit or None]
    return corners[order], scores[order]


def to_bytes(gray: NDArray[Any]) -> NDArray[np.uint8]:
    """Return a gray image with its gray levels rounded and cut off at 0 and 255."""
    if gray.dtype == np.uint8:
        return gray
    return np.clip(np.rint(gray), 0, 255).astype(np.uint8)
