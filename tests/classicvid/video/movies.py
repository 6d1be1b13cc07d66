"""Numbers go in; movies whose every frame is known, and their files, come out."""

from __future__ import annotations

import cv2
import numpy as np


def noise(rng, frames, height, width):
    return rng.integers(0, 256, (frames, height, width, 3), dtype=np.uint8)


def numbered(frames, height=48, width=64):
    """Frames whose brightness tells their index, 4 gray levels apart."""
    levels = 20 + 4 * np.arange(frames, dtype=np.uint8)
    return np.broadcast_to(levels[:, None, None, None], (frames, height, width, 3))


def indices_of(frames):
    return np.round((frames.mean(axis=(1, 2, 3)) - 20) / 4).astype(int).tolist()


def smooth_movie(frames=12, height=96, width=128):
    """A soft texture that drifts, so that lossy coding and resizing change little."""
    y, x = np.mgrid[:height, :width]
    waves = [
        [np.sin((x + 2 * t) / 9 + c) + np.cos((y - t) / (7 + c)) for c in range(3)]
        for t in range(frames)
    ]
    return (127 + 50 * np.array(waves)).astype(np.uint8).transpose(0, 2, 3, 1)


def opencv_frames(path):
    capture = cv2.VideoCapture(str(path))
    while True:
        there, frame = capture.read()
        if not there:
            return
        yield frame[..., ::-1]
