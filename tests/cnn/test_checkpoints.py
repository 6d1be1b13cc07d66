"""What is saved comes back bit for bit, and what does not fit is refused in one line."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

import cnn


@pytest.mark.parametrize("name", tuple(cnn.MODELS))
def test_saved_network_comes_back_identical(tmp_path, name):
    options = {} if "backbone" in name else {"dropout": 0.3}
    model = cnn.build_model(name, classes=3, seed=5, input={"crop": 60}, **options)
    with torch.no_grad():  # moves the running means of batch normalisation
        model(torch.randn(4, *model.config.input.clip_shape))
    folder = cnn.save_model(tmp_path / "deep" / name, model, extra={"classes": ["a", "b", "c"]})
    loaded, extra = cnn.load_model(folder)
    assert extra == {"classes": ["a", "b", "c"]}
    assert loaded.config == model.config
    assert not loaded.training
    clips = torch.randn(2, *model.config.input.clip_shape)
    with torch.no_grad():
        assert torch.equal(model.eval()(clips), loaded(clips))
    assert {path.name for path in folder.iterdir()} == {"model.safetensors", "config.json"}


@pytest.fixture
def saved(tmp_path):
    return cnn.save_model(tmp_path, cnn.build_model("single-frame", classes=3))


def edit_weights(folder, change):
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors")


def test_missing_file_is_named(saved):
    (saved / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"model\.safetensors is absent: name a folder"):
        cnn.load_model(saved)
    with pytest.raises(FileNotFoundError, match=r"config\.json is absent"):
        cnn.load_model(saved / "elsewhere")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop("classifier.0.bias"), r"classifier.0.bias must be \(128,\), got nothing"),
        (lambda w: w.update(extra=torch.zeros(2)), r"extra must be absent, got \(2,\)"),
        (
            lambda w: w.update({"classifier.0.bias": torch.zeros(7)}),
            r"classifier.0.bias must be \(128,\), got \(7,\)",
        ),
    ],
)
def test_weights_of_another_network_are_refused_by_name(saved, change, message):
    edit_weights(saved, change)
    with pytest.raises(ValueError, match=message) as caught:
        cnn.load_model(saved)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[1]", '{"model": {}}', "\x00\x01"])
def test_damaged_configuration_is_refused(saved, text):
    (saved / "config.json").write_text(text)
    with pytest.raises(ValueError, match=r"config.json is not the configuration of a network"):
        cnn.load_model(saved)


def test_unknown_field_is_refused(saved):
    settings = json.loads((saved / "config.json").read_text())
    settings["model"]["depth"] = 3
    (saved / "config.json").write_text(json.dumps(settings))
    with pytest.raises(ValueError, match="unknown option 'depth'"):
        cnn.load_model(saved)


@pytest.mark.parametrize("size", [0, 4, 100])
def test_truncated_weights_are_refused(saved, size):
    path = saved / "model.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ValueError, match=r"model.safetensors is damaged .*: train again"):
        cnn.load_model(saved)
