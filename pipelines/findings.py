"""Scores and logs of a run go in; what they say of classes, videos and training comes out."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicvid.metrics import Scores
from pipelines import charts, tables
from pipelines.recipes import METHODS

_MATRIX_CLASSES = 150  # a larger confusion matrix is unreadable, and megabytes for each method
_PAIRS, _HARD_VIDEOS = 8, 40


def class_accuracies(metrics: tables.Metrics, dataset: Mapping[str, Any]) -> dict[str, Any] | None:
    """Tabulate the Video Hit@1 of each class by each method.

    Parameters
    ----------
    metrics, dataset : mapping
        What ``metrics.json`` and ``dataset.json`` of a comparison hold.

    Returns
    -------
    dict or None
        ``columns``: the methods, before them their mean where there are several; ``rows``: one a
        class with its test videos and (value, text) a column. None where no method tells its
        classes.
    """
    by_method = {
        name: row["class_accuracy"] for name, row in metrics.items() if row.get("class_accuracy")
    }
    if not by_method:
        return None
    tested = {row for fold in dataset["folds"] for row in fold["test"]}
    counts = Counter(dataset["videos"][row]["label"] for row in tested)
    rows = []
    for number, label in enumerate(dataset["classes"]):
        values = [accuracies.get(label) for accuracies in by_method.values()]
        known = [value for value in values if value is not None]
        if len(values) > 1:
            values = [sum(known) / len(known) if known else None, *values]
        cells = [(v, tables.ABSENT if v is None else tables.show_percent(v)) for v in values]
        rows.append({"name": label, "number": number, "videos": counts[label], "cells": cells})
    return {"columns": ["Mean"] * (len(by_method) > 1) + list(by_method), "rows": rows}


def confusions(scores: Mapping[str, Scores], *, first: str | None) -> list[dict[str, Any]]:
    """Lay out the confusion matrix of each method and its most frequent confusions.

    Parameters
    ----------
    scores : mapping of str to Scores
        By method.
    first : str or None
        The method that comes before the others.

    Returns
    -------
    list of dict
        One a method; ``rows`` is empty where there are too many classes for a matrix.
    """
    found = []
    for name, part in scores.items():
        matrix = part.confusion()
        view = {
            "method": name,
            "first": name == first,
            "classes": part.classes,
            "rows": _matrix_rows(part, matrix),
            "pairs": _confused_pairs(part, matrix),
            "wrong": int(matrix.sum() - np.trace(matrix)),
            "total": int(matrix.sum()),
        }
        found.append(view)
    return sorted(found, key=lambda view: not view["first"])


def learning_curves(folder: Path) -> dict[str, Any]:
    """Average the training loss of each network over its folds.

    Parameters
    ----------
    folder : Path
        A run, with ``methods/<method>/folds/<n>/log.jsonl`` for each network.

    Returns
    -------
    dict
        ``methods``: one a network that left a log, with the corners of its line and of the band
        from the lowest to the highest fold; ``high``, ``half``: the losses at the top and in the
        middle of the plots, which share one axis.
    """
    series = {}
    for name in _logged_methods(folder):
        logs = sorted((folder / "methods" / name).glob("folds/*/log.jsonl"))
        folds = [losses for losses in map(_read_losses, logs) if losses]
        steps = sorted(set.intersection(*map(set, folds))) if folds else []
        if steps:
            series[name] = (steps, np.array([[fold[step] for step in steps] for fold in folds]))
    # One loss that exploded must not press all the other curves flat.
    typical = [float(np.quantile(table.mean(axis=0), 0.98)) for _, table in series.values()]
    high = charts.round_up(max([*typical, 1e-6]))
    views = [_curve_view(name, *part, high=high) for name, part in series.items()]
    return {"methods": views, "high": f"{high:g}", "half": f"{high / 2:g}"}


def hard_videos(scores: Mapping[str, Scores]) -> dict[str, Any]:
    """List the videos that more than half of the methods get wrong, the hardest first.

    Parameters
    ----------
    scores : mapping of str to Scores
        By method; a method may lack videos.

    Returns
    -------
    dict
        The methods; ``rows`` with the video, its label and what each method said; how many such
        videos there are in ``total``, and of how many. Only the first rows are listed.
    """
    answers: dict[str, dict[str, dict[str, Any]]] = {}
    for method, part in scores.items():
        for video, answer in _answers(part):
            answers.setdefault(video, {})[method] = answer
    hard = []
    for video, by_method in answers.items():
        given = list(by_method.values())
        wrong = sum(not answer["right"] for answer in given) / len(given)
        if wrong > 0.5:
            belief = sum(answer["belief"] for answer in given) / len(given)
            said = [by_method.get(method) for method in scores]
            row = {"video": video, "label": given[0]["label"], "said": said}
            hard.append((-wrong, belief, video, row))
    hard.sort(key=lambda entry: entry[:3])
    rows = [row for *_, row in hard[:_HARD_VIDEOS]]
    return {"methods": list(scores), "rows": rows, "total": len(hard), "of": len(answers)}


def _matrix_rows(scores: Scores, matrix: NDArray[np.int64]) -> list[tuple[str, list[Any]]]:
    if len(scores.classes) > _MATRIX_CLASSES:
        return []
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    return [
        (label, list(zip(counts.tolist(), row.tolist(), strict=True)))
        for label, counts, row in zip(scores.classes, matrix, shares, strict=True)
    ]


def _confused_pairs(scores: Scores, matrix: NDArray[np.int64]) -> list[dict[str, Any]]:
    wrong = matrix - np.diag(np.diag(matrix))
    order = np.argsort(-wrong, axis=None, kind="stable")[:_PAIRS]
    totals = matrix.sum(axis=1)
    return [
        {
            "truth": scores.classes[truth],
            "said": scores.classes[said],
            "count": int(wrong[truth, said]),
            "total": int(totals[truth]),
        }
        for truth, said in zip(*np.unravel_index(order, wrong.shape), strict=True)
        if wrong[truth, said] > 0
    ]


def _logged_methods(folder: Path) -> list[str]:
    """Name the methods with a log, the members of fusions among them, in the usual order."""
    found = {path.parents[2].name for path in folder.glob("methods/*/folds/*/log.jsonl")}
    return [name for name in METHODS if name in found] + sorted(found - METHODS.keys())


def _read_losses(path: Path) -> dict[int, float]:
    """Loss by step; a line that a killed run left half written is passed over."""
    losses = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = json.loads(line)
            step, loss = int(entry["step"]), float(entry["loss"])
        except (ValueError, TypeError, KeyError):
            continue
        if math.isfinite(loss):
            losses[step] = loss
    return losses


def _curve_view(
    name: str, steps: list[int], losses: NDArray[np.float64], *, high: float
) -> dict[str, Any]:
    mean = losses.mean(axis=0)
    low_edge, high_edge = (
        charts.curve(edge(losses, axis=0), high=high) for edge in (np.min, np.max)
    )
    return {
        "method": name,
        "line": _corners(charts.curve(mean, high=high)),
        "band": _corners(np.concatenate([low_edge, high_edge[::-1]])),
        "folds": len(losses),
        "steps": (tables.show_count(steps[0]), tables.show_count(steps[-1])),
        "losses": (tables.show_amount(mean[0]), tables.show_amount(mean[-1])),
    }


def _corners(points: NDArray[np.float64]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _answers(scores: Scores) -> Iterator[tuple[str, dict[str, Any]]]:
    best = np.argmax(scores.video_scores, axis=1)
    for row, video in enumerate(scores.videos):
        label, said = int(scores.labels[row]), int(best[row])
        answer = {
            "label": scores.classes[label],
            "said": scores.classes[said],
            "score": f"{float(scores.video_scores[row, said]):.2f}",
            "belief": float(scores.video_scores[row, label]),
            "right": label == said,
        }
        yield video, answer
