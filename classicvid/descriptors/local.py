"""Frames of a video go in one by one; a bounded sample of its local descriptors comes out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicvid.checks import check_frame, check_whole
from classicvid.descriptors.patches import patch_hogs
from classicvid.descriptors.textons import texton_responses
from classicvid.image import to_gray
from classicvid.keypoints import good_features

# Sides of the squares in pixels, and how many random ones of each a frame gives.
_DENSE_SIDES = ((16, 48), (32, 24))
_CORNER_SIDE = 16
_CORNERS = 24
_TEXTONS = 128

_SIZES = {"hog_dense": 72, "hog_corners": 72, "texton_dense": 9, "texton_corners": 9}


class LocalSample:
    """Describe small squares of equally spaced frames of a video of unknown length.

    Parameters
    ----------
    frames : int, 2 to 256, even
        Frames that are kept at most; of a longer video at least half as many.
    seed : int, at least 0
        Draws the dense points: a frame's depend on the seed and its number alone.

    Notes
    -----
    Every frame is kept until there are too many; then every second one is let go, and only every
    second one is looked at from there on, and so on: memory does not grow with the video.
    """

    def __init__(self, *, frames: int = 16, seed: int = 0) -> None:
        self.frames = check_whole("frames", frames, low=2, high=256)
        self.seed = check_whole("seed", seed, low=0)
        if frames % 2:
            message = f"frames must be even, got {frames}; half of them are let go at a time"
            raise ValueError(message)
        self.reset()

    def reset(self) -> None:
        """Forget all frames."""
        self.count = 0
        self._stride = 1
        self._kept: list[dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]] = []

    def feed(self, frame: ArrayLike) -> None:
        """Look at a frame, shape (H, W, 3), uint8, RGB.

        Raises
        ------
        TypeError, ValueError
            If the frame is not as described.
        """
        checked = check_frame("frame", frame)
        if self.count % self._stride == 0:
            if len(self._kept) == self.frames:
                self._kept = self._kept[::2]
                self._stride *= 2
            if self.count % self._stride == 0:
                self._kept.append(self._describe(to_gray(checked)))
        self.count += 1

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return descriptors and places of each channel.

        Returns
        -------
        arrays : dict of arrays, float32
            ``<channel>`` (N, D) and ``<channel>_positions`` (N, 3) as x, y, t, each from 0 to
            below 1, for the channels ``hog_dense`` and ``hog_corners`` (:func:`patch_hogs`, D =
            72) and ``texton_dense`` and ``texton_corners`` (:func:`texton_responses`, D = 9): at
            random points, and at the strongest corners. A frame without corners gives none.
        """
        found: dict[str, NDArray[np.float32]] = {}
        for name, size in _SIZES.items():
            parts = [frame[name] for frame in self._kept]
            times = (np.arange(len(parts)) * self._stride + 0.5) / max(self.count, 1)
            places = [
                np.column_stack([xy, np.full(len(xy), time)])
                for (_, xy), time in zip(parts, times, strict=True)
            ]
            found[name] = np.concatenate([np.zeros((0, size)), *(part[0] for part in parts)])
            found[f"{name}_positions"] = np.concatenate([np.zeros((0, 3)), *places])
        return {name: array.astype(np.float32) for name, array in found.items()}

    def _describe(
        self, gray: NDArray[np.uint8]
    ) -> dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]:
        rng = np.random.default_rng((self.seed, self.count))
        size = np.array(gray.shape[::-1], np.float32)
        points = [rng.uniform(0, size, (count, 2)) for _, count in _DENSE_SIDES]
        hogs = [
            patch_hogs(gray, centres, side=side)
            for (side, _), centres in zip(_DENSE_SIDES, points, strict=True)
        ]
        corners = good_features(gray, max_corners=_CORNERS, quality=0.02, min_distance=5)
        pixels = np.floor(rng.uniform(0, size, (_TEXTONS, 2)))
        described: dict[str, tuple[NDArray[np.float32], NDArray[Any]]] = {
            "hog_dense": (np.concatenate(hogs), np.concatenate(points)),
            "hog_corners": (patch_hogs(gray, corners, side=_CORNER_SIDE), corners),
            "texton_dense": (texton_responses(gray, pixels), pixels),
            "texton_corners": (texton_responses(gray, corners), corners),
        }
        below_one = np.nextafter(np.float32(1), np.float32(0))
        return {
            name: (values, np.minimum((places / size).astype(np.float32), below_one))
            for name, (values, places) in described.items()
        }
