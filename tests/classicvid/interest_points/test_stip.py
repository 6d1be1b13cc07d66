"""Harris's points of space-time against known motions, slow twins, symmetries and bad input."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy import ndimage

from classicvid.interest_points import detect_stip, iter_stip, stip
from classicvid.interest_points.motion_histograms import MotionHistograms, frame_flows
from classicvid.interest_points.planes import blurred_planes
from classicvid.interest_points.time_window import time_windows
from classicvid.kernels.simd import LANES
from classicvid.synthetic import render_motion
from classicvid.video import read_frames

ONE = {"sigmas": (2.0,), "taus": (2.0,)}


@pytest.fixture
def movie(rng):
    noise = ndimage.gaussian_filter(rng.normal(size=(50, 40, 46)), (1.5, 2, 2))
    return (120 + 35 * noise / noise.std()).clip(0, 255).astype(np.uint8)


def ball(path):
    """A bright spot whose middle is at (x, 24) in each frame."""
    y, x = np.mgrid[:48, :60]
    frames = [60 + 150 * np.exp(-((x - left) ** 2 + (y - 24) ** 2) / 18) for left in path]
    return np.array(frames, np.float32)


def naive_responses(movie, sigma, tau, k):
    """Follow the formulas with a library's filters, over the whole mirrored movie at once."""

    def smooth(volume, factor):
        for axis, deviation in enumerate((tau * factor, sigma * factor, sigma * factor)):
            truncate = np.ceil(3 * deviation) / deviation
            volume = ndimage.gaussian_filter1d(
                volume, deviation, axis=axis, mode="mirror", truncate=truncate
            )
        return volume

    blurred = smooth(movie.astype(float), 1)
    scales = (tau, sigma, sigma)
    gradients = [
        ndimage.correlate1d(blurred, [-s / 2, 0, s / 2], axis=axis, mode="mirror")
        for axis, s in enumerate(scales)
    ]
    products = [[smooth(a * b, np.sqrt(2)) for b in gradients] for a in gradients]
    matrices = np.moveaxis(np.array(products), (0, 1), (-2, -1))
    return np.linalg.det(matrices) - k * np.trace(matrices, axis1=-2, axis2=-1) ** 3


def naive_histograms(movie, flows, place, sigma, tau):
    """Describe one box by visiting all its voxels and asking each for its cell and its bins."""
    x0, y0, t0 = (int(v) for v in place)
    reach, inner, outer = round(4 * tau), round(3 * sigma), round(9 * sigma)
    hog, hof = np.zeros((2, 3, 3, 4)), np.zeros((2, 3, 3, 5))
    frames, height, width = movie.shape
    for t in range(max(t0 - reach, 0), min(t0 + reach, frames)):
        for y in range(max(y0 - outer, 0), min(y0 + outer + 1, height)):
            for x in range(max(x0 - outer, 0), min(x0 + outer + 1, width)):
                column, row = (
                    0 if offset < -inner else 1 if offset <= inner else 2
                    for offset in (x - x0, y - y0)
                )
                cell = (int(t >= t0), row, column)
                gray = movie[t].astype(float)
                dx = gray[y, x + 1] - gray[y, x - 1] if 0 < x < width - 1 else 0.0
                dy = gray[y + 1, x] - gray[y - 1, x] if 0 < y < height - 1 else 0.0
                hog[cell] += share(dx, dy, 180)
                dx, dy = (float(v) for v in flows[t, y, x])
                if np.hypot(dx, dy) <= 0.4:
                    hof[(*cell, 4)] += 1
                else:
                    hof[(*cell, slice(4))] += share(dx, dy, 360)
    return [np.sqrt(part.ravel() / part.sum()) for part in (hog, hof)]


def share(dx, dy, circle):
    angle = np.degrees(np.arctan2(dy, dx)) % circle / (circle / 4)
    distance = np.abs(np.arange(4) - angle)
    return np.hypot(dx, dy) * np.maximum(1 - np.minimum(distance, 4 - distance), 0)


def test_a_ball_that_turns_round_is_a_point_where_it_does():
    time = np.arange(40) - 20
    found = detect_stip(ball(20 + np.abs(time) * 1.5), **ONE)
    strongest = found.xyt[found.response.argmax()]
    assert np.abs(strongest - [20, 24, 20]).max() <= 2
    assert found.response.max() > 10


def test_a_ball_that_moves_steadily_is_none():
    time = np.arange(40) - 20
    turning = detect_stip(ball(20 + np.abs(time) * 1.5), **ONE)
    steady = detect_stip(ball(30 + time), **ONE, threshold=0)
    assert steady.response.max(initial=0) < 0.3 * turning.response.max()


@pytest.mark.parametrize("label", ["left", "down"])
def test_textures_that_swing_have_more_points_than_those_that_pass(label):
    def count(motion):
        movies = [
            render_motion(motion, frames=32, rng=np.random.default_rng(seed)) for seed in range(3)
        ]
        return sum(len(detect_stip(movie.frames, **ONE, threshold=5)) for movie in movies)

    assert count("oscillate") > 5 * count(label)


