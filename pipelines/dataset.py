"""Folders or tables of videos go in; labelled videos and the folds to test on come out."""

from __future__ import annotations

import csv
import hashlib
import os
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# Audio files are taken too, so that they are listed with a reason and not silently left out.
_SUFFIXES = """
.3g2 .3gp .asf .avi .divx .dv .f4v .flv .gif .h264 .hevc .ivf .m2ts .m4v .mjpeg .mkv .mov .mp4
.mpeg .mpg .mts .mxf .nut .ogm .ogv .rm .rmvb .swf .ts .vob .webm .wmv .y4m
.aac .flac .m4a .mka .mp3 .oga .ogg .opus .wav .wma
"""
MEDIA_SUFFIXES = frozenset(_SUFFIXES.split())
COLUMNS = ("path", "label", "group", "split")


@dataclass(frozen=True)
class Video:
    """One video of a data set.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        Its name in every result, and its folder in an export: ``<class>/<stem>``, or the full
        file name where two videos of a class share a stem, with its folder's name before it where
        they share that too.
    label, group, split : str or None
        Class; what may not be torn apart between train and test; ``train`` or ``test``, or None
        for what the data set's own split leaves out.
    """

    path: Path
    name: str
    label: str | None = None
    group: str | None = None
    split: str | None = None


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled videos: ``labels[i]`` is the row in ``classes`` of ``videos[i]``."""

    root: Path
    videos: tuple[Video, ...]
    classes: tuple[str, ...]
    labels: NDArray[np.int64]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the videos, each once."""
        return tuple(video.name for video in self.videos)

    @property
    def groups(self) -> tuple[str, ...]:
        """Group of each video; a video without one is its own group."""
        return tuple(video.group or f"video {video.name}" for video in self.videos)

    def without(self, names: Iterable[str]) -> Dataset:
        """Leave out the named videos; the classes stay."""
        lost = set(names)
        keep = [row for row, video in enumerate(self.videos) if video.name not in lost]
        kept = tuple(self.videos[row] for row in keep)
        return Dataset(self.root, kept, self.classes, self.labels[keep])

    def digest(self) -> str:
        """Return a short hash of names, labels, groups, splits and file sizes."""
        lines = [repr((v.name, v.label, v.group, v.split, _size(v.path))) for v in self.videos]
        return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class Fold:
    """Rows of the videos to train on and to test on."""

    name: str
    train: NDArray[np.int64]
    test: NDArray[np.int64]


def find_videos(source: str | Path) -> tuple[Video, ...]:
    """List the videos of a folder, a CSV or a single file, sorted by name.

    Parameters
    ----------
    source : path
        A folder of class folders of videos, one with such folders in ``train`` and ``test``, a
        folder of videos, a folder with a ``videos.csv``, a CSV with the columns
        ``path,label[,group][,split]`` (paths relative to it), or one video.

    Raises
    ------
    FileNotFoundError
        If ``source`` does not exist.
    ValueError
        If no video is found, or the CSV lacks a column or names a file that is absent.
    """
    source = Path(source)
    if not source.exists():
        message = f"{source} does not exist; give a folder of videos, a CSV or a video"
        raise FileNotFoundError(message)
    if source.is_dir():
        table = source / "videos.csv"
        videos = _read_table(table) if table.is_file() else _scan_folder(source)
    elif source.suffix.lower() == ".csv":
        videos = _read_table(source)
    else:
        videos = [(source, None, None, None)]
    if not videos:
        message = f"no video in {source}; expected videos, or class folders of videos"
        raise ValueError(message)
    named = zip(videos, _unique_names(videos), strict=True)
    found = [Video(row[0], name, *row[1:]) for row, name in named]
    return tuple(sorted(found, key=lambda video: video.name))


