"""Points among frames and flows go in; histograms of edges and motion around them come out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicvid.flow import FarnebackFlow
from classicvid.interest_points.time_window import TimeWindow
from classicvid.kernels.interest_points.histograms import vote_edges, vote_motion

_CELLS = (2, 3, 3)  # along t, y, x
_BINS = 4
# Pixels a frame: a flow vector of this length or less is at rest.
_REST = np.float32(0.4)


class MotionHistograms:
    """Describe boxes that reach 9 sigma pixels and 4 tau frames from points of one scale.

    The middle of three cells reaches 3 sigma from the point; of two cells in time, the first ends
    before the point's frame.
    """

    def __init__(self, sigma: float, tau: float) -> None:
        self.reach = max(round(4 * tau), 1)
        inner, outer = round(3 * sigma), round(9 * sigma)
        self._edges = np.array([-outer, -inner, inner + 1, outer + 1])

    def describe_none(self) -> dict[str, NDArray[np.float32]]:
        """Return the descriptors of no points."""
        cells = int(np.prod(_CELLS))
        sizes = {"hog": cells * _BINS, "hof": cells * (_BINS + 1)}
        return {name: np.zeros((0, size), np.float32) for name, size in sizes.items()}

    def describe(
        self, image: TimeWindow, flow: TimeWindow, places: NDArray[np.int64]
    ) -> dict[str, NDArray[np.float32]]:
        """Return ``hog`` (N, 72) and ``hof`` (N, 90) of the points (x, y) in the middle frame.

        ``image`` holds frames (H, W), ``flow`` the motion (H, W, 2) from each to the next.
        """
        height, width = image.planes.shape[1:]
        slots = image.clipped(self.reach, self.reach - 1)
        before = min(image.frame, self.reach)
        times = (np.arange(len(slots)) >= before).astype(np.int64)
        hog = np.zeros((len(places), *_CELLS, _BINS), np.float32)
        hof = np.zeros((len(places), *_CELLS, _BINS + 1), np.float32)
        for n, (x, y) in enumerate(places):
            rows = np.clip(y + self._edges, 0, height)
            columns = np.clip(x + self._edges, 0, width)
            vote_edges(image.planes, slots, times, rows, columns, hog[n])
            vote_motion(flow.planes, slots, times, rows, columns, _REST, hof[n])
        return {"hog": _normalise(hog), "hof": _normalise(hof)}


def _normalise(histograms: NDArray[np.float32]) -> NDArray[np.float32]:
    vectors = histograms.reshape(len(histograms), -1)
    totals = vectors.sum(axis=1, keepdims=True)
    return np.sqrt(vectors / np.maximum(totals, np.float32(1e-6)))


def frame_flows(
    grays: Iterable[NDArray[Any]], shape: tuple[int, int]
) -> Iterator[NDArray[np.float32]]:
    """Yield the motion (H, W, 2) from every frame to the next.

    The last frame goes on as the one before; a frame alone rests.
    """
    estimator = FarnebackFlow()
    last, count = np.zeros((*shape, 2), np.float32), 0
    for gray in grays:
        count += 1
        flow = estimator.feed(gray)
        if flow is not None:
            yield flow
            last = flow
    if count:
        yield last
