"""The whole description of a video: its parts, its bounds, and videos with little in them."""

from __future__ import annotations

import numpy as np
import pytest

from classicvid.descriptors import (
    LOCAL_CHANNELS,
    ColourStatistics,
    LocalSample,
    describe_frames,
    video_histograms,
)
from classicvid.interest_points import detect_cuboids
from classicvid.synthetic import render_motion

VECTORS = ("hog", "hof", "mbhx", "mbhy", "hue_saturation", "colour_moments")


@pytest.fixture(scope="module")
def frames():
    return render_motion("oscillate", frames=24, rng=np.random.default_rng(4)).frames


def test_the_parts_are_what_each_gives_alone(frames):
    ours = describe_frames(frame for frame in frames)
    expected = {**video_histograms(frames)}
    local, colour = LocalSample(), ColourStatistics()
    for number, frame in enumerate(frames):
        local.feed(frame)
        if number % 5 == 0:
            colour.feed(frame)
    expected |= {
        **local.arrays(),
        "hue_saturation": colour.hue_saturation(),
        "colour_moments": colour.moments(),
    }
    points = detect_cuboids(frames, max_points=60)
    assert 0 < len(points) <= 256
    expected["cuboids"] = points.descriptors["gradients"]
    expected["cuboids_positions"] = points.position(width=64, height=64, frames=24)
    assert ours.keys() == expected.keys()
    for name, array in expected.items():
        assert ours[name].dtype == np.float32
        np.testing.assert_array_equal(ours[name], array)


def test_cuboids_of_a_long_video_are_drawn_from_all_of_it(frames):
    def endless(count):
        for number in range(count):
            yield frames[number % 24, :40, :40]

    many = describe_frames(endless(160), seed=1)
    assert len(many["cuboids"]) == 256
    times = many["cuboids_positions"][:, 2]
    assert (np.histogram(times, 4, (0, 1))[0] > 40).all()
    again, other = describe_frames(endless(160), seed=1), describe_frames(endless(160), seed=2)
    np.testing.assert_array_equal(again["cuboids"], many["cuboids"])
    assert (other["cuboids_positions"] != many["cuboids_positions"]).any()


@pytest.mark.parametrize("count", [1, 2, 30])
@pytest.mark.parametrize("shape", [(8, 8), (24, 40)])
def test_a_video_of_one_colour_is_described(count, shape):
    arrays = describe_frames(np.full((count, *shape, 3), 120, np.uint8))
    assert all(np.isfinite(array).all() for array in arrays.values())
    assert arrays["cuboids"].shape[0] == 0
    assert [arrays[name].ndim for name in VECTORS] == [1] * len(VECTORS)
    for name in LOCAL_CHANNELS:
        assert len(arrays[name]) == len(arrays[f"{name}_positions"])


@pytest.mark.parametrize(
    ("shown", "options", "words"),
    [
        ([], {}, "at least one frame, got none"),
        ([np.zeros((4, 4), np.uint8)], {}, "RGB frame"),
        ([np.zeros((4, n, 3), np.uint8) for n in (4, 5)], {}, "one size"),
        ([np.zeros((4, 4, 3), np.uint8)], {"seed": -1}, "seed must be from 0"),
    ],
)
def test_bad_input_is_named(shown, options, words):
    with pytest.raises(ValueError, match=words):
        describe_frames(shown, **options)
