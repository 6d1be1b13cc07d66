"""The segment test against its definition, OpenCV, symmetries and bad input."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from classicvid import fast_features

HALF_CIRCLE = [(0, 3), (1, 3), (2, 2), (3, 1), (3, 0), (3, -1), (2, -2), (1, -3)]


@pytest.fixture
def image(rng):
    noise = cv2.GaussianBlur(rng.integers(0, 256, (40, 53)).astype(np.uint8), (0, 0), 1.2)
    return cv2.normalize(noise, None, 0, 255, cv2.NORM_MINMAX)


def naive_scores(image):
    """Return of every pixel the greatest threshold at which it is a corner, -1 if at none."""
    circle = HALF_CIRCLE + [(-x, -y) for x, y in HALF_CIRCLE]
    height, width = image.shape
    scores = np.full(image.shape, -1)
    for y in range(3, height - 3):
        for x in range(3, width - 3):
            ring = np.array([int(image[y + dy, x + dx]) for dx, dy in circle]) - int(image[y, x])
            runs = [np.roll(ring, -i)[:9] for i in range(len(ring))]
            best = max(max(part.min(), (-part).min()) for part in runs)
            scores[y, x] = best - 1  # all must exceed the threshold
    return scores


def naive_corners(scores, threshold, nonmax):
    found = []
    for y, x in np.argwhere(scores >= threshold):
        block = scores[y - 1 : y + 2, x - 1 : x + 2].copy()
        block[1, 1] = -1
        if not nonmax or scores[y, x] > block[block >= threshold].max(initial=-1):
            found.append((x, y))
    return set(found)


@pytest.mark.parametrize("threshold", [1, 10, 40])
@pytest.mark.parametrize("nonmax", [True, False])
def test_corners_and_scores_equal_their_definition(image, threshold, nonmax):
    corners, scores = fast_features(image, threshold=threshold, nonmax=nonmax)
    truth = naive_scores(image)
    expected = naive_corners(truth, threshold, nonmax)
    assert len(expected) > 5
    assert set(map(tuple, corners.astype(int).tolist())) == expected
    x, y = corners.astype(int).T
    np.testing.assert_array_equal(scores, truth[y, x] if nonmax else 0)


def test_corners_equal_opencv_on_a_real_frame(shared_data):
    path = shared_data / "flow_pairs" / "middlebury" / "RubberWhale" / "frame10.png"
    frame = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    found = cv2.FastFeatureDetector_create(threshold=15).detect(frame)
    expected = {(*point.pt, point.response) for point in found}
    corners, scores = fast_features(frame, threshold=15)
    assert len(expected) > 100
    assert {(*xy, score) for xy, score in zip(corners.tolist(), scores, strict=True)} == expected


def test_the_corners_of_a_square_are_found():
    image = np.full((40, 50), 20, np.uint8)
    image[10:25, 15:35] = 200
    corners, _ = fast_features(image, nonmax=False)
    truth = np.array([[15, 10], [34, 10], [15, 24], [34, 24]])
    distance = np.linalg.norm(corners[:, None] - truth, axis=2)
    assert distance.min(axis=0).max() == 0
    assert distance.min(axis=1).max() <= 2
    # Sharp corners are several pixels of one score, of which none exceeds its neighbours.
    blurred, _ = fast_features(cv2.GaussianBlur(image, (0, 0), 1.2))
    distance = np.linalg.norm(blurred[:, None] - truth, axis=2)
    assert distance.min(axis=0).max() <= 1.5
    assert distance.min(axis=1).max() <= 1.5


def test_the_best_come_first(image):
    corners, scores = fast_features(image)
    assert (np.diff(scores) <= 0).all()
    few, best = fast_features(image, max_corners=5)
    np.testing.assert_array_equal(few, corners[:5])
    np.testing.assert_array_equal(best, scores[:5])


def test_corners_turn_with_the_image(image):
    corners, _ = fast_features(image)
    turned, _ = fast_features(image[:, ::-1])
    turned[:, 0] = image.shape[1] - 1 - turned[:, 0]
    assert set(map(tuple, turned.tolist())) == set(map(tuple, corners.tolist()))


def test_floats_are_rounded(image):
    corners, scores = fast_features(image)
    again = fast_features(image.astype(np.float32) + 0.3)
    np.testing.assert_array_equal(again[0], corners)
    np.testing.assert_array_equal(again[1], scores)


@pytest.mark.parametrize("shape", [(1, 1), (6, 6), (7, 7), (3, 100)])
def test_small_and_flat_images_have_none(shape):
    corners, scores = fast_features(np.full(shape, 9, np.uint8))
    assert corners.shape == (0, 2)
    assert scores.shape == (0,)
    assert (corners.dtype, scores.dtype) == (np.float32, np.float32)


GRAY = np.zeros((20, 30), np.uint8)


@pytest.mark.parametrize(
    ("image", "settings", "error", "text"),
    [
        (np.zeros((20, 30, 3), np.uint8), {}, ValueError, "image must be a gray image .*to_gray"),
        (GRAY, {"threshold": 256}, ValueError, "threshold must be from 0 to 255, got 256"),
        (GRAY, {"threshold": 9.5}, TypeError, "threshold must be a whole number"),
        (GRAY, {"max_corners": -1}, ValueError, "max_corners must be at least 0"),
    ],
)
def test_refuses_in_one_line(image, settings, error, text):
    with pytest.raises(error, match=text) as caught:
        fast_features(image, **settings)
    assert "\n" not in str(caught.value)
