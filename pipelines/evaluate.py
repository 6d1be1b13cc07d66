"""One trained fold of one method goes in; the Scores of its test videos come out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from classicvid.classifier import HistogramClassifier
from classicvid.metrics import Scores
from pipelines.recipes import METHODS
from pipelines.run_folder import FoldTask, flow_bound, open_clips
from pipelines.store import atomic_file, read_arrays, write_json


def run(task: FoldTask) -> Path:
    """Score the fold's test videos; skip what is done.

    Writes ``scores.npz`` and ``evaluate.json`` (clips, seconds) into the task's folder.
    """
    done = task.folder / "scores.npz"
    if done.exists():
        return task.folder
    started = time.perf_counter()
    scorers = {"histograms": _score_histograms, "network": _score_network}
    scores = scorers[METHODS[task.method].kind](task)
    seconds = time.perf_counter() - started
    clips = len(scores.clip_videos) or len(scores.videos)
    write_json(task.folder / "evaluate.json", {"clips": clips, "seconds": seconds})
    with atomic_file(done) as part:
        scores.save(part)
    return task.folder


def _score_histograms(task: FoldTask) -> Scores:
    names = task.names(task.fold.test)
    rows = [read_arrays(task.run.features(name)) for name in names]
    features = np.stack([np.concatenate([row[key] for key in sorted(row)]) for row in rows])
    model = HistogramClassifier.load(task.folder / "model")
    return Scores.from_videos(
        classes=task.dataset.classes,
        videos=names,
        labels=task.dataset.labels[task.fold.test],
        scores=model.predict_probabilities(features),
    )


def _score_network(task: FoldTask) -> Scores:
    import cnn  # noqa: PLC0415 - seconds, which feature histograms need not wait for

    recipe = task.recipe
    model, _ = cnn.load_model(task.folder / "model")
    wanted = model.config.input
    folder = task.run.clips(wanted.cache_size)
    names = task.names(task.fold.test)
    source = cnn.ClipSource(
        videos=[open_clips(folder, name, wanted.modality) for name in names],
        labels=task.dataset.labels[task.fold.test],
        names=names,
        classes=task.dataset.classes,
        bound=flow_bound(wanted.cache_size),
    )
    changes: dict[str, Any] = {"device": recipe.device, "precision": recipe.precision}
    if not recipe.flip:
        changes["views"] = "centre"  # the papers' other views hold mirror images
    config = cnn.evaluation_defaults(task.method, size=recipe.size, **changes)
    return cnn.score(model, source, config)