@pytest.mark.parametrize("gray", [0, 200])
def test_a_static_scene_has_no_points(gray, rng):
    scene = rng.integers(0, 256, (40, 50)).astype(np.uint8)
    assert len(detect_stip([scene] * 25)) == 0
    assert len(detect_stip([np.full_like(scene, gray)] * 25, threshold=0.5)) == 0


@pytest.mark.parametrize(("sigma", "tau"), [(2.0, 2.0), (1.5, 2**0.5), (3.0, 1.0)])
def test_responses_equal_their_twin(movie, sigma, tau):
    shape = movie.shape[1:]
    planes = blurred_planes(movie, sigma)
    ours = np.array(
        [
            response[:-LANES].reshape(shape).copy()
            for response in stip.harris_responses(planes, shape, (sigma, tau), 0.0005)
        ]
    )
    twin = naive_responses(movie, sigma, tau, 0.0005)
    np.testing.assert_allclose(ours, twin, atol=5e-3 * np.abs(twin).max())
    np.testing.assert_allclose(ours[16], twin[16], atol=2e-3 * np.abs(twin).max())


def test_points_equal_those_of_the_twin(movie):
    found = detect_stip(movie, **ONE, threshold=1, max_points=0)
    twin = naive_responses(movie, 2.0, 2.0, 0.0005)
    peaks = (twin == ndimage.maximum_filter(twin, 3)) & (twin > 1)
    expected = {
        (x, y, t)
        for t, y, x in np.argwhere(peaks).tolist()
        if all(0 < i < n - 1 for i, n in zip((t, y, x), twin.shape, strict=True))
    }
    ours = set(map(tuple, found.xyt.astype(int).tolist()))
    assert len(expected) > 10
    assert len(ours & expected) >= 0.9 * len(ours | expected)
    x, y, t = found.xyt.astype(int).T
    np.testing.assert_allclose(found.response, twin[t, y, x].clip(1e-9) ** (1 / 6), rtol=2e-2)


def test_descriptors_equal_their_twin(movie):
    movie = movie[:14]
    sigma, tau = 1.0, 1.0
    flows = np.array(list(frame_flows(movie, movie.shape[1:])))
    describer = MotionHistograms(sigma, tau)
    windows = time_windows(movie, 4), time_windows(flows, 4)
    places = np.array([[20, 18], [1, 1], [45, 30]])
    for t, (image, flow) in enumerate(zip(*windows, strict=True)):
        if t not in (0, 2, 7, 13):
            continue
        vectors = describer.describe(image, flow, places)
        for n, (x, y) in enumerate(places):
            hog, hof = naive_histograms(movie, flows, (x, y, t), sigma, tau)
            np.testing.assert_allclose(vectors["hog"][n], hog, atol=2e-3)
            np.testing.assert_allclose(vectors["hof"][n], hof, atol=2e-3)


def test_the_flow_of_a_frame_leads_to_the_next():
    movie = render_motion("right", size=48, frames=5, rng=np.random.default_rng(3))
    flows = list(frame_flows([frame[..., 1] for frame in movie.frames], (48, 48)))
    assert len(flows) == 5
    for step in range(4):
        assert np.median(np.abs(flows[step] - movie.flow(step))) < 0.2
    np.testing.assert_array_equal(flows[4], flows[3])
    alone = list(frame_flows([movie.frames[0, ..., 1]], (48, 48)))
    np.testing.assert_array_equal(alone, np.zeros((1, 48, 48, 2)))


def test_motion_to_the_right_is_the_first_direction():
    movie = render_motion("right", frames=20, rng=np.random.default_rng(5))
    found = detect_stip(movie.frames, **ONE, threshold=0, max_points=5)
    assert len(found) > 0
    directions = found.descriptors["hof"].reshape(len(found), 18, 5) ** 2
    assert (directions.sum(axis=(0, 1)).argmax()) == 0
    np.testing.assert_allclose(directions.sum(axis=(1, 2)), 1, rtol=1e-4)


def test_points_of_a_reversed_or_flipped_movie_are_reversed_or_flipped(movie):
    found = detect_stip(movie, **ONE, threshold=1)
    last = np.array(movie.shape)[::-1] - 1
    for axis, flipped in enumerate((movie[:, :, ::-1], movie[:, ::-1], movie[::-1])):
        other = detect_stip(flipped, **ONE, threshold=1)
        mirrored = other.xyt.copy()
        mirrored[:, axis] = last[axis] - mirrored[:, axis]
        ours, theirs = (set(map(tuple, xyt.tolist())) for xyt in (found.xyt, mirrored))
        assert len(ours) > 10
        assert len(ours & theirs) >= 0.9 * len(ours | theirs)


