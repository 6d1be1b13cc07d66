"""Training learns, repeats itself bit for bit, and goes on where it was interrupted."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import cnn
from cnn import settings
from cnn.checkpoints import STATE_FILE
from cnn.settings import learning_rate_at, round_length, step_count
from cnn.training import LOG_FILE, training_rows

WIDTHS = (4, 4, 4, 4, 4)


def small_net(seed=0, **changes):
    options = {"widths": WIDTHS, "hidden": (8, 8), "input": {"crop": 32}, **changes}
    return cnn.build_model("single-frame", classes=2, seed=seed, **options)


def config_of(**changes):
    return cnn.TrainingConfig(
        **{"steps": 8, "batch_size": 4, "log_every": 2, "device": "cpu", **changes}
    )


def weights_of(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
def test_resumed_training_equals_an_uninterrupted_one_bit_for_bit(tmp_path, striped, optimiser):
    config = config_of(optimiser=optimiser, learning_rate=0.01, save_every=5)
    straight = small_net()
    whole = cnn.train(straight, striped, config, folder=tmp_path / "whole")

    class Interrupted(Exception):
        pass

    def interrupt(step, _steps, _loss):
        if step == 6:  # one step after the state was saved
            raise Interrupted

    with pytest.raises(Interrupted):
        cnn.train(small_net(), striped, config, folder=tmp_path / "cut", report=interrupt)
    with (tmp_path / "cut" / LOG_FILE).open("a") as log:
        log.write('{"step": 7, "lo')  # the power went
    resumed = small_net(seed=9)  # its weights must come from the state
    rest = cnn.train(resumed, striped, config, folder=tmp_path / "cut")

    assert same(weights_of(straight), weights_of(resumed))
    states = [load_file(tmp_path / name / STATE_FILE) for name in ("whole", "cut")]
    assert states[0].keys() == states[1].keys()
    assert same(*states)
    lines = [
        [json.loads(line) for line in (tmp_path / name / LOG_FILE).read_text().splitlines()]
        for name in ("whole", "cut")
    ]
    assert (
        [line["step"] for line in lines[0]] == [line["step"] for line in lines[1]] == [2, 4, 6, 8]
    )
    assert lines[0][-1]["loss"] == lines[1][-1]["loss"]
    assert whole.log == lines[0]
    assert rest.log == lines[1]
    assert not list(tmp_path.rglob("*.partial"))


def test_finished_training_is_not_done_again(tmp_path, striped):
    model = small_net()
    cnn.train(model, striped, config_of(), folder=tmp_path)
    again = small_net(seed=1)
    calls = []
    result = cnn.train(
        again, striped, config_of(), folder=tmp_path, report=lambda *line: calls.append(line)
    )
    assert same(weights_of(model), weights_of(again))
    assert not calls
    assert result.steps == 8


def test_seed_decides_everything_and_the_callers_random_state_stays(striped):
    before = torch.random.get_rng_state()
    runs = []
    for seed in (1, 1, 2):
        model = small_net()
        cnn.train(model, striped, config_of(seed=seed))
        runs.append(weights_of(model))
    assert torch.equal(before, torch.random.get_rng_state())
    assert same(runs[0], runs[1])
    assert not same(runs[0], runs[2])


def test_tiny_network_learns_what_one_frame_shows(striped):
    model = cnn.build_model("single-frame", classes=2)
    result = cnn.train(model, striped, config_of(steps=30, batch_size=8))
    assert not model.training
    assert result.log[-1]["loss"] < 0.2
    assert result.log[-1]["hit_at_1"] > 0.9
    assert result.log[-1]["seconds"] <= result.seconds + 0.001  # the log has milliseconds
    assert cnn.score(model, striped, cnn.EvaluationConfig(device="cpu")).video_hit_at(1) == 1.0


def test_gradient_is_clipped(striped):
    free, bound = small_net(), small_net()
    start = weights_of(free)
    sgd = {"optimiser": "sgd", "schedule": "constant", "weight_decay": 0.0, "momentum": 0.0}
    for model, clip in ((free, None), (bound, 1e-4)):
        cnn.train(model, striped, config_of(steps=1, learning_rate=1.0, gradient_clip=clip, **sgd))
    names = [name for name, _ in free.named_parameters()]

    def moved(model):
        return sum((weights_of(model)[n] - start[n]).square().sum() for n in names).sqrt().item()

    assert moved(bound) == pytest.approx(1e-4, rel=1e-2)
    assert moved(free) > 1e-2


def test_bfloat16_trains_and_keeps_float32_weights(striped):
    model = small_net()
    result = cnn.train(model, striped, config_of(precision="bfloat16"))
    assert np.isfinite(result.log[-1]["loss"])
    assert {weights.dtype for weights in model.parameters()} == {torch.float32}


def test_order_shows_every_video_once_a_round_in_new_order():
    labels = np.array([0, 0, 1, 1, 1])
    config = config_of(balanced=False)
    rows = training_rows(labels, config, start=0, count=15).reshape(3, 5)
    assert (np.sort(rows, axis=1) == np.arange(5)).all()
    assert not (rows[0] == rows[1]).all()
    # Any part of the order can be asked for by itself.
    np.testing.assert_array_equal(
        training_rows(labels, config, start=4, count=7), rows.ravel()[4:11]
    )


def test_balanced_order_shows_all_classes_equally_often():
    labels = np.array([0] * 7 + [1] * 2 + [3] * 3)
    rows = training_rows(labels, config_of(), start=0, count=21)
    assert np.bincount(labels[rows]).tolist() == [7, 7, 0, 7]
    assert sorted(np.bincount(rows, minlength=12)) == [1] * 7 + [2, 2, 3, 3, 4]
    assert round_length(labels, config_of()) == 21
    assert round_length(labels, config_of(balanced=False)) == 12


def test_epochs_become_steps():
    config = config_of(steps=None, epochs=2.5, batch_size=4)
    assert step_count(config, np.array([0, 0, 1, 1])) == 3


@pytest.mark.parametrize(
    ("schedule", "wanted"),
    [
        ("constant", {0: 1.0, 99: 1.0}),
        ("steps", {0: 1.0, 49: 1.0, 50: 0.1, 75: 0.01}),
        ("one-cycle", {0: 0.04, 25: 1.0, 100: 0.0}),
    ],
)
def test_schedules(schedule, wanted):
    config = config_of(learning_rate=2.0, schedule=schedule, milestones=(0.5, 0.75))
    for step, factor in wanted.items():
        assert learning_rate_at(config, step, 100) == pytest.approx(2.0 * factor, abs=1e-9)


def test_paper_defaults_are_the_published_ones():
    fusion = cnn.training_defaults("slow-fusion", size="paper")
    assert (fusion.optimiser, fusion.batch_size, fusion.learning_rate) == ("sgd", 32, 1e-3)
    assert (fusion.momentum, fusion.weight_decay) == (0.9, 5e-4)
    stream = cnn.training_defaults("temporal-stream", size="paper")
    assert (stream.steps, stream.batch_size, stream.momentum) == (80_000, 256, 0.9)
    rates = [learning_rate_at(stream, step, 80_000) for step in (49_999, 50_000, 70_000)]
    assert rates == pytest.approx([1e-2, 1e-3, 1e-4])


def test_every_network_has_defaults_and_nothing_is_flipped_unasked():
    for name in cnn.MODELS:
        for size in ("tiny", "paper"):
            assert not cnn.training_defaults(name, size=size).flip
            changed = cnn.training_defaults(name, size=size, epochs=3, seed=4)
            assert (changed.steps, changed.epochs, changed.seed) == (None, 3, 4)
    assert set(settings._PAPER) == set(settings._TINY) == set(cnn.MODELS)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": None}, "give either steps or epochs, got None and None"),
        ({"epochs": 3}, "give either steps or epochs, got 8 and 3"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"schedule": "cosine"}, "schedule must be one of one-cycle, steps, constant"),
        ({"learning_rate": -1.0}, "learning_rate must be above 0"),
    ],
)
def test_wrong_settings_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        config_of(**changes)


def test_training_refuses_what_does_not_fit(tmp_path, striped):
    three = cnn.build_model("single-frame", classes=3)
    with pytest.raises(ValueError, match="tells 3 classes apart, the videos have 2"):
        cnn.train(three, striped, config_of())
    flow = cnn.build_model("temporal-stream", classes=2)
    with pytest.raises(ValueError, match="the network wants flow, the videos hold rgb"):
        cnn.train(flow, striped, config_of())
    cnn.train(small_net(), striped, config_of(), folder=tmp_path)
    with pytest.raises(ValueError, match="holds another training: seed was 0, is 5"):
        cnn.train(small_net(), striped, config_of(seed=5), folder=tmp_path)
    with pytest.raises(
        ValueError, match=r"configuration: classifier\.0\.bias must be \(6,\), got \(8,\)"
    ):
        cnn.train(small_net(hidden=(6, 8)), striped, config_of(), folder=tmp_path)
    (tmp_path / STATE_FILE).write_bytes(b"nonsense")
    with pytest.raises(ValueError, match=r"is damaged .*: delete it to train from the start"):
        cnn.train(small_net(), striped, config_of(), folder=tmp_path)


def test_training_stops_when_the_loss_is_lost(striped):
    config = config_of(learning_rate=1e30, optimiser="sgd", schedule="constant")
    with pytest.raises(ValueError, match=r"the loss is .* at step .*: lower the learning rate"):
        cnn.train(small_net(batch_norm=False), striped, config)


def test_asking_for_an_absent_gpu_is_refused(striped, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ValueError, match="device is 'cuda' but torch sees no GPU"):
        cnn.train(small_net(), striped, config_of(device="cuda"))


_SCRIPT = """
import sys
import numpy as np, torch
import cnn
torch.set_num_threads(1)
rng = np.random.default_rng(0)
videos = [rng.integers(0, 256, (4, 40, 40, 3), dtype=np.uint8) for _ in range(6)]
source = cnn.ClipSource(videos, np.arange(6) % 2, list("abcdef"), ("x", "y"))
net = cnn.build_model(
    "single-frame", classes=2, widths=(4, 4, 4, 4, 4), hidden=(8, 8), dropout=0.0,
    batch_norm=False, input={"crop": 32, "cache_size": (40, 40)},
)
config = cnn.TrainingConfig(
    steps=4, batch_size=4, log_every=2, device="cpu", precision="float32", learning_rate=1e-2
)
cnn.train(net, source, config, folder=sys.argv[1])
"""


def test_two_processes_under_torchrun_train_as_one(tmp_path, monkeypatch):
    script = tmp_path / "script.py"
    script.write_text(_SCRIPT)
    monkeypatch.setattr(sys, "argv", [str(script), str(tmp_path / "one")])
    runpy.run_path(str(script))
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    command = [*torchrun, str(script), str(tmp_path / "two")]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    one, two = (load_file(tmp_path / name / STATE_FILE) for name in ("one", "two"))
    # Without dropout and batch normalisation the halves of a batch add up to the whole.
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-3, atol=1e-5, msg=name)
    logs = [(tmp_path / name / LOG_FILE).read_text().splitlines() for name in ("one", "two")]
    assert len(logs[0]) == len(logs[1]) == 2
    losses = [[json.loads(line)["loss"] for line in log] for log in logs]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
