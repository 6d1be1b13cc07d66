"""Matches of key points against slow twins."""

from __future__ import annotations

import numpy as np
import pytest

from classicvid.camera.matching import Described, match_nearby, refine_pairs
from classicvid.keypoints import good_features
from tests.classicvid.camera.scenes import SHIFT, film, make_texture


def match_slowly(previous, current, window, distance):
    before, after = [], []
    for point, descriptor in zip(current.points, current.descriptors, strict=True):
        near = np.flatnonzero((np.abs(previous.points - point) < window).all(axis=1))
        if near.size:
            distances = [distance(descriptor, previous.descriptors[place]) for place in near]
            before.append(previous.points[near[np.argmin(distances)]])
            after.append(point)
    return np.reshape(before, (-1, 2)), np.reshape(after, (-1, 2))


def euclidean(first, second):
    return np.square(first - second).sum()


def hamming(first, second):
    return sum(int(word).bit_count() for word in first ^ second)


def draw_points(rng, count, side):
    points = rng.uniform(0, side, (count, 2))
    points[::3] = np.rint(points[::3])  # so that some lie on the border of a window
    return points[np.argsort(points[:, 1])].astype(np.float32)


@pytest.mark.parametrize("kind", ["sift", "orb"])
@pytest.mark.parametrize("counts", [(1, 1), (60, 40), (200, 300)])
@pytest.mark.parametrize("window", [3.0, 25.0, 1000.0])
def test_matching_equals_its_twin(kind, counts, window, rng):
    described = []
    for count in counts:
        if kind == "sift":
            descriptors = rng.integers(0, 4, (count, 128)).astype(np.float32)
        else:
            descriptors = rng.integers(0, 2**64, (count, 4), dtype=np.uint64)
        descriptors[count // 2 :] = descriptors[: count - count // 2]  # equals among them
        described.append(Described(draw_points(rng, count, 90), descriptors))
    matched = match_nearby(*described, window)
    twin = match_slowly(*described, window, euclidean if kind == "sift" else hamming)
    np.testing.assert_array_equal(matched, twin)


def test_refinement_finds_the_fraction_and_stays_near():
    first, second = film(make_texture(), SHIFT)
    before = good_features(first, max_corners=80, min_distance=9)
    before = before[((before > 20) & (before < (170, 120))).all(axis=1)]
    truth = before + np.float32(SHIFT[:2, 2])
    rounded = np.rint(truth)
    refined = refine_pairs(first, second, before, rounded)
    assert len(before) > 40
    assert np.median(np.abs(refined - truth)) < 0.06 < np.median(np.abs(rounded - truth))
    astray = rounded + np.float32((9, -8))
    stayed = refine_pairs(first, second, before, astray)
    assert np.abs(stayed - astray).max() <= 1.5
    assert (stayed == astray).all(axis=1).mean() > 0.3


def test_the_window_leaves_out_its_border():
    bits = np.zeros((1, 4), np.uint64)
    here = Described(np.array([[50, 50]], np.float32), bits)
    for x, y, paired in [(25, 50, 0), (50, 75, 0), (75, 25, 0), (25.5, 74.5, 1), (74, 26, 1)]:
        there = Described(np.array([[x, y]], np.float32), bits)
        assert len(match_nearby(there, here, 25.0)[0]) == paired
