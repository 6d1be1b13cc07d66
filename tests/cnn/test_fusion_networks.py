"""Towers share what they should, see what they should, and filters reach as far as they should."""

from __future__ import annotations

import pytest
import torch

import cnn
from cnn.models.karpathy import look


def meta_network(name, **options):
    with torch.device("meta"):
        return cnn.build_model(name, classes=7, **options)


def test_alexnet_gives_55x55x96_and_6x6x256():
    model = meta_network("alexnet", size="paper")
    clips = torch.empty(1, 3, 1, 227, 227, device="meta")
    assert model.tower[0][0](clips).shape == (1, 96, 1, 55, 55)
    assert model.tower(clips).flatten(1).shape == (1, 6 * 6 * 256)


@pytest.mark.parametrize("extent", range(2, 16))
def test_alexnet_extends_its_first_filters_in_time(extent):
    model = meta_network("alexnet-video", size="paper", temporal_extent=extent)
    first = model.tower[0][0]
    assert first.weight.shape == (96, 3, extent, 11, 11)
    clips = torch.empty(1, *model.config.input.clip_shape, device="meta")
    assert first(clips).shape == (1, 96, 15 - extent + 1, 55, 55)
    assert model(clips).shape == (1, 7)


def test_a_still_chunk_of_video_is_a_frame_to_alexnet_s_filters_spread_over_time():
    image = cnn.build_model("alexnet", classes=7).eval()
    video = cnn.build_model("alexnet-video", classes=7).eval()
    weights = image.state_dict()
    weights["tower.0.0.weight"] = weights["tower.0.0.weight"].expand(-1, -1, 15, -1, -1) / 15
    video.load_state_dict(weights)
    frame = torch.randn(2, *image.config.input.clip_shape)
    with torch.no_grad():
        torch.testing.assert_close(
            video(frame.expand(-1, -1, 15, -1, -1)), image(frame), rtol=1e-4, atol=1e-5
        )


def test_alexnet_refuses_filters_longer_than_its_chunk():
    with pytest.raises(ValueError, match="temporal_extent must be from 1 to 15, got 16"):
        meta_network("alexnet-video", temporal_extent=16)


def test_early_fusion_is_over_in_the_first_layer():
    model = meta_network("early-fusion", size="paper")
    tower = model.towers["frame"]
    assert tower.stages[0][0].weight.shape == (96, 3, 10, 11, 11)
    clips = torch.empty(1, 3, 10, 170, 170, device="meta")
    assert tower.stages[0](clips).shape[2] == 1


def test_slow_fusion_answers_four_two_and_one_times():
    model = meta_network("slow-fusion", size="paper")
    maps, times = torch.empty(1, 3, 10, 170, 170, device="meta"), []
    for stage in model.towers["frame"].stages:
        maps = stage(maps)
        times.append(maps.shape[2])
    assert times == [4, 2, 1, 1, 1]


def test_late_fusion_has_one_tower_for_two_frames_fifteen_apart():
    model = cnn.build_model("late-fusion", classes=7).eval()
    spec = model.config.input
    assert (spec.frames, spec.frame_step, spec.span) == (2, 15, 16)
    assert meta_network("late-fusion", size="paper").config.input.frame_step == 15
    (tower,) = model.towers.values()
    alone = cnn.build_model("single-frame", classes=7)
    assert [w.shape for w in tower.parameters()] == [
        w.shape for w in alone.towers["frame"].parameters()
    ]
    clips = torch.randn(2, *spec.clip_shape)
    with torch.no_grad():
        both = tower(clips)
        for t in (0, 1):  # one frame alone answers as it does in company
            torch.testing.assert_close(both[:, :, t], tower(clips[:, :, t : t + 1])[:, :, 0])
        torch.testing.assert_close(tower(clips.flip(2)), both.flip(2))


def test_multires_has_two_streams_of_7x7x256_on_half_the_pixels():
    model = meta_network("multires", size="paper")
    clips = torch.empty(1, *model.config.input.clip_shape, device="meta")
    shapes = {view: tower(look(clips, view)).shape for view, tower in model.towers.items()}
    assert shapes == dict.fromkeys(("fovea", "context"), (1, 256, 1, 7, 7))
    assert model.classifier[0].in_features == 7 * 7 * 512
    pixels = sum(look(clips, view)[0, 0, 0].numel() for view in model.towers)
    assert pixels == 178 * 178 / 2


def test_fovea_is_the_centre_and_context_the_mean_of_two_by_two_pixels():
    clips = torch.arange(64.0).view(1, 1, 1, 8, 8)
    assert look(clips, "fovea")[0, 0, 0].tolist() == clips[0, 0, 0, 2:6, 2:6].tolist()
    wanted = clips.view(4, 2, 4, 2).mean((1, 3))
    torch.testing.assert_close(look(clips, "context")[0, 0, 0], wanted)
    assert look(clips, "frame") is clips


@pytest.mark.parametrize(("name", "seen"), [("fovea-only", False), ("context-only", True)])
def test_only_the_context_sees_the_rim(name, seen):
    model = cnn.build_model(name, classes=7).eval()
    clips = torch.randn(1, *model.config.input.clip_shape)
    other = clips.clone()
    other[..., 14:42, 14:42] = 0.0
    rim = clips.clone()
    rim[..., :14, :] += 1.0
    with torch.no_grad():
        assert not torch.allclose(model(clips), model(other))
        assert torch.allclose(model(clips), model(rim)) is not seen


def test_towers_of_multires_do_not_share_weights():
    model = cnn.build_model("multires", classes=7)
    fovea, context = (model.towers[view].stages[0][0].weight for view in ("fovea", "context"))
    assert not torch.equal(fovea, context)


@pytest.mark.parametrize("views", [(), ("fovea", "fovea"), ("centre",)])
def test_unknown_and_repeated_views_are_refused(views):
    with pytest.raises(ValueError, match=r"view.* must be one .*frame, fovea, context"):
        cnn.build_model("multires", classes=7, views=views)
