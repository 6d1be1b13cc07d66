"""The levels of a pyramid go in; the tasks that compute them come out, in the order to begin."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from classicvid.flow.farneback.levels import Level, Settings
from classicvid.kernels.farneback import plan

# Rows of a level that are sampled or expanded in one go.
CHUNK = 32
# Rows of flow that one thread computes, at least: a level of fewer is not worth the sharing.
MIN_BAND_ROWS = 32


# The entries of a `plan.TASK`.
Task = tuple[int, ...]


class Schedule:
    """All tasks of a call.

    Each builds only on tasks that stand before it. While some threads compute the flow of one
    level, the others may already expand the next.

    Parameters
    ----------
    levels : sequence of Level
        From the coarsest to the finest.
    settings : Settings
        The parameters of the method.
    frames : sequence of int
        Which frames are expanded: 0 the previous, 1 the present.
    solved : bool
        Whether the flow between them is computed.
    threads : int
        How many threads share the work.
    """

    def __init__(
        self,
        levels: Sequence[Level],
        settings: Settings,
        *,
        frames: Sequence[int],
        solved: bool,
        threads: int,
    ) -> None:
        self._rows: list[Task] = []
        self._flags = plan.FIRST_FLAG
        flows: list[Task] = []
        before = self._flags
        for k, level in enumerate(levels):
            expansions = [row for frame in frames for row in self._expand(k, level, frame)]
            # The flow of the coarser level comes first, so that it is ready when it is needed.
            self._rows += flows + expansions
            if solved:
                cuts = cut_bands(level.shape[0], threads, settings)
                flows, before = self._solve(k, cuts, before)
        self._rows += flows
        self.tasks = np.array(self._rows, plan.TASK)
        self.board = np.zeros(self._flags, np.int64)
        self.board[plan.NEXT] = len(self._rows)

    def _take_flags(self, count: int) -> range:
        self._flags += count
        return range(self._flags - count, self._flags)

    def _expand(self, k: int, level: Level, frame: int) -> list[Task]:
        """Sample and expand in chunks, each expanded as soon as those around it are sampled."""
        height = level.shape[0]
        starts = range(0, height, CHUNK)
        sampled, expanded = (self._take_flags(len(starts)) for _ in range(2))
        reach = -(-level.settings.poly_n // CHUNK)
        tasks: list[Task] = []
        for i in range(len(starts) + reach):
            if i < len(starts):
                rows = (starts[i], min(starts[i] + CHUNK, height))
                tasks.append((plan.SAMPLE, k, frame, *rows, 0, 0, sampled[i], 0, -1, 0))
            if i >= reach:
                j = i - reach
                rows = (starts[j], min(starts[j] + CHUNK, height))
                needs = sampled[max(j - reach, 0)], sampled[min(j + reach, len(starts) - 1)] + 1
                tasks.append((plan.EXPAND, k, frame, *rows, *needs, expanded[j], 0, -1, 0))
        return tasks

    def _solve(self, k: int, cuts: list[int], before: int) -> tuple[list[Task], int]:
        """Compute bands of flow, the lowest first: it hands equations to the one above.

        Needs all flags from ``before`` on; returns also what the next level needs.
        """
        needs = before, self._flags
        count = len(cuts) - 1
        flags = self._take_flags(count)
        tasks: list[Task] = []
        for band in range(count - 1, -1, -1):
            giver = flags[band + 1] if band + 1 < count else -1
            rows = cuts[band], cuts[band + 1]
            # Band 1 gives to band 0 through room 0, band 2 to band 1 through room 1, and so on.
            tasks.append((plan.SOLVE, k, 0, *rows, *needs, flags[band], band > 0, giver, band - 1))
        return tasks, flags[0]


def cut_bands(height: int, most: int, settings: Settings) -> list[int]:
    """Return where the bands of rows begin and, at last, the end.

    A band's first iteration begins above its first row of flow, by the window's radius for every
    iteration, and ends where that of the band below begins. It is this, the work, that is divided.
    """
    radius, iterations = settings.winsize // 2, settings.iterations
    lag = radius * (iterations + 1) // 2
    # What a band hands over must be its own, and the image must not end before.
    least = max(MIN_BAND_ROWS, 2 * radius + lag)
    count = max(1, min(most, height // least))
    return [0, *(height * i // count + lag for i in range(1, count)), height]
