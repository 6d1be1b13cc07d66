"""A gray image goes in; a corner response map (Shi-Tomasi, Harris) or the best corners come out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicvid import checks
from classicvid.kernels import corners as kernels


def corner_response(
    image: NDArray[Any],
    *,
    block_size: int = 3,
    use_harris: bool = False,
    harris_k: float = 0.04,
) -> NDArray[np.float32]:
    """Measure at every pixel how much the image changes in its least changing direction.

    Parameters
    ----------
    image : array, shape (H, W), uint8 or float32
        Gray image. The derivatives of a uint8 image are divided by 255, those of a float image are
        not.
    block_size : int, at least 2
        Side in pixels of the square over which products of derivatives are summed; one pixel alone
        has one direction only.
    use_harris : bool
        Measure det - k trace^2 (Harris) instead of the smaller eigenvalue (Shi-Tomasi).
    harris_k : float
        The k of Harris, usually 0.04 to 0.06.

    Returns
    -------
    response : array, shape (H, W), float32

    Raises
    ------
    TypeError, ValueError
        If the image or a parameter is not as described.

    Notes
    -----
    J. Shi, C. Tomasi, "Good features to track", CVPR 1994; C. Harris, M. Stephens, "A combined
    corner and edge detector", Alvey 1988. Derivatives (Sobel, 3 x 3), scale and reflected borders
    as in OpenCV's ``cornerMinEigenVal`` and ``cornerHarris``.
    """
    gray = checks.check_gray("image", image)
    size = checks.check_whole("block_size", block_size, low=2)
    k = checks.check_number("harris_k", harris_k)
    return _respond(gray, size, k if use_harris else None)


def good_features(
    image: NDArray[Any],
    *,
    max_corners: int = 1000,
    quality: float = 0.01,
    min_distance: float = 5.0,
    block_size: int = 3,
    use_harris: bool = False,
    harris_k: float = 0.04,
    mask: NDArray[Any] | None = None,
) -> NDArray[np.float32]:
    """Find the corners that are best followed from frame to frame.

    Parameters
    ----------
    image : array, shape (H, W), uint8 or float32
        Gray image.
    max_corners : int, at least 0
        Return at most so many; 0 means all.
    quality : float, above 0
        Corners below this share of the strongest response are left out.
    min_distance : float, at least 0
        Smallest distance in pixels between two corners.
    block_size, use_harris, harris_k
        As in `corner_response`.
    mask : array, shape (H, W), optional
        Corners are sought where it is not zero.

    Returns
    -------
    corners : array, shape (N, 2), float32
        (x, y) in whole pixels, the strongest first; equal ones from the bottom up.

    Raises
    ------
    TypeError, ValueError
        If the image or a parameter is not as described.

    Notes
    -----
    OpenCV's ``goodFeaturesToTrack``, whose parameters these are: a corner exceeds or equals its
    eight neighbours, and does not lie on the border of the image.
    """
    gray = checks.check_gray("image", image)
    limit = checks.check_whole("max_corners", max_corners, low=0)
    share = checks.check_number("quality", quality, low=0, exclusive=True)
    distance = checks.check_number("min_distance", min_distance, low=0)
    size = checks.check_whole("block_size", block_size, low=2)
    k = checks.check_number("harris_k", harris_k)
    allowed = _check_mask(mask, gray.shape)
    response = _respond(gray, size, k if use_harris else None)
    candidates = _strongest_first(response, share, allowed)
    if distance < 1:
        chosen = candidates[: limit or None]
        return np.stack([chosen % gray.shape[1], chosen // gray.shape[1]], axis=1).astype(
            np.float32
        )
    kept = np.empty((min(limit or len(candidates), len(candidates)), 2), np.float32)
    return kept[: kernels.keep_apart(candidates, gray.shape, distance, kept)].copy()


def _check_mask(mask: NDArray[Any] | None, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    if mask is None:
        return np.zeros((0, 0), np.bool_)
    allowed = np.asarray(mask) != 0
    if allowed.shape != shape:
        message = f"mask must have the shape of the image, {shape}, got {allowed.shape}"
        raise ValueError(message)
    return allowed


def _respond(image: NDArray[Any], block_size: int, harris_k: float | None) -> NDArray[np.float32]:
    scale = 1 / (4 * block_size * (255 if image.dtype == np.uint8 else 1))
    height, width = image.shape
    products = np.empty((height, 3, width), np.float32)
    kernels.gradient_products(image.astype(np.float32, copy=False), np.float32(scale), products)
    response = np.empty((height, width), np.float32)
    if harris_k is None:
        kernels.min_eigenvalues(products, block_size, response)
    else:
        kernels.harris_responses(products, block_size, np.float32(harris_k), response)
    return response


def _strongest_first(
    response: NDArray[np.float32], quality: float, allowed: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Return flat indices of the local maxima above the quality threshold."""
    considered = response[allowed] if allowed.size else response
    if considered.size == 0:
        return np.zeros(0, np.int64)
    threshold = np.float32(considered.max() * quality)
    found = np.empty(response.size // 4 + 1, np.int64)
    count = kernels.local_maxima(response, threshold, allowed, found)
    if count > found.size:  # plateaus: equal neighbours are maxima together
        found = np.empty(count, np.int64)
        kernels.local_maxima(response, threshold, allowed, found)
    found = found[:count]
    return np.ascontiguousarray(found[np.argsort(response.ravel()[found], kind="stable")[::-1]])
