"""The camera's motion on textures under known homographies, and its parts against slow twins."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import cv2
import numpy as np
import pytest

from classicvid.camera import CameraMotion, motion, read_people, warp_to_previous
from classicvid.camera.homography import fit_homography
from classicvid.camera.matching import Described, match_nearby, refine_pairs
from classicvid.camera.people import mask_people
from classicvid.flow import farneback_flow
from classicvid.kernels.camera import homography as kernels
from classicvid.kernels.simd import LANES
from classicvid.keypoints import good_features

SIZE = (144, 192)
MATCHERS = pytest.mark.parametrize("matcher", ["orb", "sift"])
SHIFT = np.array([[1, 0, 2.4], [0, 1, -1.3], [0, 0, 1]])
ZOOM = np.array([[1.02, 0.004, -1.5], [-0.004, 1.02, -1.2], [0, 0, 1]])
TILT = np.array([[1.004, 0.01, -2.25], [-0.008, 0.998, 3.5], [2e-5, -3e-5, 1]])
MOTIONS = pytest.mark.parametrize("truth", [SHIFT, ZOOM, TILT], ids=["shift", "zoom", "tilt"])


def make_texture(seed=3, size=SIZE):
    noise = np.random.default_rng(seed).normal(128, 120, (size[0] + 120, size[1] + 120))
    return cv2.GaussianBlur(noise, (0, 0), 1.6)


def film(texture, truth, size=SIZE):
    """Return two frames: the second shows at ``truth @ (x, y, 1)`` what the first shows at x, y."""
    inner = np.array([[1, 0, 60], [0, 1, 60], [0, 0, 1.0]])
    height, width = size
    first = texture[60 : 60 + height, 60 : 60 + width]
    second = cv2.warpPerspective(
        texture,
        inner @ np.linalg.inv(truth),
        (width, height),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
    )
    return tuple(np.clip(np.rint(frame), 0, 255).astype(np.uint8) for frame in (first, second))


def flow_between(first, second):
    return farneback_flow(first, second, winsize=11, levels=3, poly_n=7, poly_sigma=1.5)


def corner_error(homography, truth, size=SIZE):
    """Return how far, in pixels, the frame's corners land from where they should."""
    height, width = size
    corners = np.array([[[0, 0]], [[width - 1, 0]], [[0, height - 1]], [[width - 1, height - 1]]])
    landed = cv2.perspectiveTransform(corners.astype(np.float64), homography)
    return np.abs(landed - cv2.perspectiveTransform(corners.astype(np.float64), truth)).max()


def estimate(first, second, *, flow="ours", people=(None, None), **settings):
    camera = CameraMotion(**settings)
    assert camera.feed(first, people=people[0]) is None
    if flow is not None:
        flow = flow_between(first, second) if isinstance(flow, str) else flow
    return camera.feed(second, flow, people=people[1]), camera


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


# The homography


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


# The twin of the matching kernels


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


# The warp


def warp_slowly(previous, current, homography, margin):
    height, width = previous.shape
    warped = previous.copy()
    for y in range(height):
        for x in range(width):
            to = homography @ [x, y, 1]
            if to[2] == 0:
                continue
            to_x, to_y = to[:2] / to[2]
            if not (margin < to_x < width - 1 - margin and margin < to_y < height - 1 - margin):
                continue
            to_x, to_y = np.rint(to_x * 32) / 32, np.rint(to_y * 32) / 32
            left, top = int(to_x), int(to_y)
            u, v = to_x - left, to_y - top
            right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
            upper = current[top, left] * (1 - u) + current[top, right] * u
            lower = current[bottom, left] * (1 - u) + current[bottom, right] * u
            warped[y, x] = np.floor(upper * (1 - v) + lower * v + 0.5)
    return warped


HOMOGRAPHIES = {
    "rest": np.eye(3),
    "shift": SHIFT,
    "tilt": TILT,
    "scaled": -2.5 * TILT,
    "away": np.array([[1, 0, 1e12], [0, 1, 0], [0, 0, 1.0]]),
    "horizon": np.array([[1, 0, 0], [0, 1, 0], [0.1, 0, -1.0]]),
    "point": np.array([[0, 0, 10], [0, 0, 10], [0, 0, 1.0]]),
    "nothing": np.zeros((3, 3)),
}


@pytest.mark.parametrize("name", HOMOGRAPHIES)
@pytest.mark.parametrize("margin", [0, 5])
@pytest.mark.parametrize("shape", [(1, 1), (11, 12), (17, 31), (40, 23)])
def test_warp_equals_its_twin(name, margin, shape, rng):
    previous, current = rng.integers(0, 256, (2, *shape)).astype(np.uint8)
    warped = warp_to_previous(previous, current, HOMOGRAPHIES[name], margin=margin)
    twin = warp_slowly(previous, current, HOMOGRAPHIES[name], margin)
    np.testing.assert_array_equal(warped, twin)
    assert warped.dtype == np.uint8


