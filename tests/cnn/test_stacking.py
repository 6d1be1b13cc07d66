"""Flow is stacked along trajectories and both ways as the equations say, and turns with a flip."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import cnn
from classicvid.synthetic import render_motion
from cnn.clips import ClipPositions, read_clips
from cnn.normalisation import along_trajectories, normalise_clips

SPEC = cnn.InputSpec("flow", 6, cache_size=(8, 9), crop=8, normalisation="none")
BOTH_WAYS = replace(SPEC, stacking="both-ways")


def naive_trajectories(fields):
    """The equation pixel by pixel: p_1 = (u, v), p_(k+1) = p_k + d_k(p_k)."""
    length, height, width, _ = fields.shape
    out = np.empty_like(fields)
    for v in range(height):
        for u in range(width):
            place = np.array([u, v], float)
            for k in range(length):
                x, y = np.clip(place, 0, (width - 1, height - 1))
                left, top = min(int(x), width - 2), min(int(y), height - 2)
                a, b = x - left, y - top
                near = fields[k, top : top + 2, left : left + 2]
                out[k, v, u] = (1 - b) * ((1 - a) * near[0, 0] + a * near[0, 1]) + b * (
                    (1 - a) * near[1, 0] + a * near[1, 1]
                )
                place += out[k, v, u]
    return out


def test_trajectories_follow_the_equation(rng):
    fields = rng.normal(0, 2, (2, 4, 7, 9, 2)).astype(np.float32)
    found = along_trajectories(torch.from_numpy(fields)).numpy()
    for clip, wanted in zip(found, fields, strict=True):
        np.testing.assert_allclose(clip, naive_trajectories(wanted), atol=1e-4)


def test_trajectories_of_a_turning_picture_turn(rng):
    movie = render_motion("rotate", size=64, frames=8, rng=rng)
    fields = np.stack([movie.flow(step) for step in range(7)])
    found = along_trajectories(torch.from_numpy(fields[None]))[0].numpy()
    u, v = 40, 27
    # The canvas point that frame 0 shows at (u, v), and where each frame shows it.
    canvas = movie.transforms[0] @ (u, v, 1)
    places = [np.linalg.solve(m[:, :2], canvas - m[:, 2]) for m in movie.transforms]
    np.testing.assert_allclose(found[:, v, u], np.diff(places, axis=0)[:7], atol=2e-3)
    assert np.abs(found[6, v, u] - fields[6, v, u]).max() > 0.3  # the pixel itself sees another


def test_uniform_motion_has_the_same_stack_either_way():
    fields = torch.tensor([1.5, -2.0]).expand(1, 5, 6, 6, 2)
    torch.testing.assert_close(along_trajectories(fields), fields)


def test_trajectories_are_carried_by_the_whole_motion_and_then_lose_the_mean(rng):
    spec = replace(SPEC, stacking="trajectories", normalisation="field")
    codes = torch.from_numpy(rng.integers(100, 156, (1, 6, 8, 8, 2)).astype(np.uint8))
    found = normalise_clips(codes, torch.tensor([False]), spec, bound=20.0)
    fields = codes.float() * (40.0 / 255.0) - 20.0
    wanted = along_trajectories(fields) - fields.mean((2, 3), keepdim=True)
    torch.testing.assert_close(found, wanted.permute(0, 4, 1, 2, 3), rtol=1e-4, atol=1e-4)


def test_trajectories_of_a_mirror_image_are_mirrored(rng):
    spec = replace(SPEC, stacking="trajectories")
    codes = torch.from_numpy(rng.integers(110, 146, (1, 6, 8, 8, 2)).astype(np.uint8))
    straight = normalise_clips(codes, torch.tensor([False]), spec)
    mirror = normalise_clips(codes.flip(3), torch.tensor([True]), spec)
    wanted = straight.flip(-1) * torch.tensor([-1.0, 1.0]).view(1, 2, 1, 1, 1)
    torch.testing.assert_close(mirror, wanted, rtol=0.0, atol=5e-3)


def source_of(forward, backward):
    return cnn.ClipSource(
        [forward, forward], [0, 1], ["v", "w"], ("a", "b"), companions=[backward, backward]
    )


def at(start):
    return ClipPositions(
        np.array([1]), np.array([start]), np.zeros(1), np.zeros(1), np.array([False])
    )


def numbered(length, first):
    """Flow whose codes are the number of the field."""
    count = first + np.arange(length, dtype=np.uint8)[:, None, None, None]
    return np.broadcast_to(count, (length, 8, 9, 2)).copy()


def test_half_the_fields_lead_on_from_the_middle_frame_and_half_lead_back():
    # Field k leads from frame k to k + 1, and backwards from k + 1 to k.
    source = source_of(numbered(12, 0), numbered(12, 100))
    codes = read_clips(source, BOTH_WAYS, at(2))[0, :, 0, 0, 0]
    assert codes.tolist() == [5, 6, 7, 104, 103, 102]  # the middle frame is 5
    assert BOTH_WAYS.span == SPEC.span  # of fields: no more of the video is needed


@pytest.mark.parametrize("length", [0, 1, 2, 4])
def test_short_flow_is_held_both_ways(length):
    source = source_of(numbered(length, 0), numbered(length, 100))
    codes = read_clips(source, BOTH_WAYS, at(0))[0, :, 0, 0, 0].tolist()
    last = length - 1
    held = [last] * 3 + [100 + min(k, last) for k in (2, 1, 0)]
    assert codes == (held if length else [128] * 6)


def test_frames_and_flow_are_cut_by_the_same_crop_and_flip(rng):
    spec = cnn.InputSpec("both", 3, cache_size=(8, 9), crop=6, normalisation="clip+none")
    frames = rng.integers(0, 256, (5, 8, 9, 3), dtype=np.uint8)
    flow = rng.integers(0, 256, (4, 8, 9, 2), dtype=np.uint8)
    source = cnn.ClipSource([frames], [0], ["v"], ("a", "b"), companions=[flow])
    source.check_fits(spec)
    arrays = [np.array([value]) for value in (0, 2, 1.0, 0.0, True)]
    codes = read_clips(source, spec, ClipPositions(*arrays))
    assert codes.shape == (1, 3, 6, 6, 5)
    window = np.s_[:, 2:8, 5::-1]
    np.testing.assert_array_equal(codes[0, ..., :3], frames[2:5][window])
    np.testing.assert_array_equal(codes[0, :2, ..., 3:], flow[2:4][window])
    np.testing.assert_array_equal(codes[0, 2, ..., 3:], flow[3:4][window][0])  # held
    clip = normalise_clips(torch.from_numpy(codes), torch.tensor([True]), spec, bound=10.0)
    assert clip.shape == (1, 5, 3, 6, 6)
    assert clip[:, :3].mean() == pytest.approx(0.0, abs=1e-5)
    dx = -(codes[0, 0, ..., 3].astype(np.float32) * (20 / 255) - 10)
    np.testing.assert_allclose(clip[0, 3, 0].numpy(), dx, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stacking": "sideways"}, "stacking of flow must be one of fields, trajectories, both"),
        ({"stacking": "both-ways", "frames": 5}, "frames must be even to be stacked both ways"),
        ({"modality": "rgb", "normalisation": "clip", "stacking": "trajectories"}, "of rgb must"),
    ],
)
def test_wrong_stacking_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(SPEC, **change)


def test_companions_must_fit_their_videos():
    flow = numbered(5, 0)
    with pytest.raises(ValueError, match="2 videos need as many companions, got 1"):
        cnn.ClipSource([flow, flow], [0, 1], ["v", "w"], ("a", "b"), companions=[flow])
    with pytest.raises(ValueError, match=r"video v is \(8, 9\), its companion \(7, 9\)"):
        source_of(flow, flow[:, :7])
    with pytest.raises(ValueError, match="the network wants flow, the videos hold flow and back"):
        source_of(flow, flow).check_fits(SPEC)
    with pytest.raises(ValueError, match="wants flow and backward, the videos hold flow"):
        cnn.ClipSource([flow], [0], ["v"], ("a", "b")).check_fits(BOTH_WAYS)
    part = source_of(flow, numbered(5, 50)).select([1])
    assert part.companions[0][0, 0, 0, 0] == 50
