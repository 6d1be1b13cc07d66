"""Frames of a video go in; a histogram vector each of HOG, HOF, MBHx and MBHy comes out."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from classicvid.checks import check_flow, check_number, check_whole
from classicvid.flow import FarnebackFlow
from classicvid.image import to_gray
from classicvid.kernels import descriptors as kernels

_NAMES = ("hog", "hof", "mbhx", "mbhy")
# Added to every bin for each pixel of its cell, as the authors' program adds 0.05 for 16 x 16: else
# rounding errors would be blown up to a whole histogram where there is no edge or no motion.
_EPSILON = 0.05 / 256
# Spans of time whose votes are kept apart; even, so that they merge in pairs.
_SPANS = 96


class FlowEstimator(Protocol):
    """What is asked of an estimator of flow: it is fed the gray frames of a video in order."""

    def feed(self, frame: NDArray[np.uint8], /) -> NDArray[np.float32] | None:
        """Return the flow (H, W, 2) to this frame from the one before; None for the first."""

    def reset(self) -> None:
        """Forget the frame before."""


def video_histograms(
    frames: Iterable[NDArray[np.uint8]],
    *,
    grid: int = 4,
    bins: int = 8,
    parts: int = 2,
    min_flow: float = 0.4,
    flow: FlowEstimator | None = None,
) -> dict[str, NDArray[np.float32]]:
    """Describe a video by the orientations of its edges, its motion and its motion boundaries.

    Every pixel votes for its orientation with its magnitude. Votes are gathered in the cells of a
    grid and in the whole frame; over the whole video, and over equal parts of it in time, which
    tell a movement from its reversal.

    Parameters
    ----------
    frames : iterable of arrays, shape (H, W, 3), uint8
        RGB, all of one size, at least one. Read once and in order: memory does not grow with their
        number.
    grid : int, 1 to 32
        Cells along each side of the frame.
    bins : int, 2 to 32
        Orientations in a full turn.
    parts : int, 1 to 16
        Equal parts in time that are described after the whole video; 1 adds none.
    min_flow : float, at least 0
        Pixels per frame; a flow vector of this length or less is at rest.
    flow : FlowEstimator, optional
        Reset, then fed every frame as gray (H, W) uint8; by default ``FarnebackFlow()``.

    Returns
    -------
    histograms : dict of arrays, shape (D,), float32
        ``hog`` of the gradient of the gray frames, ``hof`` of the flow, with rest as one bin more,
        ``mbhx`` and ``mbhy`` of the gradients of the flow's dx and dy.

        A vector runs over time (the whole, then the parts), over the cells row by row with the
        whole frame last, and over bins: D = (1 + parts, or 1) * (grid ** 2 + 1) * bins. The
        cells of one time together are a distribution, and so is the whole frame: their square
        roots are given, each of Euclidean length 1. A video of one frame has no flow: its ``hof``,
        ``mbhx`` and ``mbhy`` are zero.

    Raises
    ------
    TypeError, ValueError
        If a frame or a parameter is not as described, the frames differ in size, or there is none.

    Notes
    -----
    After H. Wang et al., "Dense trajectories and motion boundary descriptors for action
    recognition", IJCV 2013: central differences, orientations over a full turn, votes split
    between the two nearest bins, pixels at rest counted, L1 norm and square root, a pyramid in
    time. We depart in that cells are those of the frame, not of tubes along trajectories, and that
    votes are summed over the video before they are normalised, whereas the authors' program
    normalises every frame. The cells of one time are normalised together, as theirs are: one
    where nothing moves stays small instead of being blown up to a distribution of noise.

    Of a video longer than 96 frames, votes are kept for 48 to 96 equal spans of time; those of a
    span that a border between two parts cuts are shared out in proportion.
    """
    histograms = GridHistograms(grid=grid, bins=bins, parts=parts, min_flow=min_flow, flow=flow)
    for frame in frames:
        histograms.feed(frame)
    return histograms.arrays()


class GridHistograms:
    """What :func:`video_histograms` does, for frames that come one by one.

    Parameters and errors are those of the function.
    """

    def __init__(
        self,
        *,
        grid: int = 4,
        bins: int = 8,
        parts: int = 2,
        min_flow: float = 0.4,
        flow: FlowEstimator | None = None,
    ) -> None:
        check_whole("grid", grid, low=1, high=32)
        check_whole("bins", bins, low=2, high=32)
        self._parts = check_whole("parts", parts, low=1, high=16)
        self._rest = np.float32(check_number("min_flow", min_flow, low=0))
        self._flow = FarnebackFlow() if flow is None else flow
        self._flow.reset()
        self._votes = {name: _Votes((grid, grid, bins + (name == "hof"))) for name in _NAMES}
        self._shape: tuple[int, ...] = ()

    def feed(self, frame: NDArray[np.uint8]) -> None:
        """Count the next frame, shape (H, W, 3), uint8, RGB."""
        gray = to_gray(frame)
        self._shape = _check_same(gray.shape, self._shape)
        _vote(self._votes, gray, self._flow.feed(gray), self._rest)

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return the histograms of the frames so far."""
        if not self._shape:
            message = (
                "frames must hold at least one frame, got none; is the video or the range empty?"
            )
            raise ValueError(message)
        return {
            name: _describe(votes, self._parts, self._shape) for name, votes in self._votes.items()
        }


