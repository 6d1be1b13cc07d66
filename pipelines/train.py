"""One fold of one method goes in; its trained model and what the training cost come out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from classicvid.classifier import HistogramClassifier
from pipelines.inputs import clip_source, feature_vectors
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
    trainers = {"histograms": _train_histograms, "network": _train_network}
    parameters, seconds = trainers[METHODS[task.method].kind](task)
    write_json(done, {"parameters": parameters, "train_seconds": seconds})
    return task.folder


def _train_histograms(task: FoldTask) -> tuple[int, float]:
    started = time.perf_counter()
    model = HistogramClassifier(seed=task.recipe.seed)
    labels = task.dataset.labels[task.fold.train]
    features = feature_vectors(task, task.fold.train)
    model.fit(features, labels, classes=len(task.dataset.classes))
    model.save(task.folder / "model")
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
