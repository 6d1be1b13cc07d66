"""One fold of one method goes in; its trained model and what the training cost come out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from classicvid.classifier import HistogramClassifier
from classicvid.model_choice import choose_model
from pipelines.bags import (
    feature_channels,
    histogram_subsets,
    learn_codebooks,
    save_choice,
)
from pipelines.inputs import clip_source
from pipelines.recipes import METHODS
from pipelines.run_folder import FoldTask
from pipelines.store import write_json

SAVE_EVERY = 200  # steps: seconds of a tiny network, minutes of a published one


def run(task: FoldTask) -> Path:
    """Train on the fold's training videos; skip what is done, go on where a network stopped.

    Writes ``model/`` and ``train.json`` (parameters, train_seconds) into the task's folder, and
    for networks ``log.jsonl``.
    """
    done = task.folder / "train.json"
    if done.exists():
        return task.folder
    trainers = {
        "histograms": _train_histograms,
        "network": _train_network,
        "encoding": _train_encoding,
    }
    parameters, seconds = trainers[METHODS[task.method].kind](task)
    write_json(done, {"parameters": parameters, "train_seconds": seconds})
    return task.folder


def _train_histograms(task: FoldTask) -> tuple[int, float]:
    started = time.perf_counter()
    books = learn_codebooks(task)
    channels = feature_channels(task, task.fold.train, books)
    labels, classes = task.dataset.labels[task.fold.train], len(task.dataset.classes)
    groups = [task.dataset.groups[row] for row in task.fold.train]
    choice = choose_model(
        channels,
        labels,
        classes=classes,
        groups=groups,
        subsets=histogram_subsets(channels),
        seed=task.recipe.seed,
    )
    model = HistogramClassifier(**choice.options, seed=task.recipe.seed)
    features = np.concatenate([channels[name] for name in choice.channels], axis=1)
    model.fit(features, labels, classes=classes)
    model.save(task.folder / "model")
    save_choice(task.folder / "model", choice, books)
    return model.parameters, time.perf_counter() - started


def _train_network(task: FoldTask) -> tuple[int, float]:
    import cnn  # noqa: PLC0415 - seconds, which feature histograms need not wait for

    recipe = task.recipe
    classes = task.dataset.classes
    model = cnn.build_model(task.method, classes=len(classes), size=recipe.size, seed=recipe.seed)
    changes: dict[str, Any] = {
        "seed": recipe.seed,
        "flip": recipe.flip,
        "device": recipe.device,
        "precision": recipe.precision,
        "save_every": SAVE_EVERY,
    }
    if recipe.train_steps:
        changes["steps"] = recipe.train_steps
    config = cnn.training_defaults(task.method, size=recipe.size, **changes)
    source = clip_source(task, task.fold.train, model.config.input)
    result = cnn.train(model, source, config, folder=task.folder)
    cnn.save_model(task.folder / "model", model, extra={"classes": list(classes)})
    (task.folder / cnn.STATE_FILE).unlink()  # nothing will resume from it, and it is large
    return sum(weights.numel() for weights in model.parameters()), result.seconds


def _train_encoding(task: FoldTask) -> tuple[int, float]:
    # Here, not above: networks need not wait for scikit-learn.
    from pipelines.encoded_folds import train_encoding  # noqa: PLC0415

    return train_encoding(task)
