"""Checks are given good and bad arguments; values ready for use or one clear error come out."""

from __future__ import annotations

import numpy as np
import pytest

from classicvid import checks


@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, np.float64])
def test_gray_images_come_back_contiguous_with_the_same_values(dtype):
    image = np.arange(24).reshape(6, 4).astype(dtype)[::2, ::-1]
    result = checks.check_gray("image", image)
    assert result.dtype == (np.uint8 if dtype == np.uint8 else np.float32)
    assert result.flags.c_contiguous
    np.testing.assert_array_equal(result, image)


def test_a_good_gray_image_is_not_copied():
    image = np.zeros((4, 5), np.float32)
    assert checks.check_gray("image", image) is image


@pytest.mark.parametrize(
    ("image", "error", "words"),
    [
        (np.zeros((4, 5, 3), np.uint8), ValueError, "image must be a gray image .*to_gray"),
        (np.zeros(4, np.uint8), ValueError, r"got shape \(4,\)"),
        (np.zeros((0, 5), np.uint8), ValueError, r"got shape \(0, 5\)"),
        (np.zeros((4, 5), np.int32), TypeError, "got int32; convert"),
        (np.zeros((4, 5), bool), TypeError, "got bool"),
        (np.zeros((4, 5), complex), TypeError, "got complex128"),
        (None, ValueError, r"got shape \(\)"),
    ],
)
def test_what_is_no_gray_image_is_refused(image, error, words):
    with pytest.raises(error, match=words):
        checks.check_gray("image", image)


def test_a_pair_of_mixed_dtypes_becomes_float32_without_scaling():
    first, second = checks.check_gray_pair(
        np.full((3, 4), 200, np.uint8), np.full((3, 4), 200.0, np.float64)
    )
    assert first.dtype == second.dtype == np.float32
    np.testing.assert_array_equal(first, second)


def test_a_pair_of_bytes_stays_bytes():
    pair = checks.check_gray_pair(np.zeros((3, 4), np.uint8), np.zeros((3, 4), np.uint8))
    assert [image.dtype for image in pair] == [np.uint8, np.uint8]


def test_a_pair_of_two_sizes_is_refused_by_the_names_given():
    with pytest.raises(ValueError, match=r"left and right .*\(3, 4\) and \(4, 3\)"):
        checks.check_gray_pair(
            np.zeros((3, 4), np.uint8), np.zeros((4, 3), np.uint8), names=("left", "right")
        )


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        (np.zeros((4, 5), np.uint8), ValueError),
        (np.zeros((4, 5, 4), np.uint8), ValueError),
        (np.zeros((0, 5, 3), np.uint8), ValueError),
        (np.zeros((2, 4, 5, 3), np.uint8), ValueError),
        (np.zeros((4, 5, 3), np.float32), TypeError),
    ],
)
def test_what_is_no_frame_is_refused(frame, error):
    with pytest.raises(error, match=r"^frame must be"):
        checks.check_frame("frame", frame)


def test_flow_of_any_float_becomes_float32():
    flow = np.ones((2, 4, 3)).transpose(1, 2, 0)
    result = checks.check_flow("flow", flow, shape=(4, 3))
    assert result.dtype == np.float32
    assert result.flags.c_contiguous


@pytest.mark.parametrize(
    ("flow", "shape", "error", "words"),
    [
        (np.zeros((240, 320)), None, ValueError, r"flow must be \(H, W, 2\), got \(240, 320\)"),
        (np.zeros((4, 3, 2)), (3, 4), ValueError, r"flow must be \(3, 4, 2\), got \(4, 3, 2\)"),
        (np.zeros((0, 3, 2)), None, ValueError, r"got \(0, 3, 2\)"),
        (np.zeros((4, 3, 2), np.uint8), None, TypeError, "got uint8"),
    ],
)
def test_what_is_no_flow_is_refused(flow, shape, error, words):
    with pytest.raises(error, match=words):
        checks.check_flow("flow", flow, shape=shape)


@pytest.mark.parametrize(
    "points",
    [
        [(1, 2), (3, 4)],
        np.array([[[1.0, 2.0]], [[3.0, 4.0]]]),
        np.array([[1, 2], [3, 4]], np.int64),
    ],
)
def test_points_are_taken_as_lists_whole_numbers_and_as_opencv_gives_them(points):
    result = checks.check_points("points", points)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, [[1, 2], [3, 4]])


