"""Frames go in; all levels of their pyramids are computed, and the flow between them comes out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicvid.flow.farneback import levels as _levels
from classicvid.flow.farneback.crew import Crew
from classicvid.flow.farneback.levels import Scratch, Settings, fill, make_levels, whole_vectors
from classicvid.flow.farneback.schedule import Schedule
from classicvid.kernels import farneback as kernels
from classicvid.kernels.threads import SHARED


class Pyramid:
    """All levels of two frames, and what every thread needs to compute them."""

    def __init__(self, shape: tuple[int, int], settings: Settings) -> None:
        self.shape, self.settings = shape, settings
        self._levels = make_levels(shape, settings)
        self._frames = [self._make_frame(np.uint8) for _ in range(2)]
        self._call = settings.record.copy()
        fill(self._call, frame_width=shape[1], frame_stride=self._frames[0].shape[1])
        self._plan = np.concatenate(
            [level.describe((level.previous, level.present), level.flow) for level in self._levels]
        )
        self._scratch: list[Scratch] = []
        self._schedules: dict[tuple[int, bool, int], Schedule] = {}
        self._crew = Crew()
        self.use_threads(1)

    def use_threads(self, count: int) -> None:
        """Compute on so many threads from now on."""
        # With the JIT off, threads could only disturb one another: one does the work of all.
        self._threads, self._helpers = count, count - 1 if SHARED else 0
        if count <= len(self._scratch):
            return
        settings, reach = self.settings, max(level.reach for level in self._levels)
        hands = (count - 1, settings.iterations, 2 * (settings.winsize // 2))
        wide = self._frames[0].shape[1]
        handed = _levels.make_rows(*hands, kernels.PLANES, wide)
        self._scratch = [
            Scratch(self.shape[1], reach, settings, handed=handed) for _ in range(count)
        ]
        self._rooms = np.concatenate([scratch.record for scratch in self._scratch])

    def expand(self, image: NDArray[Any]) -> None:
        """Expand a gray frame at every level; the present one becomes the previous."""
        self._take(image)
        self._run(1)

    def compute_flow(
        self,
        *images: NDArray[Any],
        initial_flow: NDArray[np.float32] | None = None,
        backward: bool = False,
    ) -> NDArray[np.float32]:
        """Return the flow from the previous frame to the present one.

        Parameters
        ----------
        *images : array, shape (H, W), uint8 or float32
            Gray frames of one type to expand before: none, the next one, or two.
        initial_flow : array, shape (H, W, 2), float32, optional
            First guess.
        backward : bool
            Return the flow from the present frame to the previous one.
        """
        self._take(*images)
        flow = _levels.allocate((*self.shape, 2), np.float32)
        self._aim(flow, initial_flow, backward=backward)
        self._run(len(images), flow)
        return flow

    def _take(self, *images: NDArray[Any]) -> None:
        """Copy frames to where their rows are padded; the last one is the present."""
        if len(images) == 1:
            present = self._plan["expansion_1"].copy()
            self._plan["expansion_1"] = self._plan["expansion_0"]
            self._plan["expansion_0"] = present
        dtype = images[0].dtype if images else self._frames[0].dtype
        if self._frames[0].dtype != dtype:
            self._frames = [self._make_frame(dtype) for _ in range(2)]
        for frame, image in zip(self._frames[::-1], images[::-1], strict=False):
            frame[:, : self.shape[1]] = image
        first, second = self._frames
        fill(self._call, frame_0=first, frame_1=second, frame_floats=first.dtype == np.float32)

    def _aim(
        self,
        flow: NDArray[np.float32],
        initial_flow: NDArray[np.float32] | None,
        *,
        backward: bool,
    ) -> None:
        """Say where the flow goes, and where it starts from."""
        coarsest = self._levels[0]
        self._plan["coarse_width"][0] = 0
        if initial_flow is not None:
            coarsest.start(initial_flow)
            self._plan["coarse_width"][0] = coarsest.shape[1]
        fill(self._plan[-1:], out=flow, out_stride=2 * self.shape[1])
        self._call["backward"] = backward

    def _schedule(self, count: int, solved: bool) -> Schedule:
        key = count, solved, self._threads
        if key not in self._schedules:
            self._schedules[key] = Schedule(
                self._levels,
                self.settings,
                frames=range(2 - count, 2),
                solved=solved,
                threads=self._threads,
            )
        return self._schedules[key]

    def _run(self, count: int, flow: NDArray[np.float32] | None = None) -> None:
        """Do all tasks of a call with so many new frames: alone, and with whoever comes in time."""
        self._work = self._schedule(count, flow is not None), flow
        try:
            kernels.open_board(self._work[0].board)
            if self._helpers:
                self._crew.call(self._join, self._helpers)
        finally:  # an interruption must not leave others at work
            self._join(0)

    def _join(self, member: int) -> None:
        schedule, _flow = self._work  # the flow lives on while somebody may write to it
        kernels.run_tasks(
            schedule.tasks, self._plan, self._call, self._rooms, schedule.board, member
        )

    def _make_frame(self, dtype: Any) -> NDArray[Any]:
        return _levels.make_rows(self.shape[0], whole_vectors(self.shape[1]), dtype=dtype)
