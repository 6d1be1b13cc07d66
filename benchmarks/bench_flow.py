"""Two frames go in; our times beside OpenCV's, measured in turns on one thread, come out."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from classicvid.flow import FarnebackFlow, farneback_flow, lucas_kanade_flow
from classicvid.keypoints import good_features

ROOT = Path(__file__).resolve().parent.parent
SIZES = ((320, 240), (640, 480))
TURNS = 21
# Pyramid scale, levels, window, iterations, poly_n, poly_sigma: the defaults of both.
FARNEBACK = (0.5, 3, 15, 3, 5, 1.2)

Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def main() -> None:
    """Print one row a case: medians in milliseconds, and how many times faster we are."""
    cv2.setNumThreads(1)
    pair, origin = real_pair() or synthetic_pair()
    print(f"{origin}; medians of {TURNS} runs in turns, one thread; OpenCV {cv2.__version__}")
    print(f"{'case':36}{'OpenCV ms':>10}{'ours ms':>10}{'times':>8}")
    for size in SIZES:
        resized = tuple(cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in pair)
        for name, (theirs, ours) in cases(resized).items():
            reference, own = race(theirs, ours)
            label = f"{size[0]}x{size[1]} {name}"
            print(f"{label:36}{reference:10.2f}{own:10.2f}{reference / own:8.2f}", flush=True)


def cases(pair: Pair) -> dict[str, tuple[Callable[[], Any], Callable[[], Any]]]:
    """Return OpenCV's call and ours for every case."""
    previous, next = pair
    points = good_features(previous, max_corners=1000, quality=0.0005, min_distance=3)
    streams = {gaussian: FarnebackFlow(gaussian=gaussian) for gaussian in (False, True)}
    rows: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {}
    for gaussian, name in ((False, "box"), (True, "Gaussian")):
        rows[f"Farneback {name}, a pair"] = (
            lambda flags=256 * gaussian: opencv_flow(pair, flags),
            lambda gaussian=gaussian: farneback_flow(previous, next, gaussian=gaussian),
        )
        rows[f"Farneback {name}, in a video"] = (
            lambda flags=256 * gaussian: opencv_flow(pair, flags),
            lambda stream=streams[gaussian]: stream.feed(next),
        )
    rows[f"Lucas-Kanade, {len(points)} points"] = (
        lambda: cv2.calcOpticalFlowPyrLK(previous, next, points, None),
        lambda: lucas_kanade_flow(previous, next, points),
    )
    rows["good features, 1000 points"] = (
        lambda: cv2.goodFeaturesToTrack(previous, 1000, 0.01, 5),
        lambda: good_features(previous, max_corners=1000, quality=0.01, min_distance=5),
    )
    return rows


def opencv_flow(pair: Pair, flags: int) -> NDArray[np.float32]:
    """Run OpenCV's Farnebäck at the defaults."""
    return cv2.calcOpticalFlowFarneback(*pair, None, *FARNEBACK, flags)


def race(theirs: Callable[[], Any], ours: Callable[[], Any]) -> tuple[float, float]:
    """Return both medians in milliseconds; the runs take turns, so that other load strikes both."""
    seconds: tuple[list[float], list[float]] = ([], [])
    theirs(), ours(), ours()  # the first compiles
    for _ in range(TURNS):
        for call, times in zip((theirs, ours), seconds, strict=True):
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)
    return 1e3 * median(seconds[0]), 1e3 * median(seconds[1])


def real_pair() -> tuple[Pair, str] | None:
    """Return two frames of the shared data, if they are there."""
    data = Path(os.environ.get("CLASSICVID_SHARED_DATA", ROOT.parent / "shared" / "data"))
    paths = [data / "flow_pairs" / "middlebury" / "Grove2" / f"frame1{i}.png" for i in (0, 1)]
    if not all(path.is_file() for path in paths):
        return None
    previous, next = (cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths)
    return (previous, next), "Grove2"


def synthetic_pair() -> tuple[Pair, str]:
    """Return a texture and the same, moved by (-3, -2) pixels."""
    noise = np.random.default_rng(0).normal(128, 400, (482, 643))
    image = cv2.GaussianBlur(noise, (0, 0), 3).clip(0, 255).astype(np.uint8)
    return (image[:480, :640].copy(), image[2:, 3:].copy()), "synthetic texture"


if __name__ == "__main__":
    main()
