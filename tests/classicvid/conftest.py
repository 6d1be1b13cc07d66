"""Fixtures for the tests of motion: pairs of frames whose flow is known."""

from __future__ import annotations

import cv2
import pytest


@pytest.fixture
def read_pair(shared_data):
    def read(name):
        folder = shared_data / "flow_pairs"
        paths = [folder / "middlebury" / name / f"frame1{i}.png" for i in (0, 1)]
        if name.isdigit():
            paths = [folder / "flyingchairs" / f"{name}-img{i}.ppm" for i in (0, 1)]
        return [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths]

    return read
