"""Clips are cut where they should be, flips negate dx, and short videos are held."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import cnn
from classicvid.flow.images import dequantise_flow, quantise_flow
from cnn.clips import (
    VIEWS,
    ClipPositions,
    clips_on,
    even_positions,
    random_positions,
    read_clips,
)
from cnn.normalisation import normalise_clips

RGB = cnn.InputSpec("rgb", 4, cache_size=(10, 12), crop=8)
FLOW = cnn.InputSpec("flow", 4, cache_size=(10, 12), crop=8, normalisation="none")


def numbered(frames: int, channels: int = 3, height: int = 10, width: int = 12):
    """A video whose codes tell frame (t), row (y) and column (x) apart."""
    t, y, x = np.mgrid[:frames, :height, :width]
    return np.stack([16 * t + 0 * y, y + 0 * t, x + 0 * t][:channels], axis=-1).astype(np.uint8)


def source_of(*videos, bound=20.0):
    count = len(videos)
    return cnn.ClipSource(
        list(videos), np.arange(count) % 2, [f"v{i}" for i in range(count)], ("a", "b"), bound
    )


def one(start=0, top=0.0, left=0.0, mirrored=False, video=0):
    arrays = [np.array([value]) for value in (video, start, top, left, mirrored)]
    return ClipPositions(*arrays)


def normalised(codes, spec, *, mirrored=False, bound=20.0):
    flags = torch.full((len(codes),), mirrored)
    return normalise_clips(torch.from_numpy(codes), flags, spec, bound=bound).numpy()


def test_all_frames_of_a_clip_share_start_crop_and_flip():
    source = source_of(numbered(9))
    clip = read_clips(source, RGB, one(start=3, top=1.0, left=0.5))[0]
    assert (clip[..., 0] == 16 * np.arange(3, 7)[:, None, None]).all()
    assert (clip[..., 1] == np.arange(2, 10)[:, None]).all()
    assert (clip[..., 2] == np.arange(2, 10)).all()
    mirror = read_clips(source, RGB, one(start=3, top=1.0, left=0.5, mirrored=True))[0]
    np.testing.assert_array_equal(mirror, clip[:, :, ::-1])


def test_frame_step_spreads_the_frames():
    spec = cnn.InputSpec("rgb", 2, 5, cache_size=(10, 12), crop=8)
    clip = read_clips(source_of(numbered(9)), spec, one(start=1))[0]
    assert clip[:, 0, 0, 0].tolist() == [16, 96]
    assert spec.span == 6


def test_random_clips_cover_every_start_and_corner_and_no_more(rng):
    source = source_of(numbered(7), numbered(2))
    rows = np.repeat([0, 1], 300)
    drawn = random_positions(source, rows, RGB, rng=rng)
    assert set(drawn.starts[:300]) == {0, 1, 2, 3}
    assert set(drawn.starts[300:]) == {0}
    clips = read_clips(source, RGB, drawn)
    assert set(clips[:, 0, 0, 0, 1]) == {0, 1, 2}  # 10 - 8 rows to spare
    assert set(clips[:, 0, 0, 0, 2]) == {0, 1, 2, 3, 4}
    assert not drawn.mirrored.any()
    assert 200 < random_positions(source, rows, RGB, rng=rng, flip=True).mirrored.sum() < 400


def test_even_clips_span_the_video_in_order():
    source = source_of(numbered(13), numbered(4))
    spread = even_positions(source, RGB, clips_per_video=4)
    assert spread.starts.tolist() == [0, 3, 6, 9, 0, 0, 0, 0]
    assert spread.videos.tolist() == [0] * 4 + [1] * 4
    assert even_positions(source, RGB, clips_per_video=1).starts.tolist() == [4, 0]


def test_ten_views_are_corners_and_centre_and_their_mirror_images():
    source = source_of(numbered(4))
    seen = set()
    for view in VIEWS["ten"]:
        positions = even_positions(source, RGB, clips_per_video=1, view=view)
        corner = read_clips(source, RGB, positions)[0, 0, 0, 0]
        seen.add((corner[1], corner[2]))
    # (row, column) of the first pixel; a mirrored crop begins with its last column.
    left, right = (
        [(0, 0), (0, 4), (2, 0), (2, 4), (1, 2)],
        [(0, 7), (0, 11), (2, 7), (2, 11), (1, 9)],
    )
    assert seen == set(left + right)


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_short_video_holds_its_last_frame(frames):
    clip = read_clips(source_of(numbered(frames)), RGB, one())[0]
    assert clip[:, 0, 0, 0].tolist() == [16 * min(t, frames - 1) for t in range(4)]


def test_short_flow_repeats_its_last_field_and_no_field_is_no_motion():
    two = quantise_flow(np.full((10, 12, 2), 3.0, np.float32))[None].repeat(2, 0)
    source = source_of(two, two[:0])
    found = clips_on(torch.device("cpu"), source, FLOW, one())
    assert found.numpy() == pytest.approx(3.0, abs=1.01 * 20 / 255)
    still = clips_on(torch.device("cpu"), source, FLOW, one(video=1))
    assert still.numpy() == pytest.approx(0.0, abs=1.01 * 20 / 255)


def test_flow_is_dequantised_as_it_was_quantised():
    codes = np.arange(256, dtype=np.uint8).repeat(2).reshape(1, 1, 16, 16, 2)
    spec = cnn.InputSpec("flow", 1, cache_size=(16, 16), crop=16, normalisation="none")
    wanted = dequantise_flow(codes[0, 0], bound=7.0)
    found = normalised(codes, spec, bound=7.0)[0, :, 0].transpose(1, 2, 0)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_flow_flip_mirrors_the_field_and_negates_dx(rng):
    flow = rng.uniform(-5, 5, (4, 10, 12, 2)).astype(np.float32)
    codes = np.stack([quantise_flow(field) for field in flow])
    mirror = np.stack([quantise_flow(field[:, ::-1] * np.float32([-1, 1])) for field in flow])
    cpu = torch.device("cpu")
    flipped = clips_on(cpu, source_of(codes), FLOW, one(left=0.0, mirrored=True))
    wanted = clips_on(cpu, source_of(mirror), FLOW, one(left=1.0))
    # Half a code of rounding on either side.
    np.testing.assert_allclose(flipped.numpy(), wanted.numpy(), atol=1.01 * 40 / 255)
    straight = clips_on(cpu, source_of(codes), FLOW, one())
    np.testing.assert_array_equal(flipped[:, 0].numpy(), -straight[:, 0].flip(-1).numpy())
    np.testing.assert_array_equal(flipped[:, 1].numpy(), straight[:, 1].flip(-1).numpy())


def test_mean_subtraction_takes_the_camera_out_of_each_field(rng):
    spec = cnn.InputSpec("flow", 4, cache_size=(10, 12), crop=8, normalisation="field")
    flow = rng.uniform(-3, 3, (4, 10, 12, 2)).astype(np.float32)
    camera = rng.uniform(-4, 4, (4, 1, 1, 2)).astype(np.float32)
    still, moved = (
        clips_on(torch.device("cpu"), source_of(quantise_flow_all(f)), spec, one()).numpy()
        for f in (flow, flow + camera)
    )
    np.testing.assert_allclose(moved, still, atol=1.01 * 40 / 255)
    np.testing.assert_allclose(moved.mean((3, 4)), 0.0, atol=1e-4)


def test_clip_normalisation_forgets_brightness_and_contrast_but_not_hue(rng):
    spec = cnn.InputSpec("rgb", 4, cache_size=(8, 8), crop=8, normalisation="clip")
    clip = rng.uniform(0, 100, (1, 4, 8, 8, 3))
    dark, bright = (normalised(v.astype(np.uint8), spec) for v in (clip, 2 * np.floor(clip) + 40))
    assert dark.shape == (1, 3, 4, 8, 8)
    np.testing.assert_allclose(dark, bright, atol=0.06)
    assert dark.mean() == pytest.approx(0.0, abs=1e-4)
    assert dark.std() == pytest.approx(1.0, abs=0.05)
    red = normalised((clip * [2, 1, 1]).astype(np.uint8), spec)
    assert red[:, 0].mean() > red[:, 1].mean() + 0.5
    assert not normalised(np.full((1, 4, 8, 8, 3), 9, np.uint8), spec).any()


def test_constant_normalisation_subtracts_the_published_mean():
    codes = numbered(4)[None]
    found = normalised(codes, RGB)
    np.testing.assert_array_equal(found[0], codes[0].transpose(3, 0, 1, 2).astype(float) - 117.0)


def test_arrays_are_mapped_from_files_and_selected(tmp_path):
    for i in range(3):
        np.save(tmp_path / f"{i}.npy", numbered(5 + i))
    source = cnn.ClipSource.load(
        [tmp_path / f"{i}.npy" for i in range(3)], [0, 1, 0], names="xyz", classes=("a", "b")
    )
    assert isinstance(source.videos[0], np.memmap)
    part = source.select([2, 1])
    assert [len(video) for video in part.videos] == [7, 6]
    assert part.labels.tolist() == [0, 1]
    assert list(part.names) == ["z", "y"]


def test_videos_may_differ_in_size_and_length():
    source = source_of(numbered(5), numbered(9, height=20, width=8))
    clips = read_clips(source, RGB, even_positions(source, RGB, clips_per_video=2))
    assert clips.shape == (4, 4, 8, 8, 3)
    assert clips[2, 0, 0, 0].tolist() == [0, 6, 0]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"labels": [0]}, ValueError, "2 videos need as many labels"),
        ({"labels": [0, 2]}, ValueError, "labels must be from 0 to 1, got 2"),
        ({"videos": [numbered(3), numbered(3).astype(float)]}, TypeError, "v1 must be uint8"),
        ({"videos": [numbered(3), numbered(3, 2)]}, ValueError, "video v1 must be"),
        ({"videos": [numbered(3), numbered(3)[:0]]}, ValueError, "video v1 must be"),
        ({"videos": []}, ValueError, "at least one"),
        ({"bound": 0.0}, ValueError, "bound must be above 0"),
    ],
)
def test_wrong_videos_are_refused(change, error, message):
    good = {"videos": [numbered(3)] * 2, "labels": [0, 1], "names": ["v0", "v1"]}
    with pytest.raises(error, match=message):
        cnn.ClipSource(**{**good, "classes": ("a", "b"), **change})


def test_videos_that_do_not_fit_the_network_are_refused():
    with pytest.raises(ValueError, match="the network wants flow, the videos hold rgb"):
        source_of(numbered(5)).check_fits(FLOW)
    with pytest.raises(ValueError, match="video v0 is 7x12, smaller than the crop of 8"):
        source_of(numbered(5, height=7)).check_fits(RGB)


def quantise_flow_all(flow):
    return np.stack([quantise_flow(field) for field in flow])


def test_crop_may_be_no_square():
    spec = cnn.InputSpec("rgb", 4, cache_size=(10, 12), crop=9, crop_width=5)
    clip = read_clips(source_of(numbered(9)), spec, one(top=1.0, left=1.0))[0]
    assert clip.shape == (4, 9, 5, 3)
    assert (clip[0, 0, 0, 1], clip[0, 0, 0, 2]) == (1, 7)
    with pytest.raises(ValueError, match="video v0 is 7x12, smaller than the crop of 9x5"):
        source_of(numbered(5, height=7)).check_fits(spec)
    with pytest.raises(ValueError, match="crop_width must be from 1 to 12, got 13"):
        cnn.InputSpec(cache_size=(10, 12), crop=9, crop_width=13)
