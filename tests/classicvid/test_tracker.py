"""The tracker of points on movies with known motion, with occlusion, cuts and wrong arguments."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest

from classicvid.flow import LucasKanadeTracker, lucas_kanade_flow
from classicvid.keypoints import good_features


def pan(frames, *, dx=2, dy=1, size=(120, 160), seed=3):
    """Frames that a window sees which slides by (-dx, -dy) over a texture: all points move."""
    height, width = size[0] + dy * frames, size[1] + dx * frames
    noise = np.random.default_rng(seed).normal(128, 200, (height, width))
    texture = cv2.GaussianBlur(noise, (0, 0), 2).clip(0, 255).astype(np.uint8)
    return [
        texture[
            height - size[0] - dy * t : height - dy * t, width - size[1] - dx * t : width - dx * t
        ].copy()
        for t in range(frames)
    ]


def follow(tracker, frames):
    return [tracker.feed(frame) for frame in frames]


def test_points_keep_their_identity_and_move_with_the_image():
    states = follow(LucasKanadeTracker(max_points=150, replenish=0), pan(6))
    first, last = states[0], states[-1]
    assert len(first.points) > 50
    assert (first.ages == 0).all()
    assert len(last.points) > 0.6 * len(first.points)
    assert (last.ages == 5).all()
    start = first.points[np.searchsorted(first.identities, last.identities)]
    assert (np.abs(last.points - start - (10, 5)).max(axis=1) < 0.2).mean() > 0.9


def test_equals_the_functions_it_is_made_of():
    frames = pan(2)
    tracker = LucasKanadeTracker(
        max_points=100, quality=0.02, min_distance=5, forward_backward=None, replenish=0
    )
    first, second = follow(tracker, frames)
    corners = good_features(frames[0], max_corners=100, quality=0.02, min_distance=5)
    np.testing.assert_array_equal(first.points, corners)
    moved, status, _ = lucas_kanade_flow(*frames, corners)
    inside = status & (moved >= 0).all(axis=1) & (moved <= (159, 119)).all(axis=1)
    np.testing.assert_array_equal(second.points, moved[inside])
    np.testing.assert_array_equal(second.identities, np.flatnonzero(inside))


def test_lost_points_are_replaced_away_from_the_living():
    states = follow(LucasKanadeTracker(max_points=150, min_distance=8, replenish=1), pan(12))
    born = np.concatenate([state.identities for state in states])
    assert born.max() > states[0].identities.max()
    for before, after in pairwise(states):
        new = after.ages == 0
        assert not np.isin(after.identities[new], before.identities).any()
        assert (np.diff(after.identities) > 0).all()
        if new.any() and not new.all():
            old = np.rint(after.points[~new])
            gaps = np.linalg.norm(after.points[new][:, None] - old, axis=2)
            assert gaps.min() >= 8


def test_the_way_back_finds_points_that_are_covered():
    frames = pan(2)
    covered = frames[1].copy()
    noise = np.random.default_rng(0).integers(0, 256, (60, 60))
    covered[30:90, 50:110] = noise
    kept = {}
    for tolerance in (None, 0.5):
        tracker = LucasKanadeTracker(max_points=300, forward_backward=tolerance, replenish=0)
        kept[tolerance] = follow(tracker, [frames[0], covered])
    first, second = kept[0.5]
    motion = second.points - first.points[np.searchsorted(first.identities, second.identities)]
    wrong = np.linalg.norm(motion - (2, 1), axis=1) > 1
    assert len(second.points) < len(kept[None][1].points)
    assert wrong.mean() < 0.05


def test_reset_forgets():
    frames = pan(3)
    tracker = LucasKanadeTracker(max_points=50)
    once = follow(tracker, frames)
    tracker.reset()
    for before, after in zip(once, follow(tracker, frames), strict=True):
        np.testing.assert_array_equal(after.points, before.points)
        np.testing.assert_array_equal(after.identities, before.identities)


def test_what_it_returns_is_the_callers_own():
    frames = pan(3)
    tracker, other = LucasKanadeTracker(max_points=50), LucasKanadeTracker(max_points=50)
    for frame in frames:
        expected = other.feed(frame)
        given = tracker.feed(frame)
        np.testing.assert_array_equal(given.points, expected.points)
        given.points[:] = -1
        given.identities[:] = -1


@pytest.mark.parametrize("shape", [(1, 1), (17, 31), (33, 1000)])
def test_flat_movies_have_no_points(shape):
    for state in follow(LucasKanadeTracker(), [np.full(shape, 9, np.uint8)] * 3):
        assert state.points.shape == (0, 2)
        assert state.points.dtype == np.float32


def test_refuses_a_frame_of_another_video():
    tracker = LucasKanadeTracker()
    tracker.feed(np.zeros((20, 30), np.uint8))
    for frame in (np.zeros((30, 20), np.uint8), np.zeros((20, 30), np.float32)):
        with pytest.raises(ValueError, match=r"as those before, got .*; call reset\(\)"):
            tracker.feed(frame)


@pytest.mark.parametrize(
    ("settings", "error", "text"),
    [
        ({"max_points": 0}, ValueError, "max_points must be at least 1"),
        ({"replenish": 1.5}, ValueError, "replenish must be from 0 to 1"),
        ({"forward_backward": 0}, ValueError, "forward_backward must be above 0"),
        ({"quality": -1}, ValueError, "quality must be above 0"),
        ({"min_distance": "7"}, TypeError, "min_distance must be a number"),
        ({"win_size": 21}, ValueError, r"win_size must be \(width, height\), got 21"),
    ],
)
def test_refuses_in_one_line(settings, error, text):
    with pytest.raises(error, match=text) as caught:
        LucasKanadeTracker(**settings)
    assert "\n" not in str(caught.value)
