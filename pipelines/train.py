"""One fold of one method goes in; its trained model and what the training cost come out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from classicvid.classifier import HistogramClassifier
from pipelines.recipes import METHODS
from pipelines.run_folder import FoldTask, flow_bound, open_clips
from pipelines.store import read_arrays, write_json

SAVE_EVERY = 200  # steps: seconds of a tiny network, minutes of a published one


def run(task: FoldTask) -> Path:
    """Train on the fold's training videos; skip what is done, go on where a network stopped.

    Writes ``model/`` and ``train.json`` (parameters, train_seconds) into the task's folder, and
    for networks ``log.jsonl``.
    """
    done = task.folder / "train.json"
    if done.exists():
        return task.folder
    started = time.perf_counter()
    trainers = {"histograms": _train_histograms, "network": _train_network}
    parameters = trainers[METHODS[task.method].kind](task)
    cost = {"parameters": parameters, "train_seconds": time.perf_counter() - started}
    write_json(done, cost)
    return task.folder


def _train_histograms(task: FoldTask) -> int:
    names = task.names(task.fold.train)
    rows = [read_arrays(task.run.features(name)) for name in names]
    features = np.stack([np.concatenate([row[key] for key in sorted(row)]) for row in rows])
    model = HistogramClassifier(seed=task.recipe.seed)
    labels = task.dataset.labels[task.fold.train]
    model.fit(features, labels, classes=len(task.dataset.classes))
    model.save(task.folder / "model")
    return model.parameters


def _train_network(task: FoldTask) -> int:
    import cnn  # noqa: PLC0415 - seconds, which feature histograms need not wait for

    recipe = task.recipe
    classes = task.dataset.classes
    model = cnn.build_model(task.method, classes=len(classes), size=recipe.size, seed=recipe.seed)
    wanted = model.config.input
    folder = task.run.clips(wanted.cache_size)
    names = task.names(task.fold.train)
    source = cnn.ClipSource(
        videos=[open_clips(folder, name, wanted.modality) for name in names],
        labels=task.dataset.labels[task.fold.train],
        names=names,
        classes=classes,
        bound=flow_bound(wanted.cache_size),
    )
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
    cnn.train(model, source, config, folder=task.folder)
    cnn.save_model(task.folder / "model", model, extra={"classes": list(classes)})
    return sum(weights.numel() for weights in model.parameters())
