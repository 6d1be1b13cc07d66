"""A gray image and points in it go in; the responses of edge and bar filters there come out."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicvid.checks import check_gray, check_number, check_points

# Responses are compressed as if the eye could not see less than this (Varma and Zisserman).
_THRESHOLD = 0.03
_LEAST_DEVIATION = 4.0  # gray levels; a flatter image is not stretched to full contrast


def texton_responses(
    image: ArrayLike, points: ArrayLike, *, sigmas: Sequence[float] = (1.0, 2.0, 4.0)
) -> NDArray[np.float32]:
    """Measure edges and bars of several sizes at points of an image, whichever way they turn.

    Parameters
    ----------
    image : array, shape (H, W), uint8 or float32
        Gray image in 0..255. Its mean and contrast do not matter, unless it is nearly flat.
    points : array, shape (N, 2)
        (x, y), rounded to whole pixels; points outside count as those of the border.
    sigmas : sequence of float, above 0 and at most 64
        Deviations of the Gaussian derivatives, px.

    Returns
    -------
    responses : array, shape (N, 3 * len(sigmas)), float32
        For each sigma: the strongest edge over all orientations, the strongest bar (of larger
        absolute value, above 0 where it is dark on bright ground), and the bar at right angles
        to it. The logarithm of the length of a point's vector takes the place of its length.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.

    Notes
    -----
    After M. Varma and A. Zisserman, "A statistical approach to texture classification from single
    images", IJCV 2005: an image of mean 0 and deviation 1, the maximum of a filter over its
    orientations, Weber's law. Their filters (MR8) are three times as long as wide and turn in six
    steps. Ours are round: the maximum over *all* orientations is then known without turning
    anything, the length of the gradient for edges and the eigenvalues of the Hessian for bars.
    """
    gray, places = check_gray("image", image).astype(np.float32), check_points("points", points)
    if isinstance(sigmas, str) or not isinstance(sigmas, Sequence) or not sigmas:
        message = f"sigmas must be a sequence of deviations such as (1.0, 2.0), got {sigmas!r}"
        raise TypeError(message)
    widths = [check_number("sigmas", sigma, low=0, high=64) for sigma in sigmas]
    if min(widths) == 0:
        message = f"sigmas must be above 0, got {min(widths)}"
        raise ValueError(message)
    if not np.isfinite(places).all():
        message = "points must be finite, in pixels; leave the others out"
        raise ValueError(message)
    limits = np.array(gray.shape[::-1]) - 1
    x, y = np.clip(np.rint(places), 0, limits).astype(np.int64).T
    gray -= gray.mean()  # rounding errors of a flat image would be taken for texture
    responses = np.column_stack([_respond(gray, sigma, x, y) for sigma in widths])
    responses /= max(float(gray.std()), _LEAST_DEVIATION)
    strength = np.sqrt(np.square(responses).sum(axis=1, keepdims=True))
    return responses * np.log1p(strength / _THRESHOLD) / np.maximum(strength, np.float32(1e-12))


def _respond(
    gray: NDArray[np.float32], sigma: float, x: NDArray[np.int64], y: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return edge, stronger bar and weaker bar (N, 3), made pure numbers by powers of sigma."""
    smooth = cv2.GaussianBlur(gray, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101)
    around = cv2.copyMakeBorder(smooth, 1, 1, 1, 1, cv2.BORDER_REFLECT_101)
    near = [[around[y + row, x + column] for column in range(3)] for row in range(3)]
    dx, dy = near[1][2] - near[1][0], near[2][1] - near[0][1]
    dxx = near[1][2] - 2 * near[1][1] + near[1][0]
    dyy = near[2][1] - 2 * near[1][1] + near[0][1]
    dxy = (near[2][2] - near[2][0] - near[0][2] + near[0][0]) / 4
    mean, half = (dxx + dyy) / 2, np.sqrt(np.square((dxx - dyy) / 2) + np.square(dxy))
    towards = np.where(mean < 0, np.float32(-1), np.float32(1))
    edge = sigma / 2 * np.sqrt(np.square(dx) + np.square(dy))
    bars = sigma**2 * np.stack([mean + towards * half, mean - towards * half])
    return np.column_stack([edge, *bars]).astype(np.float32)
