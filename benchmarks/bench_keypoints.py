"""Frames of a video go in; our times for corners and Lucas-Kanade beside OpenCV's come out."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numba
import numpy as np
from numpy.typing import NDArray

from classicvid.flow import LucasKanadeTracker, lucas_kanade_flow
from classicvid.image import to_gray
from classicvid.kernels.simd import LANES
from classicvid.keypoints import corner_response, good_features
from classicvid.video import read_frames

ROOT = Path(__file__).resolve().parent.parent
VIDEO, FIRST_FRAME = "demo.mp4", 40
SIZES = {1000: (320, 240), 5000: (1280, 720)}  # points: width, height
TURNS = 31

Call = Callable[[], Any]


def main() -> None:
    """Print one row a case: medians in milliseconds, and how many times faster we are."""
    cv2.setNumThreads(1)
    frames, origin = real_frames() or synthetic_frames()
    print(f"{origin}; medians of {TURNS} runs in turns, one thread each")
    print(
        f"{processor()}, {LANES} lanes; OpenCV {cv2.__version__}, numba {numba.__version__}, "
        f"numpy {np.__version__}"
    )
    print(f"{'case':44}{'OpenCV ms':>10}{'ours ms':>10}{'times':>8}{'agreement':>34}")
    for count, size in SIZES.items():
        method = cv2.INTER_CUBIC if size[0] > frames[0].shape[1] else cv2.INTER_AREA
        pair = [cv2.resize(frame, size, interpolation=method) for frame in frames]
        for name, theirs, ours, agreement in cases(pair, count):
            reference, own = race(theirs, ours)
            label = f"{size[0]}x{size[1]} {name}"
            print(
                f"{label:44}{reference:10.2f}{own:10.3f}{reference / own:8.2f}{agreement:>34}",
                flush=True,
            )


def cases(pair: list[NDArray[np.uint8]], count: int) -> Iterator[tuple[str, Call, Call, str]]:
    """Yield every case: its name, OpenCV's call, ours, and how far the results agree."""
    previous, next = pair
    quality, distance = (0.01, 5) if count == 1000 else (0.001, 4)
    response, reference = corner_response(previous), cv2.cornerMinEigenVal(previous, 3)
    worst = np.abs(response - reference).max() / reference.max()
    yield (
        "corner response",
        lambda: cv2.cornerMinEigenVal(previous, 3),
        lambda: corner_response(previous),
        f"error / max {worst:.1e}",
    )
    settings = {"max_corners": count, "quality": quality, "min_distance": distance}
    theirs = set(map(tuple, opencv_corners(previous, **settings).tolist()))
    found = set(map(tuple, good_features(previous, **settings).tolist()))
    yield (
        f"good features, {len(found)} found",
        lambda: opencv_corners(previous, **settings),
        lambda: good_features(previous, **settings),
        f"overlap {len(theirs & found) / len(theirs | found):.4f}",
    )
    dense = {"max_corners": count, "quality": 0.0005, "min_distance": 3 if count == 1000 else 4}
    points = opencv_corners(previous, **dense)
    for side in (15, 21):
        window = (side, side)
        yield (
            f"Lucas-Kanade, {len(points)} points, window {side}",
            lambda window=window: opencv_track(previous, next, points, window),
            lambda window=window: lucas_kanade_flow(previous, next, points, win_size=window),
            compare_tracks(previous, next, points, window),
        )
        tracker = LucasKanadeTracker(
            max_points=count,
            quality=0.0005,
            min_distance=3,
            win_size=window,
            forward_backward=None,
            replenish=0,
        )
        alive = tracker.feed(previous).points
        turns = iter(range(10**9))
        yield (
            f"  in a video, {len(alive)} points, window {side}",
            lambda window=window, alive=alive: opencv_track(previous, next, alive, window),
            lambda tracker=tracker, turns=turns: tracker.feed(pair[(next_turn(turns) + 1) % 2]),
            "",
        )


def next_turn(turns: Iterator[int]) -> int:
    """Return the number of the turn: frames go back and forth: the points stay alive."""
    return next(turns)


def opencv_corners(
    image: NDArray[np.uint8], *, max_corners: int, quality: float, min_distance: float
) -> NDArray[np.float32]:
    """Find corners with OpenCV."""
    return cv2.goodFeaturesToTrack(image, max_corners, quality, min_distance).reshape(-1, 2)


def opencv_track(
    previous: NDArray[np.uint8],
    next: NDArray[np.uint8],
    points: NDArray[np.float32],
    window: tuple[int, int],
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Follow points with OpenCV."""
    moved, status, _ = cv2.calcOpticalFlowPyrLK(previous, next, points, None, winSize=window)
    return moved.reshape(-1, 2), status.ravel() == 1


def compare_tracks(
    previous: NDArray[np.uint8],
    next: NDArray[np.uint8],
    points: NDArray[np.float32],
    window: tuple[int, int],
) -> str:
    """Return how often the status agrees, and how far apart 99 of 100 points end at most."""
    moved, status, _ = lucas_kanade_flow(previous, next, points, win_size=window)
    reference, expected = opencv_track(previous, next, points, window)
    distance = np.linalg.norm(moved - reference, axis=1)[status & expected]
    return f"status {(status == expected).mean():.4f}, 99 % in {np.quantile(distance, 0.99):.1e} px"


def race(theirs: Call, ours: Call) -> tuple[float, float]:
    """Return both medians in milliseconds; the runs take turns, so that other load strikes both."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(TURNS + 2):
        for call, times in zip((theirs, ours), seconds, strict=True):
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)
    return 1e3 * median(seconds[0][2:]), 1e3 * median(seconds[1][2:])


def processor() -> str:
    """Return the name of the processor."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.is_file() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def real_frames() -> tuple[list[NDArray[np.uint8]], str] | None:
    """Return two gray frames of the shared data, if they are there."""
    data = Path(os.environ.get("CLASSICVID_SHARED_DATA", ROOT.parent / "shared" / "data"))
    path = data / "corpus" / "good" / VIDEO
    if not path.is_file():
        return None
    frames = read_frames(path, start=FIRST_FRAME, stop=FIRST_FRAME + 2)
    return [to_gray(frame) for frame in frames], f"{VIDEO}, frames {FIRST_FRAME} and the next"


def synthetic_frames() -> tuple[list[NDArray[np.uint8]], str]:
    """Return a texture and the same, moved by (-3, -2) pixels."""
    noise = np.random.default_rng(0).normal(128, 400, (482, 643))
    image = cv2.GaussianBlur(noise, (0, 0), 3).clip(0, 255).astype(np.uint8)
    return [image[:480, :640].copy(), image[2:, 3:].copy()], "synthetic texture"


if __name__ == "__main__":
    main()
