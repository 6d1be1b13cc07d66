"""A finished comparison on disk goes in; one HTML page that needs nothing else comes out."""

from __future__ import annotations

import csv
import shlex
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import jinja2

from classicvid.metrics import Scores
from pipelines import charts, findings, store, tables
from pipelines.recipes import METHODS, CompareRecipe

_TEMPLATES = Path(__file__).with_name("templates")
_NEEDED = ("recipe.yaml", "dataset.json", "metrics.json", "verdict.json")
_COST_HEIGHT = 340.0
_PROTOCOLS = {
    "leave-one-group-out": "each group is tested once, by models that never saw it",
    "group-k-fold": "whole groups are dealt into parts, each tested once by models that never "
    "saw it",
    "split": "trained on the part of the data set marked train, tested on the part marked test",
}
# What does not change the numbers does not belong into the command that makes them again.
_ELSEWHERE = frozenset({"runs", "run", "overwrite", "workers"})


@dataclass(frozen=True)
class Comparison:
    """What ``classicvid compare`` left in a folder, as plain values.

    Parameters
    ----------
    folder : Path
        The run.
    recipe, dataset, metrics, verdict : dict
        The files of these names.
    scores : dict of str to Scores
        By method, without the methods that have none.
    failures : list of (str, str)
        Videos that could not be used, each with its reason.
    """

    folder: Path
    recipe: dict[str, Any]
    dataset: dict[str, Any]
    metrics: dict[str, dict[str, Any]]
    verdict: dict[str, Any]
    scores: dict[str, Scores]
    failures: list[tuple[str, str]]


def run(folder: Path) -> Path:
    """Write ``report.html`` into the folder of a finished comparison.

    Parameters
    ----------
    folder : Path
        Holds recipe.yaml, dataset.json, metrics.json and verdict.json; scores, logs of training
        and failures are shown where they exist.

    Returns
    -------
    Path
        The page: one file without scripts, styles, pictures or fonts from elsewhere. The same
        folder gives the same bytes.

    Raises
    ------
    FileNotFoundError
        If the comparison is not finished.
    ValueError
        If a file is damaged.
    """
    comparison = read_comparison(folder)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("report.html").render(
        head=_head(comparison),
        protocol=_protocol(comparison),
        table=_table(comparison),
        dots=_dots(comparison),
        cost=_cost(comparison),
        classes=findings.class_accuracies(comparison.metrics, comparison.dataset),
        confusions=findings.confusions(comparison.scores, first=_best(comparison)),
        curves=findings.learning_curves(comparison.folder),
        hard=findings.hard_videos(comparison.scores),
        failures=comparison.failures,
        reproduce=_reproduce(comparison),
    )
    path = folder / "report.html"
    with store.atomic_file(path) as part:
        part.write_bytes(page.encode("utf-8", "backslashreplace"))  # names of files are any bytes
    return path


def read_comparison(folder: Path) -> Comparison:
    """Read a run; what is optional and absent is left out.

    Raises
    ------
    FileNotFoundError
        If one of the four files that every finished comparison has is missing.
    ValueError
        If a file is damaged.
    """
    missing = [name for name in _NEEDED if not (folder / name).is_file()]
    if missing:
        message = (
            f"{folder} is not a finished comparison: {', '.join(missing)} missing; "
            "run `classicvid compare` to its end"
        )
        raise FileNotFoundError(message)
    metrics = store.read_json(folder / "metrics.json")
    files = {name: folder / "methods" / name / "scores.npz" for name in metrics}
    return Comparison(
        folder,
        store.read_yaml(folder / "recipe.yaml"),
        store.read_json(folder / "dataset.json"),
        metrics,
        store.read_json(folder / "verdict.json"),
        {name: Scores.load(path) for name, path in files.items() if path.is_file()},
        _read_failures(folder / "failures.csv"),
    )


def _read_failures(path: Path) -> list[tuple[str, str]]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        return [(row.get("path") or "", row.get("reason") or "") for row in csv.DictReader(file)]


def _head(comparison: Comparison) -> dict[str, Any]:
    verdict, dataset = comparison.verdict, comparison.dataset
    answer, _, figures = verdict["sentence"].partition(": ")
    groups = {video.get("group") for video in dataset["videos"]} - {None, ""}
    return {
        "name": Path(dataset["root"]).name or comparison.folder.name,
        "answer": answer,
        "figures": figures,
        "evidence": _evidence(verdict),
        "chance": tables.show_percent(verdict["chance"]),
        "videos": len(dataset["videos"]),
        "classes": len(dataset["classes"]),
        "groups": len(groups),
        "best": _best(comparison),
    }


def _evidence(verdict: dict[str, Any]) -> dict[str, Any] | None:
    """Return the paired difference that the verdict rests on, on an axis that holds zero."""
    if verdict["difference"] is None:
        return None
    bounds = [float(verdict[key]) for key in ("low", "difference", "high")]
    reach = max(0.1, *(abs(value) for value in bounds)) * 1.1
    low, middle, high = (50.0 + 50.0 * value / reach for value in bounds)
    return {
        "motion": verdict["motion_method"],
        "appearance": verdict["appearance_method"],
        "text": [_signed(value) for value in bounds],
        "low": low,
        "middle": middle,
        "high": high,
    }


