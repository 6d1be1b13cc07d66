"""Lucas-Kanade against OpenCV, known motions, its symmetries and its kernels' slow twins."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from classicvid.flow import end_point_error, lucas_kanade_flow, lucas_kanade_grid_flow
from classicvid.flow.lucas_kanade import build_pyramid, check_search
from classicvid.kernels.jit import kernel
from classicvid.kernels.lucas_kanade import tracking, whole
from classicvid.kernels.simd import LANES, memory
from tests import naive
from tests.classicvid.scenes import texture

SCENES = ["Dimetrodon", "Grove2", "RubberWhale", "Urban2", "Venus", "0000001", "0000003"]
SETTINGS = [
    {},
    {"win_size": (15, 15), "max_level": 2},
    {"win_size": (31, 31), "max_level": 5},
    {"win_size": (25, 9)},
    {"win_size": (8, 12), "max_level": 0, "max_iterations": 5, "epsilon": 0.3},
    {"min_eig_threshold": 0.05},
    {"win_size": (3, 3), "max_level": 0},
    {"win_size": (17, 33), "max_level": 2},
]


def opencv_track(previous, next, points, *, initial_points=None, **settings):
    full = {
        "win_size": (21, 21),
        "max_level": 3,
        "max_iterations": 30,
        "epsilon": 0.01,
        "min_eig_threshold": 1e-4,
    }
    full.update(settings)
    start = None if initial_points is None else initial_points.copy()
    moved, status, error = cv2.calcOpticalFlowPyrLK(
        previous,
        next,
        points,
        start,
        winSize=full["win_size"],
        maxLevel=full["max_level"],
        criteria=(3, full["max_iterations"], full["epsilon"]),
        flags=0 if start is None else cv2.OPTFLOW_USE_INITIAL_FLOW,
        minEigThreshold=full["min_eig_threshold"],
    )
    return moved.reshape(-1, 2), status.ravel() == 1, error.ravel()


def assert_equals_opencv(previous, next, points, **settings):
    moved, status, error = lucas_kanade_flow(previous, next, points, **settings)
    reference = opencv_track(previous, next, points, **settings)
    assert (status == reference[1]).mean() >= 0.999
    both = status & reference[1]
    assert both.any()
    distance = np.linalg.norm(moved[both] - reference[0][both], axis=1)
    assert (distance <= 0.01).mean() >= 0.99
    assert (np.abs(error[both] - reference[2][both]) <= 0.02).mean() >= 0.99
    assert (error[~status] == 0).all()


def film(height, width, dx, dy):
    y, x = np.mgrid[:height, :width].astype(np.float64)
    return texture(x, y), texture(x - dx, y - dy)


def grid(height, width, margin=24, step=12):
    y, x = np.mgrid[margin : height - margin : step, margin : width - margin : step]
    return np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32) + np.float32(0.3)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("name", SCENES)
def test_equals_opencv_at_corners_of_real_frames(read_pair, name, settings):
    previous, next = read_pair(name)
    points = cv2.goodFeaturesToTrack(previous, 1000, 0.001, 3).reshape(-1, 2)
    assert_equals_opencv(previous, next, points, **settings)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("name", ["Dimetrodon", "Grove2", "RubberWhale"])
def test_equals_opencv_anywhere_outside_included(read_pair, name, settings, rng):
    previous, next = read_pair(name)
    previous[50:150, 50:200] = next[50:150, 50:200] = 90
    height, width = previous.shape
    points = rng.uniform(-40, [width + 40, height + 40], (800, 2)).astype(np.float32)
    assert_equals_opencv(previous, next, points, **settings)


@pytest.mark.parametrize("name", ["Grove2", "RubberWhale"])
def test_equals_opencv_from_initial_points(read_pair, name, rng):
    previous, next = read_pair(name)
    points = cv2.goodFeaturesToTrack(previous, 1000, 0.001, 3).reshape(-1, 2)
    guesses = points + rng.normal(0, 3, points.shape).astype(np.float32)
    assert_equals_opencv(previous, next, points, initial_points=guesses)
    # And the guesses were left alone.
    again = guesses.copy()
    lucas_kanade_flow(previous, next, points, initial_points=guesses)
    np.testing.assert_array_equal(guesses, again)


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 30), (5, 4), (22, 21), (43, 44), (42, 90), (120, 33)]
)
def test_equals_opencv_at_any_size(shape, rng):
    frames = [
        cv2.GaussianBlur(rng.integers(0, 256, shape).astype(np.uint8), (0, 0), 1.5) for _ in "ab"
    ]
    points = rng.uniform(-2, [shape[1] + 2, shape[0] + 2], (60, 2)).astype(np.float32)
    _, status, _ = lucas_kanade_flow(*frames, points, max_level=4)
    np.testing.assert_array_equal(status, opencv_track(*frames, points, max_level=4)[1])


@pytest.mark.parametrize("motion", [(0.4, -0.7), (5.0, 3.0), (-8.0, 6.5)])
def test_finds_a_translation(motion):
    previous, next = film(140, 180, *motion)
    points = grid(140, 180)
    moved, status, error = lucas_kanade_flow(previous, next, points)
    assert status.all()
    assert np.abs(moved - points - motion).max() < 0.05
    assert error.max() < 1.5


def test_equal_frames_stand_still():
    frame, _ = film(100, 120, 0, 0)
    points = grid(100, 120)
    moved, status, error = lucas_kanade_flow(frame, frame, points)
    np.testing.assert_array_equal(moved, points)
    np.testing.assert_array_equal(error, 0)
    assert status.all()


def test_flat_frames_lose_every_point():
    flat = np.full((60, 70), 90, np.uint8)
    points = grid(60, 70)
    moved, status, error = lucas_kanade_flow(flat, flat, points)
    np.testing.assert_array_equal(moved, points)
    assert not status.any()
    assert (error == 0).all()


def test_a_mirror_negates_the_motion_across_it():
    # An even number of columns would shift the coarser levels by half a pixel.
    previous, next = film(101, 129, 2.25, -1.5)
    points = grid(101, 129)
    moved, _, _ = lucas_kanade_flow(previous, next, points)
    there = points * np.float32([-1, 1]) + np.float32([128, 0])
    mirrored, _, _ = lucas_kanade_flow(previous[:, ::-1], next[:, ::-1], there)
    np.testing.assert_allclose((mirrored - there) * [-1, 1], moved - points, atol=0.01)


def test_float_frames_follow_what_rounding_hides():
    previous, next = (frame * 0.02 + 100 for frame in film(100, 120, 0.6, 0.3))
    points = grid(100, 120)
    settings = {"min_eig_threshold": 1e-6}
    fine, status, _ = lucas_kanade_flow(previous, next, points, **settings)
    rounded = [frame.round().astype(np.uint8) for frame in (previous, next)]
    coarse, _, _ = lucas_kanade_flow(*rounded, points, **settings)
    errors = [
        np.linalg.norm(moved - points - (0.6, 0.3), axis=1)[status].mean()
        for moved in (fine, coarse)
    ]
    assert errors[0] < 0.25 * errors[1]


def test_no_points_give_none():
    frame = np.zeros((30, 40), np.uint8)
    moved, status, error = lucas_kanade_flow(frame, frame, np.zeros((0, 2), np.float32))
    assert moved.shape == (0, 2)
    assert status.shape == error.shape == (0,)
    assert status.dtype == np.bool_


def test_a_lost_place_stays_lost():
    previous, next = film(60, 60, 1, 0)
    points = np.array([[np.nan, 5], [np.inf, 5], [1e30, -1e30], [30, 30]], np.float32)
    _, status, _ = lucas_kanade_flow(previous, next, points)
    np.testing.assert_array_equal(status, [False, False, False, True])


GRAY = np.zeros((40, 50), np.uint8)
POINTS = np.zeros((3, 2), np.float32)


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        (
            {"previous": np.zeros((40, 50, 3), np.uint8)},
            ValueError,
            "previous must be a gray image",
        ),
        ({"next": GRAY.T}, ValueError, "must have the same shape"),
        ({"points": np.zeros((3, 3))}, ValueError, r"points must be \(N, 2\)"),
        ({"points": np.zeros((3, 2), complex)}, TypeError, "points must be real"),
        ({"initial_points": POINTS[:2]}, ValueError, "as many as points, 3, got 2"),
        ({"win_size": 21}, ValueError, r"win_size must be \(width, height\), got 21"),
        ({"win_size": (2, 21)}, ValueError, "win_size must be at least 3"),
        ({"win_size": (21, 21.5)}, TypeError, "win_size must be a whole number"),
        ({"max_level": -1}, ValueError, "max_level must be at least 0"),
        ({"max_iterations": 101}, ValueError, "max_iterations must be from 0 to 100"),
        ({"epsilon": -0.1}, ValueError, "epsilon must be from 0 to 10"),
        ({"min_eig_threshold": float("nan")}, ValueError, "min_eig_threshold must be"),
    ],
)
def test_refuses_in_one_line(changes, error, text):
    arguments = {"previous": GRAY, "next": GRAY, "points": POINTS, **changes}
    arrays = [arguments.pop(name) for name in ("previous", "next", "points")]
    with pytest.raises(error, match=text) as caught:
        lucas_kanade_flow(*arrays, **arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("shape", [(240, 321), (43, 60), (17, 31), (1, 9), (1, 1)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_pyramids_equal_their_twin_and_opencv(shape, dtype, rng):
    image = rng.integers(0, 256, shape).astype(dtype)
    search = check_search((9, 11), 3, 30, 0.01, 1e-4)
    levels = build_pyramid(image, search)
    top, bottom, left, right = tracking.border_sizes(search.window)
    if dtype == np.uint8:
        count, expected = cv2.buildOpticalFlowPyramid(image, (9, 11), 3, withDerivatives=False)
        assert len(levels) == count + 1
    for k, level in enumerate(levels):
        if k > 0:
            image = naive.halve(image.astype(np.float32), dtype == np.uint8)
        inside = level.padded[top : top + level.shape[0], left : left + level.shape[1]]
        np.testing.assert_allclose(inside, image, rtol=1e-6)
        if dtype == np.uint8:
            np.testing.assert_array_equal(inside, expected[k])
        padded = np.pad(inside, ((top, bottom), (left, right)), mode="reflect")
        np.testing.assert_array_equal(level.padded, padded)


@pytest.mark.parametrize("win_size", [(15, 15), (9, 16)])
def test_one_level_equals_newtons_method(win_size):
    previous, next = film(80, 90, 0.8, -0.5)
    points = grid(80, 90, step=16)
    moved, status, _ = lucas_kanade_flow(
        previous, next, points, win_size=win_size, max_level=0, epsilon=0
    )
    assert status.all()
    twins = [naive.track_point(previous, next, point, win_size) for point in points]
    np.testing.assert_allclose(moved, twins, atol=0.01)


@pytest.mark.parametrize("name", ["Grove2", "RubberWhale"])
@pytest.mark.parametrize("win_size", [(15, 15), (21, 21), (9, 25)])
def test_eigenvalues_equal_opencv(read_pair, name, win_size, rng):
    previous, next = read_pair(name)
    points = rng.uniform(-20, [previous.shape[1] + 20, previous.shape[0] + 20], (500, 2))
    points = points.astype(np.float32)
    settings = {"win_size": win_size, "max_level": 2, "min_eig_threshold": 0.01}
    _, status, smallest = lucas_kanade_flow(
        previous, next, points, error="min_eigenvalue", **settings
    )
    _, expected, reference = cv2.calcOpticalFlowPyrLK(
        previous,
        next,
        points,
        None,
        winSize=win_size,
        maxLevel=2,
        criteria=(3, 30, 0.01),
        flags=cv2.OPTFLOW_LK_GET_MIN_EIGENVALS,
        minEigThreshold=0.01,
    )
    assert (status == (expected.ravel() == 1)).mean() >= 0.998
    np.testing.assert_allclose(smallest, reference.ravel(), rtol=2e-3, atol=1e-3)
    assert (smallest < 0.01).any()
    assert (smallest[status] >= 0.01).all()


@pytest.mark.parametrize("spacing", [1, 5, 8, 300])
def test_a_grid_finds_a_smooth_motion(spacing):
    y, x = np.mgrid[:97, :121].astype(np.float64)
    truth = np.stack([1.5 + 0.01 * y, -0.8 + 0.005 * x], axis=-1)
    previous, next = texture(x, y), texture(x - truth[..., 0], y - truth[..., 1])
    flow = lucas_kanade_grid_flow(previous, next, spacing=spacing)
    assert flow.shape == (97, 121, 2)
    assert flow.dtype == np.float32
    inside = np.s_[12:-12, 12:-12]
    assert end_point_error(flow[inside], truth[inside]) < (0.05 if spacing < 300 else 1)


def test_lost_points_of_a_grid_take_their_neighbours_motion():
    previous, next = (frame.copy() for frame in film(120, 140, 2, 1))
    previous[40:80, 50:90] = next[41:81, 52:92] = 128
    flow = lucas_kanade_grid_flow(previous, next, win_size=(9, 9), max_level=0)
    assert np.median(np.abs(flow[55:65, 65:75] - (2, 1))) < 0.05


@pytest.mark.parametrize("shape", [(1, 1), (17, 31), (33, 1000)])
def test_flat_grids_stand_still_at_any_size(shape):
    flat = np.full(shape, 90, np.uint8)
    flow = lucas_kanade_grid_flow(flat, flat)
    assert flow.shape == (*shape, 2)
    np.testing.assert_array_equal(flow, 0)


@pytest.mark.parametrize("shape", [(1, 1), (17, 31), (33, 1000)])
@pytest.mark.parametrize("win_size", [(3, 3), (15, 15), (33, 7)])
@pytest.mark.parametrize(("dtype", "around"), [(np.float32, np.nan), (np.uint8, 255)])
def test_nothing_outside_the_arrays_is_used_or_changed(shape, win_size, dtype, around, rng):
    """What surrounds a level spoils every sum it enters; what is written beside a result shows."""
    frames = rng.uniform(0, 255, (2, *shape)).astype(dtype)
    points = rng.uniform(-9, [shape[1] + 9, shape[0] + 9], (40, 2)).astype(np.float32)
    search = check_search(win_size, 0, 30, 0.01, 1e-4)
    top, _, left, _ = tracking.border_sizes(search.window)
    pyramid = [naive.framed(build_pyramid(frame, search)[0].padded, around) for frame in frames]
    results = [
        naive.framed(values, 77)
        for values in (points, np.zeros(40, bool), np.zeros(40, np.float32))
    ]
    room, kind, searches = tracking.make_scratch(search.window, dtype)
    planes = naive.framed(room, 99)
    tracking.track_level(
        pyramid[0][1],
        pyramid[1][1],
        shape,
        (top, left),
        search.window,
        points,
        *(inside for _, inside in results),
        (True, False),
        search.limits,
        (planes[1], kind, searches),
    )
    moved, status, error = lucas_kanade_flow(*frames, points, win_size=win_size, max_level=0)
    np.testing.assert_array_equal(results[0][1], moved)
    np.testing.assert_array_equal(results[1][1], status)
    np.testing.assert_array_equal(results[2][1], error)
    for all_of_it, inside in [*pyramid, *results, planes]:
        naive.assert_frame_untouched(all_of_it, inside)


@pytest.mark.parametrize("place", [(20.3, 30.75), (-3.5, 2.25), (70.9, 55.1), (-2.0, -1.5)])
@pytest.mark.parametrize("win_size", [(21, 21), (70, 40), (3, 35)])
def test_whole_windows_equal_their_twin(place, win_size, rng):
    image = rng.integers(0, 256, (80, 90)).astype(np.uint8)
    image[:40] = rng.integers(0, 2, (40, 90)) * 255  # the steepest slopes there are
    search = check_search(win_size, 0, 30, 0.01, 1e-4)
    (level,) = build_pyramid(image, search)
    top, _, left, _ = tracking.border_sizes(search.window)
    stride = level.padded.shape[1]
    planes = tracking.make_scratch((win_size[1], 99), np.uint8)[0][0]
    sums = run_whole_window(
        level.padded,
        image.shape,
        (top * stride + left, stride),
        np.float32(place),
        search.window,
        planes,
    )
    twin = naive.whole_window(image, place, search.window)
    for plane, expected in zip(planes, twin, strict=True):
        strips = [plane[:, k : k + whole.STRIP] for k in range(0, plane.shape[1], 2 * LANES)]
        np.testing.assert_array_equal(np.hstack(strips)[:, : win_size[0]], expected)
    _, gx, gy = twin.astype(float)
    np.testing.assert_allclose(
        sums, [(gx * gx).sum(), (gx * gy).sum(), (gy * gy).sum()], rtol=1e-6, atol=10
    )


@kernel
def run_whole_window(padded, shape, places, place, window, planes):
    patch = memory(planes[0]), memory(planes[1]), memory(planes[2])
    room = planes.shape[2]
    return whole.measure_window(
        memory(padded), shape, places, place[0], place[1], window, room, patch, None
    )


def test_ten_threads_give_the_serial_numbers(rng):
    frames = [film(90 + i, 120, 0.3 * i, 1) for i in range(10)]
    points = grid(90, 120, margin=10, step=5)

    def follow(pair):
        return np.concatenate([np.c_[values] for values in lucas_kanade_flow(*pair, points)], 1)

    serial = [follow(pair) for pair in frames]
    with ThreadPoolExecutor(10) as pool:
        for _ in range(5):
            for ours, expected in zip(pool.map(follow, frames), serial, strict=True):
                np.testing.assert_array_equal(ours, expected)
