"""A labelled data set and the names of methods go in; one table that compares them comes out."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from classicvid.checks import check_whole
from classicvid.metrics import Scores, wilson_interval
from pipelines import clip_cache, evaluate, features, fusions, local_features, report, train
from pipelines.clip_cache import ClipCacheRecipe
from pipelines.dataset import Dataset, Fold, default_protocol, load_dataset, make_folds
from pipelines.encoded_methods import ENCODINGS, extraction_recipe
from pipelines.recipes import METHODS, CompareRecipe, parse_methods, plain
from pipelines.run_folder import FoldTask, RunFolder, flow_bound
from pipelines.runner import run_jobs
from pipelines.store import (
    atomic_file,
    keep_recipe,
    read_json,
    write_failures,
    write_json,
)
from pipelines.verdict import Verdict, judge
from pipelines.workers import Job

# Options that change how a run is worked on, not what comes out of it.
_FREE_OPTIONS = ("methods", "workers", "runs", "run", "overwrite")
_LIBRARIES = ("classicvid", "numpy", "opencv-python", "numba", "scikit-learn", "torch", "av")


@dataclass(frozen=True, eq=False)
class Comparison:
    """What a comparison found, and where it lies.

    Parameters
    ----------
    folder : Path
        The run.
    metrics : dict
        Figures by method, as in ``metrics.json``.
    verdict : Verdict
        Does the data need motion?
    failures : dict of str to str
        Reason by the path of each video that could not be read, and by the name of each fold that
        could not be trained.
    protocol : str
        How the videos were shared out, in words.
    """

    folder: Path
    metrics: dict[str, dict[str, Any]]
    verdict: Verdict
    failures: dict[str, str]
    protocol: str


def run(data: str | Path, recipe: CompareRecipe) -> Comparison:
    """Train and score every method under the same folds, and write the table and the report.

    Parameters
    ----------
    data : path
        A folder of class folders of videos, or a CSV (see :func:`pipelines.dataset.find_videos`).
    recipe : CompareRecipe
        The options.

    Raises
    ------
    ValueError
        If the data set or an option cannot be used, before any work.
    """
    methods = parse_methods(recipe.methods)
    for name in ("seed", "train_steps", "workers"):
        check_whole(name, getattr(recipe, name), low=0)
    if recipe.device == "cuda":
        import cnn  # noqa: PLC0415 - seconds, which only those wait for who ask for a GPU

        cnn.choose_device("cuda")
    dataset = load_dataset(data)
    protocol = default_protocol(dataset) if recipe.protocol == "auto" else recipe.protocol
    make_folds(dataset, protocol=protocol, folds=recipe.folds, seed=recipe.seed)
    folder = RunFolder(Path(recipe.runs) / (recipe.run or Path(data).resolve().stem))
    keep_recipe(folder.root, _lasting(data, dataset, recipe, protocol), overwrite=recipe.overwrite)
    failures = _prepare(folder, dataset, _parts(methods), recipe)
    dataset = _without(dataset, failures)
    folds = make_folds(dataset, protocol=protocol, folds=recipe.folds, seed=recipe.seed)
    _write_dataset(folder, dataset, folds)
    scores, lost = _score_all(folder, dataset, folds, methods, recipe)
    failures |= lost
    figures = {name: _figures(folder, name, part, len(folds)) for name, part in scores.items()}
    groups = dict(zip(dataset.names, dataset.groups, strict=True))
    verdict = judge(scores, groups, seed=recipe.seed)
    write_json(folder.root / "metrics.json", figures)
    write_json(folder.root / "verdict.json", asdict(verdict))
    write_failures(folder.root, list(failures.items()))
    report.run(folder.root)
    shared = "1 fold" if len(folds) == 1 else f"{len(folds)} folds"
    return Comparison(folder.root, figures, verdict, failures, f"{protocol}, {shared}")


def _lasting(
    data: str | Path, dataset: Dataset, recipe: CompareRecipe, protocol: str
) -> dict[str, Any]:
    """Return all that the results depend on, and what they were made with."""
    options = {key: value for key, value in plain(recipe).items() if key not in _FREE_OPTIONS}
    return {"data": str(data), "digest": dataset.digest(), **options, "protocol": protocol}


def _parts(methods: Sequence[str]) -> tuple[str, ...]:
    """Return the methods to train: a fusion stands for its members."""
    wanted = {part for name in methods for part in METHODS[name].members or (name,)}
    return tuple(name for name in METHODS if name in wanted)


def _prepare(
    folder: RunFolder, dataset: Dataset, parts: Sequence[str], recipe: CompareRecipe
) -> dict[str, str]:
    """Decode every video once for each kind of features and for the networks; gather failures."""
    failed: dict[str, str] = {}
    if any(METHODS[name].kind == "histograms" for name in parts):
        failed |= features.run(folder, dataset.videos, workers=recipe.workers)
    encoded = {ENCODINGS[name].features for name in parts if METHODS[name].kind == "encoding"}
    for kind in sorted(encoded):
        wanted = extraction_recipe(kind, size=recipe.size, workers=recipe.workers)
        failed |= local_features.run(folder.root / "features" / kind, dataset.videos, wanted)
    networks = [name for name in parts if METHODS[name].kind == "network"]
    if networks:
        import cnn  # noqa: PLC0415 - seconds, which feature histograms need not wait for

        specs = [cnn.input_spec(name, size=recipe.size) for name in networks]
        backward = {spec.cache_size for spec in specs if "backward" in spec.arrays}
        for size in sorted({spec.cache_size for spec in specs}):
            clips = ClipCacheRecipe(
                folder.clips(size), size, bound=flow_bound(size), backward=size in backward
            )
            failed |= clip_cache.run(clips, dataset.videos, workers=recipe.workers)
    paths = {video.name: str(video.path) for video in dataset.videos}
    return {paths[name]: reason for name, reason in failed.items()}


def _without(dataset: Dataset, failures: Mapping[str, str]) -> Dataset:
    names = [video.name for video in dataset.videos if str(video.path) in failures]
    kept = dataset.without(names)
    if len(set(kept.labels.tolist())) < 2:
        reason = next(iter(failures.values()))
        message = f"{len(names)} of {len(dataset.videos)} videos cannot be read, such as: {reason}"
        raise ValueError(message)
    return kept


def _write_dataset(folder: RunFolder, dataset: Dataset, folds: Sequence[Fold]) -> None:
    keys = ("name", "label", "group", "split")
    write_json(
        folder.root / "dataset.json",
        {
            "root": str(dataset.root),
            "classes": dataset.classes,
            "videos": [{key: getattr(video, key) for key in keys} for video in dataset.videos],
            "folds": [
                {"name": fold.name, "train": fold.train.tolist(), "test": fold.test.tolist()}
                for fold in folds
            ],
            "versions": {"python": platform.python_version()}
            | {name: version(name) for name in _LIBRARIES},
        },
    )


def _score_all(
    folder: RunFolder,
    dataset: Dataset,
    folds: Sequence[Fold],
    methods: Sequence[str],
    recipe: CompareRecipe,
) -> tuple[dict[str, Scores], dict[str, str]]:
    """Train and test what is not done yet, join the folds, and then the members of fusions.

    A method whose training fails is left out and its reason given: the others are not lost.
    """
    tasks = [
        FoldTask(folder, dataset, fold, number, name, recipe)
        for name in reversed(_parts(methods))  # the longest first, so that no core waits at the end
        for number, fold in enumerate(folds, 1)
    ]
    failures = _train_and_test(tasks, recipe)
    fitted = {part for name in methods for part in fusions.fitted_members(name)}
    for task in tasks:
        if task.method in fitted and task.is_done:
            evaluate.score_training(task)
    scores: dict[str, Scores] = {}
    for name in _parts(methods):
        files = [folder.fold(name, number) / "scores.npz" for number in range(1, len(folds) + 1)]
        if all(file.exists() for file in files):
            scores[name] = Scores.concatenate([Scores.load(file) for file in files])
    for name in methods:
        members = METHODS[name].members
        if members and all(part in scores for part in members):
            parts = [scores[part] for part in members]
            scores[name] = fusions.fuse(folder, name, parts, folds=len(folds))
    for name, part in scores.items():
        with atomic_file(folder.scores(name)) as file:
            part.save(file)
    found = {name: scores[name] for name in methods if name in scores}
    if not found:
        name, reason = next(iter(failures.items()))
        message = f"no method could be trained; {name}: {reason}"
        raise ValueError(message)
    return found, failures


def _train_and_test(tasks: Sequence[FoldTask], recipe: CompareRecipe) -> dict[str, str]:
    """Do the tasks that are not done; return the reason of each that failed.

    Small networks gain little from a second thread, and all of it from a second network: they are
    trained side by side, each on one core. Large ones, and those on a GPU, take turns.
    """
    side_by_side = recipe.size == "tiny" and recipe.device != "cuda"
    jobs = [
        Job(f"{task.method}, fold {task.fold.name}", (task,)) for task in tasks if not task.is_done
    ]
    outcomes = run_jobs(
        train_and_test,
        jobs,
        workers=recipe.workers,
        backend="processes" if side_by_side else "serial",
        label="train",
        isolate=True,
    )
    return {done.name: done.reason for done in outcomes if done.reason is not None}


def train_and_test(task: FoldTask) -> None:
    """Train one method on one fold and score the fold's test videos."""
    train.run(task)
    evaluate.run(task)


