"""The gray frames of a video go in, one by one; the points that live in each come out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicvid import checks
from classicvid.flow.lucas_kanade import Level, build_pyramid, check_search, track_points
from classicvid.keypoints import good_features


@dataclass(frozen=True)
class TrackedPoints:
    """The points that live in one frame, the oldest first.

    Attributes
    ----------
    points : array, shape (N, 2), float32
        (x, y) in pixels.
    identities : array, shape (N,), int64
        Rising numbers from 0 on, one a point; never given twice between two calls of ``reset``.
    ages : array, shape (N,), int64
        Frames since the point was detected; 0 where it is new.
    """

    points: NDArray[np.float32]
    identities: NDArray[np.int64]
    ages: NDArray[np.int64]


class LucasKanadeTracker:
    """Follow corners through a video, and replace those that get lost.

    Parameters
    ----------
    max_points : int, at least 1
        Points alive at once.
    quality, min_distance
        As in `good_features`; a new point keeps ``min_distance`` from the living.
    replenish : float, within [0, 1]
        New points are sought when fewer than this share of ``max_points`` is alive.
    forward_backward : float, above 0, or None
        A point that is followed back to the frame it came from must end within so many pixels of
        where it began; None does without this check, which doubles the time.
    win_size, max_level, max_iterations, epsilon, min_eig_threshold
        As in `lucas_kanade_flow`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not as described.

    Notes
    -----
    The check is that of Z. Kalal, K. Mikolajczyk, J. Matas, "Forward-backward error: automatic
    detection of tracking failures", ICPR 2010, with a threshold in pixels for its median. Each
    frame's pyramid is built once. A tracker serves one thread at a time.
    """

    def __init__(
        self,
        *,
        max_points: int = 1000,
        quality: float = 0.01,
        min_distance: float = 7.0,
        replenish: float = 0.8,
        forward_backward: float | None = 1.0,
        win_size: tuple[int, int] = (21, 21),
        max_level: int = 3,
        max_iterations: int = 30,
        epsilon: float = 0.01,
        min_eig_threshold: float = 1e-4,
    ) -> None:
        self._max_points = checks.check_whole("max_points", max_points, low=1)
        self._quality = checks.check_number("quality", quality, low=0, exclusive=True)
        self._min_distance = checks.check_number("min_distance", min_distance, low=0)
        self._replenish = checks.check_number("replenish", replenish, low=0, high=1)
        self._tolerance = None
        if forward_backward is not None:
            self._tolerance = checks.check_number(
                "forward_backward", forward_backward, low=0, exclusive=True
            )
        self._search = check_search(win_size, max_level, max_iterations, epsilon, min_eig_threshold)
        self.reset()

    def reset(self) -> None:
        """Forget all points: the next frame begins a video, and identities begin at 0."""
        self._pyramid: list[Level] = []
        self._dtype: np.dtype[Any] | None = None
        self._born = 0
        self._alive = TrackedPoints(
            np.zeros((0, 2), np.float32), np.zeros(0, np.int64), np.zeros(0, np.int64)
        )

    def feed(self, frame: NDArray[Any]) -> TrackedPoints:
        """Follow the living points into the next frame of the video.

        Parameters
        ----------
        frame : array, shape (H, W), uint8 or float32
            Gray frame in 0..255, of the shape and the dtype of those before.

        Returns
        -------
        tracked : TrackedPoints
            The points in this frame; arrays of their own.

        Raises
        ------
        TypeError, ValueError
            If the frame is not as described.
        """
        gray = checks.check_gray("frame", frame)
        if self._pyramid and (gray.shape, gray.dtype) != (self._pyramid[0].shape, self._dtype):
            message = (
                f"frame must be {self._pyramid[0].shape} {self._dtype} as those before, "
                f"got {gray.shape} {gray.dtype}; call reset() between two videos"
            )
            raise ValueError(message)
        pyramid = build_pyramid(gray, self._search)
        if len(self._alive.points):
            self._alive = self._follow(pyramid)
        if len(self._alive.points) < self._replenish * self._max_points or not self._pyramid:
            self._alive = self._add_points(gray)
        self._pyramid, self._dtype = pyramid, gray.dtype
        alive = self._alive
        return TrackedPoints(alive.points.copy(), alive.identities.copy(), alive.ages.copy())

    def _follow(self, pyramid: list[Level]) -> TrackedPoints:
        alive, points, search = self._alive, self._alive.points, self._search
        moved, kept, _ = track_points(self._pyramid, pyramid, points, points, search)
        height, width = pyramid[0].shape
        kept &= ((moved >= 0) & (moved <= [width - 1, height - 1])).all(axis=1)
        if self._tolerance is not None:
            back, found, _ = track_points(pyramid, self._pyramid, moved[kept], moved[kept], search)
            found &= np.hypot(*(back - points[kept]).T) <= self._tolerance
            kept[kept] = found
        return TrackedPoints(moved[kept], alive.identities[kept], alive.ages[kept] + 1)

    def _add_points(self, gray: NDArray[Any]) -> TrackedPoints:
        alive = self._alive
        missing = self._max_points - len(alive.points)
        if missing == 0:
            return alive
        found = good_features(
            gray,
            max_corners=missing,
            quality=self._quality,
            min_distance=self._min_distance,
            occupied=alive.points,
        )
        identities = np.arange(self._born, self._born + len(found))
        self._born += len(found)
        return TrackedPoints(
            np.concatenate([alive.points, found]),
            np.concatenate([alive.identities, identities]),
            np.concatenate([alive.ages, np.zeros(len(found), np.int64)]),
        )
