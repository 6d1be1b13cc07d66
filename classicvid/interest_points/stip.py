"""Frames of a video go in; corners that change their motion come out, with what is around them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product, tee
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from classicvid import checks
from classicvid.interest_points.maxima import NO_MAXIMA, Maxima, find_maxima
from classicvid.interest_points.motion_histograms import MotionHistograms, frame_flows
from classicvid.interest_points.planes import (
    as_image,
    blurred_planes,
    gaussian_weights,
    open_frames,
)
from classicvid.interest_points.points import SpaceTimePoints, join_points, points_of
from classicvid.interest_points.stretches import in_stretches
from classicvid.interest_points.time_window import time_windows
from classicvid.kernels.interest_points.blur import blur_planes
from classicvid.kernels.interest_points.filters import filter_both
from classicvid.kernels.interest_points.harris import average_products, respond
from classicvid.kernels.simd import LANES

# Variance of the window over that of the scale at which it is differentiated (Laptev's s).
_WINDOW = 2


def detect_stip(
    frames: Iterable[NDArray[Any]],
    *,
    sigmas: Sequence[float] = (2.0, 4.0),
    taus: Sequence[float] = (2.0**0.5, 2.0),
    k: float = 0.0005,
    threshold: float = 3.0,
    max_points: int = 200,
) -> SpaceTimePoints:
    """Find the corners of space-time, where the image changes along x, y and t, and describe them.

    A corner that moves steadily is an edge in space-time, and no point; where it stops, turns,
    appears or splits, it is one.

    Parameters
    ----------
    frames : iterable of arrays, shape (H, W, 3) or (H, W), uint8 or float32
        RGB or gray in 0..255, all of one size. Read once and in order: memory grows with the
        number of the points, not with that of the frames.
    sigmas : sequence of float, at least 0.5
        Standard deviations in pixels of the Gaussians under which the video is differentiated.
    taus : sequence of float, at least 0.5
        The same in time, in frames. Points are sought for every pair of both.
    k : float, from 0 to 1/27
        Weight of trace^3; at 1/27 only perfectly isotropic changes would be left.
    threshold : float, at least 0
        Gray levels: the smallest response of a point.
    max_points : int, at least 0
        At most so many in every 25 frames, the strongest of all scales; 0 means all.

    Returns
    -------
    points : SpaceTimePoints
        In the order of time. ``response`` is the sixth root of det - k trace^3 of the second-moment
        matrix of sigma dL/dx, sigma dL/dy and tau dL/dt: about the geometric mean of how much the
        gray level changes over sigma or tau along the three principal axes.
        ``descriptors["hog"]``, (N, 72), and ``descriptors["hof"]``, (N, 90): histograms of the
        orientations of edges (4 bins of half a turn) and motion (4 bins of a turn, and rest) in a
        box that reaches 9 sigma pixels and 4 tau frames from the point, in 2 x 3 x 3 cells
        (t, y, x). Each vector holds the square roots of shares that sum to 1, or zeros where there
        is no edge.

    Raises
    ------
    TypeError, ValueError
        If a frame or a parameter is not as described.

    See Also
    --------
    iter_stip : the same points while the video is being read.

    Notes
    -----
    I. Laptev, "On space-time interest points", IJCV 2005, sections 2 and 3, without adapting scales
    or velocities; descriptors after I. Laptev, M. Marszałek, C. Schmid, B. Rozenfeld, "Learning
    realistic human actions from movies", CVPR 2008. ``k`` is that of the authors' program, whose
    scales are sigma^2 = 4, 8, ..., 128 and tau^2 = 2, 4. The window's variances are twice the
    scale's. Ours are: derivatives multiplied by their scales, so that one threshold serves all of
    them; the sixth root; Farnebäck's flow at its defaults, where a vector up to 0.4 pixels is at
    rest; orientations shared by two bins; square roots. Before its first and after its last frame
    the video runs backwards, and it is mirrored at its border, but what a box lacks there is left
    out; no point lies on the first or the last frame or on the border. The frames that the filters
    reach are kept: about 1.8 kB for every pixel of a frame at the default scales.
    """
    parts = iter_stip(
        frames, sigmas=sigmas, taus=taus, k=k, threshold=threshold, max_points=max_points
    )
    return join_points(list(parts))


def iter_stip(
    frames: Iterable[NDArray[Any]],
    *,
    sigmas: Sequence[float] = (2.0, 4.0),
    taus: Sequence[float] = (2.0**0.5, 2.0),
    k: float = 0.0005,
    threshold: float = 3.0,
    max_points: int = 200,
) -> Iterator[SpaceTimePoints]:
    """Yield the points of `detect_stip`, those of 25 frames at a time, in constant memory.

    Parameters and errors are those of `detect_stip`. At least one value is yielded, if without
    points.
    """
    settings = _Settings(
        [
            (sigma, tau)
            for sigma, tau in product(_check_scales("sigmas", sigmas), _check_scales("taus", taus))
        ],
        checks.check_number("k", k, low=0, high=1 / 27),
        checks.check_number("threshold", threshold, low=0),
        checks.check_whole("max_points", max_points, low=0),
    )
    return in_stretches(_found_in_frames(frames, settings), settings.max_points)


class _Settings(NamedTuple):
    scales: list[tuple[float, float]]
    k: float
    threshold: float
    max_points: int


def _check_scales(name: str, scales: Any) -> list[float]:
    if not isinstance(scales, Sequence) or isinstance(scales, str) or len(scales) == 0:
        message = f"{name} must be a sequence of one number or more, got {scales!r}"
        raise ValueError(message)
    return [checks.check_number(f"{name}[{i}]", s, low=0.5) for i, s in enumerate(scales)]


def _found_in_frames(
    frames: Iterable[NDArray[Any]], settings: _Settings
) -> Iterator[SpaceTimePoints]:
    """Yield the described points of every frame, and before them an empty value."""
    describers = [MotionHistograms(sigma, tau) for sigma, tau in settings.scales]
    yield points_of(NO_MAXIMA, 0, settings.scales[0], describers[0].describe_none())
    shape, grays = open_frames(frames)
    to_show, to_move, *to_respond = tee(grays, 2 + len(describers))
    reach = max(describer.reach for describer in describers)
    streams = [
        _find(copy, shape, scale, settings)
        for copy, scale in zip(to_respond, settings.scales, strict=True)
    ]
    windows = time_windows(to_show, reach), time_windows(frame_flows(to_move, shape), reach)
    for image, flow, *maxima in zip(*windows, *streams, strict=True):
        for found, scale, describer in zip(maxima, settings.scales, describers, strict=True):
            if len(found.places):
                vectors = describer.describe(image, flow, found.places)
                yield points_of(found, image.frame, scale, vectors)


def _find(
    grays: Iterable[NDArray[Any]],
    shape: tuple[int, int],
    scale: tuple[float, float],
    settings: _Settings,
) -> Iterator[Maxima]:
    planes = blurred_planes(grays, scale[0])
    responses = harris_responses(planes, shape, scale, settings.k)
    limit, most = settings.threshold**6, settings.max_points
    for found in find_maxima(responses, shape, threshold=limit, most=most):
        yield Maxima(found.places, found.responses ** np.float32(1 / 6))


def harris_responses(
    planes: Iterable[NDArray[np.float32]],
    shape: tuple[int, int],
    scale: tuple[float, float],
    k: float,
) -> Iterator[NDArray[np.float32]]:
    """Yield det - k trace^3, gray levels to the sixth, of every blurred plane.

    ``planes``, of frames of ``shape``, are as from `planes.blurred_planes`, and so is what is
    yielded, in memory that is used again.
    """
    sigma, tau = (np.sqrt(_WINDOW) * part for part in scale)
    over_space, over_time = gaussian_weights(sigma), gaussian_weights(tau)
    reach, size = len(over_time) - 1, shape[0] * shape[1] + LANES
    averages, moments = np.zeros((2, 6, size), np.float32)
    response = np.zeros(size, np.float32)
    for window in time_windows(_gradients(planes, shape, scale), reach):
        average_products(window.planes, window.mirrored(reach), over_time, averages)
        blur_planes(averages, shape, over_space, moments)
        respond(moments, k, response)
        yield response


def _gradients(
    planes: Iterable[NDArray[np.float32]], shape: tuple[int, int], scale: tuple[float, float]
) -> Iterator[NDArray[np.float32]]:
    """Yield the derivatives (x, y, t) of every plane, times their scales, (3, P), in one memory."""
    sigma, tau = scale
    # Differences of the smoothed neighbours in time are one filter, a frame longer on both sides.
    smooth = np.pad(gaussian_weights(tau), (0, 2))
    slope = np.concatenate([[0], smooth[:-2] - smooth[2:]]).astype(np.float32) * np.float32(tau / 2)
    smooth = smooth[: len(slope)]
    reach, size = len(slope) - 1, shape[0] * shape[1] + LANES
    blurred, derivatives = np.zeros(size, np.float32), np.zeros((3, size), np.float32)
    for window in time_windows(planes, reach):
        slots = window.mirrored(reach)
        filter_both(window.planes, slots, smooth, slope, blurred, derivatives[2])
        for axis in range(2):
            cv2.Sobel(
                as_image(blurred, shape),
                cv2.CV_32F,
                1 - axis,
                axis,
                dst=as_image(derivatives[axis], shape),
                ksize=1,
                scale=sigma / 2,
            )
        yield derivatives
