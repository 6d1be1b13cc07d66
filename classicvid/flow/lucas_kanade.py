"""Two gray frames and points of the first go in; where Lucas-Kanade follows them to comes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicvid import checks
from classicvid.kernels import lucas_kanade as kernels


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

    Returns
    -------
    points : array, shape (N, 2), float32
        Points (x, y) in ``next``; the last guess where a point was lost.
    status : array, shape (N,), bool
        True where the point was followed.
    error : array, shape (N,), float32
        Mean absolute difference of the two windows in gray levels; 0 where a point was lost.

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
    window = _check_window(win_size)
    levels = checks.check_whole("max_level", max_level, low=0)
    limits = (
        float(checks.check_whole("max_iterations", max_iterations, low=0, high=100)),
        checks.check_number("epsilon", epsilon, low=0, high=10) ** 2,
        checks.check_number("min_eig_threshold", min_eig_threshold, low=0),
    )
    return _track(first, second, starts, guesses, window, levels, limits)


def _check_window(win_size: tuple[int, int]) -> tuple[int, int]:
    """Return (height, width)."""
    if np.shape(win_size) != (2,):
        message = f"win_size must be (width, height), got {win_size!r}"
        raise ValueError(message)
    width, height = (checks.check_whole("win_size", side, low=3) for side in win_size)
    return height, width


def _track(
    first: NDArray[Any],
    second: NDArray[Any],
    starts: NDArray[np.float32],
    guesses: NDArray[np.float32],
    window: tuple[int, int],
    levels: int,
    limits: tuple[float, float, float],
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float32]]:
    previous, next = _pyramid(first, window, levels), _pyramid(second, window, levels)
    status = np.ones(len(starts), np.bool_)
    error = np.zeros(len(starts), np.float32)
    top = len(previous) - 1
    guesses = guesses * np.float32(1 / 2**top)
    for k in range(top, -1, -1):
        level = previous[k]
        kernels.track_level(
            level.padded,
            next[k].padded,
            *_gradients(level, window),
            level.image.shape,
            window,
            starts * np.float32(1 / 2**k),
            guesses,
            status,
            error,
            k == 0,
            limits,
        )
        if k > 0:
            guesses *= 2
    return guesses, status, error


@dataclass(frozen=True)
class _Level:
    image: NDArray[np.float32]
    padded: NDArray[np.float32]


def _pyramid(frame: NDArray[Any], window: tuple[int, int], levels: int) -> list[_Level]:
    """Return the levels, full size first; a level must be larger than the window."""
    whole = frame.dtype == np.uint8
    image = frame.astype(np.float32, copy=False)
    pyramid = [_pad(image, window)]
    for _ in range(levels):
        shape = (image.shape[0] + 1) // 2, (image.shape[1] + 1) // 2
        if shape[0] <= window[0] or shape[1] <= window[1]:
            break
        finer, image = image, np.empty(shape, np.float32)
        kernels.halve(finer, whole, image)
        pyramid.append(_pad(image, window))
    return pyramid


def _pad(image: NDArray[np.float32], window: tuple[int, int]) -> _Level:
    # One more column and row: bilinear interpolation reads the neighbour of the last.
    padded = np.empty(_padded_shape(image, window), np.float32)
    kernels.pad_reflected(image, window[1], window[0], padded)
    return _Level(image, padded)


def _gradients(
    level: _Level, window: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    shape = _padded_shape(level.image, window)
    gradient_x, gradient_y = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    kernels.scharr_gradients(level.image, window[1], window[0], gradient_x, gradient_y)
    return gradient_x, gradient_y


def _padded_shape(image: NDArray[np.float32], window: tuple[int, int]) -> tuple[int, int]:
    return image.shape[0] + 2 * window[0], image.shape[1] + 2 * window[1]
