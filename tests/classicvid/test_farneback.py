"""Farnebäck's flow against OpenCV, known motions, its symmetries and its kernels' slow twins."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import cv2
import numpy as np
import pytest

from classicvid.flow import FarnebackFlow, farneback_flow
from classicvid.flow.farneback.pyramid import Pyramid
from tests.classicvid.scenes import texture

TEXTURED = ["Dimetrodon", "Grove2", "RubberWhale", "Venus"]
FILMED = ["exercise.avi", "realshort.mp4", "v_ApplyEyeMakeup_g01_c01.avi", "h265_video.mp4"]
# Rendered without noise: flat and one-dimensional areas, where the last bit decides.
DEGENERATE = ["Urban2", "0000000", "0000001", "0000003"]
SETTINGS = [
    {},
    {
        "pyr_scale": 0.7071,
        "levels": 5,
        "winsize": 10,
        "iterations": 2,
        "poly_n": 7,
        "poly_sigma": 1.5,
    },
    {"levels": 5, "poly_n": 7, "poly_sigma": 1.5},
    {"levels": 0, "winsize": 12, "iterations": 1, "poly_sigma": 1.1},
    {"levels": 2, "winsize": 21, "iterations": 2, "poly_n": 3, "poly_sigma": 0.0},
]
WINDOWS = pytest.mark.parametrize("gaussian", [False, True], ids=["box", "gaussian"])


def opencv_flow(previous, next, *, gaussian=False, initial_flow=None, **settings):
    full = {
        "pyr_scale": 0.5,
        "levels": 3,
        "winsize": 15,
        "iterations": 3,
        "poly_n": 5,
        "poly_sigma": 1.2,
    }
    full.update(settings)
    flags = 256 * gaussian + 4 * (initial_flow is not None)
    start = None if initial_flow is None else initial_flow.copy()
    return cv2.calcOpticalFlowFarneback(previous, next, start, *full.values(), flags)


def share_within(flow, reference, tolerance=1e-3):
    return (np.abs(flow - reference).max(axis=2) <= tolerance).mean()


def film(height, width, place_before):
    """Two frames: the second shows at (x, y) what the first shows at ``place_before(x, y)``."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    return texture(x, y), texture(*place_before(x, y))


@WINDOWS
@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("name", TEXTURED)
def test_equals_opencv_on_real_frames(read_pair, name, settings, gaussian):
    previous, next = read_pair(name)
    flow = farneback_flow(previous, next, gaussian=gaussian, **settings)
    reference = opencv_flow(previous, next, gaussian=gaussian, **settings)
    assert share_within(flow, reference, 1e-3 if gaussian else 5e-4) >= 0.999
    assert np.abs(flow - reference).mean() <= (2e-5 if gaussian else 1e-5)


@WINDOWS
@pytest.mark.parametrize("name", DEGENERATE)
def test_is_near_to_opencv_at_one_level_even_where_the_motion_is_undetermined(
    read_pair, name, gaussian
):
    # OpenCV sums in float64, we in float32: along an edge without end, the last bits decide.
    previous, next = read_pair(name)
    flow = farneback_flow(previous, next, levels=0, gaussian=gaussian)
    reference = opencv_flow(previous, next, levels=0, gaussian=gaussian)
    assert share_within(flow, reference) >= 0.98
    assert share_within(flow, reference, 1e-2) >= 0.998
    assert np.abs(flow - reference).mean() <= 1e-4


@WINDOWS
@pytest.mark.parametrize("settings", SETTINGS[:3])
@pytest.mark.parametrize("name", DEGENERATE)
def test_is_as_near_to_opencv_as_opencv_to_itself(read_pair, name, settings, gaussian):
    """Its vector and its plain code round the pyramid differently: no one can be nearer."""
    previous, next = read_pair(name)
    settings = {**settings, "gaussian": gaussian}
    vector = opencv_flow(previous, next, **settings)
    cv2.setUseOptimized(False)
    try:
        plain = opencv_flow(previous, next, **settings)
    finally:
        cv2.setUseOptimized(True)
    flow = farneback_flow(previous, next, **settings)
    assert share_within(flow, vector) >= min(share_within(plain, vector), 0.999) - 0.015


