"""A gray frame goes in, key points with descriptors come out; two frames' of them, pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from classicvid.flow.lucas_kanade import lucas_kanade_flow
from classicvid.kernels.camera.matching import nearest_bits, nearest_vectors

MATCHERS = ("orb", "sift")
# Half of ORB's patch, in pixels; OpenCV's 31 would leave nothing of a frame 62 pixels high.
ORB_BORDER = 16
# In pixels: the side of the square that is compared, and what a wrong place on the grid explains.
REFINED_WINDOW, FARTHEST_MOVE = 11, 1.5


@dataclass(frozen=True)
class Described:
    """Key points of a frame, the topmost first.

    Attributes
    ----------
    points : array, shape (N, 2), float32
        (x, y) in pixels.
    descriptors : array, shape (N, 128), float32, or shape (N, 4), uint64
        SIFT's numbers, compared by Euclidean distance, or ORB's bits, by those that differ.
    """

    points: NDArray[np.float32]
    descriptors: NDArray[Any]


def create_detector(matcher: str) -> Any:
    """Return OpenCV's detector; it serves one thread."""
    if matcher == "sift":
        return cv2.SIFT.create()
    # From one frame to the next sizes hardly change: coarser levels add time and crude places.
    return cv2.ORB.create(nlevels=1, edgeThreshold=ORB_BORDER)


def describe(gray: NDArray[np.uint8], detector: Any, mask: NDArray[np.uint8] | None) -> Described:
    """Find key points and their descriptors where the mask, shape (H, W), is not 0."""
    if min(gray.shape) <= 2 * ORB_BORDER:  # which OpenCV's ORB needs
        return _nothing()
    found, descriptors = detector.detectAndCompute(gray, mask)
    if not found:
        return _nothing()
    points = np.asarray(cv2.KeyPoint.convert(found), np.float32).reshape(-1, 2)
    order = np.argsort(points[:, 1], kind="stable")
    descriptors = descriptors[order]
    if descriptors.dtype == np.uint8:
        descriptors = descriptors.view(np.uint64)
    return Described(points[order], descriptors)


def _nothing() -> Described:
    return Described(np.zeros((0, 2), np.float32), np.zeros((0, 4), np.uint64))


def match_nearby(
    previous: Described, current: Described, window: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Pair every key point of the current frame with the most similar of the previous one.

    ``window``, in pixels, exceeds the distance of a pair in x and in y; a key point that has no
    other so near stays without.

    Returns
    -------
    before, after : array, shape (M, 2), float32
        Places in the previous and in the current frame.
    """
    points = current.points
    if len(points) == 0 or len(previous.points) == 0:
        return np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32)
    search = nearest_bits if current.descriptors.dtype == np.uint64 else nearest_vectors
    nearest = np.empty(len(points), np.int64)
    search(points, current.descriptors, previous.points, previous.descriptors, window, nearest)
    paired = nearest >= 0
    return previous.points[nearest[paired]], points[paired]


def refine_pairs(
    previous: NDArray[np.uint8],
    current: NDArray[np.uint8],
    before: NDArray[np.float32],
    after: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Move the second point of pairs to a fraction of a pixel, where the frames are most alike.

    Returns
    -------
    after : array, shape (M, 2), float32
        A point that would move by more than `FARTHEST_MOVE` stays where it is.
    """
    if len(before) == 0:
        return after
    moved, found, _ = lucas_kanade_flow(
        previous,
        current,
        before,
        win_size=(REFINED_WINDOW, REFINED_WINDOW),
        max_level=0,
        max_iterations=10,
        epsilon=0.03,
        initial_points=after,
    )
    kept = found.astype(bool) & (np.abs(moved - after) <= FARTHEST_MOVE).all(axis=1)
    return np.where(kept[:, None], moved, after)
