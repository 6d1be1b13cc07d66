"""Arrays and a configuration go into two files of a folder; checked, they come out again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from classicvid.checks import check_whole

_TENSORS, _CONFIG = "model.safetensors", "config.json"
Model = TypeVar("Model")
Tensors = dict[str, NDArray[np.float32]]


def write_model(folder: Path, tensors: Tensors, config: dict[str, Any]) -> None:
    """Write both files, each under a temporary name first, so that what exists is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(config, indent=2, default=lambda number: number.item()) + "\n"
    arrays = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    save_file(arrays, folder / f"{_TENSORS}.part")
    (folder / f"{_CONFIG}.part").write_text(text, encoding="utf-8")
    for name in (_TENSORS, _CONFIG):
        (folder / f"{name}.part").replace(folder / name)


def read_model(
    folder: Path, encoder: str, build: Callable[[dict[str, Any], Tensors], Model]
) -> Model:
    """Read both files and build the model of them, which is named in the configuration.

    Raises
    ------
    FileNotFoundError
        If one of the two files is absent.
    ValueError
        If one is damaged, another encoder wrote them, or ``build`` refuses them.
    """
    for name in (_CONFIG, _TENSORS):
        if not (folder / name).is_file():
            message = f"{folder} holds no {name}: give the folder of a saved encoder"
            raise FileNotFoundError(message)
    try:
        config = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
        _check_config(config, encoder)
        tensors = load_file(folder / _TENSORS)
        _check_numbers(tensors)
        return build(config, tensors)
    except (KeyError, TypeError, ValueError, SafetensorError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else error
        message = f"{folder} is no saved {encoder} ({reason}); fit and save it again"
        raise ValueError(message) from None


def check_shapes(tensors: Tensors, shapes: dict[str, tuple[int, ...]]) -> None:
    """Refuse arrays other than those of the given names and shapes.

    Raises
    ------
    ValueError
        If a name is absent or unknown, or a shape differs.
    """
    if shapes.keys() != tensors.keys():
        message = f"tensors must be {sorted(shapes)}, got {sorted(tensors)}"
        raise ValueError(message)
    for name, shape in shapes.items():
        if tensors[name].shape != shape or 0 in shape:
            message = f"{name} must be {shape} and not empty, got {tensors[name].shape}"
            raise ValueError(message)


def check_positive(tensors: Tensors, *names: str) -> None:
    """Refuse arrays that are not above zero everywhere."""
    for name in names:
        if not (tensors[name] > 0).all():
            message = f"{name} must be above 0"
            raise ValueError(message)


def _check_config(config: Any, encoder: str) -> None:
    if not isinstance(config, dict) or not isinstance(config["options"], dict):
        message = "config.json must hold options by name"
        raise TypeError(message)
    if config["encoder"] != encoder:
        message = f"a {config['encoder']!r} wrote it"
        raise ValueError(message)
    check_whole("features", config["features"], low=1)


def _check_numbers(tensors: dict[str, NDArray[Any]]) -> None:
    for name, array in tensors.items():
        if array.dtype != np.float32:
            message = f"{name} must be float32, got {array.dtype}"
            raise TypeError(message)
        if array.ndim == 0:
            message = f"{name} must have at least one axis"
            raise ValueError(message)
        if not np.isfinite(array).all():
            message = f"{name} must be finite"
            raise ValueError(message)
