"""Gray conversion and resizing against OpenCV and simple truths."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from classicvid.image import resize, to_gray


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
    ],
)
def test_refuses_in_one_line(call, error, text):
    with pytest.raises(error, match=text):
        call()
