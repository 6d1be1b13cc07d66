"""The homography of pairs of places against OpenCV's and against slow twins."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from classicvid.camera.homography import fit_homography
from classicvid.kernels.camera import homography as kernels
from classicvid.kernels.simd import LANES
from tests.classicvid.camera.scenes import TILT


def draw_pairs(rng, count, share):
    """Return pairs of a homography with noise; all but a share of them go astray."""
    before = rng.uniform(0, 320, (count, 2)).astype(np.float32)
    scale = [[0.02, 0.02, 5], [0.02, 0.02, 5], [1e-5, 1e-5, 0]]
    truth = np.eye(3) + rng.normal(0, 1, (3, 3)) * scale
    after = cv2.perspectiveTransform(before[:, None].astype(np.float64), truth)[:, 0]
    after += rng.normal(0, 0.4, after.shape)
    astray = rng.random(count) > share
    after[astray] += rng.uniform(-25, 25, (astray.sum(), 2))
    return before, after.astype(np.float32)


@pytest.mark.parametrize("share", [1, 0.8, 0.5, 0.3, 0.2])
@pytest.mark.parametrize("count", [5, 6, 60, 1500])
def test_homography_equals_opencv(share, count, rng):
    for _ in range(4):
        before, after = draw_pairs(rng, count, share)
        for error in (1.0, 2.5):
            homography, inliers = fit_homography(before, after, max_error=error)
            reference, _ = cv2.findHomography(before, after, cv2.RANSAC, error)
            np.testing.assert_allclose(homography, reference, rtol=1e-7, atol=1e-9)
            mapped = cv2.perspectiveTransform(before[:, None].astype(np.float64), homography)[:, 0]
            agrees = np.linalg.norm(mapped - after, axis=1) <= error
            assert abs(inliers - agrees.sum()) <= 1  # of rounding


def test_pairs_on_a_line_have_no_homography():
    line = np.arange(80, dtype=np.float32)[:, None] * [1, 2]
    assert fit_homography(line, line, max_error=1.0) == (None, 0)
    one = np.ones((60, 2), np.float32)
    assert fit_homography(one, one, max_error=1.0) == (None, 0)


def test_four_pairs_give_the_homography_that_solves_their_equations(rng):
    for _ in range(20):
        before, after = rng.uniform(0, 100, (2, 4, 2))
        rows = []
        for (x, y), (u, v) in zip(before, after, strict=True):
            rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
            rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
        solved = np.linalg.solve(rows, after.ravel())
        mapped = np.empty(9)
        assert kernels.map_quads(np.concatenate([before.T, after.T]), mapped)
        np.testing.assert_allclose(mapped / np.append(solved, 1), 1, rtol=1e-6)


@pytest.mark.parametrize("count", [1, LANES - 1, LANES, LANES + 1, 70])
def test_agreement_equals_its_twin(count, rng):
    before, after = draw_pairs(rng, count, 0.5)
    pairs = np.full((4, -(-count // LANES) * LANES), np.nan, np.float32)
    pairs[:2, :count], pairs[2:, :count] = before.T, after.T
    agrees = np.full(pairs.shape[1], np.nan, np.float32)
    number = kernels.measure_agreement(pairs, TILT.ravel(), np.float32(900), agrees)
    twin = np.zeros(pairs.shape[1])
    for i in range(count):
        x, y, scale = TILT @ [*before[i], 1]
        twin[i] = np.hypot(x / scale - after[i, 0], y / scale - after[i, 1]) <= 30
    np.testing.assert_array_equal(agrees, twin)
    assert number == twin.sum()
