"""The camera's motion on textures under known homographies, and what it refuses."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import cv2
import numpy as np
import pytest

from classicvid.camera import CameraMotion, motion
from tests.classicvid.camera.scenes import (
    MATCHERS,
    MOTIONS,
    SHIFT,
    SIZE,
    ZOOM,
    corner_error,
    estimate,
    film,
    flow_between,
    make_texture,
)


@MATCHERS
@MOTIONS
def test_finds_a_known_motion(matcher, truth):
    homography, camera = estimate(*film(make_texture(), truth), matcher=matcher)
    assert camera.accepted
    assert camera.inliers > 0.7 * camera.matches
    assert corner_error(homography, truth) < 0.15
    assert homography.dtype == np.float64


@MATCHERS
@MOTIONS
def test_key_points_alone_find_it_too(matcher, truth):
    homography, camera = estimate(*film(make_texture(), truth), matcher=matcher, flow=None)
    assert camera.accepted
    assert corner_error(homography, truth) < 0.3


@MATCHERS
def test_key_points_find_what_flow_cannot_follow(matcher):
    truth = np.array([[1, 0, 19], [0, 1, -17], [0, 0, 1.0]])
    first, second = film(make_texture(), truth)
    lost = np.zeros((*SIZE, 2), np.float32)
    homography, camera = estimate(first, second, matcher=matcher, flow=lost, max_corners=100)
    assert camera.accepted
    assert corner_error(homography, truth) < 0.3


@MATCHERS
def test_a_moving_object_does_not_move_the_camera(matcher):
    first, second = film(make_texture(), ZOOM)
    first, second = first.copy(), second.copy()
    block = make_texture(9)[:60, :70]
    first[40:100, 60:130] = second[45:105, 67:137] = block.clip(0, 255)
    homography, camera = estimate(first, second, matcher=matcher)
    assert camera.inliers < camera.matches
    assert corner_error(homography, ZOOM) < 0.3


@MATCHERS
def test_a_camera_at_rest_is_the_identity(matcher):
    first = film(make_texture(), np.eye(3))[0]
    homography, camera = estimate(first, first, matcher=matcher, flow=np.zeros((*SIZE, 2)))
    assert camera.inliers > 0.9 * camera.matches
    np.testing.assert_allclose(homography, np.eye(3), atol=1e-6)


@MATCHERS
@pytest.mark.parametrize("shape", [(1, 1), (1, 90), (90, 1), (17, 31), (40, 33), SIZE])
def test_a_flat_frame_is_the_identity(matcher, shape):
    flat = np.full(shape, 99, np.uint8)
    flow = np.zeros((*shape, 2), np.float32)
    homography, camera = estimate(flat, flat, matcher=matcher, flow=flow)
    np.testing.assert_array_equal(homography, np.eye(3))
    assert (camera.matches, camera.inliers, camera.accepted) == (0, 0, False)


@MATCHERS
@pytest.mark.parametrize("shape", [(1, 1), (2, 70), (17, 31), (33, 90), (90, 34)])
def test_any_size_is_taken(matcher, shape, rng):
    frames = rng.integers(0, 256, (2, *shape)).astype(np.uint8)
    people = [[0, 0, 5, 5]]
    homography, camera = estimate(
        *frames, matcher=matcher, flow=np.zeros((*shape, 2)), people=(people, people)
    )
    assert homography.shape == (3, 3)
    assert camera.inliers <= camera.matches


@MATCHERS
def test_two_frames_of_noise_agree_on_nothing(matcher, rng):
    frames = rng.integers(0, 256, (2, *SIZE)).astype(np.uint8)
    flow = rng.normal(0, 20, (*SIZE, 2)).astype(np.float32)
    homography, camera = estimate(*frames, matcher=matcher, flow=flow)
    assert camera.matches > 50
    assert not camera.accepted
    np.testing.assert_array_equal(homography, np.eye(3))


def feed_matches(count, agreeing):
    """Return a camera that saw ``count`` flow matches, ``agreeing`` of them with a shift."""
    frame = np.zeros((120, 160), np.uint8)
    camera = CameraMotion(max_corners=count, min_distance=4)
    dots = np.argwhere(np.ones((9, 12)))[:, ::-1] * 12 + 10
    dots = np.random.default_rng(4).permutation(dots)[:count]
    for x, y in dots:
        frame[y : y + 2, x : x + 2] = 255
    camera.feed(frame)
    flow = np.zeros((120, 160, 2), np.float32)
    # Each of the rest goes its own way.
    away = np.random.default_rng(5).uniform(20, 90, (120, 160, 2))
    for x, y in dots[agreeing:]:
        flow[y - 2 : y + 4, x - 2 : x + 4] = away[y, x]
    return camera, camera.feed(np.zeros_like(frame), flow)


@pytest.mark.parametrize(("count", "accepted"), [(50, False), (51, True)])
def test_more_than_fifty_matches_are_wanted(count, accepted):
    camera, _ = feed_matches(count, count)
    assert camera.matches == count
    assert camera.accepted == accepted


@pytest.mark.parametrize(("agreeing", "accepted"), [(25, False), (26, True)])
def test_more_than_twenty_five_must_agree(agreeing, accepted):
    camera, homography = feed_matches(60, agreeing)
    assert (camera.matches, camera.inliers) == (60, agreeing)
    assert camera.accepted == accepted
    np.testing.assert_allclose(homography, np.eye(3), atol=1e-6)


@MATCHERS
def test_people_are_not_matched(matcher):
    """A person fills most of the frame and would be taken for the background."""
    first, second = film(make_texture(), np.eye(3))
    first, second = first.copy(), second.copy()
    person = make_texture(9)[:124, :140].clip(0, 255)
    first[10:134, 20:160] = second[10:134, 24:164] = person
    boxes = [[[20, 10, 159, 133]], np.array([[24, 10, 163, 133]], np.float32)]
    deceived, with_all = estimate(first, second, matcher=matcher)
    assert corner_error(deceived, np.eye(3)) > 2
    homography, camera = estimate(first, second, matcher=matcher, people=boxes)
    assert camera.matches < with_all.matches
    assert corner_error(homography, np.eye(3)) < 0.3


@MATCHERS
def test_people_hide_descriptors_and_corners(matcher, monkeypatch):
    first, second = film(make_texture(), SHIFT)
    boxes = np.array([[[30, 20, 99, 90]], [[90, 60, 150, 120]]], np.float32)
    seen = []

    def watch(before, after, **_):
        seen.append((before, after))
        return None, 0

    monkeypatch.setattr(motion, "fit_homography", watch)
    estimate(first, second, matcher=matcher, people=boxes, flow=np.zeros((*SIZE, 2)))
    before, after = seen[0]
    for points, box in ((before, boxes[0, 0]), (after, boxes[1, 0])):
        covered = (points >= box[:2]).all(axis=1) & (points <= box[2:]).all(axis=1)
        assert len(points) > 100
        assert not covered.any()


def test_flow_matches_come_first(monkeypatch):
    first, second = film(make_texture(), SHIFT)
    flow = np.random.default_rng(2).normal(0, 5, (*SIZE, 2)).astype(np.float32)
    seen = []

    def watch(before, after, *, max_error):
        seen.append((before, after, max_error))
        return None, 0

    monkeypatch.setattr(motion, "fit_homography", watch)
    homography, camera = estimate(first, second, flow=flow)
    np.testing.assert_array_equal(homography, np.eye(3))
    before, after, max_error = seen[0]
    corners = cv2.goodFeaturesToTrack(first, 1000, 0.001, 3).reshape(-1, 2)
    x, y = corners.astype(int).T
    count = len(corners)
    assert set(map(tuple, before[:count])) == set(map(tuple, corners))
    x, y = before[:count].astype(int).T
    np.testing.assert_array_equal(after[:count], before[:count] + flow[y, x])
    assert camera.matches == len(before) > count
    assert max_error == 1
    assert (np.abs(after[count:] - before[count:]) < 25 + 1.5).all()


def test_flow_that_is_no_number_is_no_match():
    first, second = film(make_texture(), SHIFT)
    flow = flow_between(first, second)
    flow[:, ::2] = np.nan
    homography, camera = estimate(first, second, flow=flow)
    assert camera.accepted
    assert corner_error(homography, SHIFT) < 0.15


def movie(seed):
    return [film(make_texture(seed), np.linalg.matrix_power(ZOOM, step))[1] for step in range(4)]


def follow(camera, frames):
    homographies = [camera.feed(frames[0])]
    for before, frame in pairwise(frames):
        homographies.append(camera.feed(frame, flow_between(before, frame)))
    return homographies


@MATCHERS
def test_threads_and_repetitions_find_the_same(matcher):
    movies = [movie(seed) for seed in (1, 2, 1, 2)]
    alone = [follow(CameraMotion(matcher=matcher), frames)[1:] for frames in movies]
    np.testing.assert_array_equal(alone[0], alone[2])
    with ThreadPoolExecutor(4) as pool:
        together = list(
            pool.map(lambda frames: follow(CameraMotion(matcher=matcher), frames), movies)
        )
    np.testing.assert_array_equal([found[1:] for found in together], alone)


def test_reset_begins_a_video():
    camera = CameraMotion()
    once = follow(camera, movie(1))
    camera.reset()
    assert (camera.matches, camera.inliers, camera.accepted) == (0, 0, False)
    again = follow(camera, movie(1))
    assert again[0] is None
    np.testing.assert_array_equal(again[1:], once[1:])
    camera.reset()
    assert camera.feed(np.zeros((7, 9), np.uint8)) is None


@pytest.mark.parametrize(
    ("settings", "error", "text"),
    [
        ({"matcher": "surf"}, ValueError, "matcher must be one of orb, sift, got 'surf'"),
        ({"window": 0}, ValueError, "window must be above 0"),
        ({"min_matches": 3}, ValueError, "min_matches must be at least 4"),
        ({"min_inliers": 2.5}, TypeError, "min_inliers must be a whole number"),
        ({"max_error": 0}, ValueError, "max_error must be above 0"),
        ({"max_corners": 0}, ValueError, "max_corners must be at least 1"),
        ({"quality": 0}, ValueError, "quality must be above 0"),
        ({"min_distance": -1}, ValueError, "min_distance must be at least 0"),
    ],
)
def test_refuses_in_one_line(settings, error, text):
    with pytest.raises(error, match=text) as caught:
        CameraMotion(**settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"gray": np.zeros((9, 9, 3), np.uint8)}, ValueError, "gray must be a gray image"),
        ({"gray": np.zeros((20, 30), np.float32)}, TypeError, "gray must be uint8 in 0..255"),
        ({"gray": np.zeros((30, 20), np.uint8)}, ValueError, r"as the frames before, got .*reset"),
        ({"flow": np.zeros((20, 31, 2))}, ValueError, r"flow must be \(20, 30, 2\)"),
        ({"people": [1, 2, 3, 4]}, ValueError, r"people must be \(B, 4\)"),
        ({"people": [["a"] * 4]}, TypeError, "people must be real numbers"),
        ({"people": [[0, 0, np.nan, 1]]}, ValueError, "people must be finite, row 0 is not"),
    ],
)
def test_refuses_a_frame_in_one_line(arguments, error, text):
    camera = CameraMotion()
    camera.feed(np.zeros((20, 30), np.uint8))
    with pytest.raises(error, match=text) as caught:
        camera.feed(**{"gray": np.zeros((20, 30), np.uint8), **arguments})
    assert "\n" not in str(caught.value)