def load_dataset(source: str | Path) -> Dataset:
    """Find the videos of ``source``, all of which must have a label.

    Raises
    ------
    ValueError
        If a video has no label, or there are fewer than two classes.
    """
    videos = find_videos(source)
    bare = [video.name for video in videos if not video.label]
    if bare:
        message = (
            f"{bare[0]} has no label ({len(bare)} of {len(videos)} videos); "
            "put each class into its own folder, or give a videos.csv with path,label"
        )
        raise ValueError(message)
    classes = tuple(sorted({str(video.label) for video in videos}))
    if len(classes) < 2:
        message = f"{source} has one class ({classes[0]}); two or more are needed to compare"
        raise ValueError(message)
    row_of = {label: row for row, label in enumerate(classes)}
    labels = np.array([row_of[str(video.label)] for video in videos], np.int64)
    root = Path(source) if Path(source).is_dir() else Path(source).parent
    return Dataset(root, videos, classes, labels)


def make_folds(
    dataset: Dataset, *, protocol: str, folds: int = 5, seed: int = 0
) -> tuple[Fold, ...]:
    """Cut a data set into pairs of train and test videos that share no group.

    Parameters
    ----------
    dataset : Dataset
        Labelled videos.
    protocol : {"split", "leave-one-group-out", "group-k-fold"}
        The data set's own split; each group tested once; or ``folds`` parts of whole groups with
        about the class shares of the whole.
    folds : int
        Number of parts of ``group-k-fold``.
    seed : int
        Draws the parts of ``group-k-fold``.

    Raises
    ------
    ValueError
        If the data set lacks the groups or the split that the protocol needs, or a fold would
        train on fewer than two classes.
    """
    makers = {
        "split": _split_fold,
        "leave-one-group-out": _leave_one_group_out,
        "group-k-fold": _group_k_fold,
    }
    if protocol not in makers:
        message = f"protocol must be one of {', '.join(makers)}, got {protocol!r}"
        raise ValueError(message)
    made = makers[protocol](dataset, folds, seed)
    for fold in made:
        if len(np.unique(dataset.labels[fold.train])) < 2 or len(fold.test) == 0:
            message = (
                f"fold {fold.name} has {len(fold.test)} test videos and trains on "
                f"{len(np.unique(dataset.labels[fold.train]))} class; give more groups or fewer "
                "folds"
            )
            raise ValueError(message)
    return made


def default_protocol(dataset: Dataset) -> str:
    """Return ``split`` where the data set has one, else ``group-k-fold``."""
    return "split" if any(video.split for video in dataset.videos) else "group-k-fold"


def _split_fold(dataset: Dataset, _folds: int, _seed: int) -> tuple[Fold, ...]:
    parts = np.array([video.split or "" for video in dataset.videos])
    train, test = np.flatnonzero(parts == "train"), np.flatnonzero(parts == "test")
    if not len(train) or not len(test):
        message = (
            f"protocol split needs videos marked train and test in the column 'split' of "
            f"videos.csv, found {sorted(set(parts.tolist()))}; or choose --protocol group-k-fold"
        )
        raise ValueError(message)
    return (Fold("split", train, test),)


def _leave_one_group_out(dataset: Dataset, _folds: int, _seed: int) -> tuple[Fold, ...]:
    if any(video.group is None for video in dataset.videos):
        message = (
            "protocol leave-one-group-out needs a group for each video (the column 'group' of "
            "videos.csv); or choose --protocol group-k-fold"
        )
        raise ValueError(message)
    groups = np.array(dataset.groups)
    names = sorted(set(dataset.groups))
    return tuple(
        Fold(name, np.flatnonzero(groups != name), np.flatnonzero(groups == name)) for name in names
    )


def _group_k_fold(dataset: Dataset, folds: int, seed: int) -> tuple[Fold, ...]:
    from sklearn.model_selection import StratifiedGroupKFold  # noqa: PLC0415 - half a second

    groups = np.array(dataset.groups)
    most = min(len(set(dataset.groups)), max(Counter(dataset.labels.tolist()).values()))
    if not 2 <= folds <= most:
        message = (
            f"folds must be from 2 to {most}, the groups or the videos of the largest class, "
            f"got {folds}"
        )
        raise ValueError(message)
    cutter = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A class with fewer videos than folds is missing from some tests: that is as it must be.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        parts = list(cutter.split(np.zeros(len(groups)), dataset.labels, groups))
    made = [Fold(f"{n}-of-{folds}", train, test) for n, (train, test) in enumerate(parts, 1)]
    return tuple(fold for fold in made if len(fold.test))


