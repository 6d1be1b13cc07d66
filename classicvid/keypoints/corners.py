"""A gray image goes in; a corner response map (Shi-Tomasi, Harris) or the best corners come out."""

from __future__ import annotations

from threading import local
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from classicvid import checks
from classicvid.kernels.corners import byte_strips, maxima, selection, strips
from classicvid.kernels.corners import response as responses
from classicvid.kernels.simd import LANES

# Candidates are ordered by group; so many of them leave a few in each.
GROUPS = 1024
_KEPT = local()


def corner_response(
    image: NDArray[Any],
    *,
    block_size: int = 3,
    use_harris: bool = False,
    harris_k: float = 0.04,
    out: NDArray[np.float32] | None = None,
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
    out : array, shape (H, W), float32, C-contiguous, optional
        Receives the responses. Fresh memory for every frame of a video takes the system as long as
        the responses take us.

    Returns
    -------
    response : array, shape (H, W), float32
        ``out`` where it was given.

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
    if out is None:
        room = np.empty(gray.size + LANES, np.float32)
        return _map_of(_respond(gray, size, k if use_harris else None, room)[0], gray.shape)
    _check_out(out, gray.shape)
    if size == 3:
        _respond(gray, size, k if use_harris else None, out.reshape(-1))
    else:  # the last vector of a row needs room
        response, _ = _respond(gray, size, k if use_harris else None, _kept_room(gray.size))
        out[...] = _map_of(response, gray.shape)
    return out


def _check_out(out: NDArray[np.float32], shape: tuple[int, ...]) -> None:
    fits = isinstance(out, np.ndarray) and out.shape == shape and out.dtype == np.float32
    if not (fits and out.flags.c_contiguous and out.flags.writeable):
        given = f"{out.dtype} {out.shape}" if isinstance(out, np.ndarray) else repr(out)
        message = (
            f"out must be a writeable, C-contiguous float32 array {shape}, got {given}; "
            "make it with np.empty"
        )
        raise ValueError(message)


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
    occupied: NDArray[Any] | None = None,
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
        Corners are sought where it is not zero; the strongest response is the strongest there.
    occupied : array, shape (M, 2), optional
        Points (x, y), in pixels: corners keep ``min_distance`` from the pixels nearest to them.

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
    eight neighbours, and does not lie on the border of the image. Each thread keeps the memory of
    its last image and its largest map of responses for the next call.
    """
    gray = checks.check_gray("image", image)
    limit = checks.check_whole("max_corners", max_corners, low=0)
    share = checks.check_number("quality", quality, low=0, exclusive=True)
    distance = checks.check_number("min_distance", min_distance, low=0)
    size = checks.check_whole("block_size", block_size, low=2)
    k = checks.check_number("harris_k", harris_k)
    allowed = _check_mask(mask, gray.shape)
    held = check_occupied(occupied)
    response, strongest = _respond(gray, size, k if use_harris else None, _kept_room(gray.size))
    if allowed is not None:
        strongest = cv2.minMaxLoc(_map_of(response, gray.shape), allowed.view(np.uint8))[1]
    if strongest <= 0:
        return np.zeros((0, 2), np.float32)
    keys = _find_maxima(response, gray.shape, strongest * share)
    return _keep_apart(keys, gray.shape, limit, distance, held, allowed)


def keep_response(gray: NDArray[Any]) -> tuple[NDArray[np.float32], float]:
    """Return `corner_response` at its defaults, flattened, and the strongest.

    The memory is the thread's: it holds until the next call.
    """
    return _respond(gray, 3, None, _kept_room(gray.size))


def check_occupied(occupied: NDArray[Any] | None) -> NDArray[np.float32]:
    """Return points (N, 2) that new ones keep away from; none where nothing is given."""
    return checks.check_points("occupied", () if occupied is None else occupied)


def _kept_room(pixels: int) -> NDArray[np.float32]:
    # Fresh memory costs the system more time, a page at a time, than the responses do.
    room = getattr(_KEPT, "room", None)
    if room is None or room.size < pixels + LANES:
        room = _KEPT.room = np.empty(pixels + LANES, np.float32)
    return room[: pixels + LANES]


def _check_mask(mask: NDArray[Any] | None, shape: tuple[int, ...]) -> NDArray[np.bool_] | None:
    if mask is None:
        return None
    allowed = np.asarray(mask) != 0
    if allowed.shape != shape:
        message = f"mask must have the shape of the image, {shape}, got {allowed.shape}"
        raise ValueError(message)
    return allowed


def _map_of(response: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    return response[: shape[0] * shape[1]].reshape(shape)


def _respond(
    image: NDArray[Any], block_size: int, harris_k: float | None, response: NDArray[np.float32]
) -> tuple[NDArray[np.float32], float]:
    """Fill ``response`` (H W + `LANES`, or H W for blocks of 3); return it and the strongest."""
    scale = 1 / (4 * block_size * (255 if image.dtype == np.uint8 else 1))
    square, k = np.float32(scale * scale), np.float32(harris_k or 0)
    use_harris = harris_k is not None
    if block_size == 3:
        of_bytes = image.dtype == np.uint8
        padded = _pad(image, byte_strips.RIGHT_BORDER if of_bytes else strips.RIGHT_BORDER)
        walk = byte_strips.respond_to_bytes if of_bytes else strips.respond_in_strips
        return response, walk(padded, image.shape, square, use_harris, k, response)
    shape = responses.scratch_rows(block_size), responses.row_room(image.shape[1], block_size)
    scratch = np.zeros(shape, np.float32)
    strongest = responses.respond(image, square, block_size, use_harris, k, scratch, response)
    return response, strongest


def _pad(image: NDArray[Any], right: int) -> NDArray[Any]:
    near = strips.BORDER
    kept = getattr(_KEPT, "padded", None)  # written again if it has the shape and the dtype
    padded = cv2.copyMakeBorder(image, near, near, near, right, cv2.BORDER_REFLECT_101, dst=kept)
    _KEPT.padded = padded
    return padded


def _find_maxima(
    response: NDArray[np.float32], shape: tuple[int, ...], threshold: float
) -> NDArray[np.int64]:
    """Return the keys of the local maxima above a threshold that is not negative."""
    keys = np.empty(response.size // 4 + 1, np.int64)
    count = maxima.local_maxima(response, shape, np.float32(threshold), keys)
    if count > keys.size:  # plateaus: equal neighbours are maxima together
        keys = np.empty(count, np.int64)
        maxima.local_maxima(response, shape, np.float32(threshold), keys)
    return keys[:count]


def _keep_apart(
    keys: NDArray[np.int64],
    shape: tuple[int, ...],
    limit: int,
    distance: float,
    held: NDArray[np.float32],
    allowed: NDArray[np.bool_] | None,
) -> NDArray[np.float32]:
    """Return (x, y) of the strongest keys that lie apart, on pixels that are allowed."""
    height, width = shape
    kept = np.empty((min(limit or keys.size, keys.size), 2), np.float32)
    if len(kept) == 0:
        return kept
    taken = np.zeros((height, (width + 63) // 64), np.uint64)
    if allowed is not None:
        bits = np.packbits(~allowed, axis=1, bitorder="little")
        taken.view(np.uint8)[:, : bits.shape[1]] = bits
    half_widths = _disc_rows(distance, shape)
    if len(held):
        near = held[(np.abs(held) <= np.float32(1e6)).all(axis=1)]
        selection.take_discs(np.rint(near).astype(np.int64), half_widths, width, taken)
    starts, grouped = np.empty(GROUPS + 1, np.int64), np.empty_like(keys)
    selection.group_by_strength(keys, starts, grouped)
    return kept[: selection.keep_apart(grouped, starts, half_widths, width, taken, kept)].copy()


def _disc_rows(radius: float, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return, a row from its centre on, how far the pixels nearer than ``radius`` reach."""
    if radius < 1:
        return np.zeros(0, np.int64)
    rows = np.arange(min(np.ceil(radius), shape[0]))
    square = radius * radius - rows * rows
    reach = np.ceil(np.sqrt(square)) - 1
    reach -= reach * reach >= square
    return np.minimum(reach, shape[1]).astype(np.int64)