@WINDOWS
@pytest.mark.parametrize("video", FILMED)
def test_equals_opencv_on_video(shared_data, video, gaussian):
    path = next((shared_data / "corpus" / "good").rglob(video))
    capture = cv2.VideoCapture(str(path))
    frames = [cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2GRAY) for _ in range(3)]
    capture.release()
    estimator = FarnebackFlow(gaussian=gaussian)
    flows = [estimator.feed(frame) for frame in frames]
    for i in (1, 2):
        reference = opencv_flow(frames[i - 1], frames[i], gaussian=gaussian)
        assert share_within(flows[i], reference) >= 0.999


@WINDOWS
@pytest.mark.parametrize(
    "shape",
    [
        (1, 1),
        (1, 9),
        (9, 1),
        (2, 2),
        (3, 5),
        (7, 8),
        (11, 9),
        (10, 64),
        (17, 31),
        (33, 47),
        (33, 1000),
        (64, 63),
        (129, 66),
    ],
)
def test_equals_opencv_at_any_size(shape, gaussian, rng):
    # Blurred noise: every size has texture, the smallest included.
    frames = [
        cv2.GaussianBlur(rng.integers(0, 256, shape).astype(np.uint8), (0, 0), 1) for _ in "ab"
    ]
    flow = farneback_flow(*frames, gaussian=gaussian)
    np.testing.assert_allclose(flow, opencv_flow(*frames, gaussian=gaussian), atol=1e-3)


@pytest.mark.parametrize("pyr_scale", [0.5, 0.7071])
def test_equals_opencv_from_an_initial_flow(pyr_scale, rng):
    previous, next = film(97, 131, lambda x, y: (x - 9, y + 6))
    start = np.full((97, 131, 2), (8, -5), np.float32) + rng.normal(0, 1, (97, 131, 2)).astype("f")
    settings = {"levels": 2, "iterations": 1, "pyr_scale": pyr_scale, "initial_flow": start}
    flow = farneback_flow(previous, next, **settings)
    assert share_within(flow, opencv_flow(previous, next, **settings)) >= 0.999
    assert not np.allclose(
        flow, farneback_flow(previous, next, **{**settings, "initial_flow": None}), atol=0.1
    )


def test_takes_fractions_of_gray_levels():
    previous, next = film(80, 90, lambda x, y: (x - 1.3, y))
    flow = farneback_flow(previous, next)
    assert share_within(flow, opencv_flow(previous, next)) >= 0.999
    assert flow.dtype == np.float32
    assert flow.shape == (80, 90, 2)


def test_takes_a_pair_of_two_types():
    previous, next = film(80, 90, lambda x, y: (x - 1.3, y))
    whole = previous.astype(np.uint8)
    np.testing.assert_array_equal(
        farneback_flow(whole, next), farneback_flow(whole.astype(np.float32), next)
    )


@WINDOWS
@pytest.mark.parametrize("motion", [(2.5, -1.25), (-6.0, 0.0), (0.0, 4.0)])
def test_finds_a_translation(motion, gaussian):
    previous, next = film(120, 160, lambda x, y: (x - motion[0], y - motion[1]))
    flow = farneback_flow(previous, next, gaussian=gaussian)
    inside = flow[16:-16, 16:-16]
    assert np.abs(inside - motion).mean() < 0.03
    assert np.abs(inside.mean(axis=(0, 1)) - motion).max() < 0.02


