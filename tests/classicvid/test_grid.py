"""Points of a regular grid against the rules of dense trajectories, written as loops."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from classicvid.keypoints import grid_points


def sampled(image, spacing, quality, occupied):
    """Walk over all cells, as the authors' program does."""
    response = cv2.cornerMinEigenVal(image, 3, ksize=3)
    rows, columns = image.shape[0] // spacing, image.shape[1] // spacing
    taken = {(int(np.floor(y)) // spacing, int(np.floor(x)) // spacing) for x, y in occupied}
    found = []
    for row in range(rows):
        for column in range(columns):
            x, y = column * spacing + spacing // 2, row * spacing + spacing // 2
            if (row, column) not in taken and response[y, x] > quality * response.max():
                found.append((x, y))
    return found


@pytest.mark.parametrize("spacing", [1, 2, 5, 8])
@pytest.mark.parametrize("shape", [(60, 83), (17, 31), (33, 200), (4, 9)])
def test_equals_a_walk_over_the_cells(spacing, shape, rng):
    image = rng.integers(0, 256, shape).astype(np.uint8)
    image[: shape[0] // 2, : shape[1] // 2] = 40  # flat: nothing to follow
    occupied = rng.uniform(-3, [shape[1] + 3, shape[0] + 3], (20, 2)).astype(np.float32)
    found = grid_points(image, spacing=spacing, quality=0.05, occupied=occupied)
    assert found.dtype == np.float32
    assert found.tolist() == [list(point) for point in sampled(image, spacing, 0.05, occupied)]


def test_real_frames_yield_the_authors_points(shared_data):
    path = shared_data / "flow_pairs" / "middlebury" / "RubberWhale" / "frame10.png"
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    found = grid_points(image)
    expected = sampled(image, 5, 0.001, [])
    assert 1000 < len(expected) < (image.shape[0] // 5) * (image.shape[1] // 5)
    assert found.tolist() == [list(point) for point in expected]


def test_points_in_hand_are_not_sampled_again():
    image = np.random.default_rng(1).integers(0, 256, (50, 70)).astype(np.uint8)
    points = grid_points(image)
    assert len(points) > 100
    assert grid_points(image, occupied=points).shape == (0, 2)
    assert grid_points(image, occupied=points[1:] + np.float32(2.4)).tolist() == [[2, 2]]


@pytest.mark.parametrize("shape", [(1, 1), (4, 4), (30, 40)])
def test_flat_and_tiny_images_have_none(shape):
    assert grid_points(np.full(shape, 9, np.uint8)).shape == (0, 2)


def test_lost_points_occupy_nothing():
    image = np.random.default_rng(1).integers(0, 256, (20, 20)).astype(np.uint8)
    lost = np.array([[np.nan, 3], [np.inf, 3], [-np.inf, -1e30]], np.float32)
    np.testing.assert_array_equal(grid_points(image, occupied=lost), grid_points(image))


@pytest.mark.parametrize(
    ("settings", "error", "text"),
    [
        ({"spacing": 0}, ValueError, "spacing must be at least 1"),
        ({"spacing": 2.5}, TypeError, "spacing must be a whole number"),
        ({"quality": -0.1}, ValueError, "quality must be at least 0"),
        ({"occupied": np.zeros((3, 3))}, ValueError, r"occupied must be \(N, 2\)"),
    ],
)
def test_refuses_in_one_line(settings, error, text):
    with pytest.raises(error, match=text) as caught:
        grid_points(np.zeros((20, 30), np.uint8), **settings)
    assert "\n" not in str(caught.value)
