"""Frames of a video go in; our times for corners and Lucas-Kanade beside OpenCV's come out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import cv2
import numpy as np
from machine import SHARED, Call, describe, measure_bandwidth, measure_speed, race
from numpy.typing import NDArray

from classicvid.flow import LucasKanadeTracker, lucas_kanade_flow
from classicvid.image import to_gray
from classicvid.keypoints import corner_response, good_features
from classicvid.video import read_frames

VIDEO, FIRST_FRAME = "demo.mp4", 40
SIZES = {1000: (320, 240), 5000: (1280, 720)}  # points: width, height
TURNS = 31
# Of a pixel of a response: bytes that are read and written, and operations (11 for the derivatives,
# 3 products, 15 for the sums over a block, 8 for the eigenvalue). To find corners, the response is
# read once more and compared with 8 neighbours.
RESPONSE, FEATURES = (1 + 4, 37), (1 + 4 + 4, 37 + 10)
# Of a pixel of a window, a level and a point: bytes of both frames that are read at least, and
# operations: 40 for the window of the first frame, 13 for each of about 3 steps.
TRACK, LEVELS = (1 + 1, 40 + 3 * 13), 4


class Case(NamedTuple):
    """One comparison: OpenCV's call, ours, how far they agree, and what any machine must do.

    ``work`` is (bytes, operations).
    """

    name: str
    theirs: Call
    ours: Call
    agreement: str
    work: tuple[float, float]


def main() -> None:
    """Print one row a case: medians in milliseconds, and how many times faster we are."""
    cv2.setNumThreads(1)
    frames, origin = real_frames() or synthetic_frames()
    print(
        f"{origin}; processor time, medians of {TURNS} runs in turns, one thread each\n{describe()}"
    )
    bandwidth, speed = measure_bandwidth(), measure_speed()
    print(f"memory {bandwidth / 1e9:.1f} GB/s, one core {speed / 1e9:.0f} GFLOP/s")
    head = f"{'case':44}{'OpenCV ms':>10}{'ours ms':>10}{'times':>8}{'limit ms':>10}{'of it':>7}"
    print(f"{head}{'agreement':>34}")
    for count, size in SIZES.items():
        method = cv2.INTER_CUBIC if size[0] > frames[0].shape[1] else cv2.INTER_AREA
        pair = [cv2.resize(frame, size, interpolation=method) for frame in frames]
        for case in cases(pair, count):
            reference, own = race((case.theirs, case.ours), TURNS)
            limit = 1e3 * max(case.work[0] / bandwidth, case.work[1] / speed)
            label = f"{size[0]}x{size[1]} {case.name}"
            print(
                f"{label:44}{reference:10.2f}{own:10.3f}{reference / own:8.2f}{limit:10.3f}"
                f"{limit / own:7.0%}{case.agreement:>34}",
                flush=True,
            )


def cases(pair: list[NDArray[np.uint8]], count: int) -> Iterator[Case]:
    """Yield every case at one size."""
    yield from corner_cases(pair[0], count)
    dense = {"max_corners": count, "quality": 0.0005, "min_distance": 3 if count == 1000 else 4}
    points = opencv_corners(pair[0], **dense)
    for side in (15, 21):
        yield from track_cases(pair, points, side)


def corner_cases(image: NDArray[np.uint8], count: int) -> Iterator[Case]:
    """Yield the corner responses and the good features of an image."""
    response, reference = corner_response(image), cv2.cornerMinEigenVal(image, 3)
    worst = f"error / max {np.abs(response - reference).max() / reference.max():.1e}"
    kept, theirs_kept = np.empty_like(response), np.empty_like(reference)
    work = scaled(RESPONSE, image.size)

    def theirs() -> Any:
        return cv2.cornerMinEigenVal(image, 3)

    def theirs_into_kept() -> Any:
        return cv2.cornerMinEigenVal(image, 3, dst=theirs_kept)

    yield Case("corner response", theirs, lambda: corner_response(image), worst, work)
    yield Case(
        "  into memory that is kept",
        theirs_into_kept,
        lambda: corner_response(image, out=kept),
        "",
        work,
    )
    # The usual setting, and one that finds as many as are wanted.
    sparse = {"max_corners": count, "quality": 0.01, "min_distance": 5}
    dense = {"max_corners": count, "quality": 0.001, "min_distance": 3 if count == 1000 else 4}
    for settings in (sparse, dense) if count == 1000 else (dense,):
        expected = set(map(tuple, opencv_corners(image, **settings).tolist()))
        found = set(map(tuple, good_features(image, **settings).tolist()))
        yield Case(
            f"good features, {len(found)} found",
            lambda settings=settings: opencv_corners(image, **settings),
            lambda settings=settings: good_features(image, **settings),
            f"overlap {len(expected & found) / len(expected | found):.4f}",
            scaled(FEATURES, image.size),
        )


def track_cases(
    pair: list[NDArray[np.uint8]], points: NDArray[np.float32], side: int
) -> Iterator[Case]:
    """Yield Lucas-Kanade on two frames and in a video, with a window of ``side`` pixels."""
    (previous, next), window = pair, (side, side)
    yield Case(
        f"Lucas-Kanade, {len(points)} points, window {side}",
        lambda: opencv_track(previous, next, points, window),
        lambda: lucas_kanade_flow(previous, next, points, win_size=window),
        compare_tracks(previous, next, points, window),
        scaled(TRACK, len(points) * LEVELS * side * side),
    )
    tracker = LucasKanadeTracker(
        max_points=len(points),
        quality=0.0005,
        min_distance=3,
        win_size=window,
        forward_backward=None,
        replenish=0,
    )
    alive = tracker.feed(previous).points
    turns = iter(range(10**9))
    yield Case(
        f"  in a video, {len(alive)} points, window {side}",
        lambda: opencv_track(previous, next, alive, window),
        lambda: tracker.feed(pair[(next_turn(turns) + 1) % 2]),
        "",
        scaled(TRACK, len(alive) * LEVELS * side * side),
    )


def scaled(work: tuple[int, int], count: int) -> tuple[float, float]:
    """Return bytes and operations of so many pixels."""
    return work[0] * count, work[1] * count


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


def real_frames() -> tuple[list[NDArray[np.uint8]], str] | None:
    """Return two gray frames of the shared data, if they are there."""
    path = SHARED / "corpus" / "good" / VIDEO
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
