"""Texton responses against known patterns, a bank of turned filters, and symmetries."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from classicvid.descriptors import texton_responses
from classicvid.synthetic import random_texture

SIGMAS = (1.0, 2.0, 4.0)


def texture(rng, size=64):
    return random_texture(rng)[:size, :size].mean(axis=2)


def inner_points(rng, size=64, border=20, count=40):
    return rng.integers(border, size - border, (count, 2))


def uncompress(responses):
    """Undo the logarithm of the length of each vector."""
    length = np.sqrt(np.square(responses, dtype=np.float64).sum(axis=1, keepdims=True))
    return responses * 0.03 * np.expm1(length) / length


def test_the_maximum_over_all_orientations_is_found(rng):
    """The twin turns an edge and a bar filter in steps of one degree."""
    image, points = texture(rng), inner_points(rng)
    ours = uncompress(texton_responses(image, points, sigmas=SIGMAS)).reshape(-1, 3, 3)
    normal = (image - image.mean()) / image.std()
    angles = np.deg2rad(np.arange(180))[:, None]
    x, y = points.T
    for n, sigma in enumerate(SIGMAS):
        smooth = ndimage.gaussian_filter(normal, sigma, mode="mirror", truncate=6)
        part = {
            order: ndimage.correlate1d(
                ndimage.correlate1d(smooth, TAPS[order[0]], axis=0), TAPS[order[1]], axis=1
            )[y, x]
            for order in ((0, 1), (1, 0), (0, 2), (1, 1), (2, 0))
        }
        edges = sigma * (np.cos(angles) * part[0, 1] + np.sin(angles) * part[1, 0])
        bars = sigma**2 * (
            np.cos(angles) ** 2 * part[0, 2]
            + 2 * np.cos(angles) * np.sin(angles) * part[1, 1]
            + np.sin(angles) ** 2 * part[2, 0]
        )
        strongest = np.abs(bars).argmax(axis=0)
        across = (strongest + 90) % 180
        np.testing.assert_allclose(ours[:, n, 0], np.abs(edges).max(axis=0), atol=0.02)
        np.testing.assert_allclose(ours[:, n, 1], bars[strongest, range(len(x))], atol=0.02)
        np.testing.assert_allclose(ours[:, n, 2], bars[across, range(len(x))], atol=0.02)


TAPS = {0: np.array([1.0]), 1: np.array([-0.5, 0, 0.5]), 2: np.array([1.0, -2, 1])}


def test_a_bar_responds_by_its_sign_and_an_edge_by_its_slope():
    image = np.full((41, 41), 100.0, np.float32)
    image[:, 20] = 50
    edge, bar, across = texton_responses(image, [(20, 20)], sigmas=(2.0,))[0]
    assert bar > 10 * abs(across)
    assert bar > 10 * edge
    inverse = texton_responses(200 - image, [(20, 20)], sigmas=(2.0,))[0, 1]
    assert inverse == pytest.approx(-bar, rel=1e-4)
    step = np.where(np.arange(41) < 20, 50.0, 150.0) * np.ones((41, 1))
    edge, bar, _ = texton_responses(step, [(20, 20)], sigmas=(4.0,))[0]
    assert edge > 3 * abs(bar)


@pytest.mark.parametrize("turn", ["rot90", "flipud", "fliplr", "transpose"])
def test_turning_the_image_changes_nothing(turn, rng):
    image, points = texture(rng), inner_points(rng, border=0)
    turned = getattr(np, turn)(image)
    marks = np.zeros((64, 64), np.int64)
    marks[points[:, 1], points[:, 0]] = np.arange(1, len(points) + 1)
    rows, columns = np.nonzero(getattr(np, turn)(marks))
    order = getattr(np, turn)(marks)[rows, columns] - 1
    ours = texton_responses(image, points)[order]
    theirs = texton_responses(turned, np.column_stack([columns, rows]))
    np.testing.assert_allclose(theirs, ours, atol=1e-3)


def test_brightness_and_contrast_do_not_matter(rng):
    image, points = texture(rng), inner_points(rng)
    ours = texton_responses(image, points)
    np.testing.assert_allclose(texton_responses(0.5 * image + 40, points), ours, atol=1e-3)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (8, 8)])
def test_tiny_and_flat_images_have_responses(shape, rng):
    points = [(0, 0), (100, 100)]
    noise = texton_responses(rng.integers(0, 256, shape, dtype=np.uint8), points)
    assert noise.shape == (2, 9)
    assert noise.dtype == np.float32
    assert np.isfinite(noise).all()
    np.testing.assert_allclose(texton_responses(np.full(shape, 77, np.uint8), points), 0, atol=1e-4)


def test_no_point_has_no_response(rng):
    assert texton_responses(texture(rng), np.zeros((0, 2))).shape == (0, 9)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"image": np.zeros((4, 4, 3), np.uint8)}, ValueError, "gray image"),
        ({"points": [(np.nan, 0)]}, ValueError, "points must be finite"),
        ({"sigmas": 2.0}, TypeError, "sigmas must be a sequence"),
        ({"sigmas": (0.0,)}, ValueError, "sigmas must be above 0"),
        ({"sigmas": (65.0,)}, ValueError, "sigmas must be from 0 to 64"),
    ],
)
def test_bad_input_is_named(change, error, words):
    options = {"image": np.zeros((4, 4), np.uint8), "points": [(1, 1)], **change}
    with pytest.raises(error, match=words):
        texton_responses(options.pop("image"), options.pop("points"), **options)
