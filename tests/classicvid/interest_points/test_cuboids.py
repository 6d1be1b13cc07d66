"""Cuboids against known flicker, slow twins in numpy, their symmetries and bad input."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy import ndimage

from classicvid.interest_points import cuboids, detect_cuboids, iter_cuboids
from classicvid.kernels.simd import LANES
from classicvid.video import read_frames


def flicker(*, frames=50, period=5.0, at=(20, 15), amplitude=60.0):
    """A spot that lights up and fades periodically around the middle of the movie."""
    t, y, x = np.mgrid[:frames, :34, :45]
    spot = np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / 18)
    pulse = np.exp(-(((t - frames // 2) / 6) ** 2))
    wave = np.cos(2 * np.pi * (t - frames // 2) / period)
    return (100 + amplitude * spot * pulse * wave).astype(np.float32)


@pytest.fixture
def movie(rng):
    noise = ndimage.gaussian_filter(rng.normal(size=(30, 37, 41)), (1, 1.5, 1.5))
    return (120 + 35 * noise / noise.std()).clip(0, 255).astype(np.uint8)


def naive_energies(movie, sigma, tau):
    """Filter every pixel's gray levels over mirrored time with the formulas, one frame a time."""
    truncate = np.ceil(3 * sigma) / sigma
    smooth = ndimage.gaussian_filter(
        movie.astype(float), (0, sigma, sigma), mode="mirror", truncate=truncate
    )
    reach = int(np.ceil(2 * tau))
    t = np.arange(-reach, reach + 1)
    envelope = np.exp(-(t**2) / (2 * tau) ** 2)
    even = np.cos(2 * np.pi * t / (2 * tau)) * envelope
    even -= envelope * even.sum() / envelope.sum()
    odd = np.sin(2 * np.pi * t / (2 * tau)) * envelope
    even /= (even * np.cos(np.pi * t / tau)).sum()
    odd /= (odd * np.sin(np.pi * t / tau)).sum()
    filtered = [ndimage.correlate1d(smooth, h, axis=0, mode="mirror") for h in (even, odd)]
    return filtered[0] ** 2 + filtered[1] ** 2


def naive_maxima(energy, threshold):
    found = []
    for t, y, x in np.argwhere(energy > threshold):
        inside = all(0 < i < n - 1 for i, n in zip((t, y, x), energy.shape, strict=True))
        block = energy[t - 1 : t + 2, y - 1 : y + 2, x - 1 : x + 2]
        if inside and energy[t, y, x] == block.max():
            found.append((x, y, t))
    return found


def naive_descriptor(movie, place, radius, reach, grid):
    """Average the gradients of a cuboid cut out of the mirrored movie, voxel by voxel."""
    x, y, t = (int(v) for v in place)
    padded = np.pad(
        movie.astype(float),
        [(reach + 1,) * 2, (radius + 1,) * 2, (radius + 1,) * 2],
        mode="reflect",
    )
    block = padded[t : t + 2 * reach + 3, y : y + 2 * radius + 3, x : x + 2 * radius + 3]
    inner = (slice(1, -1),) * 3
    gradients = [np.roll(block, -1, k)[inner] - np.roll(block, 1, k)[inner] for k in (2, 1, 0)]
    shares = [overlap(n, cells) for n, cells in zip(gradients[0].shape, grid, strict=True)]
    vector = np.einsum("atyx,it,jy,kx->ijka", gradients, *shares).ravel()
    return vector / np.linalg.norm(vector)


def overlap(side, cells):
    """Return the share of each of some equal cells (rows) that every voxel of a side fills."""
    out = np.zeros((cells, side))
    for cell in range(cells):
        for voxel in range(side):
            start, stop = cell * side / cells, (cell + 1) * side / cells
            out[cell, voxel] = max(min(voxel + 1, stop) - max(voxel, start), 0)
    return out * cells / side


def energies_of(grays, tau):
    """Return the energies of one pixel whose gray levels are given."""
    planes = (np.full(1 + LANES, gray, np.float32) for gray in grays)
    return np.array([energy[0] for energy in cuboids.gabor_energies(planes, tau)])


def test_a_flickering_spot_is_the_strongest_point():
    found = detect_cuboids(flicker(), threshold=10)
    strongest = found.xyt[found.response.argmax()]
    assert np.abs(strongest - [20, 15, 25]).max() <= 1
    assert len(found) <= 3