@WINDOWS
def test_finds_an_affine_motion(gaussian):
    linear = np.array([[0.99, -0.02], [0.02, 1.01]])
    centre = np.array([80, 60])

    def place_before(x, y):
        moved = linear @ np.stack([x.ravel() - centre[0], y.ravel() - centre[1]])
        return (moved[0] + centre[0]).reshape(x.shape), (moved[1] + centre[1]).reshape(x.shape)

    previous, next = film(120, 160, place_before)
    y, x = np.mgrid[:120, :160]
    offset = np.stack([x - centre[0], y - centre[1]], axis=-1)
    truth = offset @ (np.linalg.inv(linear) - np.eye(2)).T
    flow = farneback_flow(previous, next, gaussian=gaussian)
    assert np.linalg.norm(flow - truth, axis=2)[16:-16, 16:-16].mean() < 0.08


def test_flat_frames_stand_still():
    flat = np.full((48, 60), 97, np.uint8)
    np.testing.assert_array_equal(farneback_flow(flat, flat), 0)


def test_equal_frames_stand_still_away_from_the_far_border():
    frame, _ = film(160, 160, lambda x, y: (x, y))
    flow = farneback_flow(frame, frame, levels=0)
    np.testing.assert_array_equal(flow[:-40, :-40], 0)
    assert np.abs(flow).max() < 0.2


def test_a_mirror_negates_the_motion_across_it():
    previous, next = film(100, 140, lambda x, y: (x - 1.5, y - 0.75))
    flow = farneback_flow(previous, next)
    mirrored = farneback_flow(previous[:, ::-1], next[:, ::-1])[:, ::-1]
    np.testing.assert_allclose(
        mirrored[20:-20, 20:-20], (flow * [-1, 1])[20:-20, 20:-20], atol=0.02
    )


def test_transposed_frames_swap_the_components():
    previous, next = film(100, 140, lambda x, y: (x - 1.5, y + 0.75))
    swapped = farneback_flow(previous.T, next.T).transpose(1, 0, 2)[..., ::-1]
    np.testing.assert_allclose(swapped, farneback_flow(previous, next), atol=1e-3)


def test_brighter_frames_move_alike():
    previous, next = film(100, 140, lambda x, y: (x - 1.5, y + 0.75))
    flow = farneback_flow(previous * 0.5, next * 0.5)
    brighter = farneback_flow(previous * 0.5 + 100, next * 0.5 + 100)
    np.testing.assert_allclose(brighter, flow, atol=2e-3)


@WINDOWS
def test_a_stream_equals_its_pairs_bit_for_bit(gaussian, rng):
    frames = [
        cv2.GaussianBlur(rng.integers(0, 256, (70, 90)).astype(np.uint8), (0, 0), 2)
        for _ in range(4)
    ]
    estimator = FarnebackFlow(gaussian=gaussian, winsize=9)
    assert estimator.feed(frames[0]) is None
    flows = [estimator.feed(frame) for frame in frames[1:]]
    for i, flow in enumerate(flows):
        np.testing.assert_array_equal(
            flow, farneback_flow(frames[i], frames[i + 1], gaussian=gaussian, winsize=9)
        )


def test_a_stream_expands_each_frame_once(monkeypatch, rng):
    calls = []
    take = Pyramid._take
    monkeypatch.setattr(
        Pyramid, "_take", lambda self, *frames: (calls.extend(frames), take(self, *frames))
    )
    estimator = FarnebackFlow(levels=0)
    for feed in (estimator.feed, estimator.feed, estimator.feed_both, estimator.feed_both):
        feed(rng.integers(0, 256, (32, 32)).astype(np.uint8))
    assert len(calls) == 4


@WINDOWS
def test_both_directions_equal_their_pairs_bit_for_bit(gaussian, rng):
    frames = rng.integers(0, 256, (3, 50, 70)).astype(np.uint8)
    frames = [cv2.GaussianBlur(frame, (0, 0), 2) for frame in frames]
    estimator = FarnebackFlow(gaussian=gaussian)
    assert estimator.feed_both(frames[0]) is None
    for before, after in pairwise(frames):
        forward, backward = estimator.feed_both(after)
        np.testing.assert_array_equal(forward, farneback_flow(before, after, gaussian=gaussian))
        np.testing.assert_array_equal(backward, farneback_flow(after, before, gaussian=gaussian))


