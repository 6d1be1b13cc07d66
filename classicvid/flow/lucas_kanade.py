"""Two gray frames and points of the first go in; where Lucas-Kanade follows them to comes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from classicvid import checks
from classicvid.kernels.lucas_kanade import tracking


def lucas_kanade_flow(
    previous: NDArray[Any],
    next: NDArray[Any],
    points: NDArray[Any],
    *,
    win_size: tuple[int, int] = (21, 21),
    max_level: int = 3,
    max_iterations: int = 30,
    epsilon: float = 0.01,
    min_eig_threshold: float = 1e-4,
    initial_points: NDArray[Any] | None = None,
    error: Literal["residual", "min_eigenvalue"] = "residual",
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float32]]:
    """Follow points from one frame into the next.

    Around every point a window of the first frame is matched to the second by Newton steps on the
    squared difference, from the coarsest level of a pyramid to the full size.

    Parameters
    ----------
    previous, next : array, shape (H, W), uint8 or float32
        Gray frames in 0..255.
    points : array, shape (N, 2), float32
        Points (x, y) of ``previous``, in pixels; they may lie outside the frame.
    win_size : (int, int), each at least 3
        Width and height in pixels of the window.
    max_level : int, at least 0
        Halvings above the full size; those that would not be larger than the window are left out.
    max_iterations : int, within [0, 100]
        Newton steps at every level.
    epsilon : float, within [0, 10]
        Step in pixels below which a point has arrived.
    min_eig_threshold : float, at least 0
        Smallest eigenvalue of the window's mean gradient matrix, in (gray levels / 32 per pixel)^2,
        that is followed; 1e-4 means 0.1 (gray levels per pixel)^2.
    initial_points : array, shape (N, 2), float32, optional
        Where the search begins in ``next``; by default at ``points``.
    error : "residual" or "min_eigenvalue"
        What the third result is.

    Returns
    -------
    points : array, shape (N, 2), float32
        Points (x, y) in ``next``; the last guess where a point was lost.
    status : array, shape (N,), bool
        True where the point was followed.
    error : array, shape (N,), float32
        The residual: mean absolute difference of the two windows in gray levels, 0 where a point
        was lost. Or the smallest eigenvalue, in the unit of ``min_eig_threshold``, 0 where the
        window of ``points`` lies outside the frame.

    Raises
    ------
    TypeError, ValueError
        If an array or a parameter is not as described, or the frames differ in shape.

    Notes
    -----
    J.-Y. Bouguet, "Pyramidal implementation of the Lucas Kanade feature tracker", Intel 2000, with
    the choices of OpenCV's ``calcOpticalFlowPyrLK``, whose parameters these are: a 5-tap blur and
    Scharr's derivatives, which are zero outside the frame; gray levels interpolated to 1/32. 8-bit
    frames are halved to whole gray levels, as there; float frames, which OpenCV does not take, keep
    their fractions.
    """
    first, second = checks.check_gray_pair(previous, next)
    starts = checks.check_points("points", points)
    guesses = starts
    if initial_points is not None:
        guesses = checks.check_points("initial_points", initial_points)
        if guesses.shape != starts.shape:
            message = f"initial_points must be as many as points, {len(starts)}, got {len(guesses)}"
            raise ValueError(message)
    checks.check_choice("error", error, ("residual", "min_eigenvalue"))
    search = check_search(win_size, max_level, max_iterations, epsilon, min_eig_threshold)
    pyramids = build_pyramid(first, search), build_pyramid(second, search)
    return track_points(*pyramids, starts, guesses, search, eigenvalue=error == "min_eigenvalue")


def lucas_kanade_grid_flow(
    previous: NDArray[Any],
    next: NDArray[Any],
    *,
    spacing: int = 8,
    win_size: tuple[int, int] = (21, 21),
    max_level: int = 3,
    max_iterations: int = 30,
    epsilon: float = 0.01,
    min_eig_threshold: float = 1e-4,
) -> NDArray[np.float32]:
    """Estimate dense flow by following the points of a regular grid.

    Parameters
    ----------
    previous, next : array, shape (H, W), uint8 or float32
        Gray frames in 0..255.
    spacing : int, at least 1
        Distance in pixels between two points of the grid, about: a whole number of cells covers the
        frame, and a point lies in the middle of each.
    win_size, max_level, max_iterations, epsilon, min_eig_threshold
        As in `lucas_kanade_flow`.

    Returns
    -------
    flow : array, shape (H, W, 2), float32
        (dx, dy) in pixels: bilinear between the points, constant beyond the outermost. A point that
        was lost takes the motion of the nearest that was not; zero where all were lost.

    Raises
    ------
    TypeError, ValueError
        If a frame or a parameter is not as described, or the frames differ in shape.
    """
    first, second = checks.check_gray_pair(previous, next)
    distance = checks.check_whole("spacing", spacing, low=1)
    search = check_search(win_size, max_level, max_iterations, epsilon, min_eig_threshold)
    height, width = first.shape
    rows, columns = (max(round(side / distance), 1) for side in (height, width))
    y, x = (
        (np.arange(cells, dtype=np.float32) + np.float32(0.5)) * np.float32(side / cells)
        - np.float32(0.5)
        for cells, side in ((rows, height), (columns, width))
    )
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    pyramids = build_pyramid(first, search), build_pyramid(second, search)
    moved, status, _ = track_points(*pyramids, points, points, search)
    motion = _fill_lost((moved - points).reshape(rows, columns, 2), status.reshape(rows, columns))
    resized = cv2.resize(motion, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, np.float32)


def _fill_lost(motion: NDArray[np.float32], status: NDArray[np.bool_]) -> NDArray[np.float32]:
    if not status.any():
        return np.zeros_like(motion)
    _, nearest = cv2.distanceTransformWithLabels(
        (~status).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    place = np.zeros(int(nearest.max()) + 1, np.int64)
    place[nearest[status]] = np.flatnonzero(status)
    return motion.reshape(-1, 2)[place[nearest]]


@dataclass(frozen=True)
class Search:
    """How points are sought: the window (height, width), coarser levels, and what ends the steps.

    ``limits`` holds the greatest number of steps, the squared step that ends them, in pixels^2, and
    the smallest eigenvalue.
    """

    window: tuple[int, int]
    levels: int
    limits: tuple[float, float, float]


def check_search(
    win_size: tuple[int, int],
    max_level: int,
    max_iterations: int,
    epsilon: float,
    min_eig_threshold: float,
) -> Search:
    """Return the checked parameters of `lucas_kanade_flow` that rule the search."""
    window = _check_window(win_size)
    levels = checks.check_whole("max_level", max_level, low=0)
    limits = (
        float(checks.check_whole("max_iterations", max_iterations, low=0, high=100)),
        checks.check_number("epsilon", epsilon, low=0, high=10) ** 2,
        checks.check_number("min_eig_threshold", min_eig_threshold, low=0),
    )
    return Search(window, levels, limits)


def _check_window(win_size: tuple[int, int]) -> tuple[int, int]:
    """Return (height, width)."""
    if np.shape(win_size) != (2,):
        message = f"win_size must be (width, height), got {win_size!r}"
        raise ValueError(message)
    width, height = (checks.check_whole("win_size", side, low=3) for side in win_size)
    return height, width


@dataclass(frozen=True)
class Level:
    """A level of a pyramid: its pixels inside a reflected border, and its own shape (H, W)."""

    padded: NDArray[Any]
    shape: tuple[int, ...]


def build_pyramid(frame: NDArray[Any], search: Search) -> list[Level]:
    """Return the levels of a frame, full size first; a level must be larger than the window."""
    top, bottom, left, right = tracking.border_sizes(search.window)
    pyramid = []
    while True:
        padded = cv2.copyMakeBorder(frame, top, bottom, left, right, cv2.BORDER_REFLECT_101)
        pyramid.append(Level(padded, frame.shape))
        halves = [(side + 1) // 2 for side in frame.shape]
        fits = halves[0] > search.window[0] and halves[1] > search.window[1]
        if len(pyramid) > search.levels or not fits:
            return pyramid
        frame = cv2.pyrDown(frame)


def track_points(
    previous: list[Level],
    next: list[Level],
    points: NDArray[np.float32],
    guesses: NDArray[np.float32],
    search: Search,
    *,
    eigenvalue: bool = False,
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float32]]:
    """Return what `lucas_kanade_flow` returns, from pyramids that are already there."""
    status = np.zeros(len(points), np.bool_)
    measure = np.zeros(len(points), np.float32)
    scratch = tracking.make_scratch(search.window, previous[0].padded.dtype)
    top, _, left, _ = tracking.border_sizes(search.window)
    guesses = guesses * np.float32(1 / 2 ** (len(previous) - 1))
    for k in range(len(previous) - 1, -1, -1):
        tracking.track_level(
            previous[k].padded,
            next[k].padded,
            previous[k].shape,
            (top, left),
            search.window,
            points * np.float32(1 / 2**k),
            guesses,
            status,
            measure,
            (k == 0, eigenvalue),
            search.limits,
            scratch,
        )
        if k > 0:
            guesses *= 2
    return guesses, status, measure
