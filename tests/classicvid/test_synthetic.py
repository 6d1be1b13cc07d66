"""Movies are rendered from seeds; their true flow, and what their frames tell, is measured."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from scipy.ndimage import map_coordinates
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import cross_val_score

from classicvid.synthetic import (
    APPEARANCE_CLASSES,
    MOTION_CLASSES,
    Movie,
    random_texture,
    render_appearance,
    render_motion,
)

MOTIONS = [pytest.param(render_motion, label, id=label) for label in MOTION_CLASSES]
PATTERNS = [pytest.param(render_appearance, label, id=label) for label in APPEARANCE_CLASSES]
RENDERERS = MOTIONS + PATTERNS


def warp_back(image, flow):
    """Look up each pixel of the first frame where it has gone to, and say where that was inside."""
    height, width, channels = image.shape
    y, x = np.mgrid[:height, :width]
    x, y = x + flow[..., 0], y + flow[..., 1]
    inside = (x >= 4) & (x <= width - 5) & (y >= 4) & (y <= height - 5)
    # A quintic spline: OpenCV's cubic kernel would itself shift the image, by up to 0.07 px.
    planes = [
        map_coordinates(image[..., c].astype(np.float64), (y, x), order=5, mode="mirror")
        for c in range(channels)
    ]
    return np.stack(planes, axis=-1), inside


def remainder(movie: Movie, step: int, flow) -> tuple[float, float]:
    """Mean difference of a frame to the next warped back (gray levels), and their shift (px)."""
    frame = movie.frames[step].astype(np.float64)
    warped, inside = warp_back(movie.frames[step + 1], flow)
    assert inside.mean() > 0.4
    difference = (warped - frame)[inside].ravel()
    dy, dx = (part[inside].ravel() for part in np.gradient(frame, axis=(0, 1)))
    shift = np.linalg.lstsq(np.stack((dx, dy), axis=1), difference, rcond=None)[0]
    return np.abs(difference).mean(), np.abs(shift).max()


@pytest.mark.parametrize(("render", "label"), MOTIONS)
def test_true_flow_is_true_to_a_fiftieth_of_a_pixel(render, label):
    for seed in range(4):
        movie = render(label, rng=np.random.default_rng(seed))
        for step in (0, 11, 22):
            flow = movie.flow(step)
            assert flow.dtype == np.float32
            assert flow.shape == (64, 64, 2)
            error, shift = remainder(movie, step, flow)
            assert error < 0.6  # half a level is what rounding costs
            assert shift < 0.02


@pytest.mark.parametrize(("render", "label"), PATTERNS)
def test_true_flow_holds_for_patterns_with_edges(render, label, rng):
    movie = render(label, rng=rng)
    for step in (0, 11, 22):
        flow = movie.flow(step)
        error, _ = remainder(movie, step, flow)
        wrong = [np.float32((0.25, 0.25)), np.float32((0.25, -0.25))]
        assert error < 3
        assert max(remainder(movie, step, flow + shift)[0] for shift in wrong) > 1.4 * error


@pytest.mark.parametrize(("size", "frames"), [(96, 32), (8, 2), (33, 5)])
def test_true_flow_holds_for_movies_of_every_size(size, frames, rng):
    for label in MOTION_CLASSES:
        movie = render_motion(label, size=size, frames=frames, rng=rng)
        assert movie.frames.shape == (frames, size, size, 3)
        if size > 8:  # else nothing is left inside
            assert remainder(movie, 0, movie.flow(0))[1] < 0.03
            assert remainder(movie, frames - 2, movie.flow(frames - 2))[1] < 0.03


def test_flows_of_two_steps_compose_into_the_flow_across_both(rng):
    for label in MOTION_CLASSES:
        movie = render_motion(label, rng=rng)
        first, second = movie.flow(4), movie.flow(5)
        across = Movie(movie.frames[[4, 6]], movie.transforms[[4, 6]]).flow(0)
        warped, inside = warp_back(second, first)
        np.testing.assert_allclose((first + warped)[inside], across[inside], atol=1e-3)


@pytest.mark.parametrize(
    ("label", "axis", "sign"), [("left", 0, -1), ("right", 0, 1), ("up", 1, -1), ("down", 1, 1)]
)
def test_contents_move_the_way_the_class_is_named(label, axis, sign, rng):
    movie = render_motion(label, rng=rng)
    for step in range(23):
        flow = movie.flow(step)
        np.testing.assert_allclose(flow, np.broadcast_to(flow[0, 0], flow.shape), atol=1e-4)
        assert 1.0 <= sign * flow[0, 0, axis] <= 3.0
        assert abs(flow[0, 0, 1 - axis]) < 1e-4


def test_rotation_and_zoom_keep_the_centre_and_turn_or_spread_the_rest(rng):
    turned = render_motion("rotate", size=33, rng=rng).flow(7)
    spread = render_motion("zoom", size=33, rng=rng).flow(7)
    for flow in (turned, spread):
        np.testing.assert_allclose(flow[16, 16], 0, atol=1e-4)
    y, x = np.mgrid[-16:17, -16:17]
    away, along = np.stack((x, y), axis=-1), np.stack((-y, x), axis=-1)
    size = np.maximum((away**2).sum(axis=-1), 1)
    turning, spreading = (
        [(flow * way).sum(axis=-1) / size for way in (along, away)] for flow in (turned, spread)
    )
    assert 0.03 < np.abs(turning[0]).max() < 0.11
    assert np.abs(turning[1]).max() < 0.006
    assert 0.015 < np.abs(spreading[1]).max() < 0.05
    assert np.abs(spreading[0]).max() < 1e-4


def test_an_oscillation_comes_back(rng):
    movie = render_motion("oscillate", frames=32, rng=rng)
    path = np.cumsum([movie.flow(step)[0, 0] for step in range(31)], axis=0)
    assert np.ptp(path, axis=0).max() > 3
    assert np.hypot(*path.T).max() < 8.1


@pytest.mark.parametrize(("render", "label"), RENDERERS)
def test_a_seed_makes_one_movie(render, label):
    first, again, other = (render(label, rng=np.random.default_rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.frames, again.frames)
    np.testing.assert_array_equal(first.transforms, again.transforms)
    assert not np.array_equal(first.frames, other.frames)


def test_a_movie_of_the_default_size_stays_within_its_canvas():
    corners = np.array([(x, y, 1) for x in (0, 63) for y in (0, 63)]).T
    for seed in range(20):
        for label in MOTION_CLASSES:
            movie = render_motion(label, rng=np.random.default_rng(seed))
            seen = movie.transforms @ corners
            assert -1 < seen.min() < seen.max() < 256


def test_frames_are_neither_flat_nor_clipped(rng):
    for render, label in [(render_motion, "rotate"), (render_appearance, "dots")]:
        frames = render(label, rng=rng).frames
        assert frames.dtype == np.uint8
        assert frames.std(axis=(1, 2)).min() > 10
        assert ((frames == 0) | (frames == 255)).mean() < 0.02


def test_the_texture_holds_only_its_band_of_wavelengths(rng):
    texture = random_texture(rng, wavelengths=(10, 20))
    assert texture.shape == (256, 256, 3)
    assert texture.dtype == np.float32
    assert 0 <= texture.min() < texture.max() <= 255
    power = np.abs(np.fft.fft2(texture[..., 0] - texture[..., 0].mean())) ** 2
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(256), np.fft.fftfreq(256)))
    band = (frequency >= 1 / 20 - 1e-9) & (frequency <= 1 / 10 + 1e-9)
    assert power[band].sum() / power.sum() > 0.99  # a little goes where colours are clipped


def frame_statistics(movie: Movie, rng) -> list[float]:
    """What one frame, drawn at random, tells: colour, contrast, scale, direction, sharpness."""
    frame = movie.frames[rng.integers(len(movie.frames))].astype(np.float64)
    gray = frame.mean(axis=2)
    dy, dx = np.gradient(gray)
    power = np.abs(np.fft.rfft2(gray - gray.mean())) ** 2
    frequency = np.hypot(*np.meshgrid(np.fft.rfftfreq(64), np.fft.fftfreq(64)))
    shares = np.histogram(frequency, bins=[0, 0.03, 0.06, 0.09, 0.12, 0.2, 1], weights=power)[0]
    return [
        *frame.mean(axis=(0, 1)),
        *frame.std(axis=(0, 1)),
        *np.log(shares / power.sum() + 1e-9),
        np.log(dx.std() / gray.std()),
        np.log(dy.std() / gray.std()),
        (dx * dy).mean() / (dx.std() * dy.std()),
        np.log(cv2.Laplacian(gray, cv2.CV_64F).std() / gray.std()),
        ((gray - gray.mean()) ** 3).mean() / gray.std() ** 3,
        ((gray - gray.mean()) ** 4).mean() / gray.std() ** 4,
    ]


def flow_statistics(movie: Movie) -> list[float]:
    """What the true flow tells: its mean, its changes, its turning and its spreading."""
    flow = np.stack([movie.flow(step) for step in range(0, 23, 2)])
    dx, dy = flow[..., 0], flow[..., 1]
    turning = np.abs(np.gradient(dy, axis=2) - np.gradient(dx, axis=1)).mean()
    spreading = np.abs(np.gradient(dx, axis=2) + np.gradient(dy, axis=1)).mean()
    change = flow.mean(axis=(1, 2)).std(axis=0).max()
    return [dx.mean(), dy.mean(), change, turning, spreading]


EACH = 30


def render_all(render: Callable[..., Movie], classes) -> list[Movie]:
    return [
        render(label, rng=np.random.default_rng([row, n]))
        for row, label in enumerate(classes)
        for n in range(EACH)
    ]


@pytest.fixture(scope="module")
def motion_movies() -> list[Movie]:
    return render_all(render_motion, MOTION_CLASSES)


@pytest.fixture(scope="module")
def appearance_movies() -> list[Movie]:
    return render_all(render_appearance, APPEARANCE_CLASSES)


def accuracy(features) -> float:
    """Share of movies whose class a linear discriminant tells by their features, in 5 folds."""
    labels = np.arange(len(features)) // EACH
    return cross_val_score(LinearDiscriminantAnalysis(), features, labels, cv=5).mean()


def chance_limit(classes) -> float:
    """Accuracy that guessing exceeds about once in 10 000 times."""
    rate = 1 / len(classes)
    return rate + 3.7 * np.sqrt(rate * (1 - rate) / (EACH * len(classes)))


def test_one_frame_says_nothing_of_the_motion(motion_movies, rng):
    features = [frame_statistics(movie, rng) for movie in motion_movies]
    assert accuracy(features) < chance_limit(MOTION_CLASSES)


def test_the_flow_says_all_of_the_motion(motion_movies):
    assert accuracy([flow_statistics(movie) for movie in motion_movies]) > 0.9


def test_one_frame_says_much_of_the_pattern(appearance_movies, rng):
    assert accuracy([frame_statistics(movie, rng) for movie in appearance_movies]) > 0.7


def test_the_flow_says_nothing_of_the_pattern(appearance_movies):
    features = [flow_statistics(movie) for movie in appearance_movies]
    assert accuracy(features) < chance_limit(APPEARANCE_CLASSES)


@pytest.mark.parametrize("render", [render_motion, render_appearance])
@pytest.mark.parametrize(
    ("label", "options", "error", "words"),
    [
        ("sideways", {}, ValueError, "label must be one of .*, got 'sideways'"),
        (None, {"size": 7}, ValueError, "size must be from 8 to 96, got 7"),
        (None, {"size": 97}, ValueError, "size must be from 8 to 96, got 97"),
        (None, {"size": 64.0}, TypeError, "size must be a whole number"),
        (None, {"frames": 0}, ValueError, "frames must be from 1 to 32, got 0"),
        (None, {"frames": 33}, ValueError, "frames must be from 1 to 32, got 33"),
        (None, {"rng": 7}, TypeError, "rng must be a numpy.random.Generator, got 7"),
    ],
)
def test_what_cannot_be_filmed_is_refused(render, label, options, error, words):
    label = label or (MOTION_CLASSES if render is render_motion else APPEARANCE_CLASSES)[0]
    with pytest.raises(error, match=words):
        render(label, **{"rng": np.random.default_rng(0), **options})


def test_flow_is_refused_past_the_last_pair_of_frames(rng):
    movie = render_motion("left", frames=3, rng=rng)
    assert movie.flow(1).any()
    for step in (-1, 2):
        with pytest.raises(ValueError, match="step must be from 0 to 1"):
            movie.flow(step)
    with pytest.raises(ValueError, match="two frames or more"):
        render_motion("left", frames=1, rng=rng).flow(0)


@pytest.mark.parametrize("wavelengths", [(0, 20), (20, 10), (8, 300), (8, float("nan"))])
def test_wavelengths_that_the_canvas_cannot_hold_are_refused(wavelengths, rng):
    with pytest.raises(ValueError, match="wavelength must be"):
        random_texture(rng, wavelengths=wavelengths)
