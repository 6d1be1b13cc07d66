"""Frames of a video go in; our times for Farnebäck's flow beside OpenCV's come out."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from statistics import median
from typing import Any

import cv2
import numpy as np
from machine import SHARED, Call, describe, measure_bandwidth, measure_speed
from numpy.typing import NDArray

from classicvid.flow import FarnebackFlow, farneback_flow
from classicvid.image import to_gray
from classicvid.video import read_frames

VIDEO, FIRST_FRAME = "demo.mp4", 40
SIZES = ((320, 240), (640, 480), (1280, 720), (1920, 1080))
# Pyramid scale, levels, window, iterations, poly_n, poly_sigma: the defaults of both.
FARNEBACK = (0.5, 3, 15, 3, 5, 1.2)
# Of a pixel and an iteration under a box window: numbers of 4 bytes that are read or written (two
# expansions, and the equations when their row enters, leaves a block and is summed), and
# floating-point operations (60 for interpolation, 40 for the equations, 45 for the sums, 25 for
# the solution).
NUMBERS, OPERATIONS = 5 + 5 + 4 * 5 + 6 * 5 + 4, 170
# Pixels of all levels, each half as long as the one below, over those of the finest.
PYRAMID = 1 + 1 / 4 + 1 / 16 + 1 / 64

Frames = list[NDArray[np.uint8]]


def main() -> None:
    """Print one row a case: medians in milliseconds, and how many times faster we are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=15, help="runs of each case (15)")
    turns = parser.parse_args().turns
    frames, origin = real_frames() or synthetic_frames()
    print(f"{origin}; medians of {turns} runs in turns, both on as many threads")
    print(f"{describe()}; wall clock")
    bandwidth, speed = measure_bandwidth(), measure_speed()
    print(f"memory {bandwidth / 1e9:.1f} GB/s, one core {speed / 1e9:.0f} GFLOP/s")
    head = f"{'case':40}{'OpenCV ms':>11}{'ours ms':>10}{'times':>7}{'limit ms':>10}{'of it':>7}"
    print(f"{head}{'mean error':>12}{'99.9 %':>9}")
    for size in SIZES:
        method = cv2.INTER_CUBIC if size[0] > frames[0].shape[1] else cv2.INTER_AREA
        resized = [cv2.resize(frame, size, interpolation=method) for frame in frames]
        # What a core must compute at least, or fetch at least where the frame exceeds the cache.
        work = size[0] * size[1] * PYRAMID * FARNEBACK[3]
        limit = 1e3 * max(work * OPERATIONS / speed, work * 4 * 10 / FARNEBACK[3] / bandwidth)
        for gaussian in (False, True):
            error = agreement(resized, gaussian)
            for name, threads, theirs, ours in cases(resized, gaussian):
                reference, own = race(theirs, ours, turns)
                label = f"{size[0]}x{size[1]} {name}"
                share = f"{limit / own:7.0%}" if not gaussian and threads == 1 else f"{'':7}"
                bound = f"{limit:10.2f}" if share.strip() else f"{'':10}"
                print(
                    f"{label:40}{reference:11.2f}{own:10.2f}{reference / own:7.1f}{bound}{share}"
                    f"{error}",
                    flush=True,
                )


def cases(frames: Frames, gaussian: bool) -> Iterator[tuple[str, int, Call, Call]]:
    """Yield every case: its name, its threads, OpenCV's call and ours."""
    window = "Gaussian" if gaussian else "box"
    for threads in (1, 2):
        suffix = "" if threads == 1 else ", 2 threads"

        def theirs(threads: int = threads) -> Any:
            cv2.setNumThreads(threads)
            return opencv_flow(frames, gaussian)

        def pair(threads: int = threads) -> Any:
            return farneback_flow(frames[0], frames[1], gaussian=gaussian, threads=threads)

        yield f"{window}, a pair{suffix}", threads, theirs, pair
        yield f"{window}, in a video{suffix}", threads, theirs, stream(frames, gaussian, threads)

    def back_and_forth() -> Any:
        return opencv_flow(frames, gaussian), opencv_flow(frames[::-1], gaussian)

    cv2.setNumThreads(1)
    both = stream(frames, gaussian, 1, both=True)
    yield f"{window}, in a video, both ways", 0, back_and_forth, both


def stream(frames: Frames, gaussian: bool, threads: int, *, both: bool = False) -> Call:
    """Return a call that feeds the next frame of a video that runs forwards and backwards."""
    estimator, fed = FarnebackFlow(gaussian=gaussian, threads=threads), [0]
    estimator.feed(frames[0])

    def feed() -> Any:
        fed[0] += 1
        frame = frames[fed[0] % 2]
        return estimator.feed_both(frame) if both else estimator.feed(frame)

    return feed


def opencv_flow(frames: Frames, gaussian: bool) -> NDArray[np.float32]:
    """Run OpenCV's Farnebäck at the defaults."""
    return cv2.calcOpticalFlowFarneback(frames[0], frames[1], None, *FARNEBACK, 256 * gaussian)


def agreement(frames: Frames, gaussian: bool) -> str:
    """Return how far the results lie apart, in pixels: the mean and the 99.9th percentile."""
    ours = farneback_flow(frames[0], frames[1], gaussian=gaussian)
    error = np.abs(ours - opencv_flow(frames, gaussian)).max(axis=2)
    return f"{error.mean():12.1e}{np.percentile(error, 99.9):9.0e}"


def race(theirs: Call, ours: Call, turns: int) -> tuple[float, float]:
    """Return both medians in milliseconds; the runs take turns, so that other load strikes both."""
    seconds: tuple[list[float], list[float]] = ([], [])
    theirs(), ours(), ours()  # the first compiles
    for _ in range(turns):
        for call, times in zip((theirs, ours), seconds, strict=True):
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)
    return 1e3 * median(seconds[0]), 1e3 * median(seconds[1])


def real_frames() -> tuple[Frames, str] | None:
    """Return two gray frames of the shared data, if they are there."""
    path = SHARED / "corpus" / "good" / VIDEO
    if not path.is_file():
        return None
    frames = read_frames(path, start=FIRST_FRAME, stop=FIRST_FRAME + 2)
    return [to_gray(frame) for frame in frames], VIDEO


def synthetic_frames() -> tuple[Frames, str]:
    """Return a texture and the same, moved by (-3, -2) pixels."""
    noise = np.random.default_rng(0).normal(128, 400, (482, 643))
    image = cv2.GaussianBlur(noise, (0, 0), 3).clip(0, 255).astype(np.uint8)
    return [image[:480, :640].copy(), image[2:, 3:].copy()], "synthetic texture"


if __name__ == "__main__":
    main()
