"""What the tests of the networks share."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import cnn


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Small tensors gain nothing from threads, and lose much where the machine is busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def striped() -> cnn.ClipSource:
    """Twelve little videos of two classes, which one frame tells apart by its stripes."""
    rng = np.random.default_rng(3)
    videos = []
    for i in range(12):
        stripes = 60 * (np.arange(64) // 4 % 2) + rng.integers(0, 30, (5, 64, 64))
        videos.append(stripes if i % 2 else stripes.transpose(0, 2, 1))
    frames = [np.repeat(video[..., None], 3, axis=-1).astype(np.uint8) for video in videos]
    names = [f"v{i}" for i in range(12)]
    return cnn.ClipSource(frames, np.arange(12) % 2, names, ("rows", "columns"))
