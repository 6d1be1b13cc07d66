"""Corners against OpenCV, constructed images, their symmetries and their kernels' slow twins."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import cv2
import numpy as np
import pytest

from classicvid.kernels.corners import byte_strips, maxima, selection, strips
from classicvid.kernels.corners import response as responses
from classicvid.kernels.simd import LANES
from classicvid.keypoints import corner_response, corners, good_features
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
    assert len(ours & reference) >= 0.999 * len(ours | reference)


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
@pytest.mark.parametrize(
    "shape", [(1, 1), (2, 2), (3, 3), (3, 40), (5, 7), (40, 3), (17, 31), (33, 1000)]
)
def test_any_size_equals_opencv(shape, use_harris, rng):
    image = rng.integers(0, 256, shape).astype(np.uint8)
    response = corner_response(image, use_harris=use_harris)
    reference = opencv_response(image, 3, use_harris)
    np.testing.assert_allclose(response, reference, atol=5e-6 * np.abs(reference).max())
    ours = good_features(image, max_corners=0, quality=0.05, min_distance=0, use_harris=use_harris)
    expected = opencv_features(image, 0, 0.05, 0, block_size=3, use_harris=use_harris)
    assert set(map(tuple, ours.tolist())) == set(map(tuple, expected.tolist()))


@MEASURES
@pytest.mark.parametrize("block_size", [3, 4])
def test_responses_are_written_where_they_are_wanted(block_size, use_harris, rng):
    image = rng.integers(0, 256, (33, 50)).astype(np.uint8)
    settings = {"block_size": block_size, "use_harris": use_harris}
    out = np.full((33, 50), np.nan, np.float32)
    assert corner_response(image, out=out, **settings) is out
    np.testing.assert_array_equal(out, corner_response(image, **settings))


@pytest.mark.parametrize(
    "out",
    [
        np.zeros((30, 20), np.float32),
        np.zeros((20, 30)),
        np.zeros((30, 20), np.float32).T,
        np.broadcast_to(np.float32(0), (20, 30)),
        [1.0],
    ],
)
def test_a_place_that_does_not_fit_is_refused(out):
    image = np.zeros((20, 30), np.uint8)
    with pytest.raises(ValueError, match=r"out must be a writeable.*make it with np.empty"):
        corner_response(image, out=out)


@MEASURES
@pytest.mark.parametrize("shape", [(1, 1), (23, 29), (25, 30), (49, 31), (70, 95), (3, 200)])
def test_bytes_and_floats_give_the_same_response(shape, use_harris, rng):
    image = rng.integers(0, 2, shape).astype(np.uint8) * 255  # the steepest slopes there are
    bytes_response = corner_response(image, use_harris=use_harris)
    response = corner_response(image.astype(np.float32) / 255, use_harris=use_harris)
    np.testing.assert_allclose(bytes_response, response, atol=2e-5 * np.abs(response).max())


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


@pytest.mark.parametrize("shape", [(13, 9), (3, 3), (2, 8), (1, 1), (17, 31), (33, 1000)])
def test_maxima_equal_their_twin(shape, rng):
    response = rng.integers(0, 4, shape).astype(np.float32)  # few values: plateaus
    row = np.concatenate([response.ravel(), np.full(LANES, 9, np.float32)])
    keys = np.empty(response.size, np.int64)
    count = maxima.local_maxima(row, shape, np.float32(0), keys)
    places = keys[:count] & (2**maxima.INDEX_BITS - 1)
    assert places.tolist() == naive.local_maxima(response, 0, np.ones(shape, bool))
    strength = (keys[:count] >> maxima.INDEX_BITS).astype(np.int32).view(np.float32)
    np.testing.assert_array_equal(strength, response.ravel()[places])


def test_more_maxima_than_room_are_counted():
    plateau = np.ones(10 * 12 + LANES, np.float32)
    keys = np.full(5, -1)
    assert maxima.local_maxima(plateau, (10, 12), np.float32(0), keys) == 80
    assert (keys & (2**maxima.INDEX_BITS - 1)).tolist() == [13, 14, 15, 16, 17]


@pytest.mark.parametrize("spread", [0, 1, 1000, 2**62])
@pytest.mark.parametrize("groups", [1, 7, 1024])
def test_groups_fall_and_hold_all_keys(groups, spread, rng):
    keys = rng.integers(2**61, 2**61 + spread + 1, 3000)
    starts, out = np.empty(groups + 1, np.int64), np.empty_like(keys)
    selection.group_by_strength(keys, starts, out)
    assert starts[0] == 0
    assert starts[-1] == 3000
    np.testing.assert_array_equal(np.sort(out), np.sort(keys))
    parts = [out[a:b] for a, b in pairwise(starts) if b > a]
    for stronger, weaker in pairwise(parts):
        assert stronger.min() >= weaker.max()


@pytest.mark.parametrize("min_distance", [0.0, 1.0, 1.5, 2.5, 3.0, 7.3, 60.0, 1e9])
def test_selection_equals_its_twin(min_distance, rng):
    """Many equal responses: among them the lowest, rightmost pixel comes first."""
    shape = (17, 70)
    response = rng.integers(-9, 6, shape).clip(0).astype(np.float32)
    places = np.flatnonzero(response)
    keys = response.view(np.int32).ravel()[places].astype(np.int64) << maxima.INDEX_BITS | places
    order = places[np.lexsort((-places, -response.ravel()[places]))]
    points = [(index % shape[1], index // shape[1]) for index in order.tolist()]
    twin = naive.keep_apart(points, min_distance)
    held = np.zeros((0, 2), np.float32)
    for limit in (0, 1, 40):
        kept = corners._keep_apart(keys, shape, limit, min_distance, held, None)
        np.testing.assert_array_equal(kept, twin[: limit or None])


def test_corners_keep_away_from_points_in_hand(rng):
    image = cv2.GaussianBlur(rng.integers(0, 256, (90, 120)).astype(np.uint8), (0, 0), 1)
    settings = {"max_corners": 0, "quality": 0.001, "min_distance": 6}
    held = rng.uniform(-5, [125, 95], (40, 2)).astype(np.float32)
    held[:2] = [[np.nan, 4], [1e30, -np.inf]]
    found = good_features(image, occupied=held, **settings)
    pixels = np.rint(held[2:])
    assert np.linalg.norm(found[:, None] - pixels, axis=2).min() >= 6
    # Those that no point in hand is near are found as before, from the strongest on.
    everywhere = good_features(image, **settings)
    strongest = everywhere[0]
    free = np.linalg.norm(pixels - strongest, axis=1).min() >= 6
    assert (strongest.tolist() in found.tolist()) == free
    again = good_features(image, occupied=np.concatenate([held, found]), **settings)
    assert len(again) == 0


@pytest.mark.parametrize("shape", [(1, 1), (17, 31), (33, 1000), (2, 16), (40, 15)])
@pytest.mark.parametrize("block_size", [2, 3, 5, 20])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_nothing_outside_the_arrays_is_used_or_changed(shape, block_size, dtype, rng):
    """NaN or 255 around the image spoils what it enters; what is written beside it shows."""
    image = rng.integers(0, 256, shape).astype(dtype)
    framed = naive.framed(image, np.nan if dtype == np.float32 else 255)
    room = responses.scratch_rows(block_size), responses.row_room(shape[1], block_size)
    scratch = naive.framed(np.zeros(room, np.float32), 77)
    out = naive.framed(np.zeros(image.size + LANES, np.float32), 88)
    scale = np.float32((1 / (4 * block_size)) ** 2)
    strongest = responses.respond(
        framed[1], scale, block_size, False, np.float32(0), scratch[1], out[1]
    )
    response = out[1][: image.size].reshape(shape)
    expected = opencv_response(image.astype(np.float32), block_size, False)
    np.testing.assert_allclose(response, expected, atol=1e-5 * max(expected.max(), 1e-3))
    assert strongest == response.max()
    for whole, inside in (framed, scratch, out):
        naive.assert_frame_untouched(whole, inside)
    keys = naive.framed(np.zeros(image.size, np.int64), -5)
    around = naive.framed(out[1], np.inf)
    count = maxima.local_maxima(around[1], shape, np.float32(0), keys[1])
    assert count == len(naive.local_maxima(response, 0, np.ones(shape, bool)))
    naive.assert_frame_untouched(*keys)


@pytest.mark.parametrize("shape", [(1, 1), (17, 31), (33, 1000), (2, 16), (40, 15), (60, 62)])
@pytest.mark.parametrize(
    ("dtype", "walk", "right"),
    [
        (np.uint8, strips.respond_in_strips, strips.RIGHT_BORDER),
        (np.float32, strips.respond_in_strips, strips.RIGHT_BORDER),
        (np.uint8, byte_strips.respond_to_bytes, byte_strips.RIGHT_BORDER),
    ],
    ids=["bytes as floats", "floats", "bytes"],
)
def test_strips_use_and_change_nothing_outside(shape, dtype, walk, right, rng):
    image = rng.integers(0, 256, shape).astype(dtype)
    near = strips.BORDER
    padded = np.pad(image, ((near, near), (near, right)), mode="reflect")
    framed = naive.framed(padded, np.nan if dtype == np.float32 else 255)
    out = naive.framed(np.zeros(image.size, np.float32), 88)
    one, zero = np.float32(1 / 144), np.float32(0)
    strongest = walk(framed[1], shape, one, False, zero, out[1])
    expected = opencv_response(image.astype(np.float32), 3, False)
    response = out[1].reshape(shape)
    np.testing.assert_allclose(response, expected, atol=1e-5 * max(expected.max(), 1e-3))
    assert strongest == response.max()
    for whole, inside in (framed, out):
        naive.assert_frame_untouched(whole, inside)


def test_ten_threads_give_the_serial_numbers(rng):
    images = [
        cv2.GaussianBlur(rng.integers(0, 256, (100 + i, 120)).astype(np.uint8), (0, 0), 1)
        for i in range(10)
    ]

    def find(image):
        return good_features(image, max_corners=300, quality=0.001, min_distance=3)

    serial = [find(image) for image in images]
    with ThreadPoolExecutor(10) as pool:
        for _ in range(10):
            for found, expected in zip(pool.map(find, images), serial, strict=True):
                np.testing.assert_array_equal(found, expected)


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
        (GRAY, {"occupied": [1, 2, 3]}, ValueError, r"occupied must be \(N, 2\)"),
        (GRAY, {"mask": GRAY.T}, ValueError, r"mask must have the shape of the image, \(20, 30\)"),
    ],
)
def test_refuses_in_one_line(image, settings, error, text):
    with pytest.raises(error, match=text) as caught:
        good_features(image, **settings)
    assert "\n" not in str(caught.value)
