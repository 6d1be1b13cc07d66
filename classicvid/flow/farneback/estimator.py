"""Two gray frames, or a stream of them, go in; Farnebäck's motion of every pixel comes out."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicvid import checks
from classicvid.flow.farneback.levels import Settings
from classicvid.flow.farneback.pyramid import Pyramid

# What a thread's last call worked on: new buffers cost a good part of the time of a call.
_last = threading.local()


def farneback_flow(
    previous: NDArray[Any],
    next: NDArray[Any],
    *,
    pyr_scale: float = 0.5,
    levels: int = 3,
    winsize: int = 15,
    iterations: int = 3,
    poly_n: int = 5,
    poly_sigma: float = 1.2,
    gaussian: bool = False,
    initial_flow: NDArray[np.floating] | None = None,
    threads: int = 1,
) -> NDArray[np.float32]:
    """Compute the motion of every pixel from one frame to the next.

    Every neighbourhood is expanded into a quadratic polynomial; the displacement that carries one
    frame's polynomials into the other's is solved for in a window, from the coarsest level of a
    pyramid to the finest.

    Parameters
    ----------
    previous, next : array, shape (H, W), uint8 or float32
        Gray frames in 0..255.
    pyr_scale : float, within (0, 1)
        Size of a level relative to the next finer one.
    levels : int, at least 0
        Levels above the full size; those with a side below 32 pixels are left out.
    winsize : int, at least 2
        Width in pixels of the averaging window; larger is smoother, and stands faster motion and
        more noise.
    iterations : int, at least 1
        Rounds at every level.
    poly_n : int, at least 1
        Radius in pixels of the expanded neighbourhood (OpenCV: 5 or 7).
    poly_sigma : float, at least 0
        Standard deviation in pixels of the expansion's Gaussian weight (1.1 for 5, 1.5 for 7); 0
        means 0.3 ``poly_n``.
    gaussian : bool
        Average under a Gaussian of deviation 0.3 ``winsize // 2`` instead of a box: more accurate,
        slower.
    initial_flow : array, shape (H, W, 2), float32, optional
        First guess, in pixels; by default no motion.
    threads : int, at least 1
        Threads that share the rows of the frames, this one among them; where the others find no
        core in time, it does their work. Where videos are many, one thread for each is faster.

    Returns
    -------
    flow : array, shape (H, W, 2), float32
        (dx, dy), right and down, in pixels: ``next(x + dx, y + dy) = previous(x, y)``.

    Raises
    ------
    TypeError, ValueError
        If a frame or a parameter is not as described, or the frames differ in shape.

    Notes
    -----
    G. Farnebäck, "Two-frame motion estimation based on polynomial expansion", SCIA 2003, with the
    choices of OpenCV's ``calcOpticalFlowFarneback``, whose parameters these are: levels are blurred
    even at full size; pixels in a frame of 5 are trusted less; an even ``winsize`` sums one pixel
    more than it divides by; a guess that points outside the frame, the last row and column
    included, compares with zero. So two equal frames give exactly zero only away from the right and
    lower border. A ``winsize`` of 1, which OpenCV's box sums wrongly, is refused. Any number of
    threads gives the same numbers, bit for bit. Every Python thread keeps the buffers of its last
    call, and the threads that helped, for a next one of the same size and parameters.
    """
    first, second = checks.check_gray_pair(previous, next)
    if initial_flow is not None:
        initial_flow = checks.check_flow("initial_flow", initial_flow, shape=first.shape)
    settings = _check_settings(pyr_scale, levels, winsize, iterations, poly_n, poly_sigma, gaussian)
    threads = checks.check_whole("threads", threads, low=1)
    pyramid = _keep_pyramid(first.shape, settings)
    pyramid.use_threads(threads)
    return pyramid.compute_flow(first, second, initial_flow=initial_flow)


class FarnebackFlow:
    """Flow along a video: each frame that is fed is expanded once, and the buffers are kept.

    Takes the parameters of `farneback_flow` and returns the same numbers, bit for bit. One object
    serves one thread.

    Examples
    --------
    >>> estimator = FarnebackFlow(winsize=21)
    >>> flows = [estimator.feed(frame) for frame in frames][1:]
    """

    def __init__(
        self,
        *,
        pyr_scale: float = 0.5,
        levels: int = 3,
        winsize: int = 15,
        iterations: int = 3,
        poly_n: int = 5,
        poly_sigma: float = 1.2,
        gaussian: bool = False,
        threads: int = 1,
    ) -> None:
        self._settings = _check_settings(
            pyr_scale, levels, winsize, iterations, poly_n, poly_sigma, gaussian
        )
        self._threads = checks.check_whole("threads", threads, low=1)
        self._pyramid: Pyramid | None = None
        self._has_previous = False

    def feed(
        self, frame: NDArray[Any], *, initial_flow: NDArray[np.floating] | None = None
    ) -> NDArray[np.float32] | None:
        """Take the next frame and return the motion that leads to it from the frame before.

        Parameters
        ----------
        frame : array, shape (H, W), uint8 or float32
            Gray frame in 0..255, of the same shape as the one before.
        initial_flow : array, shape (H, W, 2), float32, optional
            First guess, in pixels; by default no motion.

        Returns
        -------
        flow : array, shape (H, W, 2), float32, or None
            As `farneback_flow` returns it; None for the first frame.

        Raises
        ------
        TypeError, ValueError
            If the frame is not as described, or differs in shape from the one before.
        """
        image = checks.check_gray("frame", frame)
        if initial_flow is not None:
            initial_flow = checks.check_flow("initial_flow", initial_flow, shape=image.shape)
        pyramid, has_previous = self._fit(image.shape), self._has_previous
        self._has_previous = True
        if has_previous:
            return pyramid.compute_flow(image, initial_flow=initial_flow)
        pyramid.expand(image)
        return None

    def feed_both(
        self, frame: NDArray[Any]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
        """Take the next frame and return the motions from the frame before to it, and back.

        The frames are expanded once for both directions.

        Parameters
        ----------
        frame : array, shape (H, W), uint8 or float32
            Gray frame in 0..255, of the same shape as the one before.

        Returns
        -------
        forward, backward : arrays, shape (H, W, 2), float32, or None
            As `farneback_flow` returns them for (before, frame) and (frame, before); None for the
            first frame.

        Raises
        ------
        TypeError, ValueError
            If the frame is not as described, or differs in shape from the one before.
        """
        forward = self.feed(frame)
        if forward is None or self._pyramid is None:
            return None
        return forward, self._pyramid.compute_flow(backward=True)

    def reset(self) -> None:
        """Forget the previous frame: the next one begins a new video, of any size."""
        self._has_previous = False

    def _fit(self, shape: tuple[int, int]) -> Pyramid:
        if self._pyramid is None or self._pyramid.shape != shape:
            if self._pyramid is not None and self._has_previous:
                message = (
                    f"frame must have the shape of the one before, {self._pyramid.shape}, "
                    f"got {shape}; call reset()"
                )
                raise ValueError(message)
            self._pyramid = Pyramid(shape, self._settings)
            self._pyramid.use_threads(self._threads)
        return self._pyramid


def _check_settings(
    pyr_scale: float,
    levels: int,
    winsize: int,
    iterations: int,
    poly_n: int,
    poly_sigma: float,
    gaussian: bool,
) -> Settings:
    n = checks.check_whole("poly_n", poly_n, low=1)
    return Settings(
        pyr_scale=checks.check_number("pyr_scale", pyr_scale, low=0, high=1, exclusive=True),
        levels=checks.check_whole("levels", levels, low=0),
        winsize=checks.check_whole("winsize", winsize, low=2),
        iterations=checks.check_whole("iterations", iterations, low=1),
        poly_n=n,
        poly_sigma=checks.check_number("poly_sigma", poly_sigma, low=0) or 0.3 * n,
        gaussian=bool(gaussian),
    )


def _keep_pyramid(shape: tuple[int, int], settings: Settings) -> Pyramid:
    kept: Pyramid | None = getattr(_last, "pyramid", None)
    if kept is None or (kept.shape, kept.settings) != (shape, settings):
        _last.pyramid = kept = Pyramid(shape, settings)
    return kept
