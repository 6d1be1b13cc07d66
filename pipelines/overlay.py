"""Frames and the trajectories that end in them go in; frames with the tracks drawn come out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.feature_kinds import Step

TRACK, HEAD = (40, 230, 70), (235, 30, 30)
"""Colours, RGB: the green tracks and red heads of the authors' demonstration."""

SMALLEST_SIDE = 480
"""Videos with a shorter side below this are drawn a whole number of times as large, px."""

FAINTEST = 0.15
"""How much of the colour is left of the oldest step of a track."""

_FRACTION_BITS = 4  # OpenCV draws at sixteenths of a pixel


def draw_tracks(steps: Iterable[Step], *, length: int) -> Iterator[NDArray[np.uint8]]:
    """Draw trajectories while they live: the path behind them fades with age, the head is a dot.

    Parameters
    ----------
    steps : iterable of (frame, arrays)
        Frames (H, W, 3) uint8 RGB; ``points`` (N, L + 1, 2) of the trajectories that end in each.
    length : int
        L. A frame is drawn when all trajectories that cross it are known, L frames later: so many
        frames are held.

    Yields
    ------
    frame : array, shape (S H, S W, 3), uint8
        One for every frame that goes in. S is 1, and more for small videos.
    """
    frames: deque[NDArray[np.uint8]] = deque()
    ended: deque[NDArray[np.float32]] = deque(maxlen=length + 1)
    for frame, arrays in steps:
        frames.append(frame)
        ended.append(arrays["points"])
        if len(frames) > length:
            yield draw_frame(frames.popleft(), _alive(ended))
    while frames:
        ended.append(np.zeros((0, length + 1, 2), np.float32))
        while len(ended) <= length:  # a video shorter than a trajectory
            ended.append(np.zeros((0, length + 1, 2), np.float32))
        yield draw_frame(frames.popleft(), _alive(ended))


def _alive(ended: deque[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    """Return by age the tracks that cross the oldest frame, up to there: (N, age + 1, 2) each.

    Those that ended ``later`` frames after it have ``length - later`` steps behind them.
    """
    length = len(ended) - 1
    return [tracks[:, : length - later + 1] for later, tracks in enumerate(ended)]


def draw_frame(
    frame: NDArray[np.uint8], tracks: Iterable[NDArray[np.float32]]
) -> NDArray[np.uint8]:
    """Draw paths (N, A + 1, 2), in pixels of the frame, each to its head; return a new frame."""
    height, width = frame.shape[:2]
    size = max(1, -(-SMALLEST_SIDE // min(height, width)))
    image: NDArray[Any] = cv2.resize(
        frame, (width * size, height * size), interpolation=cv2.INTER_LINEAR
    )
    thickness = max(1, round(min(height, width) * size / 360))
    # A pixel's centre is a whole number, in the small frame and in the large one.
    paths = [(path + 0.5) * size - 0.5 for path in tracks if len(path)]
    if not paths:
        return image
    ink = np.zeros(image.shape[:2], np.uint8)
    longest = max(path.shape[1] for path in paths) - 1
    for age in range(longest, 0, -1):  # the oldest steps first: newer ones cross over them
        strength = FAINTEST + (1 - FAINTEST) * (1 - (age - 1) / max(longest, 1))
        segments = [path[:, -age - 1 : path.shape[1] - age + 1] for path in paths]
        lines = np.concatenate([part for part in segments if part.shape[1] == 2] or [_NO_LINES])
        cv2.polylines(
            ink,
            list(_fixed(lines)),
            False,
            round(255 * strength),
            thickness,
            cv2.LINE_AA,
            _FRACTION_BITS,
        )
    image = _blend(image, ink, TRACK)
    dots = np.zeros_like(ink)
    radius = (thickness << _FRACTION_BITS) * 5 // 4
    for head in _fixed(np.concatenate([path[:, -1] for path in paths])):
        cv2.circle(dots, head.tolist(), radius, 255, cv2.FILLED, cv2.LINE_AA, _FRACTION_BITS)
    return _blend(image, dots, HEAD)


_NO_LINES = np.zeros((0, 2, 2), np.float32)


def _fixed(points: NDArray[np.float32]) -> NDArray[np.int32]:
    return np.rint(points * (1 << _FRACTION_BITS)).astype(np.int32)


def _blend(
    image: NDArray[Any], ink: NDArray[np.uint8], colour: tuple[int, int, int]
) -> NDArray[np.uint8]:
    """Lay a colour over an image, as thick as the ink: 0 for the image, 255 for the colour."""
    share = ink[..., None].astype(np.float32) / 255
    mixed = image + (np.array(colour, np.float32) - image) * share
    return np.rint(mixed).astype(np.uint8)
