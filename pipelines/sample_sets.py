"""A kind of sample set and its size go in; a folder of class folders of little videos comes out."""

from __future__ import annotations

import csv
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np

from classicvid.synthetic import (
    APPEARANCE_CLASSES,
    MOTION_CLASSES,
    Movie,
    render_appearance,
    render_motion,
)
from classicvid.video import write_video
from pipelines.runner import run_jobs
from pipelines.store import atomic_folder, read_json, write_json
from pipelines.workers import Job

Kind = Literal["motion", "appearance"]
KINDS: dict[Kind, tuple[tuple[str, ...], Callable[..., Movie]]] = {
    "motion": (MOTION_CLASSES, render_motion),
    "appearance": (APPEARANCE_CLASSES, render_appearance),
}
FRAMES_PER_SECOND = 12.0


def write_sample_set(
    folder: Path, kind: Kind, *, train: int, test: int, seed: int = 0, workers: int = 0
) -> Path:
    """Render a labelled set: ``<class>/<class>_000.mp4`` and ``videos.csv`` with its split.

    The first ``test`` videos of each class are for testing. A video depends on the seed, its
    class and its number alone, so that a larger set holds the smaller one.

    Parameters
    ----------
    folder : Path
        Made whole or not at all; left as it is where it holds this very set.
    kind : {"motion", "appearance"}
        Only motion tells the class, or one frame does.
    train, test : int
        Videos of each class.
    seed : int
        Where all random numbers start.
    workers : int
        Processes that render; 0 means one a processor core.
    """
    recipe = {"kind": kind, "train": train, "test": test, "seed": seed}
    note = folder / "sample.json"
    if note.exists() and read_json(note) == recipe:
        return folder
    numbers = range(train + test)
    labels = KINDS[kind][0]
    with atomic_folder(folder) as part:
        jobs = [Job(label, (part, kind, label, len(numbers), seed)) for label in labels]
        outcomes = run_jobs(_render_class, jobs, workers=workers, label=f"render {kind}")
        for failed in (done for done in outcomes if done.reason is not None):
            message = f"the sample videos of class {failed.name} failed: {failed.reason}"
            raise OSError(message)
        rows = [
            (_path(label, number), label, "test" if number < test else "train")
            for label in labels
            for number in numbers
        ]
        with (part / "videos.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([("path", "label", "split"), *rows])
        write_json(part / "sample.json", recipe)
    return folder


def _path(label: str, number: int) -> str:
    return f"{label}/{label}_{number:03d}.mp4"


def _render_class(root: Path, kind: Kind, label: str, count: int, seed: int) -> None:
    (root / label).mkdir()
    for number in range(count):
        _render(root / _path(label, number), kind, label, number, seed)


def _render(path: Path, kind: Kind, label: str, number: int, seed: int) -> None:
    # The name's checksum, not its place in the table: a new class leaves the others' videos alone.
    rng = np.random.default_rng((seed, zlib.crc32(f"{kind}/{label}".encode()), number))
    movie = KINDS[kind][1](label, rng=rng)
    write_video(path, movie.frames, fps=FRAMES_PER_SECOND)
