"""One trained fold of one method goes in; the Scores of its test videos come out."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from classicvid.classifier import HistogramClassifier
from classicvid.metrics import Scores
from pipelines.bags import feature_channels, load_choice
from pipelines.inputs import clip_source
from pipelines.recipes import METHODS
from pipelines.run_folder import TRAINING_SCORES, FoldTask
from pipelines.store import atomic_file, write_json


def run(task: FoldTask) -> Path:
    """Score the fold's test videos; skip what is done.

    Writes ``scores.npz`` and ``evaluate.json`` into the task's folder: how many clips (videos,
    where a method has no clips), and the seconds that it took to score them from cached clips or
    features.
    """
    done = task.folder / "scores.npz"
    if done.exists():
        return task.folder
    scorers = {
        "histograms": _score_histograms,
        "network": _score_network,
        "encoding": _score_encoding,
    }
    scores, seconds = scorers[METHODS[task.method].kind](task)
    clips = len(scores.clip_videos) or len(scores.videos)
    write_json(task.folder / "evaluate.json", {"clips": clips, "seconds": seconds})
    with atomic_file(done) as part:
        scores.save(part)
    return task.folder


def score_training(task: FoldTask) -> Path:
    """Score the videos that a network was trained on, for a fusion that learns from scores.

    Writes ``training_scores.npz`` into the task's folder; skips what is done.
    """
    done = task.folder / TRAINING_SCORES
    if not done.exists():
        seen = replace(task, fold=replace(task.fold, test=task.fold.train))
        scores, _ = _score_network(seen)
        with atomic_file(done) as part:
            scores.save(part)
    return task.folder


def _score_histograms(task: FoldTask) -> tuple[Scores, float]:
    model = HistogramClassifier.load(task.folder / "model")
    names, books = load_choice(task.folder / "model")
    channels = feature_channels(task, task.fold.test, books, names=names)
    features = np.concatenate([channels[name] for name in names], axis=1)
    started = time.perf_counter()
    scores = Scores.from_videos(
        classes=task.dataset.classes,
        videos=task.names(task.fold.test),
        labels=task.dataset.labels[task.fold.test],
        scores=model.predict_probabilities(features),
    )
    return scores, time.perf_counter() - started


def _score_network(task: FoldTask) -> tuple[Scores, float]:
    import cnn  # noqa: PLC0415 - seconds, which feature histograms need not wait for

    recipe = task.recipe
    model, _ = cnn.load_model(task.folder / "model")
    changes: dict[str, Any] = {"device": recipe.device, "precision": recipe.precision}
    if not recipe.flip:
        changes["views"] = "centre"  # the papers' other views hold mirror images
    config = cnn.evaluation_defaults(task.method, size=recipe.size, **changes)
    done = cnn.evaluate(model, clip_source(task, task.fold.test, model.config.input), config)
    return done.scores, len(done.scores.clip_videos) / done.clips_per_second


def _score_encoding(task: FoldTask) -> tuple[Scores, float]:
    from pipelines.encoded_folds import score_encoding  # noqa: PLC0415 - as in training

    return score_encoding(task)