def test_warp_equals_opencv_within_the_border():
    first, second = film(make_texture(), TILT)
    height, width = SIZE
    places = np.stack([*np.meshgrid(np.arange(width), np.arange(height)), np.ones(SIZE)])
    x, y, scale = np.tensordot(TILT, places, 1)
    wholes = np.rint(np.stack([x / scale, y / scale]) * 32).astype(int)
    fractions = (wholes[1] % 32 * 32 + wholes[0] % 32).astype(np.uint16)
    grid = np.moveaxis(wholes // 32, 0, 2).astype(np.int16)
    remapped = cv2.remap(second, grid, fractions, cv2.INTER_LINEAR)
    warped = warp_to_previous(first, second, TILT)
    np.testing.assert_array_equal(warped[15:-15, 15:-15], remapped[15:-15, 15:-15])


def test_warp_takes_the_motion_out():
    first, second = film(make_texture(), TILT)
    still = warp_to_previous(first, second, TILT)
    assert np.abs(still.astype(int) - first).mean() < 2
    assert np.abs(second.astype(int) - first).mean() > 15
    for border in (still[:2] == first[:2], still[:, :3] == first[:, :3]):
        assert border.all()


# People


def test_reads_the_boxes_of_frames(tmp_path):
    path = tmp_path / "people.bb"
    path.write_text("1 10 20.5 30 40 0.9 -1 2 3 4 1e-3\n\n2\n4\t0 0 5 5 1\r\n")
    people = read_people(path, first=1)
    assert sorted(people) == [0, 1, 3]
    np.testing.assert_array_equal(people[0], np.float32([[10, 20.5, 30, 40], [-1, 2, 3, 4]]))
    assert people[1].shape == (0, 4)
    assert {boxes.dtype for boxes in people.values()} == {np.dtype(np.float32)}
    assert sorted(read_people(path)) == [1, 2, 4]
    path.write_text("")
    assert read_people(path) == {}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0 1 2 3 4 1\n1 1 2 3\n", r"line 2: a box is x1 y1 x2 y2 confidence, got 3 numbers"),
        ("0 1 2 three 4 1\n", r"line 1: a frame's number and numbers are wanted, got '0 1 2 three"),
        ("0.5 1 2 3 4 1\n", r"line 1: a frame's number"),
        ("0 1 2 nan 4 1\n", r"line 1: boxes must be finite"),
        ("0 1 2 1e300 4 1\n", r"line 1: boxes must be finite"),
        ("0\n\n0\n", r"line 3: frame 0 came before"),
        ("-1 1 2 3 4 1\n", r"line 1: frames count from 0, got -1"),
        ("\x00\x81\n", r"line 1: a frame's number"),
    ],
)
def test_refuses_a_damaged_file_of_boxes(tmp_path, text, wanted):
    path = tmp_path / "people.bb"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=wanted) as caught:
        read_people(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_refuses_a_missing_file_of_boxes(tmp_path):
    with pytest.raises(FileNotFoundError, match="is no file; give the path"):
        read_people(tmp_path / "none.bb")


def test_the_mask_covers_pixels_in_boxes():
    boxes = np.array([[1.2, 0.5, 3, 2.9], [-9, 4, 0.9, 99], [7, 7, 2, 2]], np.float32)
    twin = np.ones((6, 8), np.uint8)
    for x1, y1, x2, y2 in boxes:
        for y in range(6):
            for x in range(8):
                if x1 <= x <= x2 and y1 <= y <= y2:
                    twin[y, x] = 0
    np.testing.assert_array_equal(mask_people(boxes, (6, 8)), twin)


# What is refused


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


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"current": np.zeros((9, 8), np.uint8)}, ValueError, "must have the same shape"),
        ({"previous": np.zeros((8, 9))}, TypeError, "previous must be uint8"),
        ({"homography": np.eye(2)}, ValueError, r"homography must be \(3, 3\), got shape \(2, 2\)"),
        ({"homography": np.full((3, 3), np.inf)}, ValueError, "homography must be finite"),
        ({"homography": np.eye(3, dtype=complex)}, TypeError, "homography must be real numbers"),
        ({"margin": -1}, ValueError, "margin must be at least 0"),
    ],
)
def test_refuses_a_warp_in_one_line(arguments, error, text):
    frame = np.zeros((8, 9), np.uint8)
    settings = {"previous": frame, "current": frame, "homography": np.eye(3), **arguments}
    places = [settings.pop(name) for name in ("previous", "current", "homography")]
    with pytest.raises(error, match=text) as caught:
        warp_to_previous(*places, **settings)
    assert "\n" not in str(caught.value)
