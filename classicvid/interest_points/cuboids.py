"""Frames of a video go in; points where it flickers or beats come out, with what is around them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import tee
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicvid import checks
from classicvid.interest_points.maxima import NO_MAXIMA, Maxima, find_maxima
from classicvid.interest_points.planes import blurred_planes, open_frames
from classicvid.interest_points.points import SpaceTimePoints, join_points, points_of
from classicvid.interest_points.stretches import in_stretches
from classicvid.interest_points.time_window import TimeWindow, time_windows
from classicvid.kernels.interest_points.cuboids import describe_cuboids
from classicvid.kernels.interest_points.filters import filter_energy

# Cells along x, y and t of a described cuboid: a cell of a default cuboid is about 2 voxels long.
GRID = (7, 7, 9)


def detect_cuboids(
    frames: Iterable[NDArray[Any]],
    *,
    sigma: float = 2.0,
    tau: float = 2.5,
    threshold: float = 4.0,
    max_points: int = 200,
) -> SpaceTimePoints:
    """Find where the gray level beats in time, and describe the cuboids of the video around.

    Every pixel, blurred by a Gaussian, is filtered in time by a pair of Gabor filters in
    quadrature; the points are the local maxima of the filters' energy.

    Parameters
    ----------
    frames : iterable of arrays, shape (H, W, 3) or (H, W), uint8 or float32
        RGB or gray in 0..255, all of one size. Read once and in order: memory grows with the
        number of the points, not with that of the frames.
    sigma : float, at least 0.7
        Standard deviation in pixels of the Gaussian.
    tau : float, at least 1.1
        Half the period in frames of the filters, and half the width of their envelope.
    threshold : float, at least 0
        Gray levels: the smallest response of a point. A pixel that, blurred, oscillates by
        +-a gray levels with a period of 2 ``tau`` frames responds with a.
    max_points : int, at least 0
        At most so many in every 25 frames, the strongest; 0 means all.

    Returns
    -------
    points : SpaceTimePoints
        In the order of time. ``response`` is the root of the energy, in gray levels.
        ``descriptors["gradients"]``, (N, 1323): the gradients (x, y, t) in a cuboid that reaches
        3 sigma pixels and 3 tau frames (rounded up) from the point, averaged in 9 x 7 x 7 cells
        (t, y, x), and divided by their Euclidean length; zeros where nothing changes.

    Raises
    ------
    TypeError, ValueError
        If a frame or a parameter is not as described.

    See Also
    --------
    iter_cuboids : the same points while the video is being read.

    Notes
    -----
    P. Dollár, V. Rabaud, G. Cottrell, S. Belongie, "Behavior recognition via sparse spatio-temporal
    features", VS-PETS 2005, with the frequency and the envelope of the authors' program: weights
    cos(2 pi t / (2 tau)) exp(-t^2 / (2 tau)^2) and the same with sin, for t within +-2 tau. (The
    article's 4 / tau would be, at tau = 4, one period a frame: none.) The mean of the even filter
    is taken off under the envelope, so that a static scene responds with zero, and the
    scale is the one of ``threshold``. Before its first and after its last frame the video runs
    backwards, and it is mirrored at its border; no point lies on the first or the last frame or on
    the border, so a video of two frames has none. The gradients are averaged in cells instead of
    kept for every voxel, which is what a projection on principal components would discard first.
    """
    parts = iter_cuboids(frames, sigma=sigma, tau=tau, threshold=threshold, max_points=max_points)
    return join_points(list(parts))


def iter_cuboids(
    frames: Iterable[NDArray[Any]],
    *,
    sigma: float = 2.0,
    tau: float = 2.5,
    threshold: float = 4.0,
    max_points: int = 200,
) -> Iterator[SpaceTimePoints]:
    """Yield the points of `detect_cuboids`, those of 25 frames at a time, in constant memory.

    Parameters and errors are those of `detect_cuboids`. At least one value is yielded, if without
    points.
    """
    sigma = checks.check_number("sigma", sigma, low=0.7)
    tau = checks.check_number("tau", tau, low=1.1)
    threshold = checks.check_number("threshold", threshold, low=0)
    max_points = checks.check_whole("max_points", max_points, low=0)
    return in_stretches(_found_in_frames(frames, sigma, tau, threshold, max_points), max_points)


def _found_in_frames(
    frames: Iterable[NDArray[Any]], sigma: float, tau: float, threshold: float, most: int
) -> Iterator[SpaceTimePoints]:
    """Yield the described points of every frame, and before them an empty value."""
    radius, reach = int(np.ceil(3 * sigma)), int(np.ceil(3 * tau))
    describer = _Describer(radius, reach)
    nothing = np.zeros((0, describer.size), np.float32)
    yield points_of(NO_MAXIMA, 0, (sigma, tau), {"gradients": nothing})
    shape, grays = open_frames(frames)
    to_filter, to_describe = tee(grays)
    energies = gabor_energies(blurred_planes(to_filter, sigma), tau)
    maxima = find_maxima(energies, shape, threshold=threshold**2, most=most)
    for found, window in zip(maxima, time_windows(to_describe, reach + 1), strict=True):
        if len(found.places):
            root = Maxima(found.places, np.sqrt(found.responses))
            gradients = describer.describe(window, found.places)
            yield points_of(root, window.frame, (sigma, tau), {"gradients": gradients})


def gabor_energies(
    planes: Iterable[NDArray[np.float32]], tau: float
) -> Iterator[NDArray[np.float32]]:
    """Yield the energies, gray levels squared, of every blurred plane, in memory used again."""
    even, odd = gabor_pair(tau)
    reach, energy = len(even) - 1, np.zeros(0, np.float32)
    for window in time_windows(planes, reach):
        if energy.size == 0:
            energy = np.zeros(window.planes.shape[1], np.float32)
        filter_energy(window.planes, window.mirrored(reach), even, odd, energy)
        yield energy


def gabor_pair(tau: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the weights of the even and the odd filter for t = 0 .. 2 tau, two arrays (R + 1,)."""
    time = np.arange(int(np.ceil(2 * tau)) + 1)
    envelope = np.exp(-((time / (2 * tau)) ** 2))
    counts = np.where(time == 0, 1, 2)  # a weight serves t and -t
    even = np.cos(np.pi * time / tau) * envelope
    even -= envelope * (counts @ even) / (counts @ envelope)
    odd = np.sin(np.pi * time / tau) * envelope
    # Half of what an oscillation of period 2 tau leaves in each, so that its energy is a^2.
    even /= counts @ (even * np.cos(np.pi * time / tau))
    odd /= counts @ (odd * np.sin(np.pi * time / tau))
    return even.astype(np.float32), odd.astype(np.float32)


class _Describer:
    """Averages gradients around points, in the cells of cuboids of one size."""

    def __init__(self, radius: int, reach: int) -> None:
        self.size = 3 * int(np.prod(GRID))
        self._radius, self._reach = radius, reach
        sides = (2 * reach + 1, 2 * radius + 1)
        self._cells = np.zeros((2, max(sides)), np.int64)
        self._weights = np.zeros((2, max(sides), 2), np.float32)
        for axis, (side, cells) in enumerate(zip(sides, (GRID[2], GRID[0]), strict=True)):
            first, shares = share_voxels(side, cells)
            self._cells[axis, :side], self._weights[axis, :side] = first, shares

    def describe(self, window: TimeWindow, places: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the vectors (N, D) of points in the middle frame of a window of frames (H, W)."""
        out = np.empty((len(places), GRID[2], GRID[1], GRID[0], 3), np.float32)
        slots = window.mirrored(self._reach + 1)
        describe_cuboids(
            window.planes, slots, places, self._radius, self._cells, self._weights, out
        )
        vectors = out.reshape(len(places), self.size)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors / np.maximum(lengths, np.float32(1e-6))


def share_voxels(side: int, cells: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Cut a side of voxels into as many equal cells, at most one a voxel.

    Returns the first cell that each voxel lies in, (side,), and the shares of that cell and of the
    next that the voxel fills, (side, 2): a cell's shares sum to 1.
    """
    edges = np.arange(side + 1) * cells / side
    first = np.floor(edges[:-1] + 1e-9).astype(np.int64)
    beyond = np.maximum(edges[1:] - (first + 1), 0)
    return first, np.stack([cells / side - beyond, beyond], axis=1)
