"""Differences of Gaussians against blobs of known size, scikit-image, repeatability, bad input."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage.feature import blob_dog

from classicvid import difference_of_gaussian_features


def blobs(places, deviations, *, shape=(150, 200), sign=1):
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = np.full(shape, 128.0)
    for (left, top), deviation in zip(places, deviations, strict=True):
        distance = (x - left) ** 2 + (y - top) ** 2
        image += sign * 100 * np.exp(-distance / (2 * deviation**2))
    return image.astype(np.float32)


def nearest(points, place):
    return np.linalg.norm(points - place, axis=1).argmin()


@pytest.mark.parametrize("sign", [1, -1])
def test_blobs_are_found_where_they_are_and_as_wide_as_they_are(sign):
    places = [(40.3, 50.6), (100.0, 60.5), (150.2, 100.1), (60.7, 110.4)]
    deviations = [2, 4, 7, 10]
    image = blobs(places, deviations, sign=sign)
    points, scales, responses = difference_of_gaussian_features(image)
    for place, deviation in zip(places, deviations, strict=True):
        i = nearest(points, place)
        assert np.linalg.norm(points[i] - place) < 0.15
        assert abs(scales[i] / deviation - 1) < 0.06
    assert (np.diff(responses) <= 0).all()
    assert (responses >= 0).all()


def test_the_blobs_are_those_of_scikit_image(rng):
    places = [(x + rng.uniform(), y + rng.uniform()) for x in (40, 100, 160) for y in (40, 105)]
    image = blobs(places, rng.uniform(3, 7, len(places)))
    points, scales, _ = difference_of_gaussian_features(image)
    expected = blob_dog(
        (image - 128) / 100, min_sigma=1.5, max_sigma=15, sigma_ratio=1.26, threshold=0.1
    )
    # Where the extremum lies between two samples, OpenCV's refinement may give up a blob.
    assert 4 <= len(points) <= len(expected) == 6
    for point, scale in zip(points, scales, strict=True):
        row, column, deviation = expected[nearest(expected[:, 1::-1], point)]
        assert np.linalg.norm(point - (column, row)) < 1
        # scikit-image tells the narrower of two Gaussians, and no scale between its steps of 1.26.
        assert 1 < scale / deviation < 1.26


@pytest.mark.parametrize(
    ("turn", "factor"),
    [(0, 1.5), (30, 1.0), (45, 0.7)],
)
def test_blobs_are_found_again_in_a_turned_and_scaled_image(shared_data, turn, factor):
    path = shared_data / "flow_pairs" / "middlebury" / "RubberWhale" / "frame10.png"
    frame = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    height, width = frame.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), turn, factor)
    changed = cv2.warpAffine(frame, matrix, (width, height), flags=cv2.INTER_AREA)
    points, scales, _ = difference_of_gaussian_features(frame, max_features=300)
    there, sizes, _ = difference_of_gaussian_features(changed)
    moved = points @ matrix[:, :2].T + matrix[:, 2]
    # Away from the border, and above the smallest scale after the change.
    inside = ((moved > 30) & (moved < [width - 30, height - 30])).all(axis=1)
    inside &= scales * factor > 2.2
    moved, scales = moved[inside], scales[inside]
    distance = np.linalg.norm(moved[:, None] - there, axis=2)
    close = distance < 1.5 * np.maximum(factor, 1)
    similar = np.abs(np.log2(sizes / (factor * scales[:, None]))) < 0.5
    assert len(moved) > 20
    assert (close & similar).any(axis=1).mean() > 0.6


def test_brightness_changes_nothing():
    image = blobs([(50, 50), (120, 80)], [3, 5])
    first = difference_of_gaussian_features(image)
    second = difference_of_gaussian_features(image - 60)
    np.testing.assert_allclose(first[0], second[0], atol=1e-3)
    np.testing.assert_allclose(first[1], second[1], rtol=1e-3)


def test_no_place_is_named_twice_for_its_orientations(rng):
    image = cv2.GaussianBlur(rng.integers(0, 256, (90, 120)).astype(np.uint8), (0, 0), 2)
    image = cv2.normalize(image, None, 0, 255, cv2.NORM_MINMAX)
    points, scales, _ = difference_of_gaussian_features(image)
    rows = np.column_stack([points, scales])
    assert len(rows) > 20
    assert len(np.unique(rows, axis=0)) == len(rows)
    assert len(cv2.SIFT_create().detect(image)) > len(rows)


@pytest.mark.parametrize("shape", [(1, 1), (2, 7), (40, 30)])
def test_small_and_flat_images_have_none(shape):
    points, scales, responses = difference_of_gaussian_features(np.full(shape, 9, np.uint8))
    assert points.shape == (0, 2)
    assert scales.shape == responses.shape == (0,)
    assert {points.dtype, scales.dtype, responses.dtype} == {np.dtype(np.float32)}


GRAY = np.zeros((20, 30), np.uint8)


@pytest.mark.parametrize(
    ("image", "settings", "error", "text"),
    [
        (GRAY[0], {}, ValueError, "image must be a gray image"),
        (GRAY, {"max_features": -1}, ValueError, "max_features must be at least 0"),
        (GRAY, {"octave_layers": 0}, ValueError, "octave_layers must be at least 1"),
        (GRAY, {"contrast": -0.1}, ValueError, "contrast must be at least 0"),
        (GRAY, {"edge": 0}, ValueError, "edge must be above 0"),
        (GRAY, {"sigma": 0.5}, ValueError, "sigma must be above 0.5"),
    ],
)
def test_refuses_in_one_line(image, settings, error, text):
    with pytest.raises(error, match=text) as caught:
        difference_of_gaussian_features(image, **settings)
    assert "\n" not in str(caught.value)
