"""Dense trajectories against known motions, symmetries, and what a video may lack."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from classicvid.trajectories import DenseTrajectories, Trajectories

SIZE = 96


def film(motion, count=20, *, size=SIZE, seed=3):
    """Return gray frames of a texture that moves by ``motion`` (dx, dy) from frame to frame."""
    noise = np.random.default_rng(seed).normal(128, 400, (4 * size, 4 * size))
    texture = cv2.GaussianBlur(noise, (0, 0), 3).clip(0, 255).astype(np.uint8)
    frames = []
    for i in range(count):
        shift = np.float32([[1, 0, -size + motion[0] * i], [0, 1, -size + motion[1] * i]])
        frames.append(cv2.warpAffine(texture, shift, (size, size), flags=cv2.INTER_CUBIC))
    return frames


def extract(frames, **options):
    extractor = DenseTrajectories(**options)
    return Trajectories.concatenate([extractor.feed(frame) for frame in frames])


@pytest.mark.parametrize("tracking", ["flow", "lucas-kanade"])
@pytest.mark.parametrize("motion", [(2.0, 0.0), (-1.5, 1.0), (0.5, -1.25)])
def test_trajectories_follow_the_motion(motion, tracking):
    found = extract(film(motion), tracking=tracking)
    assert len(found) > 100
    inside = np.all((found.points > 16) & (found.points < SIZE - 16), axis=(1, 2))
    fine = found.scale < 2.1
    steps = np.diff(found.points[inside & fine], axis=1)
    assert len(steps) > 30
    errors = np.linalg.norm(steps - motion, axis=2)
    assert np.median(errors) < 0.08
    assert np.percentile(errors, 95) < 0.25


def test_what_a_row_says_of_its_points():
    found = extract(film((2.0, 1.0)))
    points = found.points.astype(np.float64)
    np.testing.assert_allclose(found.mean, points.mean(axis=1), atol=1e-3)
    np.testing.assert_allclose(found.deviation, points.std(axis=1), atol=1e-3)
    steps = np.diff(points, axis=1)
    lengths = np.linalg.norm(steps, axis=2).sum(axis=1)
    np.testing.assert_allclose(found.length, lengths, rtol=1e-4)
    shape = (steps / lengths[:, None, None]).reshape(len(points), 30)
    np.testing.assert_allclose(found.shape, shape, atol=1e-5)
    assert found.end_frame.min() == 15
    assert set(found.end_frame) <= set(range(15, 20))
    assert (np.diff(found.end_frame) >= 0).all()
    np.testing.assert_allclose(np.unique(found.scale), np.sqrt(2) ** np.arange(4), rtol=1e-6)


def test_histograms_are_roots_of_distributions():
    found = extract(film((2.0, 1.0), 17))
    for name, size in {"hog": 96, "hof": 108, "mbhx": 96, "mbhy": 96}.items():
        histograms = getattr(found, name)
        assert histograms.shape == (len(found), size)
        assert histograms.dtype == np.float32
        parts = histograms.reshape(len(found), 3, -1)
        # A mean of roots of distributions is no longer than one of them.
        lengths = np.linalg.norm(parts, axis=2)
        assert (lengths <= 1 + 1e-5).all()
        assert lengths.min() > 0.7
        assert (histograms > 0).all()


def test_hof_points_where_the_texture_goes():
    found = extract(film((0.0, 2.5), 16))
    hof = found.hof.reshape(len(found), 12, 9)
    assert np.mean(hof.mean(axis=1).argmax(axis=1) == 2) > 0.95  # downwards, a quarter of a turn


def test_a_mirrored_video_has_mirrored_trajectories():
    frames = film((1.5, 0.5))
    there = extract(frames)
    back = extract([np.ascontiguousarray(frame[:, ::-1]) for frame in frames])
    # The grid begins at the left border in both: not every point has its mirror image.
    assert 0.8 < len(there) / len(back) < 1.25
    np.testing.assert_allclose(
        np.median(there.shape.reshape(-1, 15, 2), axis=(0, 1)) * [-1, 1],
        np.median(back.shape.reshape(-1, 15, 2), axis=(0, 1)),
        atol=2e-3,
    )
    hof = [np.median(found.hof.reshape(-1, 12, 9).mean(axis=1), axis=0) for found in (there, back)]
    np.testing.assert_allclose(hof[0][[4, 3, 2, 1, 0, 7, 6, 5, 8]], hof[1], atol=0.05)


@pytest.mark.parametrize(
    "frames",
    [
        [],
        film((2, 0), 1),
        film((2, 0), 15),
        film((0, 0), 20),
        [np.full((SIZE, SIZE), 77, np.uint8)] * 20,
        [np.zeros((1, 1), np.uint8)] * 20,
        [np.zeros((2, 40), np.uint8)] * 20,
    ],
    ids=["none", "one", "fifteen", "static", "one colour", "one pixel", "two rows"],
)
def test_videos_without_trajectories(frames):
    extractor = DenseTrajectories()
    for frame in frames:
        found = extractor.feed(frame)
        assert len(found) == 0
        assert found.hof.shape == (0, 108)
        assert found.points.shape == (0, 16, 2)


def test_sixteen_frames_are_enough():
    found = extract(film((2, 0), 16))
    assert len(found) > 50
    assert set(found.end_frame) == {15}


@pytest.mark.parametrize("shape", [(33, 70), (20, 64), (121, 47)])
def test_odd_and_small_frames(shape):
    frames = [
        np.ascontiguousarray(frame[: shape[0], : shape[1]])
        for frame in film((1.5, 0), 17, size=128)
    ]
    found = extract(frames)
    assert len(found) > 5
    assert np.isfinite(found.hof).all()
    assert (found.points >= 0).all()
    assert (found.points <= shape[::-1]).all()


def test_erratic_and_jumping_points_are_left_out():
    still, thrown = film((0, 0), 1)[0], film((40, 0), 2)[1]
    found = extract([still] * 10 + [thrown] * 10)
    assert len(found) == 0 or np.diff(found.points, axis=1).max() < 21


def test_a_second_video_begins_anew():
    first, second = film((2, 0)), film((0, 2), size=80)
    extractor = DenseTrajectories()
    alone = extract(second)
    for frame in first:
        extractor.feed(frame)
    with pytest.raises(ValueError, match=r"shape of the one before, \(96, 96\), got \(80, 80\)"):
        extractor.feed(second[0])
    extractor.reset()
    again = Trajectories.concatenate([extractor.feed(frame) for frame in second])
    np.testing.assert_array_equal(again.hof, alone.hof)
    np.testing.assert_array_equal(again.end_frame, alone.end_frame)


def test_frames_may_be_changed_after_they_were_fed():
    frames = film((2, 0))
    expected, extractor, found = extract(frames), DenseTrajectories(), []
    buffer = np.empty_like(frames[0])
    for frame in frames:
        buffer[...] = frame
        found.append(extractor.feed(buffer))
    np.testing.assert_array_equal(Trajectories.concatenate(found).mbhy, expected.mbhy)


def test_threads_give_the_numbers_of_one():
    frames = film((2, 0.5), 17)
    expected = extract(frames)
    with ThreadPoolExecutor(6) as pool:
        for found in pool.map(lambda _: extract(frames), range(6)):
            np.testing.assert_array_equal(found.points, expected.points)
            np.testing.assert_array_equal(found.mbhx, expected.mbhx)


def test_other_sizes_of_tracks_and_patches():
    found = extract(film((2, 0), 12), length=6, stride=8, scales=2, patch=16, min_flow=1.0)
    assert found.points.shape[1:] == (7, 2)
    assert found.shape.shape[1] == 12
    assert found.hog.shape[1] == 96
    assert len(found) > 20
    assert found.scale.max() < 1.5


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"length": 16}, ValueError, "length must be a multiple of 3, got 16"),
        ({"patch": 31}, ValueError, "patch must be a multiple of 2, got 31"),
        ({"stride": 0}, ValueError, "stride"),
        ({"scales": 0}, ValueError, "scales"),
        ({"quality": -1}, ValueError, "quality"),
        ({"min_flow": float("nan")}, ValueError, "min_flow"),
        ({"tracking": "sift"}, ValueError, "tracking must be"),
        ({"camera": "sift"}, TypeError, "camera must be a CameraMotion or None, got str"),
    ],
)
def test_wrong_options_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        DenseTrajectories(**options)


@pytest.mark.parametrize(
    "frame",
    [np.zeros((4, 4, 3), np.uint8), np.zeros((0, 4), np.uint8), np.zeros((4, 4), np.float32)],
)
def test_wrong_frames_are_refused(frame):
    with pytest.raises((TypeError, ValueError), match="frame must"):
        DenseTrajectories().feed(frame)


PROGRAM = """
import sys
import numpy as np
from classicvid.trajectories import DenseTrajectories, Trajectories
frames = np.load(sys.argv[1])
extractor = DenseTrajectories(length=3, scales=2)
found = Trajectories.concatenate([extractor.feed(frame) for frame in frames])
np.savez(sys.argv[2], points=found.points, hof=found.hof, hog=found.hog)
"""


@pytest.mark.parametrize(
    "environment",
    [
        {"NUMBA_DISABLE_JIT": "1"},
        pytest.param({"NUMBA_CPU_NAME": "haswell"}, marks=pytest.mark.slow),
        pytest.param({"NUMBA_CPU_NAME": "x86-64"}, marks=pytest.mark.slow),
    ],
    ids=["not compiled", "avx2", "sse2"],
)
def test_every_processor_finds_the_same(tmp_path, environment):
    frames = np.stack(film((2, 1), 5, size=40))
    np.save(tmp_path / "frames.npy", frames)
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-c",
            PROGRAM,
            tmp_path / "frames.npy",
            tmp_path / "out.npz",
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    there = np.load(tmp_path / "out.npz", allow_pickle=False)
    here = extract(frames, length=3, scales=2)
    assert len(here) > 10
    for name in there.files:
        np.testing.assert_allclose(there[name], getattr(here, name), atol=2e-3, err_msg=name)


ENDURANCE = """
import resource, sys
import cv2
import numpy as np
from classicvid.camera import CameraMotion
from classicvid.trajectories import DenseTrajectories

noise = np.random.default_rng(0).normal(128, 400, (400, 400))
texture = cv2.GaussianBlur(noise, (0, 0), 3).clip(0, 255).astype(np.uint8)
extractor, rows, peaks = DenseTrajectories(camera=CameraMotion()), 0, []
for i in range(3000):
    x, y = int(100 + 60 * np.sin(i / 20)), int(100 + 60 * np.sin(i / 27))
    frame = texture[y : y + 120, x : x + 160].copy()
    frame[40:80, (2 * i) % 120 : (2 * i) % 120 + 40] = texture[:40, :40]
    rows += len(extractor.feed(frame))
    if i in (100, 2999):
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
assert rows > 30000, rows
print(*peaks)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_video():
    done = subprocess.run(
        [sys.executable, "-c", ENDURANCE],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    after_100, after_3000 = map(int, done.stdout.split())
    assert after_3000 <= 1.03 * after_100  # KiB of the whole process
