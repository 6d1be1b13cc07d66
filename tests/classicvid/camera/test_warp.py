"""The second frame on the first one's grid against a slow twin and OpenCV's."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from classicvid.camera import warp_to_previous
from tests.classicvid.camera.scenes import SHIFT, SIZE, TILT, film, make_texture


def warp_slowly(previous, current, homography, margin):
    height, width = previous.shape
    warped = previous.copy()
    for y in range(height):
        for x in range(width):
            to = homography @ [x, y, 1]
            if to[2] == 0:
                continue
            to_x, to_y = to[:2] / to[2]
            if not (margin < to_x < width - 1 - margin and margin < to_y < height - 1 - margin):
                continue
            to_x, to_y = np.rint(to_x * 32) / 32, np.rint(to_y * 32) / 32
            left, top = int(to_x), int(to_y)
            u, v = to_x - left, to_y - top
            right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
            upper = current[top, left] * (1 - u) + current[top, right] * u
            lower = current[bottom, left] * (1 - u) + current[bottom, right] * u
            warped[y, x] = np.floor(upper * (1 - v) + lower * v + 0.5)
    return warped


HOMOGRAPHIES = {
    "rest": np.eye(3),
    "shift": SHIFT,
    "tilt": TILT,
    "scaled": -2.5 * TILT,
    "away": np.array([[1, 0, 1e12], [0, 1, 0], [0, 0, 1.0]]),
    "horizon": np.array([[1, 0, 0], [0, 1, 0], [0.1, 0, -1.0]]),
    "point": np.array([[0, 0, 10], [0, 0, 10], [0, 0, 1.0]]),
    "nothing": np.zeros((3, 3)),
}


@pytest.mark.parametrize("name", HOMOGRAPHIES)
@pytest.mark.parametrize("margin", [0, 5])
@pytest.mark.parametrize("shape", [(1, 1), (11, 12), (17, 31), (40, 23)])
def test_warp_equals_its_twin(name, margin, shape, rng):
    previous, current = rng.integers(0, 256, (2, *shape)).astype(np.uint8)
    warped = warp_to_previous(previous, current, HOMOGRAPHIES[name], margin=margin)
    twin = warp_slowly(previous, current, HOMOGRAPHIES[name], margin)
    np.testing.assert_array_equal(warped, twin)
    assert warped.dtype == np.uint8


def test_warp_equals_opencv_within_the_border():
    first, second = film(make_texture(), TILT)
    height, width = SIZE
    places = np.stack([*np.meshgrid(np.arange(width), np.arange(height)), np.ones(SIZE)])
    x, y, scale = np.tensordot(TILT, places, 1)
    wholes = np.rint(np.stack([x / scale, y / scale]) * 32).astype(int)
    fractions = (wholes[1] % 32 * 32 + wholes[0] % 32).astype(np.uint16)
    grid = np.moveaxis(wholes // 32, 0, 2).astype(np.int16)
    remapped = cv2.remap(second, grid, fractions, cv2.INTER_LINEAR)
    warped = warp_to_previous(first, second, TILT)
    np.testing.assert_array_equal(warped[15:-15, 15:-15], remapped[15:-15, 15:-15])


def test_warp_takes_the_motion_out():
    first, second = film(make_texture(), TILT)
    still = warp_to_previous(first, second, TILT)
    assert np.abs(still.astype(int) - first).mean() < 2
    assert np.abs(second.astype(int) - first).mean() > 15
    for border in (still[:2] == first[:2], still[:, :3] == first[:, :3]):
        assert border.all()


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"current": np.zeros((9, 8), np.uint8)}, ValueError, "must have the same shape"),
        ({"previous": np.zeros((8, 9))}, TypeError, "previous must be uint8"),
        ({"homography": np.eye(2)}, ValueError, r"homography must be \(3, 3\), got shape \(2, 2\)"),
        ({"homography": np.full((3, 3), np.inf)}, ValueError, "homography must be finite"),
        ({"homography": np.eye(3, dtype=complex)}, TypeError, "homography must be real numbers"),
        ({"margin": -1}, ValueError, "margin must be at least 0"),
    ],
)
def test_refuses_a_warp_in_one_line(arguments, error, text):
    frame = np.zeros((8, 9), np.uint8)
    settings = {"previous": frame, "current": frame, "homography": np.eye(3), **arguments}
    places = [settings.pop(name) for name in ("previous", "current", "homography")]
    with pytest.raises(error, match=text) as caught:
        warp_to_previous(*places, **settings)
    assert "\n" not in str(caught.value)
