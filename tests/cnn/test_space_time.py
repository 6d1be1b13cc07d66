"""Networks in space and time have the published layers, see what they should, and torchvision's."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torchvision.models import video

import cnn
from cnn.inputs import InputSpec
from cnn.models import JiConfig, JiNet
from cnn.models.ji import Hardwired
from cnn.models.layers import Subsampling, to_luminance


def parameters(module):
    return sum(weights.numel() for weights in module.parameters())


def on_meta(name, **options):
    with torch.device("meta"):
        return cnn.build_model(name, size="paper", **{"classes": 101, **options})


# C3D


def test_c3d_has_the_published_stages():
    model = on_meta("c3d")
    maps = torch.empty(1, 3, 16, 112, 112, device="meta")
    shapes = []
    for stage in model.tower:
        maps = stage(maps)
        shapes.append(tuple(maps.shape[1:]))
    assert shapes == [
        (64, 16, 56, 56),
        (128, 8, 28, 28),
        (256, 8, 28, 28),
        (256, 4, 14, 14),
        (512, 4, 14, 14),
        (512, 2, 7, 7),
        (512, 2, 7, 7),
        (512, 1, 4, 4),
    ]


def test_c3d_has_the_parameters_of_both_poolings():
    convolutions = sum(
        (27 * before + 1) * after
        for before, after in [(3, 64), (64, 128), (128, 256), (256, 256), (256, 512)]
        + 3 * [(512, 512)]
    )
    rest = (4096 + 1) * 4096 + (4096 + 1) * 101
    assert parameters(on_meta("c3d")) == convolutions + (8192 + 1) * 4096 + rest
    # With 4608 features and Kinetics' 400 classes: the 64.9M that VMZ prints.
    down = on_meta("c3d", classes=400, pool_rounds_up=False)
    assert down.classifier[0].in_features == 4608
    assert parameters(down) / 1e6 == pytest.approx(64.9, abs=0.06)


# R3D, MC3 and R(2+1)D


@pytest.mark.parametrize(
    ("name", "theirs", "weights"),
    [
        ("r3d-18", video.r3d_18, video.R3D_18_Weights),
        ("mc3-18", video.mc3_18, video.MC3_18_Weights),
        ("r2plus1d-18", video.r2plus1d_18, video.R2Plus1D_18_Weights),
    ],
)
def test_residual_networks_are_torchvisions(name, theirs, weights):
    ours = on_meta(name, classes=400, input={"frames": 4, "crop": 24, "crop_width": 32})
    assert parameters(ours) == weights.KINETICS400_V1.meta["num_params"]
    torch.manual_seed(0)
    reference = theirs(weights=None).eval()
    ours.load_state_dict(reference.state_dict(), assign=True)  # the names are the same
    clips = torch.randn(2, 3, 4, 24, 32)
    with torch.no_grad():
        torch.testing.assert_close(ours.eval()(clips), reference(clips), rtol=1e-4, atol=1e-5)


def test_mc3_convolves_in_time_in_the_stem_and_one_stage():
    model = on_meta("mc3-18")
    extents = {
        stage: {
            m.kernel_size[0]
            for m in getattr(model, stage).modules()
            if hasattr(m, "stride") and hasattr(m, "kernel_size") and m.kernel_size != (1, 1, 1)
        }
        for stage in ("stem", "layer1", "layer2", "layer3", "layer4")
    }
    assert extents == {"stem": {3}, "layer1": {3}, "layer2": {1}, "layer3": {1}, "layer4": {1}}


def test_factored_convolutions_keep_the_parameters():
    whole, factored = (on_meta(name).layer1[1].conv1[0] for name in ("r3d-18", "r2plus1d-18"))
    middle = factored[0].out_channels
    assert middle == 144  # floor(3 * 9 * 64 * 64 / (9 * 64 + 3 * 64))
    assert parameters(factored) - 2 * middle == parameters(whole)


# Ji et al.


def ji(**options):
    return cnn.build_model("ji-3d", classes=3, **options)


def test_hard_wired_layer_makes_43_maps_of_9_frames():
    spec = JiConfig("ji-3d", "paper", 6).input
    kinds = Hardwired(spec, winsize=9)(torch.zeros(2, *spec.clip_shape))
    assert [tuple(kind.shape) for kind in kinds] == [(2, 1, 9, 60, 80)] * 3 + [
        (2, 1, 8, 60, 80)
    ] * 2
    assert sum(kind.shape[2] for kind in kinds) == 43
    assert not any(kind.any() for kind in kinds)  # what does not move has no flow


def test_hard_wired_layer_finds_gradients_and_flow():
    noise = np.random.default_rng(0).normal(size=(90, 90))
    texture = cv2.GaussianBlur(noise, (0, 0), 2.5)
    texture = 60 * texture / texture.std()
    # The picture moves by (+1.5, -0.5) px a frame.
    frames = [
        cv2.warpAffine(texture, np.float64([[1, 0, 1.5 * t], [0, 1, -0.5 * t]]), (90, 90))[
            15:75, 15:75
        ]
        for t in range(6)
    ]
    spec = InputSpec(frames=6, cache_size=(60, 60), crop=60)
    clip = torch.tensor(np.stack(frames), dtype=torch.float32).expand(1, 3, -1, -1, -1)
    grey, across, down, dx, dy = (kind[0, 0].numpy() for kind in Hardwired(spec, winsize=9)(clip))
    np.testing.assert_allclose(grey[2], frames[2], atol=1e-3)
    np.testing.assert_allclose(
        across[2][:, 1:-1], np.gradient(frames[2], axis=1)[:, 1:-1], atol=1e-3
    )
    np.testing.assert_allclose(down[2][1:-1], np.gradient(frames[2], axis=0)[1:-1], atol=1e-3)
    inner = (slice(None), slice(8, -8), slice(8, -8))
    assert np.median(dx[inner]) == pytest.approx(1.5, abs=0.05)
    assert np.median(dy[inner]) == pytest.approx(-0.5, abs=0.05)


def test_flow_starts_anew_with_each_clip():
    spec = JiConfig("ji-3d", "paper", 6).input
    clips = 60 * torch.randn(2, *spec.clip_shape, generator=torch.Generator().manual_seed(0))
    layer = Hardwired(spec, winsize=9)
    for both, alone in zip(layer(clips), layer(clips[1:]), strict=True):
        assert torch.equal(both[1:], alone)


def test_ji_network_has_the_published_maps_and_parameters():
    model = on_meta("ji-3d", classes=6)
    maps = [
        branch(torch.empty(1, 1, t, 60, 80, device="meta")).shape[1:]
        for branch, t in zip(model.branches, (9, 9, 9, 8, 8), strict=True)
    ]
    assert maps == [(6, 5, 4, 6)] * 3 + [(6, 4, 4, 6)] * 2
    # TRECVID: 295,458 printed, of which 128 * 77 biases are redundant; 3 biases of ours are not.
    config = JiConfig(
        "ji-3d",
        "paper",
        3,
        input=InputSpec(frames=7, cache_size=(40, 60), crop=40, crop_width=60),
        kernels=((3, 7, 7), (3, 6, 7)),
        subsampling=(2, 3),
    )
    assert parameters(JiNet(config)) == 295_458 - 128 * 77 + 3


def test_ji_network_does_not_learn_through_the_flow():
    model = ji()
    clips = torch.randn(2, *model.config.input.clip_shape, requires_grad=True)
    model(clips).square().sum().backward()
    assert torch.isfinite(clips.grad).all()
    assert not any(parameters(part) for part in [model.hardwired])


def test_subsampling_is_lenets():
    layer = Subsampling(2, 3)
    with torch.no_grad():
        layer.coefficient.copy_(torch.tensor([2.0, -1.0]))
        layer.bias.copy_(torch.tensor([0.5, 0.0]))
    maps = torch.randn(3, 2, 4, 7, 9)
    found = layer(maps).detach()
    assert found.shape == (3, 2, 4, 2, 3)
    first = torch.tanh(2 * maps[1, 0, 3, 3:6, 6:9].mean() + 0.5)
    torch.testing.assert_close(found[1, 0, 3, 1, 2], first)
    second = torch.tanh(-maps[2, 1, 0, :3, :3].mean())
    torch.testing.assert_close(found[2, 1, 0, 0, 0], second)
    assert layer(maps[:, :, 0]).shape == (3, 2, 2, 3)


def test_luminance_is_rec_601():
    clips = torch.rand(1, 3, 2, 4, 5)
    image = clips[0, :, 1].permute(1, 2, 0).numpy()
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    np.testing.assert_allclose(to_luminance(clips)[0, 0, 1].numpy(), grey, atol=1e-6)


# All


@pytest.mark.parametrize("name", ["ji-3d", "c3d", "r3d-18", "mc3-18", "r2plus1d-18"])
def test_order_of_frames_counts(name):
    model = cnn.build_model(name, classes=3).eval()
    clips = torch.randn(2, *model.config.input.clip_shape)
    with torch.no_grad():
        straight, back = model(clips), model(clips.flip(2))
    assert (straight - back).abs().max() > 1e-3 * straight.abs().max()


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "c3d",
            {"input": {"crop": 8, "frames": 1}, "pool_rounds_up": False},
            "is too small for c3d",
        ),
        ("r3d-18", {"convolution": "2d"}, r"convolution must be one of 3d, 2\+1d, got '2d'"),
        ("ji-3d", {"input": {"frames": 4}}, "ji-3d needs 6 rgb frames or more, got 4 of rgb"),
        ("ji-3d", {"input": {"crop": 10}}, "is too small for ji-3d"),
    ],
)
def test_wrong_request_gets_one_line(name, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        cnn.build_model(name, classes=3, **options)
    assert "\n" not in str(caught.value)
