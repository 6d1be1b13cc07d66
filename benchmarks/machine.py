"""Calls go in; their times in turns, and what the machine could reach at most, come out."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numba
import numpy as np

from classicvid.kernels.simd import LANES

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("CLASSICVID_SHARED_DATA", ROOT.parent / "shared" / "data"))

Call = Callable[[], Any]


def describe() -> str:
    """Return the processor, the versions and the lanes of a vector, in one line."""
    return (
        f"{processor()}, {os.cpu_count()} cores, {LANES} lanes; OpenCV {cv2.__version__}, numba "
        f"{numba.__version__}, numpy {np.__version__}, Python {platform.python_version()}"
    )


def processor() -> str:
    """Return the name of the processor."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def race(calls: Sequence[Call], turns: int) -> list[float]:
    """Return each call's median in milliseconds; they take turns, so that all are struck alike."""
    seconds: list[list[float]] = [[] for _ in calls]
    for _ in range(2):  # the first compiles, the second is warm
        for call in calls:
            call()
    for _ in range(turns):
        for call, times in zip(calls, seconds, strict=True):
            times.append(timed(call))
    return [1e3 * median(times) for times in seconds]


def timed(call: Call) -> float:
    """Return the seconds for which a call, on one thread, keeps the processor, kernel included.

    What waits while others have the processor is not counted.
    """
    start = time.thread_time()
    call()
    return time.thread_time() - start


def measure_bandwidth() -> float:
    """Return the bytes a second that one core reads from memory."""
    numbers = np.ones(2**25, np.float32)
    return numbers.nbytes / min(timed(numbers.sum) for _ in range(5))


def measure_speed() -> float:
    """Return the floating-point operations a second of one core, as a product of matrices shows."""
    cv2.setNumThreads(1)
    square = np.ones((768, 768), np.float32)
    return 2 * 768**3 / min(timed(lambda: cv2.gemm(square, square, 1, None, 0)) for _ in range(5))
