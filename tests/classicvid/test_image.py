"""Gray conversion and resizing against OpenCV and simple truths."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest

from classicvid.image import (
    image_gradients,
    image_pyramid,
    median_filter_flow,
    resize,
    to_gray,
    warp_image,
)
from tests import naive


@pytest.mark.parametrize("shape", [(37, 53), (1, 1), (240, 320)])
def test_gray_equals_opencv_bit_for_bit(shape, rng):
    frame = rng.integers(0, 256, (*shape, 3)).astype(np.uint8)
    np.testing.assert_array_equal(to_gray(frame), cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY))


def test_gray_weighs_red_green_blue():
    frame = 255 * np.eye(3, dtype=np.uint8)[None]
    np.testing.assert_array_equal(to_gray(frame), [[76, 150, 29]])


def test_gray_takes_a_view(rng):
    frame = rng.integers(0, 256, (20, 30, 3)).astype(np.uint8)
    np.testing.assert_array_equal(to_gray(frame[:, ::-1]), to_gray(frame)[:, ::-1])


def test_shrinking_averages_areas(rng):
    image = rng.uniform(0, 255, (12, 20)).astype(np.float32)
    means = image.reshape(6, 2, 5, 4).mean(axis=(1, 3))
    np.testing.assert_allclose(resize(image, size=(6, 5)), means, rtol=1e-5)


def test_growing_keeps_a_slope():
    image = np.tile(np.arange(8, dtype=np.float32), (4, 1))
    grown = resize(image, size=(4, 16))
    np.testing.assert_allclose(np.diff(grown[:, 1:-1], axis=1), 0.5)


def test_resize_keeps_type_and_channels(rng):
    frame = rng.integers(0, 256, (20, 30, 3)).astype(np.uint8)
    assert resize(frame, size=(10, 40)).shape == (10, 40, 3)
    assert resize(frame, size=(10, 40)).dtype == np.uint8
    same = resize(frame, size=(20, 30))
    np.testing.assert_array_equal(same, frame)
    assert not np.shares_memory(same, frame)


GRAY, FLOW = np.zeros((4, 5), np.uint8), np.zeros((4, 5, 2), np.float32)
SIZES = pytest.mark.parametrize("shape", [(1, 1), (17, 31), (33, 1000), (2, 9)])


@SIZES
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_pyramids_equal_their_twin(shape, dtype, rng):
    image = rng.integers(0, 256, shape).astype(dtype)
    pyramid = image_pyramid(image, levels=4)
    assert len(pyramid) == (4 if image.size > 1 else 1)
    np.testing.assert_array_equal(pyramid[0], image)
    assert not np.shares_memory(pyramid[0], image)
    for finer, coarser in pairwise(pyramid):
        assert coarser.dtype == dtype
        twin = naive.halve(finer.astype(np.float32), dtype == np.uint8)
        np.testing.assert_allclose(coarser, twin, rtol=1e-6)


@SIZES
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_gradients_equal_their_twin(shape, dtype, rng):
    image = rng.integers(0, 256, shape).astype(dtype)
    padded = np.pad(image.astype(np.float32), 1, mode="reflect")
    central = image_gradients(image)
    np.testing.assert_allclose(central[0], padded[1:-1, 2:] - padded[1:-1, :-2])
    np.testing.assert_allclose(central[1], padded[2:, 1:-1] - padded[:-2, 1:-1])
    scharr = image_gradients(image, operator="scharr")
    np.testing.assert_allclose(scharr, 32 * naive.scharr_gradients(image), atol=1e-3)
    assert scharr[0].dtype == np.float32


def test_sobel_weighs_one_two_one(rng):
    image = rng.integers(0, 256, (3, 3)).astype(np.uint8)
    dx, dy = (part[1, 1] for part in image_gradients(image, operator="sobel"))
    weights = np.array([1, 2, 1])
    assert dx == weights @ (image[:, 2].astype(int) - image[:, 0])
    assert dy == weights @ (image[2].astype(int) - image[0])


@SIZES
@pytest.mark.parametrize("size", [3, 5])
def test_the_median_equals_its_twin(shape, size, rng):
    flow = rng.normal(0, 5, (*shape, 2)).astype(np.float32)
    reach = size // 2
    padded = np.pad(flow, ((reach, reach), (reach, reach), (0, 0)), mode="edge")
    squares = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(0, 1))
    np.testing.assert_array_equal(
        median_filter_flow(flow, size=size), np.median(squares, axis=(-2, -1))
    )


def test_the_median_removes_a_wrong_vector_and_keeps_an_edge():
    flow = np.zeros((20, 20, 2), np.float32)
    flow[:, 10:] = 3
    spoilt = flow.copy()
    spoilt[5, 5] = 40
    np.testing.assert_array_equal(median_filter_flow(spoilt, size=3), flow)


@SIZES
@pytest.mark.parametrize(
    ("border", "mode"), [("replicate", "edge"), ("reflect", "reflect"), ("zero", "constant")]
)
def test_warping_by_whole_pixels_moves_pixels(shape, border, mode, rng):
    image = rng.integers(0, 256, shape).astype(np.uint8)
    flow = np.broadcast_to(np.float32([3, -2]), (*shape, 2))
    padded = np.pad(image, 4, mode=mode)
    expected = padded[2 : 2 + shape[0], 7 : 7 + shape[1]]
    np.testing.assert_array_equal(warp_image(image, flow, border=border), expected)


def test_warping_interpolates_between_four_pixels(rng):
    image = rng.uniform(0, 255, (30, 40)).astype(np.float32)
    flow = (rng.integers(-160, 160, (30, 40, 2)) / 32).astype(np.float32)
    y, x = np.mgrid[:30, :40] + np.moveaxis(flow[..., ::-1], 2, 0)
    inside = (x >= 0) & (x <= 39) & (y >= 0) & (y <= 29)
    assert inside.sum() > 500
    expected = naive.bilinear(image.astype(np.float64), x.clip(0, 39), y.clip(0, 29))
    np.testing.assert_allclose(warp_image(image, flow)[inside], expected[inside], atol=0.01)


def test_warping_keeps_channels_and_the_flow(rng):
    frame = rng.integers(0, 256, (12, 16, 3)).astype(np.uint8)
    flow = np.zeros((12, 16, 2), np.float32)
    np.testing.assert_array_equal(warp_image(frame, flow), frame)
    np.testing.assert_array_equal(flow, 0)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: to_gray(np.zeros((4, 5), np.uint8)),
            ValueError,
            r"frame must be an RGB frame \(H, W, 3\)",
        ),
        (lambda: to_gray(np.zeros((4, 5, 3))), TypeError, "frame must be uint8"),
        (
            lambda: resize(np.zeros((4, 5, 2), np.uint8), size=(2, 2)),
            ValueError,
            "image must be an RGB",
        ),
        (
            lambda: resize(np.zeros((4, 5), np.uint8), size=(0, 2)),
            ValueError,
            "size must be at least 1",
        ),
        (
            lambda: resize(np.zeros((4, 5), np.uint8), size=2),
            ValueError,
            r"size must be \(height, width\)",
        ),
        (lambda: image_pyramid(GRAY, levels=0), ValueError, "levels must be at least 1"),
        (
            lambda: image_gradients(GRAY, operator="prewitt"),
            ValueError,
            "operator must be one of central, sobel, scharr, got 'prewitt'",
        ),
        (lambda: median_filter_flow(GRAY), ValueError, r"flow must be \(H, W, 2\)"),
        (lambda: median_filter_flow(FLOW, size=4), ValueError, "size must be 3 or 5, got 4"),
        (lambda: warp_image(GRAY, FLOW[1:]), ValueError, r"flow must be \(4, 5, 2\)"),
        (lambda: warp_image(GRAY, FLOW, border="wrap"), ValueError, "border must be one of"),
    ],
)
def test_refuses_in_one_line(call, error, text):
    with pytest.raises(error, match=text):
        call()