def _check_same(shape: tuple[int, ...], before: tuple[int, ...]) -> tuple[int, ...]:
    if before and shape != before:
        message = f"frames must all have one size, got {shape} after {before}; resize them"
        raise ValueError(message)
    return shape


def _vote(
    votes: dict[str, _Votes],
    gray: NDArray[np.uint8],
    flow: NDArray[np.float32] | None,
    rest: np.float32,
) -> None:
    kernels.vote_gradients(gray.astype(np.float32), votes["hog"].next_span())
    if flow is None:
        return
    flow = check_flow("flow", flow, shape=gray.shape)
    kernels.vote_flow(flow, rest, votes["hof"].next_span())
    for axis, name in enumerate(("mbhx", "mbhy")):
        kernels.vote_gradients(np.ascontiguousarray(flow[..., axis]), votes[name].next_span())


class _Votes:
    """Sums of histograms over equal spans of a stream of unknown length: when full, pairs merge."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.shape = shape
        self.count = 0
        self._sums = np.zeros((_SPANS, *shape))
        self._span = 1

    def next_span(self) -> NDArray[np.float64]:
        """Return the histograms that the votes of the next frame are to be added to."""
        if self.count == _SPANS * self._span:
            half = _SPANS // 2
            self._sums[:half] = self._sums[0::2] + self._sums[1::2]
            self._sums[half:] = 0
            self._span *= 2
        self.count += 1
        return self._sums[(self.count - 1) // self._span]

    def mean(self, start: float, stop: float) -> NDArray[np.float64]:
        """Average the histograms of the frames from ``start`` to ``stop``, shares of all frames."""
        edges = np.minimum(np.arange(_SPANS + 1) * self._span, self.count)
        covered = np.diff(np.clip(edges, start * self.count, stop * self.count))
        shares = covered / np.maximum(np.diff(edges), 1)
        return np.tensordot(shares, self._sums, axes=1) / covered.sum()


def _describe(votes: _Votes, parts: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    times = [(0.0, 1.0)]
    if parts > 1:
        times += pairwise(np.linspace(0, 1, parts + 1).tolist())
    if votes.count == 0:
        grid, _, bins = votes.shape
        return np.zeros(len(times) * (grid**2 + 1) * bins, np.float32)
    return np.concatenate([_normalise(votes.mean(*time), shape) for time in times])


def _normalise(histograms: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Turn histograms (G, G, bins) into roots of distributions, of the cells and of the frame."""
    grid = len(histograms)
    rows, columns = (np.bincount(np.arange(n) * grid // n, minlength=grid) for n in shape)
    weights = histograms + _EPSILON * np.outer(rows, columns)[:, :, None]
    shares = weights / weights.sum()
    return np.sqrt(np.concatenate([shares.ravel(), shares.sum(axis=(0, 1))])).astype(np.float32)
