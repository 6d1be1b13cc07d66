"""Kernels of space-time points against slow twins, at all sizes, inside frames of other values."""

from __future__ import annotations

import numpy as np
import pytest

from classicvid.kernels.interest_points.blur import blur_planes
from classicvid.kernels.interest_points.filters import filter_both, filter_energy
from classicvid.kernels.interest_points.harris import average_products, respond
from classicvid.kernels.interest_points.maxima import space_time_maxima
from classicvid.kernels.simd import LANES
from tests import naive

SHAPES = pytest.mark.parametrize("shape", [(1, 1), (2, 16), (17, 31), (5, 100), (40, 15)])


def planes_of(volume):
    """Flatten the frames (T, ..., H, W) of a volume, with a vector of rubbish behind each."""
    flat = volume.reshape(*volume.shape[:-2], -1).astype(np.float32)
    return np.concatenate([flat, np.full((*flat.shape[:-1], LANES), 1e9, np.float32)], axis=-1)


@SHAPES
@pytest.mark.parametrize("reach", [0, 1, 6, 20])
def test_blur_equals_its_twin(shape, reach, rng):
    images = rng.normal(size=(2, *shape))
    weights = rng.uniform(0.1, 1, reach + 1).astype(np.float32)
    source, out = naive.framed(planes_of(images), np.nan), naive.framed(planes_of(images), 7)
    blur_planes(source[1], shape, weights, out[1])
    filter_ = np.concatenate([weights[:0:-1], weights])
    twin = images
    for axis in (1, 2):
        pad = [(0, 0)] * 3
        pad[axis] = (reach, reach)
        padded = np.pad(twin, pad, mode="reflect")
        twin = np.apply_along_axis(np.convolve, axis, padded, filter_, mode="valid")
    blurred = out[1][:, : shape[0] * shape[1]].reshape(images.shape)
    np.testing.assert_allclose(blurred, twin, atol=1e-5 * max(np.abs(twin).max(), 1))
    for whole, inside in (source, out):
        naive.assert_frame_untouched(whole, inside)


@SHAPES
@pytest.mark.parametrize("reach", [0, 1, 5])
def test_filters_in_time_equal_their_twin(shape, reach, rng):
    volume = rng.normal(size=(2 * reach + 1, *shape))
    slots = rng.permutation(2 * reach + 1)
    even, odd = rng.normal(size=(2, reach + 1)).astype(np.float32)
    planes = naive.framed(planes_of(volume), np.nan)
    outs = [naive.framed(np.zeros(planes[1].shape[1], np.float32), 7) for _ in range(3)]
    filter_both(planes[1], slots, even, odd, outs[0][1], outs[1][1])
    filter_energy(planes[1], slots, even, odd, outs[2][1])
    ordered = volume[slots]
    sums, differences = even[0] * ordered[reach], np.zeros(shape)
    for k in range(1, reach + 1):
        sums = sums + even[k] * (ordered[reach + k] + ordered[reach - k])
        differences = differences + odd[k] * (ordered[reach + k] - ordered[reach - k])
    for out, twin in zip(outs, (sums, differences, sums**2 + differences**2), strict=True):
        np.testing.assert_allclose(out[1][: twin.size], twin.ravel(), atol=1e-4)
        naive.assert_frame_untouched(*out)


@SHAPES
def test_products_and_responses_equal_their_twin(shape, rng):
    reach, k = 3, 0.01
    volume = rng.normal(size=(2 * reach + 1, 3, *shape))
    slots = rng.permutation(2 * reach + 1)
    weights = rng.uniform(0, 1, reach + 1).astype(np.float32)
    planes = naive.framed(planes_of(volume), np.nan)
    sums = naive.framed(np.zeros((6, planes[1].shape[2]), np.float32), 7)
    out = naive.framed(np.zeros(planes[1].shape[2], np.float32), 7)
    average_products(planes[1], slots, weights, sums[1])
    respond(sums[1], k, out[1])
    ordered, response = volume[slots], np.empty(shape)
    for y, x in np.ndindex(shape):
        matrix = np.zeros((3, 3))
        for t, gradient in enumerate(ordered[:, :, y, x]):
            matrix += weights[abs(t - reach)] * np.outer(gradient, gradient)
        response[y, x] = np.linalg.det(matrix) - k * np.trace(matrix) ** 3
    ours = out[1][: response.size].reshape(shape)
    np.testing.assert_allclose(ours, response, atol=1e-5 * np.abs(response).max())
    for whole, inside in (planes, sums, out):
        naive.assert_frame_untouched(whole, inside)


@SHAPES
@pytest.mark.parametrize("levels", [2, 5, 1000])
def test_maxima_equal_their_twin(shape, levels, rng):
    """Few levels make plateaus: of equal neighbours the first is the maximum."""
    volume = rng.integers(0, levels, (3, *shape))
    planes = naive.framed(planes_of(volume), np.inf)
    keys = naive.framed(np.zeros(volume[0].size, np.int64), -5)
    threshold = np.float32(levels / 4)
    slots = np.array([0, 1, 2])
    count = space_time_maxima(planes[1], slots, shape, threshold, keys[1])
    expected = []
    for y in range(1, shape[0] - 1):
        for x in range(1, shape[1] - 1):
            block = volume[:, y - 1 : y + 2, x - 1 : x + 2].ravel()
            before, after = block[:13].max(), block[14:].max()
            if block[13] > threshold and block[13] > before and block[13] >= after:
                expected.append(y * shape[1] + x)
    assert keys[1][:count].tolist() == expected
    naive.assert_frame_untouched(*keys)


def test_more_maxima_than_room_are_counted():
    peaks = np.zeros((3, 9, 9))
    peaks[1, 1::2, 1::2] = 1
    keys = np.full(3, -1)
    count = space_time_maxima(planes_of(peaks), np.arange(3), (9, 9), np.float32(0), keys)
    assert count == 16
    assert keys.tolist() == [10, 12, 14]
