"""Pairs of points in two frames go in; the homography that most of them agree with comes out."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from classicvid.kernels.camera.homography import find_consensus, measure_agreement
from classicvid.kernels.simd import LANES

# OpenCV's.
MOST_ROUNDS, CONFIDENCE = 2000, 0.995


def fit_homography(
    before: NDArray[np.float32], after: NDArray[np.float32], *, max_error: float
) -> tuple[NDArray[np.float64] | None, int]:
    """Find the homography that most pairs agree with, whatever the others say.

    Parameters
    ----------
    before, after : array, shape (M, 2), float32
        Points (x, y) in pixels, finite; M at least 5.
    max_error : float
        A pair agrees where the homography leads so near, in pixels, to its second point.

    Returns
    -------
    homography : array, shape (3, 3), float64, or None
        Leads from ``before`` to ``after``, last element 1; None where no four pairs give one.
    inliers : int
        Pairs that agree with it.

    Notes
    -----
    ``cv2.findHomography(before, after, cv2.RANSAC, max_error)`` up to the last digits: the same
    fixed random numbers, draws, rounds and refinement of what agrees by least squares. The rounds
    take a twentieth of its time, which counts where few pairs agree.
    """
    count = len(before)
    pairs = np.full((4, -(-count // LANES) * LANES), np.nan, np.float32)
    pairs[:2, :count], pairs[2:, :count] = before.T, after.T
    agrees = np.zeros(pairs.shape[1], np.float32)
    limit = np.float32(max_error * max_error)
    if find_consensus(pairs, count, limit, MOST_ROUNDS, CONFIDENCE, agrees) == 0:
        return None, 0
    chosen = agrees[:count] > 0
    homography, _ = cv2.findHomography(before[chosen], after[chosen], 0)
    if homography is None or not np.isfinite(homography).all():
        return None, 0
    inliers = measure_agreement(pairs, homography.ravel(), limit, agrees)
    return np.asarray(homography, np.float64), int(inliers)
