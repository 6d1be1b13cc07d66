"""A fold of a method of encoded features goes in; its model, or its test scores, come out."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classicvid.metrics import Scores
from classicvid.support_vectors import SupportVectorClassifier
from pipelines.array_files import ArrayFile
from pipelines.encoded_methods import ENCODINGS
from pipelines.run_folder import FoldTask
from pipelines.video_encoder import VideoEncoder


def train_encoding(task: FoldTask) -> tuple[int, float]:
    """Learn encoders and machines from the fold's training videos, and write them into ``model/``.

    Returns how many numbers the model holds, and the seconds that it took.
    """
    started = time.perf_counter()
    files = _feature_files(task, task.fold.train)
    encoder = _new_encoder(task).fit(files)
    kernel = "chi-square" if encoder.encoding.encoder == "words" else "linear"
    model = SupportVectorClassifier(kernel=kernel).fit(
        np.stack([encoder.encode(file) for file in files]),
        task.dataset.labels[task.fold.train],
        classes=len(task.dataset.classes),
        channels=encoder.widths,
    )
    folder = task.folder / "model"
    encoder.save(folder)
    model.save(folder)
    learnt = [ArrayFile(file).count for file in folder.rglob("*.safetensors")]
    return sum(learnt), time.perf_counter() - started


def score_encoding(task: FoldTask) -> tuple[Scores, float]:
    """Score the fold's test videos; return the scores, and the seconds from features to scores."""
    folder = task.folder / "model"
    encoder = _new_encoder(task).load(folder)
    model = SupportVectorClassifier.load(folder)
    started = time.perf_counter()
    files = _feature_files(task, task.fold.test)
    scores = Scores.from_videos(
        classes=task.dataset.classes,
        videos=task.names(task.fold.test),
        labels=task.dataset.labels[task.fold.test],
        scores=model.predict_probabilities(np.stack([encoder.encode(file) for file in files])),
    )
    return scores, time.perf_counter() - started


def _new_encoder(task: FoldTask) -> VideoEncoder:
    return VideoEncoder(task.method, size=task.recipe.size, seed=task.recipe.seed)


def _feature_files(task: FoldTask, rows: NDArray[np.int64]) -> list[Path]:
    kind = ENCODINGS[task.method].features
    return [task.run.features(name, kind) for name in task.names(rows)]