@pytest.mark.parametrize("tau", [1.5, 2.5, 4.0])
def test_the_response_is_the_amplitude_of_the_tuned_oscillation(tau):
    t = np.arange(60)
    wave = 100 + 20 * np.cos(2 * np.pi * t / (2 * tau) + 0.7)
    energies = energies_of(wave, tau)
    np.testing.assert_allclose(np.sqrt(energies[20:40]), 20, rtol=0.08)
    slow = energies_of(100 + 20 * np.sin(t / (8 * tau)), tau)
    assert np.sqrt(slow[20:40]).max() < 4


@pytest.mark.parametrize("gray", [0, 7, 255])
def test_a_static_scene_has_no_points(gray, rng):
    scene = rng.integers(0, 256, (30, 40)).astype(np.uint8)
    assert len(detect_cuboids([scene] * 30, threshold=0.01)) == 0
    assert len(detect_cuboids([np.full_like(scene, gray)] * 30, threshold=0.01)) == 0


@pytest.mark.parametrize("tau", [1.1, 2.5, 4.0])
def test_points_and_responses_equal_their_twin(movie, tau):
    found = detect_cuboids(movie, sigma=1.5, tau=tau, threshold=3, max_points=0)
    energies = naive_energies(movie, 1.5, tau)
    expected = naive_maxima(energies, 9)
    assert len(expected) > 20
    ours = set(map(tuple, found.xyt.astype(int).tolist()))
    assert len(ours & set(expected)) >= 0.99 * len(ours | set(expected))
    x, y, t = found.xyt.astype(int).T
    np.testing.assert_allclose(found.response, np.sqrt(energies[t, y, x]), rtol=1e-3)


@pytest.mark.parametrize(("sigma", "tau"), [(2.0, 2.5), (0.7, 1.1), (3.0, 1.5)])
def test_descriptors_equal_their_twin(movie, sigma, tau):
    found = detect_cuboids(movie, sigma=sigma, tau=tau, threshold=1, max_points=10)
    assert len(found) > 5
    vectors = found.descriptors["gradients"]
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(found), 3 * 7 * 7 * 9)
    radius, reach = int(np.ceil(3 * sigma)), int(np.ceil(3 * tau))
    for place, vector in zip(found.xyt, vectors, strict=True):
        twin = naive_descriptor(movie, place, radius, reach, (9, 7, 7))
        np.testing.assert_allclose(vector, twin, atol=2e-3 * np.abs(twin).max())


def test_points_of_a_reversed_or_flipped_movie_are_reversed_or_flipped(movie):
    found = detect_cuboids(movie, threshold=4)
    last = np.array(movie.shape)[::-1] - 1
    for axis, flipped in enumerate((movie[:, :, ::-1], movie[:, ::-1], movie[::-1])):
        other = detect_cuboids(flipped, threshold=4)
        mirrored = other.xyt.copy()
        mirrored[:, axis] = last[axis] - mirrored[:, axis]
        ours, theirs = (set(map(tuple, xyt.tolist())) for xyt in (found.xyt, mirrored))
        assert len(ours) > 10
        assert len(ours & theirs) >= 0.97 * len(ours | theirs)


def test_brightness_changes_nothing_and_contrast_the_response_only(movie):
    dark = movie.astype(np.float32) / 2
    found = detect_cuboids(dark, threshold=2)
    for other, factor in ((dark + 100, 1), (dark * 1.5, 1.5)):
        changed = detect_cuboids(other, threshold=2 * factor)
        np.testing.assert_array_equal(changed.xyt, found.xyt)
        np.testing.assert_allclose(changed.response, factor * found.response, rtol=1e-3)
        difference = changed.descriptors["gradients"] - found.descriptors["gradients"]
        assert np.abs(difference).max() < 1e-4


def test_the_strongest_of_every_second_are_kept(rng):
    movie = rng.integers(0, 256, (60, 30, 40)).astype(np.uint8)
    everything = detect_cuboids(movie, max_points=0)
    few = detect_cuboids(movie, max_points=7)
    for start in (0, 25, 50):
        inside = (everything.xyt[:, 2] >= start) & (everything.xyt[:, 2] < start + 25)
        strongest = np.sort(everything.response[inside])[-7:]
        chosen = (few.xyt[:, 2] >= start) & (few.xyt[:, 2] < start + 25)
        np.testing.assert_array_equal(np.sort(few.response[chosen]), strongest)
    assert (np.diff(few.xyt[:, 2]) >= 0).all()


