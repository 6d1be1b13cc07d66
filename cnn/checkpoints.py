"""A network goes in, model.safetensors and config.json come out; and back, checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from cnn.models import Network, build_model

WEIGHTS_FILE = "model.safetensors"
CONFIG_FILE = "config.json"
STATE_FILE = "training.safetensors"


def save_model(
    folder: str | Path, model: Network, *, extra: Mapping[str, Any] | None = None
) -> Path:
    """Write a network's weights and configuration, each atomically, the configuration last.

    Parameters
    ----------
    folder : path
        Made if absent.
    model : Network
        From :func:`cnn.build_model`.
    extra : mapping, optional
        Anything JSON can hold that belongs to the weights: class names, training settings.

    Returns
    -------
    Path
        The folder.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.cpu().contiguous() for name, tensor in model.state_dict().items()}
    _save_tensors(target / WEIGHTS_FILE, weights)
    settings = {"model": asdict(model.config), "extra": dict(extra or {})}
    partial = target / (CONFIG_FILE + ".partial")
    partial.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    partial.replace(target / CONFIG_FILE)
    return target


def load_model(folder: str | Path, *, device: str = "cpu") -> tuple[Network, dict[str, Any]]:
    """Read what :func:`save_model` wrote.

    Parameters
    ----------
    folder : path
        Holds model.safetensors and config.json.
    device : str
        Where to put the network, such as "cpu" or "cuda".

    Returns
    -------
    model : Network
        In evaluation mode.
    extra : dict
        As saved.

    Raises
    ------
    FileNotFoundError
        If one of the files is absent.
    ValueError
        If a file is damaged, or weights and configuration do not belong together.
    """
    config_path, weights_path = Path(folder) / CONFIG_FILE, Path(folder) / WEIGHTS_FILE
    for path in (config_path, weights_path):
        if not path.is_file():
            message = f"{path} is absent: name a folder that save_model wrote"
            raise FileNotFoundError(message)
    settings = _read_settings(config_path)
    try:
        weights = load_file(weights_path)
    except SafetensorError as error:
        message = f"{weights_path} is damaged ({error}): train again"
        raise ValueError(message) from error
    model = build_model(**settings["model"])
    check_weights(weights, model, source=weights_path)
    model.load_state_dict(weights)
    return model.to(device).eval(), settings.get("extra", {})


def check_weights(weights: Mapping[str, Tensor], model: Network, *, source: Path) -> None:
    """Check that tensors bear the names and shapes of a network's weights.

    Raises
    ------
    ValueError
        At the first tensor that is absent, unknown or of another shape.
    """
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            message = (
                f"{source} does not fit its configuration: {name} must be "
                f"{wanted.get(name, 'absent')}, got {found.get(name, 'nothing')}"
            )
            raise ValueError(message)


def save_state(
    folder: str | Path,
    model: Network,
    optimiser: torch.optim.Optimizer,
    *,
    progress: Mapping[str, Any],
) -> None:
    """Write all that a resumed training needs, into one file, atomically.

    Parameters
    ----------
    folder : path
        Must exist.
    model, optimiser
        Their tensors are kept bit for bit.
    progress : mapping
        What JSON can hold: the step, the seconds spent, and under "training" the settings.
    """
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    for index, slots in optimiser.state_dict()["state"].items():
        for slot, value in slots.items():
            if isinstance(value, Tensor):
                tensors[f"optimiser.{index}.{slot}"] = value
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    _save_tensors(Path(folder) / STATE_FILE, tensors, progress=json.dumps(dict(progress)))


def load_state(
    folder: str | Path,
    model: Network,
    optimiser: torch.optim.Optimizer,
    *,
    training: Mapping[str, Any],
) -> dict[str, Any] | None:
    """Put a saved training state into a network and its optimiser.

    Parameters
    ----------
    folder : path
        Where :func:`save_state` wrote.
    model, optimiser
        Left alone unless the whole state fits.
    training : mapping
        What ``progress["training"]`` must be.

    Returns
    -------
    dict or None
        The progress that was saved, None if there is no state in the folder.

    Raises
    ------
    ValueError
        If the file is damaged, of another network or of a training with other settings.
    """
    path = Path(folder) / STATE_FILE
    if not path.is_file():
        return None
    progress, tensors = _read_state(path)
    for name, value in training.items():
        if progress["training"].get(name) != value:
            message = (
                f"{path} holds another training: {name} was {progress['training'].get(name)!r}, "
                f"is {value!r}; use the same settings or another folder"
            )
            raise ValueError(message)
    weights = {
        name.removeprefix("model."): value
        for name, value in tensors.items()
        if name.startswith("model.")
    }
    check_weights(weights, model, source=path)
    model.load_state_dict(weights)
    slots: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimiser."):
            _, index, slot = name.split(".")
            slots.setdefault(int(index), {})[slot] = value
    optimiser.load_state_dict({**optimiser.state_dict(), "state": slots})
    return progress


def _read_state(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            progress = json.loads(file.metadata()["progress"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, TypeError, json.JSONDecodeError) as error:
        message = f"{path} is damaged ({error}): delete it to train from the start"
        raise ValueError(message) from error
    return progress, tensors


def _read_settings(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        settings["model"]["name"], settings["model"]["classes"]
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        message = f"{path} is not the configuration of a network: {error!r}"
        raise ValueError(message) from error
    return settings


def _save_tensors(path: Path, tensors: dict[str, Tensor], **metadata: str) -> None:
    partial = path.with_name(path.name + ".partial")
    save_file(tensors, partial, metadata=metadata or None)
    partial.replace(path)
