"""A gray image goes in; blobs, extrema of the difference of Gaussians in space and scale, come out.

All of it is OpenCV's detector of SIFT.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from classicvid import checks
from classicvid.keypoints.fast import to_bytes


def difference_of_gaussian_features(
    image: NDArray[Any],
    *,
    max_features: int = 0,
    octave_layers: int = 3,
    contrast: float = 0.04,
    edge: float = 10.0,
    sigma: float = 1.6,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Find blobs, brighter or darker than what is around them, with their sizes.

    Parameters
    ----------
    image : array, shape (H, W), uint8 or float32
        Gray image in 0..255; floats are rounded to whole gray levels.
    max_features : int, at least 0
        Return at most so many; 0 means all.
    octave_layers : int, at least 1
        Scales in every doubling of the scale.
    contrast : float, at least 0
        Differences of less than ``contrast / octave_layers`` of the full range are left out.
    edge : float, above 0
        Largest ratio of the two principal curvatures.
    sigma : float, above 0.5
        Standard deviation in pixels of the Gaussian of the first scale.

    Returns
    -------
    points : array, shape (N, 2), float32
        (x, y) in fractions of a pixel, the strongest first.
    scales : array, shape (N,), float32
        Standard deviations in pixels of the blobs.
    responses : array, shape (N,), float32
        Differences at the extrema as shares of the full range, at least 0.

    Raises
    ------
    TypeError, ValueError
        If the image or a parameter is not as described.

    Notes
    -----
    D. Lowe, "Distinctive image features from scale-invariant keypoints", IJCV 2004, sections 3 and
    4, as OpenCV's ``SIFT`` detects them in the image at double size, which is sampled here without
    OpenCV's usual shift of a quarter of a pixel. A point that has several orientations there is one
    point here.
    """
    gray = to_bytes(checks.check_gray("image", image))
    limit = checks.check_whole("max_features", max_features, low=0)
    layers = checks.check_whole("octave_layers", octave_layers, low=1)
    detector = cv2.SIFT.create(
        nfeatures=0,
        nOctaveLayers=layers,
        contrastThreshold=checks.check_number("contrast", contrast, low=0),
        edgeThreshold=checks.check_number("edge", edge, low=0, exclusive=True),
        sigma=checks.check_number("sigma", sigma, low=0.5, exclusive=True),
        enable_precise_upscale=True,
    )
    # OpenCV tells the narrower Gaussian; a blob as wide as the mean of both responds most.
    blob = 2 ** (0.5 / layers) / 2
    rows = [
        (-point.response, *point.pt[::-1], point.size * blob) for point in detector.detect(gray)
    ]
    found = np.unique(np.array(rows, np.float32).reshape(-1, 4), axis=0)[: limit or None]
    return found[:, 2:0:-1].copy(), found[:, 3].copy(), -found[:, 0]