_Row = tuple[Path, str | None, str | None, str | None]


def _scan_folder(root: Path) -> list[_Row]:
    parts = {entry.name for entry in root.iterdir() if not entry.name.startswith(".")}
    if parts == {"train", "test"}:
        # The other common layout: <split>/<class>/<video>.
        rows = [(part, row) for part in sorted(parts) for row in _scan_classes(root / part)]
        return [(path, label, group, part) for part, (path, label, group, _) in rows]
    return _scan_classes(root)


def _scan_classes(root: Path) -> list[_Row]:
    rows: list[_Row] = []
    for entry in sorted(root.iterdir()):
        if entry.is_dir() and not entry.name.startswith("."):
            rows += [(path, _text(entry.name), None, None) for path in _media_below(entry)]
        elif _is_media(entry):
            rows.append((entry, None, None, None))
    return rows


def _media_below(folder: Path) -> list[Path]:
    found: list[Path] = []
    # Links are followed, but not to a place that has been seen or that holds this one.
    outer = Path(os.path.realpath(folder.parent))
    seen = {outer, *outer.parents}
    for place, folders, files in os.walk(folder, followlinks=True):
        real = Path(os.path.realpath(place))
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [path for path in (Path(place) / name for name in files) if _is_media(path)]
    return sorted(found)


def _is_media(path: Path) -> bool:
    # A link to nothing is listed, to fail with a reason; a pipe would be waited for.
    wanted = path.suffix.lower() in MEDIA_SUFFIXES and not path.name.startswith(".")
    return wanted and (path.is_file() or not path.exists())


def _text(name: str) -> str:
    """Return a file name as text that can be written: names need not be UTF-8."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None


def _read_table(table: Path) -> list[_Row]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns = [name.strip() for name in reader.fieldnames or ()]
            reader.fieldnames = columns
            lines = [(reader.line_num, line) for line in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        message = f"{table} is not a readable CSV ({error}); save it as UTF-8 with commas"
        raise ValueError(message) from None
    if not {"path", "label"} <= set(columns):
        message = f"{table} must have the columns path,label[,group][,split], got {columns}"
        raise ValueError(message)
    rows: list[_Row] = []
    first_line: dict[str, int] = {}
    for number, line in lines:
        name, label, group, split = ((line.get(key) or "").strip() or None for key in COLUMNS)
        path = table.parent / (name or "")
        problem = None
        if name is None or not path.is_file():
            problem = f"{name or 'an empty path'} is not a file"
        elif first_line.setdefault(os.path.realpath(path), number) != number:
            # It would be trained on and tested on, or have two labels.
            problem = f"{name} is in line {first_line[os.path.realpath(path)]} already; keep one"
        elif split not in (None, "train", "test"):
            problem = f"split must be train, test or empty, got {split!r}"
        if problem:
            message = f"{table} line {number}: {problem}"
            raise ValueError(message)
        rows.append((path, label, group, split))
    return rows


def _unique_names(rows: Sequence[_Row]) -> list[str]:
    """Name each video ``<class>/<stem>``, longer where that would name two."""
    folders = ["" if label is None else f"{_folder_name(label)}/" for _, label, _, _ in rows]
    names = [""] * len(rows)
    for form in ("{0.stem}", "{0.name}", "{0.parent.name}_{0.name}"):
        # The folder of a video may neither be another's nor hold another's.
        shared = Counter(names)
        shared.update(folder.rstrip("/") for folder in set(folders))
        names = [
            name if name and shared[name] == 1 else folder + _folder_name(form.format(row[0]))
            for name, folder, row in zip(names, folders, rows, strict=True)
        ]
    unique: dict[str, None] = {}
    again: Counter[str] = Counter()
    for name in names:
        free = name
        while free in unique:
            again[name] += 1
            free = f"{name}-{again[name] + 1}"
        unique[free] = None
    return list(unique)


def _folder_name(text: str) -> str:
    """Return ``text`` as the name of one folder: it can neither climb nor hide."""
    safe = "".join("_" if c in '/\\:*?"<>|' or not c.isprintable() else c for c in text)
    return "_" + safe[1:] if safe.startswith(".") else safe or "_"
