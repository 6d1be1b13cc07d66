"""Recurrent networks follow their equations, go through time the right way, and vote."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import adaptive_max_pool2d, conv2d

import cnn
from cnn.models.ballas import ConvGru
from cnn.votes import vote, vote_loss


def on_meta(name, **options):
    with torch.device("meta"):
        return cnn.build_model(name, classes=101, size="paper", **options)


def naive_step(x, h, weights, below=None):
    """The four equations, one convolution at a time."""
    pad = weights["W"].shape[-1] // 2

    def conv(name, maps):
        return conv2d(maps, weights[name], padding=pad)

    z = torch.sigmoid(
        conv("W_z", x) + conv("U_z", h) + (0 if below is None else conv("L_z", below))
    )
    r = torch.sigmoid(
        conv("W_r", x) + conv("U_r", h) + (0 if below is None else conv("L_r", below))
    )
    c = torch.tanh(conv("W", x) + conv("U", r * h))
    return (1 - z) * h + z * c


def unfused(unit):
    """The weights of each equation of a unit that keeps them in blocks."""
    width = unit.candidate.out_channels
    names = {"inputs": ("W_z", "W_r", "W"), "gates": ("U_z", "U_r"), "below": ("L_z", "L_r")}
    weights = {"U": unit.candidate.weight}
    for block, parts in names.items():
        if getattr(unit, block) is not None:
            weights |= dict(zip(parts, getattr(unit, block).weight.split(width), strict=True))
    return weights


def inputs_of(modules, call):
    """What each module is fed in the course of a call."""
    seen = []
    handles = [
        part.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0])) for part in modules
    ]
    call()
    for handle in handles:
        handle.remove()
    return seen


# GRU-RCN


@pytest.mark.parametrize("kernel", [1, 3])
def test_unit_equals_the_four_equations(kernel):
    torch.manual_seed(0)
    unit = ConvGru(5, 4, kernel=kernel).double()
    maps = torch.randn(6, 2, 5, 7, 9, dtype=torch.float64)
    with torch.no_grad():
        found, state = unit(maps), torch.zeros(2, 4, 7, 9, dtype=torch.float64)
        for x, h in zip(maps, found, strict=True):
            state = naive_step(x, state, unfused(unit))
            torch.testing.assert_close(h, state, rtol=0, atol=1e-6)
    assert found.abs().max() > 0.1


def test_stacked_unit_lets_the_level_below_open_its_gates_only():
    torch.manual_seed(0)
    unit = ConvGru(5, 4, below=3).double()
    maps = torch.randn(4, 2, 5, 6, 6, dtype=torch.float64)
    lower = torch.randn(4, 2, 3, 12, 12, dtype=torch.float64)
    with torch.no_grad():
        found, state = unit(maps, lower), torch.zeros(2, 4, 6, 6, dtype=torch.float64)
        for x, under, h in zip(maps, lower, found, strict=True):
            pooled = adaptive_max_pool2d(under, (6, 6))
            state = naive_step(x, state, unfused(unit), pooled)
            torch.testing.assert_close(h, state, rtol=0, atol=1e-6)


def test_gradients_are_those_of_the_equations():
    torch.manual_seed(1)
    unit = ConvGru(3, 4).double()
    maps = torch.randn(5, 2, 3, 6, 6, dtype=torch.float64)
    unit(maps)[-1].square().sum().backward()
    found = [weights.grad.clone() for weights in unit.parameters()]
    unit.zero_grad()
    state = torch.zeros(2, 4, 6, 6, dtype=torch.float64)
    for x in maps:
        state = naive_step(x, state, unfused(unit))
    state.square().sum().backward()
    for one, weights in zip(found, unit.parameters(), strict=True):
        torch.testing.assert_close(one, weights.grad, rtol=1e-9, atol=1e-9)


def test_bidirectional_network_is_two_runs_one_of_them_reversed():
    both = cnn.build_model("gru-rcn-bidirectional", classes=3, seed=2).eval()
    one = cnn.build_model("gru-rcn", classes=3).eval()
    clips = torch.randn(2, *both.config.input.clip_shape)
    one.backbone.load_state_dict(both.backbone.state_dict())
    ends = []
    with torch.no_grad():
        for recurrence, film in zip(both.recurrences, (clips, clips.flip(2)), strict=True):
            one.recurrences[0].load_state_dict(recurrence.state_dict())
            ends.append(inputs_of(one.classifiers, lambda film=film: one(film)))
        wanted = [
            part(torch.cat(level, 1))
            for part, level in zip(both.classifiers, zip(*ends, strict=True), strict=True)
        ]
        torch.testing.assert_close(both(clips), vote(torch.stack(wanted, 1)), rtol=1e-5, atol=1e-6)
        assert (both(clips) - both(clips.flip(2))).abs().max() > 1e-4


def test_stacking_changes_the_upper_levels_only():
    alone = cnn.build_model("gru-rcn", classes=3).train()
    stacked = cnn.build_model("gru-rcn-stacked", classes=3).train()
    stacked.load_state_dict(alone.state_dict(), strict=False)
    for model in (alone, stacked):
        for part in model.classifiers:
            part[0].p = 0.0
    clips = torch.randn(2, *alone.config.input.clip_shape)
    with torch.no_grad():
        change = (stacked(clips) - alone(clips)).abs().amax((0, 2))
    assert change[0] < 1e-6
    assert (change[1:] > 1e-6).all()


def test_paper_size_reads_vggs_maps_and_has_the_published_states():
    model = on_meta("gru-rcn")
    frames = torch.empty(1, 3, 224, 224, device="meta")
    shapes = [tuple(maps.shape[1:]) for maps in model.backbone(frames)]
    assert shapes == [(128, 56, 56), (256, 28, 28), (512, 14, 14), (512, 7, 7), (4096, 1, 1)]
    units = model.recurrences[0].units
    assert [unit.candidate.out_channels for unit in units] == [64, 128, 256, 256, 512]
    sizes = [sum(weights.numel() for weights in unit.parameters()) for unit in units]
    assert [round(size / 1e6, 2) for size in sizes] == [0.33, 1.33, 5.31, 5.31, 7.08]
    assert {part[0].p for part in model.classifiers} == {0.7}
    assert {weights.ndim for weights in units.parameters()} == {4}  # no biases
    assert model.config.input.frames == 10


def test_frozen_backbone_stays_as_it_is():
    model = cnn.build_model("gru-rcn", classes=2, freeze_backbone=True)
    model(torch.randn(2, *model.config.input.clip_shape)).sum().backward()
    assert all(weights.grad is None for weights in model.backbone.parameters())
    assert all(weights.grad is not None for weights in model.recurrences.parameters())


# LRCN


def test_lrcn_has_the_released_stages():
    model = on_meta("lrcn")
    maps = torch.empty(1, 3, 227, 227, device="meta")
    shapes = []
    for stage in model.tower:
        maps = stage(maps)
        shapes.append(tuple(maps.shape[1:]))
    assert shapes == [(96, 55, 55), (384, 13, 13), (512, 13, 13), (512, 13, 13), (384, 6, 6)]
    assert (model.lstm.input_size, model.lstm.hidden_size) == (4096, 256)
    assert [m.p for m in model.modules() if isinstance(m, nn.Dropout)] == [0.9, 0.5]
    wanted = (
        (3 * 49 + 1) * 96
        + (96 // 2 * 25 + 1) * 384
        + (384 * 9 + 1) * 512
        + (512 // 2 * 9 + 1) * 512
        + (512 // 2 * 9 + 1) * 384
        + (384 * 36 + 1) * 4096
        + 4 * 256 * (4096 + 256 + 2)  # torch's LSTM has two biases
        + (256 + 1) * 101
    )
    assert sum(weights.numel() for weights in model.parameters()) == wanted


def test_lrcn_sees_the_past_only_at_each_step():
    model = cnn.build_model("lrcn", classes=3).eval()
    seen = []
    model.classifier.register_forward_hook(lambda _, __, found: seen.append(found))
    clips = torch.randn(1, *model.config.input.clip_shape)
    changed = clips.clone()
    changed[:, :, 9] += 1.0
    with torch.no_grad():
        model(clips), model(changed)
    change = (seen[0] - seen[1]).abs().amax((0, 2))
    assert (change[:9] == 0).all()
    assert (change[9:] > 0).all()


def test_lrcn_on_flow_has_1024_cells():
    model = on_meta("lrcn-flow")
    assert model.config.input.clip_shape == (2, 16, 227, 227)
    assert model.lstm.hidden_size == 1024
    assert model.tower[0][0].in_channels == 2


# Ng et al.


def test_deep_lstm_has_five_layers_of_512_on_googlenets_features():
    model = on_meta("deep-lstm")
    lstm = model.lstm
    assert (lstm.num_layers, lstm.hidden_size, lstm.input_size) == (5, 512, 1024)
    maps = model.tower(torch.empty(1, 3, 220, 220, device="meta"))
    assert maps.shape == (1, 1024, 7, 7)


def test_deep_lstm_counts_predictions_by_the_time_gone_by():
    model = cnn.build_model("deep-lstm", classes=3)
    steps = model.config.input.frames
    np.testing.assert_allclose(model.vote_weights, np.arange(steps) / (steps - 1), atol=1e-6)
    assert "vote_weights" not in model.state_dict()


def test_conv_pooling_does_not_see_the_order_of_frames():
    model = cnn.build_model("conv-pooling", classes=3).eval()
    clips = torch.randn(2, *model.config.input.clip_shape)
    order = torch.randperm(clips.shape[2], generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(model(clips[:, :, order]), model(clips), rtol=1e-4, atol=1e-6)
        changed = clips.clone()
        changed[:, :, 4] *= 3.0
        assert (model(changed) - model(clips)).abs().max() > 1e-4


# Baccouche et al.


def test_baccouches_network_has_the_published_maps():
    model = on_meta("cnn3d-lstm")
    maps = torch.empty(1, 1, 9, 54, 34, device="meta")
    shapes = []
    for layer in model.tower:
        maps = layer(maps)
        shapes.append(tuple(maps.shape[1:]))
    first, second, third = (
        ((7, 5, 48, 28), (7, 5, 24, 14)),
        ((35, 3, 20, 10), (35, 3, 10, 5)),
        (5, 1, 8, 3),
    )
    assert shapes == [first[0], *first, second[0], *second, third]
    assert (model.lstm.input_size, model.lstm.hidden_size) == (120, 50)
    tower = sum(weights.numel() for weights in model.tower.parameters())
    dropped = (120 + 1) * 50 + (50 + 1) * 6
    assert tower + dropped == 15_552  # 17,169 are printed


def test_every_window_gets_the_features_it_would_get_alone():
    model = cnn.build_model("cnn3d-lstm", classes=3, size="paper").eval()
    clips = torch.randn(1, 1, 14, 54, 34)
    with torch.no_grad():
        together = model.tower(clips)
        assert together.shape[2] == 6
        for t in range(6):
            alone = model.tower(clips[:, :, t : t + 9])
            torch.testing.assert_close(together[:, :, t : t + 1], alone, rtol=1e-4, atol=1e-5)


# Votes


def test_vote_is_the_mean_probability():
    predictions = torch.randn(4, 5, 3)
    wanted = predictions.softmax(2).mean(1)
    torch.testing.assert_close(vote(predictions).softmax(1), wanted)
    torch.testing.assert_close(vote(predictions).exp(), wanted)
    weights = torch.tensor([0.0, 1.0, 2.0, 0.0, 1.0])
    wanted = (predictions.softmax(2) * weights[:, None]).sum(1) / 4
    torch.testing.assert_close(vote(predictions, weights=weights).softmax(1), wanted)


def test_vote_loss_is_the_mean_loss_of_the_predictions():
    predictions, labels = torch.randn(4, 5, 3), torch.tensor([0, 2, 1, 1])
    losses = torch.stack([nn.functional.cross_entropy(predictions[:, p], labels) for p in range(5)])
    torch.testing.assert_close(vote_loss(predictions, labels), losses.mean())
    weights = torch.tensor([0.0, 1.0, 2.0, 0.0, 1.0])
    wanted = (losses * weights).sum() / 4
    torch.testing.assert_close(vote_loss(predictions, labels, weights=weights), wanted)
    single = nn.functional.cross_entropy(predictions[:, 0], labels, label_smoothing=0.1)
    torch.testing.assert_close(vote_loss(predictions[:, 0], labels, label_smoothing=0.1), single)


@pytest.mark.parametrize("name", ["lrcn", "deep-lstm", "gru-rcn", "cnn3d-lstm"])
def test_training_counts_every_prediction(name, striped):
    model = cnn.build_model(name, classes=2)
    config = cnn.training_defaults(name, size="tiny", steps=2, batch_size=4, device="cpu")
    result = cnn.train(model, striped, config)
    assert result.log[-1]["loss"] == pytest.approx(np.log(2), abs=0.5)
    assert 0.0 <= result.log[-1]["hit_at_1"] <= 1.0


@pytest.mark.parametrize("name", ["lrcn", "deep-lstm", "gru-rcn", "gru-rcn-stacked", "cnn3d-lstm"])
def test_order_of_frames_counts(name):
    model = cnn.build_model(name, classes=3).eval()
    clips = torch.randn(2, *model.config.input.clip_shape)
    with torch.no_grad():
        straight, back = model(clips), model(clips.flip(2))
    # Logits up to what softmax forgets.
    change = (straight.log_softmax(1) - back.log_softmax(1)).abs().max()
    assert change > 1e-5


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("gru-rcn", {"kernel": 4}, "gru-rcn needs an odd kernel and 5 widths, one a level, got 4"),
        ("gru-rcn", {"widths": [4, 4]}, "5 widths, one a level, got 3 and"),
        ("gru-rcn", {"backbone": "resnet"}, "backbone must be one of vgg-16, small, got 'resnet'"),
        ("cnn3d-lstm", {"input": {"frames": 8}}, "cnn3d-lstm needs 9 frames or more, got 8"),
        ("lrcn", {"input": {"crop": 6}}, "is too small for lrcn"),
        ("deep-lstm", {"head": "gru"}, "head must be one of pooling, lstm, got 'gru'"),
        ("deep-lstm", {"backbone_widths": [8]}, "backbone_widths must be 4 numbers of filters"),
    ],
)
def test_wrong_request_gets_one_line(name, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        cnn.build_model(name, classes=3, **options)
    assert "\n" not in str(caught.value)