def test_the_stream_yields_the_same_points_in_constant_memory(rng):
    base = rng.integers(0, 256, (40, 24, 32)).astype(np.uint8)

    def frames(count):
        for i in range(count):
            yield base[i % 40]

    def peak(count):
        tracemalloc.start()
        total = sum(len(points) for points in iter_cuboids(frames(count), max_points=5))
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return total, size

    peak(100)  # what is made once
    (few, short), (many, long) = peak(100), peak(1000)
    assert (few, many) == (20, 200)
    assert long < 1.1 * short + 20_000
    parts = list(iter_cuboids(frames(100), max_points=5))
    joined = detect_cuboids(frames(100), max_points=5)
    np.testing.assert_array_equal(np.concatenate([part.xyt for part in parts]), joined.xyt)
    assert len(parts) == 4


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_short_a_video_has_no_points(count, rng):
    found = detect_cuboids(rng.integers(0, 256, (count, 20, 30)).astype(np.uint8), threshold=0)
    assert len(found) == 0
    assert found.xyt.shape == (0, 3)
    assert found.scale.shape == (0, 2)
    assert found.response.shape == (0,)
    assert found.descriptors["gradients"].shape == (0, 1323)


@pytest.mark.parametrize("shape", [(5, 1, 1), (9, 2, 50), (4, 17, 31), (3, 3, 3), (30, 33, 3)])
def test_any_size_works(shape, rng):
    movie = rng.integers(0, 256, shape).astype(np.uint8)
    found = detect_cuboids(movie, sigma=1, threshold=0, max_points=0)
    assert len(found) == 0 or min(shape) >= 3
    last = np.array(shape)[::-1] - 1
    assert (found.xyt >= 1).all()
    assert (found.xyt <= last - 1).all()
    lengths = np.linalg.norm(found.descriptors["gradients"], axis=1)
    np.testing.assert_allclose(lengths, 1, rtol=1e-4)


def test_colour_is_seen_as_gray(movie):
    found = detect_cuboids(movie, threshold=4)
    colour = detect_cuboids(np.repeat(movie[..., None], 3, axis=3), threshold=4)
    np.testing.assert_array_equal(colour.xyt, found.xyt)
    np.testing.assert_array_equal(colour.scale, np.full((len(found), 2), (2, 2.5), np.float32))


def test_position_is_a_share_of_the_video(movie):
    found = detect_cuboids(movie, threshold=4)
    position = found.position(width=41, height=37, frames=30)
    np.testing.assert_allclose(position, (found.xyt + 0.5) / [41, 37, 30], rtol=1e-6)
    with pytest.raises(ValueError, match="width must be at least 1, got 0"):
        found.position(width=0, height=2, frames=3)


def test_real_videos_have_a_useful_number(shared_data):
    for name in ("kth/person01_handclapping_d1_uncomp.avi", "weizmann4/jack/subject00_jack.mkv"):
        frames = read_frames(shared_data / name)[:100]
        assert 20 <= len(detect_cuboids(frames)) * 25 / len(frames) <= 200


FRAMES = np.zeros((4, 20, 30), np.uint8)


@pytest.mark.parametrize(
    ("frames", "settings", "error", "text"),
    [
        (FRAMES.astype(np.int16), {}, TypeError, "frame must be uint8 or float32"),
        (FRAMES[0], {}, ValueError, r"frame must be a gray image \(H, W\), got shape \(30,\)"),
        ([FRAMES[0], FRAMES[0].T], {}, ValueError, r"one size and dtype, got \(30, 20\) uint8"),
        (FRAMES, {"sigma": 0.5}, ValueError, "sigma must be at least 0.7, got 0.5"),
        (FRAMES, {"tau": 1}, ValueError, "tau must be at least 1.1, got 1"),
        (FRAMES, {"threshold": -1}, ValueError, "threshold must be at least 0"),
        (FRAMES, {"max_points": 1.5}, TypeError, "max_points must be a whole number"),
    ],
)
def test_refuses_in_one_line(frames, settings, error, text):
    with pytest.raises(error, match=text) as caught:
        detect_cuboids(frames, **settings)
    assert "\n" not in str(caught.value)


def test_parameters_are_checked_before_any_frame():
    with pytest.raises(ValueError, match="tau"):
        iter_cuboids(iter(()), tau=-1)