@WINDOWS
@pytest.mark.parametrize("winsize", [15, 10])
def test_several_threads_give_the_numbers_of_one_bit_for_bit(gaussian, winsize):
    previous, next = film(203, 131, lambda x, y: (x - 2.5, y + 1))
    settings = {"gaussian": gaussian, "winsize": winsize}
    flow = farneback_flow(previous, next, **settings)
    for threads in (2, 3):
        np.testing.assert_array_equal(
            farneback_flow(previous, next, threads=threads, **settings), flow
        )


def test_a_reset_stream_begins_anew(rng):
    estimator = FarnebackFlow()
    estimator.feed(rng.integers(0, 256, (40, 40)).astype(np.uint8))
    estimator.reset()
    assert estimator.feed(rng.integers(0, 256, (30, 50)).astype(np.uint8)) is None


def test_ten_threads_do_not_disturb_one_another():
    pairs = [film(60 + 9 * s, 80, lambda x, y, s=s: (x - s, y)) for s in range(4)]
    calls = [(pair, gaussian) for pair in pairs for gaussian in (False, True)]

    def run(call):
        return farneback_flow(*call[0], gaussian=call[1])

    alone = [run(call) for call in calls]
    with ThreadPoolExecutor(10) as pool:
        together = list(pool.map(run, calls * 5))
    for i, flow in enumerate(together):
        np.testing.assert_array_equal(flow, alone[i % len(calls)])


GRAY = np.zeros((20, 30), np.uint8)


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        (
            {"previous": np.zeros((20, 30, 3), np.uint8)},
            ValueError,
            r"previous must be a gray image .*to_gray",
        ),
        (
            {"previous": np.zeros((20, 30), np.int32)},
            TypeError,
            "previous must be uint8 or float32",
        ),
        ({"next": np.zeros((0, 30), np.uint8)}, ValueError, "next must be a gray image"),
        (
            {"next": np.zeros((30, 20), np.uint8)},
            ValueError,
            r"same shape.*\(20, 30\) and \(30, 20\)",
        ),
        ({"pyr_scale": 1.0}, ValueError, "pyr_scale must be above 0 and below 1"),
        ({"pyr_scale": float("nan")}, ValueError, "pyr_scale must be"),
        ({"levels": -1}, ValueError, "levels must be at least 0"),
        ({"levels": 1.5}, TypeError, "levels must be a whole number"),
        ({"winsize": 1}, ValueError, "winsize must be at least 2"),
        ({"threads": 0}, ValueError, "threads must be at least 1"),
        ({"iterations": 0}, ValueError, "iterations must be at least 1"),
        ({"poly_n": 0}, ValueError, "poly_n must be at least 1"),
        ({"poly_sigma": -1}, ValueError, "poly_sigma must be at least 0"),
        (
            {"initial_flow": np.zeros((20, 30), np.float32)},
            ValueError,
            r"initial_flow must be \(20, 30, 2\)",
        ),
    ],
)
def test_refuses_in_one_line(changes, error, text):
    arguments = {"previous": GRAY, "next": GRAY, **changes}
    with pytest.raises(error, match=text) as caught:
        farneback_flow(arguments.pop("previous"), arguments.pop("next"), **arguments)
    assert "\n" not in str(caught.value)


def test_a_stream_refuses_a_frame_of_another_shape():
    estimator = FarnebackFlow()
    estimator.feed(GRAY)
    with pytest.raises(ValueError, match=r"\(20, 30\), got \(30, 20\); call reset"):
        estimator.feed(GRAY.T)
