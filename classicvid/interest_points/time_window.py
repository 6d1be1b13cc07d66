"""Planes of a video go in, one by one; around each in turn, its neighbours in time come out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class TimeWindow:
    """A frame among its neighbours, in memory that is written again when the next window comes.

    Attributes
    ----------
    planes : array, shape (S, ...), float32
        The frames in any order.
    frame : int
        Number of the frame in the middle.
    last : int
        Number of the newest frame that is here; the video's last, where the window ends early.
    """

    planes: NDArray[np.float32]
    frame: int
    last: int

    def mirrored(self, reach: int) -> NDArray[np.int64]:
        """Tell where the 2 ``reach`` + 1 frames around the middle lie.

        Before its first and after its last frame the video runs backwards.
        """
        frames = np.arange(self.frame - reach, self.frame + reach + 1)
        if self.last == 0:
            return np.zeros_like(frames)
        period = 2 * self.last
        folded = np.abs(frames) % period
        return np.minimum(folded, period - folded) % len(self.planes)

    def clipped(self, before: int, after: int) -> NDArray[np.int64]:
        """Tell where the frames from ``before`` before to ``after`` after the middle lie.

        Frames that the video has not are left out.
        """
        first, last = max(self.frame - before, 0), min(self.frame + after, self.last)
        return np.arange(first, last + 1) % len(self.planes)


def time_windows(planes: Iterable[NDArray[Any]], reach: int) -> Iterator[TimeWindow]:
    """Yield a window of ``reach`` frames on both sides for every plane, in order.

    The planes, all of one shape, are copied into a ring of 2 ``reach`` + 1.
    """
    ring = np.zeros(0, np.float32)
    slots, count = 2 * reach + 1, 0
    for plane in planes:
        if count == 0:
            ring = np.zeros((slots, *plane.shape), np.float32)
        ring[count % slots] = plane
        count += 1
        if count > reach:
            yield TimeWindow(ring, count - 1 - reach, count - 1)
    for frame in range(max(count - reach, 0), count):
        yield TimeWindow(ring, frame, count - 1)
