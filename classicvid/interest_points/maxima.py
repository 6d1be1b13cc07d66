"""The responses of a detector, frame by frame, go in; the strongest of their maxima come out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classicvid.interest_points.time_window import TimeWindow, time_windows
from classicvid.kernels.interest_points.maxima import space_time_maxima


class Maxima(NamedTuple):
    """The maxima in one frame: places (N, 2), int64, as (x, y), and responses (N,), float32."""

    places: NDArray[np.int64]
    responses: NDArray[np.float32]


NO_MAXIMA = Maxima(np.zeros((0, 2), np.int64), np.zeros(0, np.float32))


def find_maxima(
    responses: Iterable[NDArray[np.float32]],
    shape: tuple[int, int],
    *,
    threshold: float,
    most: int,
) -> Iterator[Maxima]:
    """Yield for every frame the pixels above a threshold that exceed all their 26 neighbours.

    ``responses`` of frames of ``shape`` (H, W) are flattened as by `planes.blurred_planes`. The
    first and the last frame, and the border of a frame, have no maxima: a neighbour is missing. Of
    more than ``most`` in a frame the strongest are yielded; 0 means all.
    """
    for window in time_windows(responses, 1):
        if 0 < window.frame < window.last:
            yield _maxima_of(window, shape, threshold, most)
        else:
            yield NO_MAXIMA


def _maxima_of(window: TimeWindow, shape: tuple[int, int], threshold: float, most: int) -> Maxima:
    slots, limit = window.mirrored(1), np.float32(threshold)
    keys = np.empty(max(4 * most, 1024), np.int64)
    count = space_time_maxima(window.planes, slots, shape, limit, keys)
    if count > keys.size:
        keys = np.empty(count, np.int64)
        space_time_maxima(window.planes, slots, shape, limit, keys)
    keys = keys[:count]
    strength = window.planes[slots[1], keys]
    if most and count > most:
        chosen = strongest(strength, most)
        keys, strength = keys[chosen], strength[chosen]
    return Maxima(np.stack([keys % shape[1], keys // shape[1]], axis=1), strength)


def strongest(strength: NDArray[np.float32], most: int) -> NDArray[np.int64]:
    """Return the indices of the ``most`` greatest, or of all, rising; the first of equal ones."""
    return np.sort(np.argsort(-strength, kind="stable")[:most])
