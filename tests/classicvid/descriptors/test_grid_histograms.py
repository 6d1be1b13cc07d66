"""Histograms of HOG, HOF and MBH against twins, scikit-image, symmetries and known motions."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from skimage.feature import hog

from classicvid.classifier import HistogramClassifier
from classicvid.descriptors import video_histograms
from classicvid.kernels import descriptors as kernels
from classicvid.synthetic import MOTION_CLASSES, random_texture, render_motion
from classicvid.video import iter_frames
from tests import naive

SHAPES = [(1, 1), (1, 7), (2, 3), (3, 2), (16, 16), (33, 50)]


class ScriptedFlow:
    """Hands out given fields, (T - 1, H, W, 2), in place of estimated ones."""

    def __init__(self, fields):
        self.fields = fields
        self.fed = 0

    def feed(self, frame):
        self.fed += 1
        return self.fields[self.fed - 2] if self.fed > 1 else None

    def reset(self):
        self.fed = 0


def content(kind, shape, rng):
    if kind == "constant":
        return np.full(shape, 3.25, np.float32)
    return rng.normal(0, 2, shape).astype(np.float32)


def gradients(plane, *, grid=4, bins=8):
    out = np.zeros((grid, grid, bins))
    kernels.vote_gradients(np.ascontiguousarray(plane, dtype=np.float32), out)
    return out


def flow_votes(flow, *, min_flow=0.4, grid=4, bins=8):
    out = np.zeros((grid, grid, bins + 1))
    kernels.vote_flow(np.ascontiguousarray(flow, dtype=np.float32), np.float32(min_flow), out)
    return out


def assert_votes(ours, expected):
    """Compare histograms up to the error of an angle, 3e-7 of a turn, and of float32 sums."""
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-5 * max(1, expected.max()))


def film(rng, count, shape=(12, 17)):
    frames = rng.integers(0, 256, (count, *shape, 3), dtype=np.uint8)
    return frames, ScriptedFlow(rng.normal(0, 1, (count - 1, *shape, 2)).astype(np.float32))


def distributions(vector, *, grid=4, bins=8):
    """Unfold a vector into cells (times, G * G, bins) and whole frames (times, bins), squared."""
    table = np.square(vector.astype(np.float64)).reshape(-1, grid * grid + 1, bins)
    return table[:, :-1], table[:, -1]


@pytest.mark.parametrize("kind", ["random", "constant"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("grid", "bins"), [(1, 8), (4, 8), (3, 5)])
def test_kernels_equal_their_twins(kind, shape, grid, bins, rng):
    plane, flow = content(kind, shape, rng), content(kind, (*shape, 2), rng)
    assert_votes(gradients(plane, grid=grid, bins=bins), naive.vote_gradients(plane, grid, bins))
    for min_flow in (0.0, 0.4, 2.0):
        ours = flow_votes(flow, min_flow=min_flow, grid=grid, bins=bins)
        assert_votes(ours, naive.vote_flow(flow, np.float32(min_flow), grid, bins))


def test_axes_and_diagonals_vote_for_one_bin_each():
    for b in range(8):
        angle = 2 * np.pi * b / 8
        votes = flow_votes(np.full((1, 1, 2), 2) * [np.cos(angle), np.sin(angle)], grid=1)
        np.testing.assert_allclose(votes[0, 0], 2 * (np.arange(9) == b), atol=1e-5)


def test_votes_add_to_what_is_there(rng):
    plane = content("random", (9, 9), rng)
    out = gradients(plane)
    kernels.vote_gradients(plane, out)
    np.testing.assert_allclose(out, 2 * gradients(plane))


def test_hog_agrees_with_scikit_image(rng):
    """It counts unsigned angles in hard bins: 180 of them, spread by hand over our soft four."""
    image = random_texture(rng)[:64, :64].mean(axis=2)
    fine = hog(
        image, orientations=180, pixels_per_cell=(16, 16), cells_per_block=(1, 1), block_norm="L1"
    ).reshape(4, 4, 180)
    distance = np.abs((np.arange(180) + 0.5) / 45 - np.arange(4)[:, None])
    nearness = np.maximum(1 - np.minimum(distance, 4 - distance), 0)
    expected = fine @ nearness.T
    signed = gradients(image)
    ours = signed[..., :4] + signed[..., 4:]
    ours /= ours.sum(axis=2, keepdims=True)
    np.testing.assert_allclose(ours, expected, atol=0.005)


def test_brightness_leaves_hog(rng):
    frames, flow = film(rng, 5)
    darker, brighter = frames // 2, frames // 2 + 100
    ours = video_histograms(darker, flow=flow)
    np.testing.assert_allclose(video_histograms(brighter, flow=flow)["hog"], ours["hog"], atol=1e-6)


def test_a_mirror_swaps_bins_and_cells(rng):
    mirrored = (4 - np.arange(8)) % 8  # the angle pi - a for a
    plane = content("random", (20, 24), rng)
    expected = gradients(plane)[:, ::-1][..., mirrored]
    np.testing.assert_allclose(gradients(plane[:, ::-1]), expected, atol=1e-4)
    flow = content("random", (20, 24, 2), rng)
    expected = flow_votes(flow)[:, ::-1][..., [*mirrored, 8]]
    np.testing.assert_allclose(flow_votes(flow[:, ::-1] * [-1, 1]), expected, atol=1e-4)


def test_no_motion_is_rest(rng):
    frames = np.repeat(rng.integers(0, 256, (1, 16, 20, 3), dtype=np.uint8), 4, axis=0)
    histograms = video_histograms(frames, flow=ScriptedFlow(np.zeros((3, 16, 20, 2), np.float32)))
    cells, whole = distributions(histograms["hof"], bins=9)
    np.testing.assert_allclose(whole[:, 8], 1, atol=0.002)
    np.testing.assert_allclose(cells[:, :, 8], 1 / 16, atol=0.002)
    # No boundary of motion anywhere: every orientation alike, none blown up.
    np.testing.assert_allclose(distributions(histograms["mbhx"])[1], 1 / 8, atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_cells_and_frame_are_distributions(shape, rng):
    histograms = video_histograms(rng.integers(0, 256, (3, *shape, 3), dtype=np.uint8))
    assert list(histograms) == ["hog", "hof", "mbhx", "mbhy"]
    for name, vector in histograms.items():
        cells, whole = distributions(vector, bins=9 if name == "hof" else 8)
        assert vector.dtype == np.float32
        assert len(whole) == 3
        np.testing.assert_allclose(cells.sum(axis=(1, 2)), 1, atol=1e-5)
        np.testing.assert_allclose(cells.sum(axis=1), whole, atol=1e-5)


def test_one_frame_has_edges_and_no_motion(rng):
    histograms = video_histograms(rng.integers(0, 256, (1, 16, 16, 3), dtype=np.uint8))
    assert all(not histograms[name].any() for name in ("hof", "mbhx", "mbhy"))
    np.testing.assert_allclose(np.square(histograms["hog"]).sum(), 6, rtol=1e-5)
    assert len(histograms["hof"]) == 3 * 17 * 9


def test_a_constant_frame_has_no_preferred_edge():
    cells, whole = distributions(video_histograms(np.full((2, 8, 8, 3), 77, np.uint8))["hog"])
    np.testing.assert_allclose(whole, 1 / 8, atol=1e-6)
    np.testing.assert_allclose(cells, 1 / 128, atol=1e-6)


@pytest.mark.parametrize(("count", "parts"), [(2, 3), (7, 1), (7, 3), (96, 5), (385, 2)])
def test_time_is_cut_as_if_all_frames_were_kept(count, parts, rng):
    """Even where spans have merged, 385 frames into 96 spans of 4 and one frame into 8s."""
    frames, flow = film(rng, count, shape=(5, 6))
    ours = video_histograms(frames, grid=2, parts=parts, flow=flow)
    pixels = np.outer([3, 2], [3, 3])
    kept = np.stack([naive.vote_flow(field, np.float32(0.4), 2, 8) for field in flow.fields])
    expected = naive.describe_histograms(kept, pixels, parts)
    np.testing.assert_allclose(ours["hof"], expected, atol=1e-5)
    planes = np.stack([naive.vote_gradients(field[..., 1], 2, 8) for field in flow.fields])
    expected = naive.describe_histograms(planes, pixels, parts)
    np.testing.assert_allclose(ours["mbhy"], expected, atol=1e-5)


def test_a_stream_gives_what_an_array_gives(rng):
    frames = rng.integers(0, 256, (6, 20, 30, 3), dtype=np.uint8)
    whole, streamed = video_histograms(frames), video_histograms(frame for frame in frames)
    for name, vector in whole.items():
        np.testing.assert_array_equal(streamed[name], vector)


def test_a_reversal_swaps_the_parts(rng):
    frames, flow = film(rng, 8)
    forward = video_histograms(frames, flow=flow)["hog"].reshape(3, -1)
    backward = video_histograms(frames[::-1], flow=flow)["hog"].reshape(3, -1)
    np.testing.assert_allclose(backward, forward[[0, 2, 1]], atol=1e-6)
    assert np.abs(forward[1] - forward[2]).max() > 0.01


@pytest.mark.parametrize(
    ("step", "expected"), [((2, 0), 0), ((0, 2), 2), ((-2, 0), 4), ((0, -2), 6)]
)
def test_a_translation_is_seen_in_its_direction(step, expected, rng):
    texture = random_texture(rng).astype(np.uint8)
    frames = [
        texture[64 - dy : 128 - dy, 64 - dx : 128 - dx] for dx, dy in np.outer(range(6), step)
    ]
    _, whole = distributions(video_histograms(frames)["hof"], bins=9)
    assert whole[0].argmax() == expected
    assert whole[0, expected] > 0.75


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"frames": []}, ValueError, "at least one frame, got none"),
        ({"frames": [np.zeros((4, 4), np.uint8)]}, ValueError, "RGB frame"),
        ({"frames": [np.zeros((4, 4, 3))]}, TypeError, "uint8"),
        (
            {"frames": [np.zeros((4, n, 3), np.uint8) for n in (4, 5)]},
            ValueError,
            r"one size, got \(4, 5\) after \(4, 4\)",
        ),
        ({"grid": 0}, ValueError, "grid must be from 1 to 32"),
        ({"bins": 2.5}, TypeError, "bins must be a whole number"),
        ({"parts": 17}, ValueError, "parts must be from 1 to 16"),
        ({"min_flow": -1}, ValueError, "min_flow must be at least 0"),
        ({"flow": ScriptedFlow(np.zeros((1, 3, 3, 2)))}, ValueError, "flow must be"),
    ],
)
def test_bad_input_is_named(change, error, words):
    options = {"frames": np.zeros((2, 4, 4, 3), np.uint8), **change}
    with pytest.raises(error, match=words):
        video_histograms(options.pop("frames"), **options)


def test_synthetic_motions_are_told_apart():
    rng = np.random.default_rng(7)
    labels = np.tile(np.arange(len(MOTION_CLASSES)), 20)
    movies = (render_motion(MOTION_CLASSES[k], size=48, frames=16, rng=rng).frames for k in labels)
    features = np.stack([np.concatenate(list(video_histograms(m).values())) for m in movies])
    model = HistogramClassifier(members=1).fit(features[:98], labels[:98], classes=7)
    best = model.predict_probabilities(features[98:]).argmax(axis=1)
    assert (best == labels[98:]).mean() >= 0.9


@pytest.mark.slow
def test_weizmann_leaving_one_subject_out(shared_data):
    folder = shared_data / "weizmann4"
    with (folder / "videos.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    features = []
    for row in rows:
        with iter_frames(folder / row["path"]) as frames:
            features.append(np.concatenate(list(video_histograms(frames).values())))
    features = np.stack(features)
    _, labels = np.unique([row["label"] for row in rows], return_inverse=True)
    groups = np.array([row["group"] for row in rows])
    hits = 0
    for group in np.unique(groups):
        test = groups == group
        model = HistogramClassifier().fit(features[~test], labels[~test], classes=4)
        hits += (model.predict_probabilities(features[test]).argmax(axis=1) == labels[test]).sum()
    assert hits >= 35