@pytest.mark.parametrize("none", [[], np.zeros((0, 2)), np.zeros((0, 1, 2)), ()])
def test_no_points_have_the_shape_of_points(none):
    assert checks.check_points("points", none).shape == (0, 2)


@pytest.mark.parametrize(
    ("points", "error"),
    [
        ([1.0, 2.0], ValueError),
        (np.zeros((3, 3)), ValueError),
        (np.zeros((3, 2, 2)), ValueError),
        (np.zeros((3, 2), complex), TypeError),
        (np.zeros((3, 2), bool), TypeError),
        ([("a", "b")], TypeError),
    ],
)
def test_what_are_no_points_is_refused(points, error):
    with pytest.raises(error, match=r"^points must be"):
        checks.check_points("points", points)


@pytest.mark.parametrize("value", [1, 3, np.uint8(2), np.int64(3)])
def test_whole_numbers_come_back_as_int(value):
    result = checks.check_whole("n", value, low=1, high=3)
    assert type(result) is int
    assert result == value


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (0, ValueError, "n must be from 1 to 3, got 0"),
        (4, ValueError, "n must be from 1 to 3, got 4"),
        (2.0, TypeError, r"n must be a whole number, got 2\.0"),
        (True, TypeError, "got True"),
        (np.True_, TypeError, "got"),
        ("2", TypeError, "got '2'"),
        (None, TypeError, "got None"),
    ],
)
def test_what_is_no_whole_number_in_range_is_refused(value, error, words):
    with pytest.raises(error, match=words):
        checks.check_whole("n", value, low=1, high=3)


@pytest.mark.parametrize("value", [0, 1, 0.5, np.float32(0.25), np.int8(1)])
def test_numbers_come_back_as_float(value):
    result = checks.check_number("x", value, low=0, high=1)
    assert type(result) is float
    assert result == value


@pytest.mark.parametrize(
    ("value", "options", "error"),
    [
        (-0.1, {"low": 0}, ValueError),
        (1.1, {"high": 1}, ValueError),
        (0, {"low": 0, "exclusive": True}, ValueError),
        (1, {"high": 1, "exclusive": True}, ValueError),
        (float("nan"), {}, ValueError),
        (float("inf"), {"low": 0}, ValueError),
        (10**400, {}, ValueError),
        (True, {}, TypeError),
        ("1", {}, TypeError),
        (1j, {}, TypeError),
    ],
)
def test_what_is_no_number_in_range_is_refused(value, options, error):
    with pytest.raises(error, match=r"^x must be"):
        checks.check_number("x", value, **options)


def test_choices_are_named_where_none_fits():
    assert checks.check_choice("mode", "a", ("a", "b")) == "a"
    with pytest.raises(ValueError, match="mode must be one of a, b, got 'c'"):
        checks.check_choice("mode", "c", ("a", "b"))


def test_scores_become_float32_and_their_fault_is_located_in_a_short_line():
    assert checks.check_probabilities("scores", [[1, 2]], classes=2).dtype == np.float32
    scores = np.zeros((50, 487))
    scores[7, 300] = np.nan
    with pytest.raises(ValueError, match="row 7 holds nan at column 300") as caught:
        checks.check_probabilities("scores", scores, classes=487)
    assert len(str(caught.value)) < 120
    with pytest.raises(ValueError, match=r"scores must be \(N, 3\)"):
        checks.check_probabilities("scores", np.zeros((4, 2)), classes=3)


@pytest.mark.parametrize("indices", [[], [0, 2], np.array([2], np.uint8), np.zeros(0)])
def test_indices_become_int64(indices):
    result = checks.check_indices("labels", indices, count=3)
    assert result.dtype == np.int64
    assert result.tolist() == [int(index) for index in indices]


@pytest.mark.parametrize(
    ("indices", "error", "words"),
    [
        ([0, 3], ValueError, "labels must be from 0 to 2, got 3"),
        ([0, -1], ValueError, "got -1"),
        ([0.0, 0.7], TypeError, "got float64"),
        ([True, False], TypeError, "got bool"),
        ([[0, 1]], ValueError, r"got shape \(1, 2\)"),
        (0, ValueError, r"got shape \(\)"),
    ],
)
def test_what_are_no_indices_is_refused(indices, error, words):
    with pytest.raises(error, match=words):
        checks.check_indices("labels", indices, count=3)