def _signed(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-", "−")


def _best(comparison: Comparison) -> str | None:
    """Name the first of the methods with the highest Video Hit@1."""
    known = {
        name: row["video_hit_at_1"]
        for name, row in comparison.metrics.items()
        if row.get("video_hit_at_1") is not None
    }
    return max(known, key=lambda name: known[name]) if known else None


def _protocol(comparison: Comparison) -> dict[str, Any]:
    folds = comparison.dataset["folds"]
    name = str(comparison.recipe.get("protocol", "auto"))
    if name == "auto":
        name = "split" if [fold["name"] for fold in folds] == ["split"] else "group-k-fold"
    tested = {row for fold in folds for row in fold["test"]}
    unit = "fold" if len(folds) == 1 else "folds"
    parts = [f"{len(folds)} {unit}", f"{len(tested)} test videos"]
    if comparison.recipe.get("seed") is not None:
        parts.append(f"seed {comparison.recipe['seed']}")
    return {
        "name": name,
        "rest": ", ".join(parts),
        "line": ", ".join([name, *parts]),
        "meaning": _PROTOCOLS.get(name, ""),
        "folds": folds,
    }


def _table(comparison: Comparison) -> dict[str, Any]:
    metrics = comparison.metrics
    best = {column.key: tables.best_methods(metrics, column) for column in tables.COLUMNS}
    rows = []
    for number, (name, row) in enumerate(metrics.items()):
        method = METHODS.get(name)
        cells = [
            {
                "text": column.cell(row),
                "value": _sort_value(row.get(column.key)),
                "best": name in best[column.key],
            }
            for column in tables.COLUMNS
        ]
        note = method.paper if method else ""
        rows.append({"name": name, "number": number, "note": note, "cells": cells})
    return {"columns": tables.COLUMNS, "rows": rows}


def _sort_value(value: Any) -> Any:
    """Return what a column is sorted by: an interval by its lower end, the unknown last."""
    if value is None:
        return ""
    return value[0] if isinstance(value, list | tuple) else value


def _dots(comparison: Comparison) -> dict[str, Any]:
    rows = []
    for name, row in comparison.metrics.items():
        hit, interval = row.get("video_hit_at_1"), row.get("video_hit_at_1_interval")
        if hit is not None:
            bounds = interval or (hit, hit)
            span = tables.show_interval(interval).replace("-", "–") if interval else ""
            rows.append(
                {
                    "name": name,
                    "sees": _sees(name),
                    "text": tables.show_percent(hit),
                    "span": span,
                    "at": 100 * hit,
                    "low": 100 * bounds[0],
                    "high": 100 * bounds[1],
                }
            )
    return {"rows": rows, "chance": 100 * comparison.verdict["chance"]}


def _sees(name: str) -> str:
    return METHODS[name].sees if name in METHODS else "both"


def _cost(comparison: Comparison) -> dict[str, Any] | None:
    """Lay out training time against Video Hit@1; None where no method has both."""
    rows = {
        name: (row.get("train_seconds"), row.get("video_hit_at_1"))
        for name, row in comparison.metrics.items()
    }
    known = {name: (s, hit) for name, (s, hit) in rows.items() if s and hit is not None}
    if not known:
        return None
    axis = charts.time_axis([seconds for seconds, _ in known.values()])
    # Points keep off the edges, where half a mark or the names of the ticks would be hidden.
    across = [9 + 0.86 * axis.position(seconds) for seconds, _ in known.values()]
    down = [_cost_top(hit) for _, hit in known.values()]
    labels = charts.place_labels(list(known), across, down, height=_COST_HEIGHT)
    points = [
        {"name": name, "sees": _sees(name), "x": x, "y": y, "side": label.side, "to": label.shift}
        for name, x, y, label in zip(known, across, down, labels, strict=True)
    ]
    return {
        "height": _COST_HEIGHT,
        "points": points,
        "x_ticks": [(9 + 0.86 * at, name) for at, name in axis.ticks],
        "y_ticks": [(_cost_top(share / 100), share) for share in (0, 25, 50, 75, 100)],
        "chance": _cost_top(comparison.verdict["chance"]),
        "left_out": [name for name in rows if name not in known],
    }


def _cost_top(share: float) -> float:
    return 24 + (1 - share) * (_COST_HEIGHT - 60)


def _reproduce(comparison: Comparison) -> dict[str, Any]:
    recipe = {"methods": list(comparison.metrics), **comparison.recipe}
    versions = recipe.pop("versions", None) or comparison.dataset.get("versions") or {}
    return {
        "command": _command(recipe, data=str(recipe.get("data", comparison.dataset["root"]))),
        "recipe": [(key, _plain_text(value)) for key, value in recipe.items()],
        "versions": versions,
    }


def _command(recipe: dict[str, Any], *, data: str) -> str:
    """Write the command that computes these numbers, one option a line."""
    lines = [f"classicvid compare {shlex.quote(data)}"]
    for option in fields(CompareRecipe):
        value = recipe.get(option.name)
        if value not in (None, "") and option.name not in _ELSEWHERE:
            lines.append(f"  --{option.name} {shlex.quote(_plain_text(value))}")
    return " \\\n".join(lines)


def _plain_text(value: Any) -> str:
    """Write a value as the command line takes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ",".join(map(_plain_text, value))
    return str(value)
