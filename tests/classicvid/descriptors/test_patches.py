"""HOG of patches against the naive twin, symmetries and flat images."""

from __future__ import annotations

import numpy as np
import pytest

from classicvid.descriptors import patch_hogs
from classicvid.synthetic import random_texture
from tests import naive


def slow_patch(image, point, side, cells=3, bins=8):
    width, height = min(side, image.shape[1]), min(side, image.shape[0])
    x = int(np.clip(np.rint(point[0] - (width - 1) / 2), 0, image.shape[1] - width))
    y = int(np.clip(np.rint(point[1] - (height - 1) / 2), 0, image.shape[0] - height))
    votes = naive.vote_gradients(image[y : y + height, x : x + width], cells, bins)
    votes = votes.ravel() + width * height / (cells * cells * bins)
    return np.sqrt(votes / votes.sum())


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (40, 30)])
@pytest.mark.parametrize("side", [5, 16])
def test_patches_equal_their_twin(shape, side, rng):
    image = rng.integers(0, 256, shape).astype(np.float32)
    points = rng.uniform(-2, shape[::-1], (12, 2)).astype(np.float32)
    ours = patch_hogs(image, points, side=side)
    expected = np.stack([slow_patch(image, point, side) for point in points])
    assert ours.shape == (12, 72)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, expected, atol=1e-4)
    np.testing.assert_allclose(np.square(ours).sum(axis=1), 1, atol=1e-5)


def test_brightness_does_not_matter(rng):
    image, points = random_texture(rng)[:64, :64, 0], [(20, 30), (40, 41)]
    ours = patch_hogs(image, points)
    np.testing.assert_allclose(patch_hogs(image - 30, points), ours, atol=1e-4)


def test_a_mirror_swaps_cells_and_bins(rng):
    image = random_texture(rng)[:48, :48, 0]
    ours = patch_hogs(image, [(20.5, 24.5)], side=18).reshape(3, 3, 8)
    mirrored = patch_hogs(image[:, ::-1], [(47 - 20.5, 24.5)], side=18).reshape(3, 3, 8)
    np.testing.assert_allclose(mirrored, ours[:, ::-1][..., (4 - np.arange(8)) % 8], atol=1e-3)


def test_a_flat_patch_prefers_nothing_and_noise_little(rng):
    flat = patch_hogs(np.full((20, 20), 99, np.uint8), [(10, 10)])
    np.testing.assert_allclose(np.square(flat), 1 / 72, atol=1e-6)
    noise = np.square(patch_hogs(100 + rng.integers(0, 2, (20, 20)).astype(np.uint8), [(10, 10)]))
    assert noise.max() < 3 / 72


def test_no_point_has_no_descriptor():
    assert patch_hogs(np.zeros((9, 9), np.uint8), np.zeros((0, 2)), cells=2).shape == (0, 32)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"image": np.zeros((4, 4, 3), np.uint8)}, "gray image"),
        ({"points": [(1, 2, 3)]}, r"points must be \(N, 2\)"),
        ({"points": [(1, np.inf)]}, "points must be finite"),
        ({"side": 0}, "side must be at least 1"),
        ({"cells": 17}, "cells must be from 1 to 16"),
        ({"bins": 1}, "bins must be from 2 to 32"),
    ],
)
def test_bad_input_is_named(change, words):
    options = {"image": np.zeros((4, 4), np.uint8), "points": [(1, 1)], **change}
    with pytest.raises(ValueError, match=words):
        patch_hogs(options.pop("image"), options.pop("points"), **options)
