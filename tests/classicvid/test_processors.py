"""Points and tracks of other processors, and without compiling, against those of this one."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

PROGRAM = """
import sys
import cv2
import numpy as np
from classicvid.flow import lucas_kanade_flow
from classicvid.interest_points import detect_cuboids, stip
from classicvid.interest_points.planes import blurred_planes
from classicvid.keypoints import corner_response, good_features

noise = np.random.default_rng(5).normal(128, 200, (46, 61))
image = cv2.GaussianBlur(noise, (0, 0), 2).clip(0, 255).astype(np.uint8)
previous, next = image[1:41, :60].copy(), image[:40, 1:61].copy()
corners = good_features(previous, max_corners=12, quality=0.01, min_distance=4)
results = {"corners": corners}
for name, frames in {"bytes": (previous, next), "floats": np.float32([previous, next])}.items():
    results[name] = np.c_[lucas_kanade_flow(*frames, corners, win_size=(9, 7), max_level=1)[0]]
    for block_size in (3, 4):
        results[f"{name}, {block_size}"] = corner_response(frames[0], block_size=block_size)
movie = np.array([image[t : t + 24, 2 * t : 2 * t + 20] for t in range(12)])
points = detect_cuboids(movie, sigma=1, tau=1.1, max_points=3)
results |= {"cuboids": points.xyt, "gradients": points.descriptors["gradients"]}
stream = stip.harris_responses(blurred_planes(movie, 1.0), (24, 20), (1.0, 1.0), 0.0005)
results["harris"] = np.array([response[: 24 * 20] for response in stream])
np.savez(sys.argv[1], **results)
"""


def run_elsewhere(path, **environment):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, path],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return np.load(path, allow_pickle=False)


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    return run_elsewhere(tmp_path_factory.mktemp("here") / "results.npz")


@pytest.mark.parametrize(
    "environment",
    [
        {"NUMBA_DISABLE_JIT": "1"},
        pytest.param({"NUMBA_CPU_NAME": "haswell"}, marks=pytest.mark.slow),
        pytest.param({"NUMBA_CPU_NAME": "x86-64"}, marks=pytest.mark.slow),
    ],
    ids=["not compiled", "avx2", "sse2"],
)
def test_every_processor_finds_the_same(here, tmp_path, environment):
    there = run_elsewhere(tmp_path / "results.npz", **environment)
    assert len(here["corners"]) == 12
    assert len(here["cuboids"]) == 3
    for name in here.files:
        scale = np.abs(here[name]).max()
        np.testing.assert_allclose(there[name], here[name], atol=1e-4 * scale, err_msg=name)
