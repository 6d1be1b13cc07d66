"""Colour statistics against OpenCV and scikit-image, formulas, and videos without colour."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy.stats import moment
from skimage.color import rgb2hsv

from classicvid.descriptors import ColourStatistics

STEPS = 1 + 12 * 3


def colours(frames, **options):
    statistics = ColourStatistics(**options)
    for frame in frames:
        statistics.feed(frame)
    return statistics


def slow_histogram(frame, hues=12, saturations=4):
    """Vote pixel by pixel, with scikit-image's hue and saturation."""
    out = np.zeros((hues, saturations))
    for hue, saturation, _ in rgb2hsv(frame).reshape(-1, 3):
        for h in range(hues):
            away = abs(hue * hues - h)
            near = max(0, 1 - min(away, hues - away))
            for s in range(saturations):
                out[h, s] += near * max(0, 1 - abs(saturation * (saturations - 1) - s))
    return np.concatenate([[out[:, 0].sum()], out[:, 1:].ravel()]) / out.sum()


def test_hues_are_those_of_scikit_image(rng):
    frame = rng.integers(0, 256, (24, 20, 3), dtype=np.uint8)
    ours = colours([frame]).hue_saturation()[:STEPS]
    # OpenCV's hue comes in steps of 2 degrees, a fifteenth of a bin.
    np.testing.assert_allclose(ours, slow_histogram(frame), atol=0.01)


def test_quarters_are_the_frame_cut_in_four(rng):
    frame = rng.integers(0, 256, (11, 17, 3), dtype=np.uint8)
    quarters = colours([frame]).hue_saturation()[STEPS:].reshape(4, STEPS)
    parts = [frame[y, x] for y in (slice(6), slice(6, 11)) for x in (slice(9), slice(9, 17))]
    for quarter, part in zip(quarters, parts, strict=True):
        share = part.size / frame.size
        alone = colours([part]).hue_saturation()[:STEPS]
        np.testing.assert_allclose(quarter, share * alone, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (8, 8), (33, 50)])
def test_histograms_sum_to_one(shape, rng):
    histogram = colours(rng.integers(0, 256, (3, *shape, 3), dtype=np.uint8)).hue_saturation()
    assert histogram.dtype == np.float32
    np.testing.assert_allclose(histogram[:STEPS].sum(), 1, atol=1e-5)
    np.testing.assert_allclose(histogram[STEPS:].sum(), 1, atol=1e-5)
    whole = histogram[STEPS:].reshape(4, STEPS).sum(axis=0)
    np.testing.assert_allclose(whole, histogram[:STEPS], atol=1e-6)


def test_a_gray_video_has_no_hue(rng):
    frames = np.repeat(rng.integers(0, 256, (2, 8, 8, 1), dtype=np.uint8), 3, axis=3)
    histogram = colours(frames).hue_saturation()
    np.testing.assert_allclose(histogram[:STEPS], np.eye(STEPS)[0], atol=1e-6)


@pytest.mark.parametrize(("colour", "hue"), [((255, 0, 0), 0), ((0, 255, 0), 4), ((0, 0, 255), 8)])
def test_a_pure_colour_is_one_bin(colour, hue):
    histogram = colours([np.full((8, 8, 3), colour, np.uint8)]).hue_saturation()[:STEPS]
    assert histogram[1 + 3 * hue + 2] == 1


def test_darker_colours_keep_hue_and_saturation(rng):
    bright = 4 * rng.integers(0, 64, (16, 16, 3)).astype(np.uint8)
    ours, darker = (colours([frame]).hue_saturation() for frame in (bright, bright // 2))
    np.testing.assert_allclose(darker, ours, atol=0.02)


def test_the_order_of_frames_does_not_matter(rng):
    frames = rng.integers(0, 256, (4, 9, 9, 3), dtype=np.uint8)
    ours, backwards = colours(frames), colours(frames[::-1])
    np.testing.assert_array_equal(backwards.hue_saturation(), ours.hue_saturation())
    np.testing.assert_array_equal(backwards.moments(), ours.moments())


def test_moments_are_those_of_the_formula(rng):
    frames = rng.integers(0, 256, (3, 10, 14, 3), dtype=np.uint8) // [1, 2, 3]
    frames = frames.astype(np.uint8)
    ours = colours(frames).moments().reshape(5, 3, 3)
    lab = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2LAB) for frame in frames]) / 255
    cells = [lab, lab[:, :5, :7], lab[:, :5, 7:], lab[:, 5:, :7], lab[:, 5:, 7:]]
    for cell, table in zip(cells, ours, strict=True):
        pixels = cell.reshape(-1, 3)
        np.testing.assert_allclose(table[:, 0], pixels.mean(axis=0), atol=1e-5)
        np.testing.assert_allclose(table[:, 1], pixels.std(axis=0), atol=1e-5)
        np.testing.assert_allclose(table[:, 2], np.cbrt(moment(pixels, 3)), atol=1e-3)


def test_one_colour_has_no_spread():
    moments = colours([np.full((8, 8, 3), (200, 30, 90), np.uint8)]).moments().reshape(5, 3, 3)
    np.testing.assert_allclose(moments[..., 1:], 0, atol=1e-3)
    np.testing.assert_allclose(moments[:, :, 0], moments[:1, :, 0].repeat(5, axis=0), atol=1e-6)


def test_nothing_fed_is_zero_and_reset_forgets(rng):
    statistics = ColourStatistics()
    assert not statistics.hue_saturation().any()
    assert not statistics.moments().any()
    statistics.feed(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
    assert statistics.moments().any()
    statistics.reset()
    assert not statistics.moments().any()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"hues": 1}, ValueError, "hues must be from 2 to 180"),
        ({"saturations": 2.5}, TypeError, "saturations must be a whole number"),
    ],
)
def test_bad_options_are_named(options, error, words):
    with pytest.raises(error, match=words):
        ColourStatistics(**options)


def test_a_gray_frame_is_refused():
    with pytest.raises(ValueError, match="RGB frame"):
        ColourStatistics().feed(np.zeros((8, 8), np.uint8))
