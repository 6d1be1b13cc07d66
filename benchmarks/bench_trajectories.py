"""Videos go in; our time for a frame's trajectories, as a share of one flow of OpenCV's, comes out.

The authors' C++ program takes 2.6 (dense) and 4.5 (improved) times as long a frame as that one
call, decoding and printing included, as was measured once beside it on another machine: neither
the program nor SURF, which it needs, comes with a package.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import cv2
import numpy as np
from machine import SHARED, describe
from numpy.typing import NDArray

from classicvid.camera import CameraMotion
from classicvid.image import to_gray
from classicvid.trajectories import DenseTrajectories
from classicvid.video import iter_frames

VIDEOS = ("v_ApplyEyeMakeup_g01_c01.avi", "v_BaseballPitch_g01_c01.avi", "realshort.mp4")
KINDS = {"dense": None, "improved, ORB": "orb", "improved, SIFT": "sift"}
AUTHORS = {"dense": 2.6, "improved, ORB": 4.5, "improved, SIFT": 4.5}
# Frames before the first trajectories can end: the tracks are fewer than later on.
WARM_UP = 16
# Scale, levels, window, iterations, poly_n, poly_sigma: the authors' flow.
FLOW = (0.7071, 5, 10, 2, 7, 1.5, cv2.OPTFLOW_FARNEBACK_GAUSSIAN)


def main() -> None:
    """Print one row a kind and video: medians in milliseconds, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=120, help="frames of each video (120)")
    most = parser.parse_args().frames
    cv2.setNumThreads(1)
    print(f"{describe()}; wall clock, one thread")
    print(
        f"{'case':48}{'flow ms':>9}{'ours ms':>9}{'ratio':>7}{'authors':>9}{'tracks':>8}{'rows':>8}"
    )
    for path in videos():
        for kind, matcher in KINDS.items():
            extractor = DenseTrajectories(
                camera=None if matcher is None else CameraMotion(matcher=matcher)
            )
            theirs, ours, rows = race(path, extractor, most)
            label = f"{path.name}, {kind}"
            print(
                f"{label:48}{theirs:9.2f}{ours:9.2f}{ours / theirs:7.2f}{AUTHORS[kind]:9.1f}"
                f"{extractor.living:8}{rows:8}",
                flush=True,
            )


def race(path: Path, extractor: DenseTrajectories, most: int) -> tuple[float, float, int]:
    """Return the medians in milliseconds of OpenCV's flow and of our frame, and our rows."""
    times: list[tuple[float, float]] = []
    rows, before = 0, None
    with iter_frames(path, stop=most) as stream:
        frames: Iterator[NDArray[np.uint8]] = iter(stream)
        while True:
            start = time.perf_counter()
            frame = next(frames, None)
            if frame is None:
                break
            gray = to_gray(frame)
            rows += len(extractor.feed(gray))
            middle = time.perf_counter()
            if before is not None:
                cv2.calcOpticalFlowFarneback(before, gray, None, *FLOW)
            times.append((time.perf_counter() - middle, middle - start))
            before = gray
    theirs, ours = zip(*times[WARM_UP:], strict=True)
    return 1e3 * median(theirs), 1e3 * median(ours), rows


def videos() -> list[Path]:
    """Return real videos of 320 x 240 pixels of the shared data, or none."""
    found = [SHARED / "corpus" / "good" / name for name in VIDEOS]
    if not all(path.is_file() for path in found):
        print(f"needs the shared real data: {SHARED} is absent (CLASSICVID_SHARED_DATA)")
        return []
    return found


if __name__ == "__main__":
    main()
