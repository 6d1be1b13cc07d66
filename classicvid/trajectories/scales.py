"""The gray frames of a video go in; filtered flow on every scale of sqrt(2) comes out."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from classicvid.flow.farneback.levels import (
    Level,
    Scratch,
    Settings,
    make_levels,
    make_rows,
    whole_vectors,
)

STEP = np.sqrt(2)
# Every level's flow is cleared of outliers before the next finer one starts from it.
MEDIAN = 5


class ScaleFlow:
    """Farnebäck's flow between the frames of a video, at several sizes.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the frames.
    scales : int
        Sizes at most; those with a side below 32 pixels are left out, but for the first.

    Notes
    -----
    The settings of H. Wang's programs: one pyramid is both the flow's and the trajectories', and
    each of its levels hands the next one a flow that is filtered by a median of 5 x 5 pixels.
    """

    def __init__(self, shape: tuple[int, int], *, scales: int) -> None:
        settings = Settings(
            pyr_scale=float(1 / STEP),
            levels=scales - 1,
            winsize=10,
            iterations=2,
            poly_n=7,
            poly_sigma=1.5,
            gaussian=True,
        )
        self._levels = make_levels(shape, settings)
        reach = max(level.reach for level in self._levels)
        self._scratch = Scratch(shape[1], reach, settings)
        self._frame = make_rows(shape[0], whole_vectors(shape[1]), dtype=np.uint8)
        self._spare = [make_rows(*level.present.shape) for level in self._levels]
        self._flows = [[make_rows(*level.flow.shape) for level in self._levels] for _ in range(2)]

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Height and width of every scale, the full frame first."""
        return [level.shape for level in reversed(self._levels)]

    def feed(self, frame: NDArray[np.uint8]) -> None:
        """Take the next gray frame (H, W)."""
        for level in self._levels:
            level.previous, level.present = level.present, level.previous
        self._expand(frame)

    def flow(self) -> list[NDArray[np.float32]]:
        """Return the flow to the last frame from the one before, of every scale, the finest first.

        Arrays (h + 1, w', 2) hold (h, w); they are valid until the next call.
        """
        return self._solve(self._flows[0])

    def flow_to(self, frame: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """Return, as `flow` does, the flow to this frame from the one before the last."""
        presents = [level.present for level in self._levels]
        for level, spare in zip(self._levels, self._spare, strict=True):
            level.present = spare
        self._expand(frame)
        flows = self._solve(self._flows[1])
        for level, present in zip(self._levels, presents, strict=True):
            level.present = present
        return flows

    def _expand(self, frame: NDArray[np.uint8]) -> None:
        width = frame.shape[1]
        self._frame[:, :width] = frame
        for level in self._levels:
            rows = range(level.shape[0])
            level.sample(self._frame, width, self._scratch, rows)
            level.expand(self._scratch, rows)

    def _solve(self, flows: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        for level, flow in zip(self._levels, flows, strict=True):
            level.flow = flow
            self._solve_level(level)
        return flows[::-1]

    def _solve_level(self, level: Level) -> None:
        height, width = level.shape
        rows = range(height)
        level.solve((level.previous, level.present), False, level.flow, self._scratch, rows)
        inside = level.flow[:height, :width]
        inside[...] = cv2.medianBlur(inside, MEDIAN)
