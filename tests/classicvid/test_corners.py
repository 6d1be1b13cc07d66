"""Corners against OpenCV, constructed images, their symmetries and their kernels' slow twins."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from classicvid.kernels import corners as kernels
from classicvid.keypoints import corner_response, good_features
from tests import naive

SCENES = ["Dimetrodon", "Grove2", "RubberWhale", "Urban2", "Venus"]
MEASURES = pytest.mark.parametrize("use_harris", [False, True], ids=["shi-tomasi", "harris"])


def opencv_response(image, block_size, use_harris, harris_k=0.04):
    if use_harris:
        return cv2.cornerHarris(image, block_size, 3, harris_k)
    return cv2.cornerMinEigenVal(image, block_size, ksize=3)


def opencv_features(image, max_corners, quality, min_distance, *, mask=None, **settings):
    found = cv2.goodFeaturesToTrack(
        image,
        max_corners,
        quality,
        min_distance,
        mask=mask,
        blockSize=settings["block_size"],
        useHarrisDetector=settings["use_harris"],
        k=0.04,
    )
    return np.zeros((0, 2), np.float32) if found is None else found.reshape(-1, 2)


def assert_same_set(ours, reference):
    ours, reference = set(map(tuple, ours.tolist())), set(map(tuple, reference.tolist()))
    assert reference
    # Of two responses that differ in the last bit only, either may win.
    assert len(ours & reference) >= 0.998 * len(ours | reference)


@pytest.fixture
def read_frame(shared_data):
    def read(name):
        path = shared_data / "flow_pairs" / "middlebury" / name / "frame10.png"
        return cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)

    return read


@MEASURES
@pytest.mark.parametrize("block_size", [2, 3, 4, 5, 7])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_response_equals_opencv(read_frame, block_size, use_harris, dtype):
    image = read_frame("RubberWhale").astype(dtype)
    response = corner_response(image, block_size=block_size, use_harris=use_harris)
    reference = opencv_response(image, block_size, use_harris)
    np.testing.assert_allclose(response, reference, atol=5e-6 * np.abs(reference).max())


@MEASURES
@pytest.mark.parametrize("block_size", [2, 3, 5, 8])
@pytest.mark.parametrize("name", SCENES)
def test_corners_equal_opencv(read_frame, name, block_size, use_harris):
    image = read_frame(name)
    settings = {"block_size": block_size, "use_harris": use_harris}
    for min_distance in (0, 1, 2.5, 3, 10):
        for max_corners, quality in ((0, 0.001), (500, 0.01)):
            ours = good_features(
                image,
                max_corners=max_corners,
                quality=quality,
                min_distance=min_distance,
                **settings,
            )
            assert_same_set(
                ours, opencv_features(image, max_corners, quality, min_distance, **settings)
            )


@MEASURES
@pytest.mark.parametrize("name", SCENES)
def test_corners_under_a_mask_equal_opencv(read_frame, name, use_harris):
    image = read_frame(name)
    mask = np.zeros(image.shape, np.uint8)
    mask[40:200, 30:250] = 255
    settings = {"block_size": 3, "use_harris": use_harris, "mask": mask}
    ours = good_features(image, max_corners=0, quality=0.01, min_distance=3, **settings)
    assert_same_set(ours, opencv_features(image, 0, 0.01, 3, **settings))
    assert mask[ours[:, 1].astype(int), ours[:, 0].astype(int)].all()


@MEASURES
@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (3, 3), (3, 40), (5, 7), (40, 3), (31, 33)])
def test_any_size_equals_opencv(shape, use_harris, rng):
    image = rng.integers(0, 256, shape).astype(np.uint8)
    response = corner_response(image, use_harris=use_harris)
    reference = opencv_response(image, 3, use_harris)
    np.testing.assert_allclose(response, reference, atol=5e-6 * np.abs(reference).max())
    ours = good_features(image, max_corners=0, quality=0.05, min_distance=0, use_harris=use_harris)
    expected = opencv_features(image, 0, 0.05, 0, block_size=3, use_harris=use_harris)
    assert set(map(tuple, ours.tolist())) == set(map(tuple, expected.tolist()))


@MEASURES
def test_finds_the_corners_of_a_square(use_harris):
    image = np.zeros((40, 50), np.uint8)
    image[10:25, 15:35] = 200
    found = good_features(image, max_corners=4, min_distance=3, use_harris=use_harris)
    truth = np.array([[15, 10], [34, 10], [15, 24], [34, 24]])
    distance = np.linalg.norm(found[:, None] - truth, axis=2)
    assert found.shape == (4, 2)
    assert (distance.min(axis=0) <= 1.5).all()


def test_edges_are_no_corners_to_harris():
    image = np.zeros((40, 50), np.uint8)
    image[:, 25:] = 200
    response = corner_response(image, use_harris=True)
    assert response.min() < 0
    np.testing.assert_array_equal(corner_response(image), 0)
    assert good_features(image, use_harris=True).shape == (0, 2)


def test_flat_images_have_none():
    found = good_features(np.full((20, 30), 7, np.uint8))
    assert found.shape == (0, 2)
    assert found.dtype == np.float32


def test_an_empty_mask_leaves_none(rng):
    image = rng.integers(0, 256, (30, 40)).astype(np.uint8)
    assert good_features(image, mask=np.zeros((30, 40), bool)).shape == (0, 2)


def test_the_strongest_come_first_and_apart(rng):
    image = cv2.GaussianBlur(rng.integers(0, 256, (90, 120)).astype(np.uint8), (0, 0), 1)
    found = good_features(image, max_corners=40, quality=0.001, min_distance=7)
    strength = corner_response(image)[found[:, 1].astype(int), found[:, 0].astype(int)]
    assert (np.diff(strength) <= 0).all()
    distance = np.linalg.norm(found[:, None] - found, axis=2)
    assert distance[~np.eye(len(found), dtype=bool)].min() >= 7


@MEASURES
def test_response_turns_with_the_image(use_harris, rng):
    image = rng.integers(0, 256, (30, 41)).astype(np.uint8)
    response = corner_response(image, use_harris=use_harris)
    for turn in (lambda a: a[:, ::-1], lambda a: a[::-1], lambda a: a.T):
        turned = corner_response(turn(image), use_harris=use_harris)
        np.testing.assert_allclose(turned, turn(response), atol=1e-5 * np.abs(response).max())


@MEASURES
@pytest.mark.parametrize("block_size", [2, 3, 5])
@pytest.mark.parametrize("shape", [(13, 9), (1, 6), (6, 1), (1, 1), (4, 5)])
def test_response_equals_its_twin(shape, block_size, use_harris, rng):
    image = rng.integers(0, 256, shape).astype(np.uint8)
    response = corner_response(image, block_size=block_size, use_harris=use_harris)
    twin = naive.corner_response(image, block_size, 0.04 if use_harris else None)
    np.testing.assert_allclose(response, twin, atol=1e-5 * max(np.abs(twin).max(), 1e-3))


@pytest.mark.parametrize("shape", [(13, 9), (3, 3), (2, 8), (1, 1)])
def test_maxima_equal_their_twin(shape, rng):
    response = rng.integers(0, 4, shape).astype(np.float32)  # few values: plateaus
    allowed = rng.random(shape) < 0.7
    for mask in (allowed, np.zeros((0, 0), bool)):
        out = np.empty(response.size, np.int64)
        count = kernels.local_maxima(response, np.float32(0), mask, out)
        twin = naive.local_maxima(response, 0, mask if mask.size else np.ones(shape, bool))
        assert out[:count].tolist() == twin


def test_more_maxima_than_room_are_counted():
    plateau = np.ones((10, 12), np.float32)
    out = np.full(5, -1)
    assert kernels.local_maxima(plateau, np.float32(0), np.zeros((0, 0), bool), out) == 80
    assert out.tolist() == [13, 14, 15, 16, 17]


@pytest.mark.parametrize("min_distance", [1.0, 1.5, 2.5, 3.0, 7.3, 60.0])
def test_keeping_apart_equals_its_twin(min_distance, rng):
    shape = (37, 50)
    candidates = rng.permutation(shape[0] * shape[1])[:600]
    out = np.empty((600, 2), np.float32)
    count = kernels.keep_apart(candidates, shape, min_distance, out)
    points = [(index % shape[1], index // shape[1]) for index in candidates.tolist()]
    np.testing.assert_array_equal(out[:count], naive.keep_apart(points, min_distance))


GRAY = np.zeros((20, 30), np.uint8)


@pytest.mark.parametrize(
    ("image", "settings", "error", "text"),
    [
        (np.zeros((20, 30, 3), np.uint8), {}, ValueError, "image must be a gray image .*to_gray"),
        (np.zeros((20, 30), np.int16), {}, TypeError, "image must be uint8 or float32"),
        (GRAY, {"max_corners": -1}, ValueError, "max_corners must be at least 0"),
        (GRAY, {"quality": 0}, ValueError, "quality must be above 0"),
        (GRAY, {"min_distance": -1}, ValueError, "min_distance must be at least 0"),
        (GRAY, {"block_size": 1}, ValueError, "block_size must be at least 2"),
        (GRAY, {"block_size": 3.0}, TypeError, "block_size must be a whole number"),
        (GRAY, {"harris_k": "0.04"}, TypeError, "harris_k must be a number"),
        (GRAY, {"mask": GRAY.T}, ValueError, r"mask must have the shape of the image, \(20, 30\)"),
    ],
)
def test_refuses_in_one_line(image, settings, error, text):
    with pytest.raises(error, match=text) as caught:
        good_features(image, **settings)
    assert "\n" not in str(caught.value)
