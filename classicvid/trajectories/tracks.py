"""Points of one scale go in; the tracks that follow them come out, each when it ends."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from classicvid.kernels import trajectories as kernels

PARTS = 3
_FIRST_CAPACITY = 1024


class Tracks:
    """The living tracks of one scale, in the order of their birth.

    Parameters
    ----------
    length : int
        L, steps after which a track ends; a multiple of `PARTS`.
    """

    def __init__(self, length: int) -> None:
        self._length = length
        self._living = 0
        self._slots = np.zeros(0, np.int64)
        self._heads = np.zeros((0, 2), np.float32)
        self._ages = np.zeros(0, np.int64)
        self._paths = np.zeros((0, length + 1, 2), np.float32)
        self._steps = np.zeros((0, length, 2), np.float32)
        self._tubes = np.zeros((0, PARTS, kernels.TUBE), np.float32)

    @property
    def heads(self) -> NDArray[np.float32]:
        """Where the living are, shape (N, 2) as (x, y); valid until the next change."""
        return self._heads[: self._living]

    def add(self, points: NDArray[np.float32]) -> None:
        """Begin a track at each of the points (N, 2)."""
        first, last = self._living, self._living + len(points)
        if last > len(self._slots):
            self._grow(max(last, 2 * len(self._slots), _FIRST_CAPACITY))
        slots = self._slots[first:last]
        self._heads[first:last] = points
        self._paths[slots, 0] = points
        self._tubes[slots] = 0
        self._ages[slots] = 0
        self._living = last

    def describe(
        self,
        gray: NDArray[np.uint8],
        flow: NDArray[np.float32],
        min_flow: np.float32,
        patch: int,
        room: tuple[NDArray[np.float32], ...],
    ) -> None:
        """Add the histograms of the patches around the heads; see `kernels.describe_tubes`."""
        tracks = (
            self.heads,
            self._slots[: self._living],
            self._ages,
            self._length // PARTS,
            self._tubes,
        )
        kernels.describe_tubes(gray, flow, min_flow, patch, room, tracks)

    def extend(
        self, moves: NDArray[np.float32], steps: NDArray[np.float32], shape: tuple[int, int]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Move the heads; return paths, steps and tubes of the tracks that end.

        ``moves`` (N, 2) are displacements, ``steps`` (N, 2) what is noted as such.
        """
        ended = np.empty(self._living, np.int64)
        tracks = self._heads, self._slots, self._ages, self._paths, self._steps
        self._living, done = kernels.extend(moves, steps, shape, tracks, ended)
        ended = ended[:done]
        return self._paths[ended], self._steps[ended], self._tubes[ended]

    def _grow(self, capacity: int) -> None:
        old = len(self._slots)
        self._slots = np.concatenate([self._slots, np.arange(old, capacity)])
        for name in ("_heads", "_ages", "_paths", "_steps", "_tubes"):
            array = getattr(self, name)
            grown = np.zeros((capacity, *array.shape[1:]), array.dtype)
            grown[:old] = array
            setattr(self, name, grown)
