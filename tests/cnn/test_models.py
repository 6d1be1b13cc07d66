"""One table runs through all networks: sizes, parameters, gradients, and learning two clips."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import nn

import cnn
from cnn.models.karpathy import look
from cnn.models.layers import response_norm, stacked
from cnn.votes import vote, vote_loss

NAMES = tuple(cnn.MODELS)

# Parameters at 101 classes, layer by layer as weights of a filter (and its bias) x filters.
_KARPATHY_REST = (
    (384 * 9 + 1) * 384  # conv4
    + (384 * 9 + 1) * 256  # conv5
    + (7 * 7 * 256 + 1) * 4096
    + (4096 + 1) * 4096
    + (4096 + 1) * 101
)
_STREAM_REST = (
    (96 * 25 + 1) * 256
    + (256 * 9 + 1) * 512
    + 2 * (512 * 9 + 1) * 512
    + (6 * 6 * 512 + 1) * 4096
    + (4096 + 1) * 2048
    + (2048 + 1) * 101
)
_ALEXNET_REST = (
    (48 * 25 + 1) * 256  # conv2, conv4 and conv5 in two groups
    + (256 * 9 + 1) * 384
    + (192 * 9 + 1) * 384
    + (192 * 9 + 1) * 256
    + (6 * 6 * 256 + 1) * 4096
    + (4096 + 1) * 4096
    + (4096 + 1) * 101
)
_SINGLE_FRAME = (3 * 121 + 1) * 96 + (96 * 25 + 1) * 256 + (256 * 9 + 1) * 384 + _KARPATHY_REST
_STREAM_CONVOLUTIONS = (96 * 25 + 1) * 256 + (256 * 9 + 1) * 512 + 2 * (512 * 9 + 1) * 512
_STREAM_CONNECTED = (6 * 6 * 512 + 1) * 4096 + (4096 + 1) * 2048 + (2048 + 1) * 101
_VGG_CONVOLUTIONS = sum(
    (9 * before + 1) * after
    for before, after in itertools.pairwise((64, 64, 128, 128, *[256] * 3, *[512] * 6))
)
_VGG_CONNECTED = (7 * 7 * 512 + 1) * 4096 + (4096 + 1) * 4096 + (4096 + 1) * 101
PAPER_PARAMETERS = {
    "alexnet": (3 * 121 + 1) * 96 + _ALEXNET_REST,
    "alexnet-video": (3 * 15 * 121 + 1) * 96 + _ALEXNET_REST,
    "single-frame": _SINGLE_FRAME,
    "multires": 2 * _SINGLE_FRAME - (4096 + 1) * 4096 - (4096 + 1) * 101 - 4096,
    "fovea-only": _SINGLE_FRAME,
    "context-only": _SINGLE_FRAME,
    "early-fusion": _SINGLE_FRAME + 9 * 3 * 121 * 96,
    "late-fusion": _SINGLE_FRAME + 7 * 7 * 256 * 4096,
    "slow-fusion": (
        (3 * 4 * 121 + 1) * 96 + (96 * 2 * 25 + 1) * 256 + (256 * 2 * 9 + 1) * 384 + _KARPATHY_REST
    ),
    "spatial-stream": (3 * 49 + 1) * 96 + _STREAM_REST,
    "temporal-stream": (20 * 49 + 1) * 96 + _STREAM_REST,
    "temporal-stream-trajectories": (20 * 49 + 1) * 96 + _STREAM_REST,
    "temporal-stream-bidirectional": (20 * 49 + 1) * 96 + _STREAM_REST,
    "two-stream-conv": (
        (3 * 49 + 1 + 20 * 49 + 1) * 96
        + 2 * _STREAM_CONVOLUTIONS
        + (1024 + 1) * 512
        + _STREAM_CONNECTED
    ),
    "two-stream-3d": (
        (3 * 9 + 1 + 20 * 9 + 1) * 64
        + 2 * _VGG_CONVOLUTIONS
        + (1024 * 27 + 1) * 512
        + 2 * _VGG_CONNECTED
    ),
    # torchvision's 25,557,032 with 1000 classes.
    "spatial-backbone": 25_557_032 - (2048 + 1) * (1000 - 101),
    "temporal-backbone": 25_557_032 - (2048 + 1) * (1000 - 101) + 17 * 49 * 64,
}
# (C, T, H, W) after each stage, pooling included.
_HALVED = [(96, 1, 14), (256, 1, 7), (384, 1, 7), (384, 1, 7), (256, 1, 7)]
_STREAM = [(96, 54), (256, 13), (512, 13), (512, 13), (512, 6)]
PAPER_STAGES = {
    "alexnet": [(96, 1, 27), (256, 1, 13), (384, 1, 13), (384, 1, 13), (256, 1, 6)],
    "alexnet-video": [(96, 1, 27), (256, 1, 13), (384, 1, 13), (384, 1, 13), (256, 1, 6)],
    "multires": _HALVED,
    "fovea-only": _HALVED,
    "context-only": _HALVED,
    "early-fusion": [(96, 1, 27), (256, 1, 14), (384, 1, 14), (384, 1, 14), (256, 1, 7)],
    "late-fusion": [(96, 2, 27), (256, 2, 14), (384, 2, 14), (384, 2, 14), (256, 2, 7)],
    "temporal-stream-trajectories": _STREAM,
    "temporal-stream-bidirectional": _STREAM,
    "single-frame": [(96, 1, 27), (256, 1, 14), (384, 1, 14), (384, 1, 14), (256, 1, 7)],
    "slow-fusion": [(96, 4, 27), (256, 2, 14), (384, 1, 14), (384, 1, 14), (256, 1, 7)],
    "spatial-stream": _STREAM,
    "temporal-stream": _STREAM,
}
PAPER_INPUTS = {
    "alexnet": (3, 1, 227, 227),
    "alexnet-video": (3, 15, 227, 227),
    "multires": (3, 1, 178, 178),
    "fovea-only": (3, 1, 178, 178),
    "context-only": (3, 1, 178, 178),
    "early-fusion": (3, 10, 170, 170),
    "late-fusion": (3, 2, 170, 170),
    "temporal-stream-trajectories": (2, 10, 224, 224),
    "temporal-stream-bidirectional": (2, 10, 224, 224),
    "two-stream-conv": (5, 10, 224, 224),
    "two-stream-3d": (5, 30, 224, 224),
    "spatial-backbone": (3, 1, 224, 224),
    "temporal-backbone": (2, 10, 224, 224),
    "single-frame": (3, 1, 170, 170),
    "slow-fusion": (3, 10, 170, 170),
    "spatial-stream": (3, 1, 224, 224),
    "temporal-stream": (2, 10, 224, 224),
}


@pytest.mark.parametrize("name", PAPER_INPUTS)
def test_paper_size_has_the_published_input_and_parameters(name):
    with torch.device("meta"):
        model = cnn.build_model(name, classes=101, size="paper")
    assert model.config.input.clip_shape == PAPER_INPUTS[name]
    assert sum(weights.numel() for weights in model.parameters()) == PAPER_PARAMETERS[name]


@pytest.mark.parametrize("name", PAPER_STAGES)
def test_paper_size_has_the_published_stages(name):
    with torch.device("meta"):
        model = cnn.build_model(name, classes=101, size="paper")
        clips = torch.empty(2, *PAPER_INPUTS[name])
    if "stream" in name:
        towers = [(model.tower, stacked(clips))]
    elif "alexnet" in name:
        towers = [(model.tower, clips)]
    else:
        towers = [(tower.stages, look(clips, view)) for view, tower in model.towers.items()]
    for stages, start in towers:
        maps = [start]
        for stage, wanted in zip(stages, PAPER_STAGES[name], strict=True):
            maps.append(stage(maps[-1]))
            assert maps[-1].shape[1:] == (*wanted, wanted[-1])


def test_two_temporal_streams_have_the_parameters_that_feichtenhofer_2016_prints():
    # Table 1, "softmax averaging", two VGG-M towers on UCF-101: 181.42M.
    assert 2 * PAPER_PARAMETERS["temporal-stream"] / 1e6 == pytest.approx(181.42, abs=0.005)


def test_paper_size_normalises_and_drops_as_published():
    with torch.device("meta"):
        nets = {name: cnn.build_model(name, classes=5, size="paper") for name in PAPER_INPUTS}
    norms = {
        name: [m.beta for m in net.modules() if isinstance(m, nn.LocalResponseNorm)]
        for name, net in nets.items()
        if name in PAPER_STAGES
    }
    temporal = [name for name in NAMES if name.startswith("temporal-stream")]
    assert norms == {
        **{name: [0.5, 0.5] for name in PAPER_STAGES},
        **{name: [0.75, 0.75] for name in ("alexnet", "alexnet-video", "spatial-stream")},
        **{name: [0.75] for name in temporal},  # the second is left out
        "multires": [0.5] * 4,
    }
    drops = {
        name: {m.p for m in nets[name].modules() if isinstance(m, nn.Dropout)}
        for name in PAPER_STAGES
    }
    for name, found in drops.items():
        assert found == ({0.9} if name in temporal else {0.5})
    for name in PAPER_STAGES:
        assert not any(isinstance(m, nn.BatchNorm3d | nn.BatchNorm2d) for m in nets[name].modules())


def test_response_norm_is_krizhevskys_formula_with_the_printed_constants(rng):
    x = rng.normal(0, 60, (2, 7, 3, 4, 5)).astype(np.float32)
    wanted = np.empty_like(x)
    for i in range(7):
        near = x[:, max(0, i - 2) : min(7, i + 3)]
        wanted[:, i] = x[:, i] / (2.0 + 1e-4 * (near**2).sum(1)) ** 0.5
    found = response_norm(beta=0.5)(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_slow_fusion_sees_all_ten_frames_and_shares_columns():
    model = cnn.build_model("slow-fusion", classes=3).eval()
    clip = torch.randn(1, *model.config.input.clip_shape, requires_grad=True)
    model(clip).square().sum().backward()
    assert (clip.grad.abs().amax((0, 1, 3, 4)) > 0).all()
    with torch.no_grad():  # the first stage of a still clip answers alike at all four times
        maps = model.towers["frame"].stages[0](
            torch.randn(1, 3, 1, 56, 56).expand(-1, -1, 10, -1, -1)
        )
    torch.testing.assert_close(maps[:, :, 0], maps[:, :, 3], rtol=1e-4, atol=1e-5)


def test_temporal_stream_stacks_dx_and_dy_of_each_field_side_by_side():
    model = cnn.build_model("temporal-stream", classes=3).eval()
    seen = []
    model.tower.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    clip = torch.arange(20.0).view(1, 10, 2).transpose(1, 2)  # channel c of field t holds 2t + c
    with torch.no_grad():
        model(clip[..., None, None].expand(1, 2, 10, 56, 56).contiguous())
    assert seen[0][0, :, 0, 0].tolist() == list(range(20))


@pytest.mark.parametrize("name", NAMES)
def test_tiny_network_gives_finite_logits_and_gradients(name):
    model = cnn.build_model(name, classes=4)
    clips = torch.randn(3, *model.config.input.clip_shape)
    logits = model(clips)  # (3, 4), or (3, P, 4) where the network makes P predictions
    assert (logits.shape[0], logits.shape[-1]) == (3, 4)
    assert model.eval()(clips).shape == (3, 4)
    logits.square().sum().backward()
    for label, weights in model.named_parameters():
        assert weights.grad is not None, label
        assert torch.isfinite(weights.grad).all(), label


@pytest.mark.parametrize("name", NAMES)
def test_tiny_network_learns_two_clips_by_heart(name):
    model = cnn.build_model(name, classes=2)
    generator = torch.Generator().manual_seed(1)
    clips = torch.randn(2, *model.config.input.clip_shape, generator=generator)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(30):
        logits = model(clips)
        loss = vote_loss(logits, torch.tensor([0, 1]))
        # Of several predictions of a clip some have little to go by: the first step's, say.
        if loss < (0.2 if logits.ndim == 2 else 0.45):
            break
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    else:
        pytest.fail(f"the loss is still {loss:.3f}")
    assert (vote(logits) if logits.ndim == 3 else logits).argmax(1).tolist() == [0, 1]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_paper_size_computes(name):
    model = cnn.build_model(name, classes=5, size="paper")
    clips = 60 * torch.randn(2, *model.config.input.clip_shape)
    logits = model(clips)
    logits.square().sum().backward()
    assert torch.isfinite(logits).all()
    assert all(torch.isfinite(weights.grad).all() for weights in model.parameters())


def test_seed_makes_the_weights_and_leaves_the_callers_random_state_alone():
    before = torch.random.get_rng_state()
    first, again, other = (
        cnn.build_model("single-frame", classes=3, seed=seed).state_dict() for seed in (1, 1, 2)
    )
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["classifier.0.weight"], other["classifier.0.weight"])


def test_options_change_the_configuration():
    model = cnn.build_model("slow-fusion", classes=3, input={"crop": 48}, widths=[8, 8, 8, 8, 8])
    assert model.config.input.crop == 48
    assert model.config.widths == (8, 8, 8, 8, 8)
    assert model(torch.zeros(2, 3, 10, 48, 48)).shape == (2, 3)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("slow", {}, r"one of .*single-frame, .*, got 'slow'"),
        ("slow-fusion", {"size": "huge"}, "size must be one of tiny, paper, got 'huge'"),
        ("slow-fusion", {"colour": 1}, "unknown option 'colour', choose from name"),
        ("slow-fusion", {"input": {"frames": 5}}, "is too small for slow-fusion"),
        ("single-frame", {"input": {"crop": 65}}, "crop must be from 1 to 64, got 65"),
        ("temporal-stream", {"input": {"normalisation": "clip"}}, "field, none, got 'clip'"),
    ],
)
def test_wrong_request_gets_one_line_that_says_what_is_wanted(name, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        cnn.build_model(name, classes=3, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_every_network_takes_a_crop_that_is_no_square(name):
    model = cnn.build_model(name, classes=3, input={"crop": 48, "crop_width": 64}).eval()
    assert model.config.input.clip_shape[2:] == (48, 64)
    with torch.inference_mode():
        assert model(torch.randn(1, *model.config.input.clip_shape)).shape == (1, 3)


def test_views_of_a_picture_that_is_no_square_are_halves():
    clips = torch.arange(6.0)[:, None] * 10 + torch.arange(8.0)  # pixel (y, x) holds 10 y + x
    clips = clips.expand(1, 3, 2, 6, 8)
    assert look(clips, "fovea")[0, 0, 0].tolist() == [
        [12, 13, 14, 15],
        [22, 23, 24, 25],
        [32, 33, 34, 35],
    ]
    assert look(clips, "context").shape == (1, 3, 2, 3, 4)


def test_wrong_clips_are_refused_at_the_door():
    model = cnn.build_model("slow-fusion", classes=3)
    with pytest.raises(ValueError, match=r"clips must be \(B, 3, 10, 56, 56\), got \(2, 3, 9,"):
        model(torch.zeros(2, 3, 9, 56, 56))


def test_input_spec_is_that_of_the_network():
    for name in NAMES:
        assert cnn.input_spec(name) == cnn.build_model(name, classes=7).config.input
