"""The bounded sample of local descriptors: how it thins out, where it looks, what it repeats."""

from __future__ import annotations

import numpy as np
import pytest

from classicvid.descriptors import LocalSample, patch_hogs, texton_responses
from classicvid.image import to_gray
from classicvid.synthetic import render_motion

CHANNELS = ("hog_dense", "hog_corners", "texton_dense", "texton_corners")


def sample(movie, **options):
    local = LocalSample(**options)
    for frame in movie:
        local.feed(frame)
    return local.arrays()


def film(rng, count=6, size=48):
    return render_motion("left", size=size, frames=count, rng=rng).frames


@pytest.mark.parametrize(("count", "step"), [(1, 1), (4, 1), (5, 2), (8, 2), (9, 4), (31, 8)])
def test_a_long_video_is_looked_at_in_equal_steps(count, step, rng):
    frames = rng.integers(0, 256, (count, 9, 8, 3), dtype=np.uint8)
    places = sample(frames, frames=4)["hog_dense_positions"]
    expected = (np.arange(0, count, step) + 0.5) / count
    np.testing.assert_allclose(np.unique(places[:, 2]), expected, rtol=1e-6)
    assert len(places) == 72 * len(expected)


def test_memory_does_not_grow(rng):
    frame = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    local = LocalSample(frames=8)
    for _ in range(1000):
        local.feed(frame)
        assert len(local._kept) <= 8
    assert local.count == 1000
    assert len(np.unique(local.arrays()["hog_dense_positions"][:, 2])) == 8


def test_descriptors_are_those_of_their_places(rng):
    frames = film(rng, 2)
    arrays = sample(frames, seed=3)
    for name in CHANNELS:
        places = arrays[f"{name}_positions"]
        assert ((places >= 0) & (places < 1)).all()
        second = places[:, 2] > 0.5
        points = places[second, :2] * 48
        gray = to_gray(frames[1])
        if name == "hog_dense":
            parts = [patch_hogs(gray, points[:48]), patch_hogs(gray, points[48:], side=32)]
            expected = np.concatenate(parts)
        elif name == "hog_corners":
            expected = patch_hogs(gray, points)
        else:
            expected = texton_responses(gray, points)
        # A place is a share of the frame in float32: a centre may fall on the other side of a half.
        alike = np.abs(arrays[name][second] - expected).max(axis=1) < 1e-5
        assert alike.mean() > 0.9


def test_seed_and_frame_number_alone_decide(rng):
    frames = film(rng)
    ours, again, other = (sample(frames, seed=seed) for seed in (1, 1, 2))
    for name, array in ours.items():
        np.testing.assert_array_equal(again[name], array)
    assert (other["texton_dense_positions"] != ours["texton_dense_positions"]).any()
    np.testing.assert_array_equal(other["hog_corners"], ours["hog_corners"])


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (5, 40)])
def test_tiny_and_flat_frames_have_dense_descriptors_and_no_corners(shape):
    arrays = sample(np.full((2, *shape, 3), 90, np.uint8))
    assert len(arrays["hog_dense"]) == len(arrays["hog_dense_positions"]) == 2 * 72
    assert len(arrays["texton_dense"]) == 2 * 128
    for name, size in (("hog", 72), ("texton", 9)):
        assert arrays[f"{name}_corners"].shape == (0, size)
        assert arrays[f"{name}_corners_positions"].shape == (0, 3)
    assert all(array.dtype == np.float32 for array in arrays.values())


def test_nothing_fed_is_empty_and_reset_forgets(rng):
    local = LocalSample()
    assert all(len(array) == 0 for array in local.arrays().values())
    local.feed(film(rng, 1)[0])
    local.reset()
    assert all(len(array) == 0 for array in local.arrays().values())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"frames": 0}, "frames must be from 2 to 256"),
        ({"frames": 5}, "frames must be even, got 5"),
        ({"seed": -1}, "seed must be at least 0"),
    ],
)
def test_bad_options_are_named(options, words):
    with pytest.raises(ValueError, match=words):
        LocalSample(**options)


def test_a_gray_frame_is_refused():
    with pytest.raises(ValueError, match="RGB frame"):
        LocalSample().feed(np.zeros((8, 8), np.uint8))