def test_brightness_changes_nothing_and_contrast_the_response_only(movie):
    dark = movie.astype(np.float32) / 2
    found = detect_stip(dark, **ONE, threshold=2)
    for other, factor in ((dark + 100, 1), (dark * 1.5, 1.5)):
        changed = detect_stip(other, **ONE, threshold=2 * factor)
        ours, theirs = (set(map(tuple, p.xyt.tolist())) for p in (found, changed))
        assert len(ours & theirs) >= 0.97 * len(ours | theirs)
        if len(changed) == len(found):
            np.testing.assert_allclose(changed.response, factor * found.response, rtol=1e-2)


def test_every_scale_names_itself(movie):
    found = detect_stip(movie, sigmas=(2.0, 3.0), taus=(1.5, 2.0), max_points=0)
    scales = {tuple(scale) for scale in found.scale.tolist()}
    assert scales == {(2.0, 1.5), (2.0, 2.0), (3.0, 1.5), (3.0, 2.0)}
    alone = detect_stip(movie, sigmas=(3.0,), taus=(1.5,), max_points=0)
    part = found.select((found.scale == np.float32([3.0, 1.5])).all(axis=1))
    np.testing.assert_array_equal(alone.xyt, part.xyt)
    np.testing.assert_array_equal(alone.descriptors["hof"], part.descriptors["hof"])
    assert (np.diff(found.xyt[:, 2]) >= 0).all()


def test_the_strongest_of_every_second_are_kept(movie):
    everything = detect_stip(movie, **ONE, max_points=0)
    few = detect_stip(movie, **ONE, max_points=4)
    early = everything.response[everything.xyt[:, 2] < 25]
    kept = few.response[few.xyt[:, 2] < 25]
    np.testing.assert_array_equal(np.sort(kept), np.sort(early)[-4:])


def test_the_stream_needs_constant_memory(rng):
    base = rng.integers(0, 256, (40, 24, 32)).astype(np.uint8)

    def peak(count):
        tracemalloc.start()
        frames = (base[i % 40] for i in range(count))
        parts = sum(1 for _ in iter_stip(frames, **ONE, max_points=3))
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return parts, size

    peak(60)  # what is made once
    (few, short), (many, long) = peak(100), peak(1000)
    assert (few, many) == (4, 40)
    assert long < 1.1 * short + 20_000


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_short_a_video_has_no_points(count, rng):
    found = detect_stip(rng.integers(0, 256, (count, 40, 50)).astype(np.uint8), threshold=0)
    assert len(found) == 0
    assert found.xyt.shape == (0, 3)
    assert found.descriptors["hog"].shape == (0, 72)
    assert found.descriptors["hof"].shape == (0, 90)


@pytest.mark.parametrize("shape", [(5, 1, 1), (6, 2, 50), (4, 17, 31), (3, 3, 3), (9, 33, 3)])
def test_any_size_works(shape, rng):
    movie = rng.integers(0, 256, shape).astype(np.uint8)
    found = detect_stip(movie, **ONE, threshold=0, max_points=0)
    assert len(found) == 0 or min(shape) >= 3
    assert (found.xyt >= 1).all()
    assert (found.xyt <= np.array(shape)[::-1] - 2).all()
    assert all(np.isfinite(values).all() for values in found.descriptors.values())


def test_colour_is_seen_as_gray(movie):
    colour = detect_stip(np.repeat(movie[..., None], 3, axis=3), **ONE)
    np.testing.assert_array_equal(colour.xyt, detect_stip(movie, **ONE).xyt)


def test_real_videos_have_a_useful_number(shared_data):
    frames = read_frames(shared_data / "kth" / "person01_handclapping_d1_uncomp.avi")[:100]
    assert 20 <= len(detect_stip(frames)) / 4 <= 200


FRAMES = np.zeros((4, 20, 30), np.uint8)


@pytest.mark.parametrize(
    ("frames", "settings", "error", "text"),
    [
        (FRAMES.astype(np.int16), {}, TypeError, "frame must be uint8 or float32"),
        ([FRAMES[0], FRAMES[0].T], {}, ValueError, r"one size and dtype, got \(30, 20\) uint8"),
        (FRAMES, {"sigmas": (2.0, 0.1)}, ValueError, r"sigmas\[1\] must be at least 0.5, got 0.1"),
        (FRAMES, {"sigmas": 2.0}, ValueError, "sigmas must be a sequence of one number or more"),
        (FRAMES, {"taus": ()}, ValueError, "taus must be a sequence of one number or more"),
        (FRAMES, {"k": 0.5}, ValueError, "k must be from 0 to"),
        (FRAMES, {"threshold": -1}, ValueError, "threshold must be at least 0"),
        (FRAMES, {"max_points": 1.5}, TypeError, "max_points must be a whole number"),
    ],
)
def test_refuses_in_one_line(frames, settings, error, text):
    with pytest.raises(error, match=text) as caught:
        detect_stip(frames, **settings)
    assert "\n" not in str(caught.value)


def test_parameters_are_checked_before_any_frame():
    with pytest.raises(ValueError, match="taus"):
        iter_stip(iter(()), taus=(-1.0,))
