"""Two streams meet where and how the paper says, chunk by chunk of the clip."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import cnn
from cnn.models.stream_fusion import Fusion


def paper_network(name, **options):
    with torch.device("meta"):
        return cnn.build_model(name, classes=101, size="paper", **options)


def parameters(model) -> int:
    return sum(weights.numel() for weights in model.parameters())


@pytest.mark.parametrize(
    ("operator", "millions"), [("sum", 97.31), ("max", 97.31), ("concat", 172.81)]
)
def test_operators_have_the_parameters_of_table_1(operator, millions):
    # The table counts both first layers with the 20 channels of flow.
    found = parameters(paper_network("two-stream-conv", operator=operator)) + 17 * 49 * 96
    assert found / 1e6 == pytest.approx(millions, abs=0.01)


def test_convolution_of_one_pixel_is_as_the_text_says_twice_that_of_the_table():
    found = parameters(paper_network("two-stream-conv")) + 17 * 49 * 96
    assert (found - 512 * 512) / 1e6 == pytest.approx(97.58, abs=0.01)


def test_stages_of_the_paper_networks():
    small = paper_network("two-stream-conv")
    images = torch.empty(2, 3, 224, 224, device="meta")
    assert small.spatial(images).shape == (2, 512, 13, 13)
    large = paper_network("two-stream-3d")
    maps = large.spatial(images)
    assert maps.shape == (2, 512, 14, 14)
    assert large.temporal(torch.empty(2, 20, 224, 224, device="meta")).shape == maps.shape
    chunks = torch.empty(2, 512, 5, 14, 14, device="meta")
    assert large.fusion(chunks, chunks).shape == chunks.shape
    assert large.pool(chunks).shape == (2, 512, 1, 7, 7)


def test_each_operator_fuses_as_its_name_says(rng):
    first, second = (
        torch.from_numpy(rng.normal(0, 1, (2, 4, 3, 5, 6)).astype(np.float32)) for _ in range(2)
    )
    assert torch.equal(Fusion("sum", 4)(first, second), first + second)
    assert torch.equal(Fusion("max", 4)(first, second), torch.where(first > second, first, second))
    assert torch.equal(Fusion("concat", 8)(first, second), torch.cat((first, second), 1))
    learnt = Fusion("conv", 4)
    learnt.start_as_identity()
    learnt.convolution.bias.data.zero_()
    with torch.no_grad():
        torch.testing.assert_close(learnt(first, second), first + second)


def test_convolution_in_3d_starts_as_a_blurred_weighted_sum():
    fusion = Fusion("conv3d", 2)
    fusion.start_as_identity()
    fusion.convolution.bias.data.zero_()
    first, second = torch.zeros(2, 1, 2, 5, 7, 7)
    first[0, 0, 2, 3, 3], second[0, 1, 2, 3, 3] = 1.0, 1.0
    with torch.no_grad():
        fused = fusion(first, second)
    assert fused[0, 0].sum() == pytest.approx(0.25, abs=1e-6)
    assert fused[0, 1].sum() == pytest.approx(0.75, abs=1e-6)
    drop = fused[0, 0, 2, 3, 3] / fused[0, 0, 1, 3, 3]
    assert drop == pytest.approx(np.exp(0.5), rel=1e-4)  # a Gaussian of deviation 1
    assert (fused[0, 0] > 0).sum() == 27


def test_a_chunk_is_ten_fields_and_the_frame_in_their_middle():
    model = cnn.build_model("two-stream-3d", classes=3).eval()
    config = model.config
    assert (config.chunks, config.chunk_step, config.flow_fields) == (3, 4, 10)
    seen = {}
    for name in ("spatial", "temporal"):
        getattr(model, name).register_forward_pre_hook(
            lambda _, inputs, name=name: seen.__setitem__(name, inputs[0])
        )
    times = torch.arange(18.0).view(1, 1, 18, 1, 1)
    clips = (times + 100 * torch.arange(5.0).view(1, 5, 1, 1, 1)).expand(2, 5, 18, 56, 56)
    with torch.no_grad():
        model(clips)
    assert seen["spatial"][:3, 0, 0, 0].tolist() == [5, 9, 13]
    assert seen["spatial"].shape == (6, 3, 56, 56)
    wanted = [100 * channel + time for time in range(4, 14) for channel in (3, 4)]
    assert seen["temporal"][1, :, 0, 0].tolist() == wanted


def test_two_heads_are_trained_apart_and_averaged_in_testing():
    model = cnn.build_model("two-stream-3d", classes=3, dropout=0.0, batch_norm=False)
    clips = torch.randn(2, *model.config.input.clip_shape)
    with torch.no_grad():
        heads = model.train()(clips)
        assert heads.shape == (2, 2, 3)
        torch.testing.assert_close(model.eval()(clips), heads.mean(1))
    loss = nn_loss(model.train()(clips)[:, 1])  # the temporal head alone
    loss.backward()
    assert not any(weights.grad.any() for weights in model.spatial.parameters())
    assert all(weights.grad.abs().sum() > 0 for weights in model.temporal.parameters())


def nn_loss(logits):
    return torch.nn.functional.cross_entropy(logits, torch.tensor([0, 2]))


def test_a_network_of_two_heads_is_trained_by_the_common_loop():
    rng = np.random.default_rng(0)
    videos = [rng.integers(0, 256, (20, 40, 40, 3), dtype=np.uint8) for _ in range(6)]
    flows = [np.full((19, 40, 40, 2), 100 + 50 * (i % 2), np.uint8) for i in range(6)]
    source = cnn.ClipSource(videos, np.arange(6) % 2, list("abcdef"), ("x", "y"), companions=flows)
    model = cnn.build_model("two-stream-3d", classes=2, input={"crop": 40}, widths=[8] * 5)
    config = cnn.TrainingConfig(steps=25, batch_size=6, log_every=1, device="cpu")
    log = cnn.train(model, source, config).log
    assert log[0]["loss"] == pytest.approx(np.log(2), abs=0.2)
    assert log[-1]["loss"] < 0.2
    assert log[-1]["hit_at_1"] == 1.0
    assert cnn.score(model, source, cnn.EvaluationConfig(device="cpu")).video_hit_at(1) == 1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"chunks": 4},
            r"4 chunks of 10 fields, 4 frames apart, need .* of 22 frames, got both and 18",
        ),
        ({"operator": "mean"}, "operator must be one of sum, max, concat, conv, conv3d"),
        ({"base": "resnet"}, "base must be one of cnn-m, vgg-16, got 'resnet'"),
        ({"chunk_step": 0}, "chunk_step must be at least 1, got 0"),
        ({"input": {"normalisation": "clip"}}, "normalisation of both must be one of constant"),
    ],
)
def test_wrong_options_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        cnn.build_model("two-stream-3d", classes=3, **change)
