"""Frames of a video go in; histograms of the whole and samples of local descriptors come out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from classicvid.checks import check_whole
from classicvid.descriptors.colour import ColourStatistics
from classicvid.descriptors.grid_histograms import GridHistograms
from classicvid.descriptors.local import LocalSample
from classicvid.interest_points import SpaceTimePoints, iter_cuboids, join_points

LOCAL_CHANNELS = ("hog_dense", "hog_corners", "texton_dense", "texton_corners", "cuboids")
_COLOUR_STEP = 5  # frames from one whose colours are counted to the next: they change slowly
_CUBOIDS = 256
_CUBOIDS_A_STRETCH = 60


def describe_frames(
    frames: Iterable[NDArray[np.uint8]], *, seed: int = 0
) -> dict[str, NDArray[np.float32]]:
    """Describe a video by what it looks like and by how it moves, in constant memory.

    Parameters
    ----------
    frames : iterable of arrays, shape (H, W, 3), uint8
        RGB, all of one size, at least one. Read once and in order.
    seed : int, 0 to 2**32 - 1
        Draws the local descriptors that are kept.

    Returns
    -------
    arrays : dict of arrays, float32
        One vector each: ``hog``, ``hof``, ``mbhx``, ``mbhy`` (:func:`video_histograms`),
        ``hue_saturation`` and ``colour_moments`` (:class:`ColourStatistics`, of every fifth frame).
        Then (N, D) descriptors and, as ``<name>_positions``, their (N, 3) places x, y, t as shares
        of width, height and duration: ``hog_dense``, ``hog_corners``, ``texton_dense``,
        ``texton_corners`` (:class:`LocalSample`) and ``cuboids`` (:func:`detect_cuboids`, at most
        256, drawn from the 60 strongest of every 25 frames); N may be 0.

    Raises
    ------
    TypeError, ValueError
        If a frame or the seed is not as described, the frames differ in size, or there is none.
    """
    check_whole("seed", seed, low=0, high=2**32 - 1)
    grids, colour, local = GridHistograms(), ColourStatistics(), LocalSample(seed=seed)
    shape = (1, 1)

    def shown() -> Iterator[NDArray[np.uint8]]:
        nonlocal shape
        for number, frame in enumerate(frames):
            grids.feed(frame)
            local.feed(frame)
            if number % _COLOUR_STEP == 0:
                colour.feed(frame)
            shape = frame.shape[:2]
            yield frame

    cuboids = _draw(iter_cuboids(shown(), max_points=_CUBOIDS_A_STRETCH), seed)
    return {
        **grids.arrays(),
        "hue_saturation": colour.hue_saturation(),
        "colour_moments": colour.moments(),
        **local.arrays(),
        "cuboids": cuboids.descriptors["gradients"],
        "cuboids_positions": cuboids.position(
            width=shape[1], height=shape[0], frames=max(local.count, 1)
        ),
    }


def _draw(stretches: Iterable[SpaceTimePoints], seed: int) -> SpaceTimePoints:
    """Draw points from a stream, each with the same chance: those with the smallest numbers."""
    rng = np.random.default_rng(seed)
    kept: SpaceTimePoints | None = None
    numbers = np.zeros(0)
    for points in stretches:
        joined = points if kept is None else join_points([kept, points])
        numbers = np.concatenate([numbers, rng.random(len(points))])
        chosen = np.sort(np.argsort(numbers, kind="stable")[:_CUBOIDS])
        kept, numbers = joined.select(chosen), numbers[chosen]
    if kept is None:
        message = "frames must hold at least one frame, got none; is the video or the range empty?"
        raise ValueError(message)
    return kept