def _figures(folder: RunFolder, method: str, scores: Scores, folds: int) -> dict[str, Any]:
    """Return a method's row of ``metrics.json``."""
    parts = METHODS[method].members or (method,)
    places = [[folder.fold(name, number) for number in range(1, folds + 1)] for name in parts]
    trained = [[read_json(place / "train.json") for place in row] for row in places]
    tested = [[read_json(place / "evaluate.json") for place in row] for row in places]
    clips = sum(cost["clips"] for cost in tested[0])
    seconds = sum(cost["seconds"] for row in tested for cost in row)
    rates = scores.class_accuracy().tolist()
    return {
        "clip_hit_at_1": scores.clip_hit_at(1),
        "video_hit_at_1": scores.video_hit_at(1),
        "video_hit_at_5": scores.video_hit_at(5),
        "mean_class_accuracy": scores.mean_class_accuracy(),
        "parameters": sum(row[0]["parameters"] for row in trained),
        "train_seconds": sum(cost["train_seconds"] for row in trained for cost in row),
        "clips_per_second": clips / max(seconds, 1e-9),
        "video_hit_at_1_interval": wilson_interval(int(scores.hits.sum()), len(scores.hits)),
        "class_accuracy": {
            name: None if rate != rate else rate  # noqa: PLR0124 - NaN, which JSON lacks
            for name, rate in zip(scores.classes, rates, strict=True)
        },
        "videos": len(scores.videos),
        "folds": folds,
    }
