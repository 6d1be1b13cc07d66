"""Videos go in; a file of features a video, rows of text or the videos with tracks come out."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from classicvid.checks import check_choice
from pipelines import features, local_features
from pipelines.array_files import ArrayFile, spool_arrays
from pipelines.dataset import Video, find_videos
from pipelines.exports import gather_failures, refuse_other_settings, writable_folder
from pipelines.feature_kinds import (
    FeatureHeader,
    check_feature_recipe,
    feature_settings,
)
from pipelines.idt_rows import copy_rows, write_rows
from pipelines.local_features import Extras, describe_stream, open_video
from pipelines.recipes import FeaturesRecipe
from pipelines.runner import BACKENDS, run_jobs
from pipelines.store import (
    RECIPE,
    read_arrays,
    read_yaml,
    scratch_folder,
    write_failures,
    write_yaml,
)
from pipelines.workers import Job, attempt

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv")
PEOPLE_SUFFIX = ".txt"


@dataclass(frozen=True)
class FeatureExport:
    """What an export came to.

    Parameters
    ----------
    out : Path
        Root of the export.
    kind : str
        Kind of the features.
    exported, skipped : int
        Videos written now, and videos that were there already with these settings.
    frames, features : int
        Frames of the videos that were written now, and features found in them.
    failures : tuple of (str, str)
        Path and reason of each video that could not be exported; also in ``failures.csv``.
    """

    out: Path
    kind: str
    exported: int
    skipped: int
    frames: int
    features: int
    failures: tuple[tuple[str, str], ...]

    def text(self) -> str:
        """Say it in a line."""
        return (
            f"{self.exported} videos exported to {self.out}, {self.skipped} were there already, "
            f"{len(self.failures)} failed: {self.features} {self.kind} in {self.frames} frames."
        )


def run(
    source: str | Path, out: str | Path, recipe: FeaturesRecipe, *, progress: bool = True
) -> FeatureExport:
    """Export the features of every video that is not exported yet.

    Parameters
    ----------
    source : path
        What `find_videos` takes.
    out : path
        Folder that gets ``<class>/<video>.safetensors`` (or ``.idt``, ``.idt.gz``), the settings
        in ``recipe.yaml``, and in ``failures.csv`` what cannot be exported.
    recipe : FeaturesRecipe
    progress : bool
        Show how much is done, and the time that remains, on stderr.

    Raises
    ------
    ValueError, TypeError
        If a setting is out of range; if ``out`` was made with other settings, and ``overwrite`` is
        false; if a file that would be written is something else.
    OSError
        If ``source`` or the boxes of people do not exist, or ``out`` cannot be written to.
    """
    check_feature_recipe(recipe)
    check_choice("backend", recipe.backend, BACKENDS)
    videos = find_videos(source)
    one = Path(source).is_file() and Path(source).suffix.lower() != ".csv"
    extras = _extras(videos, recipe, one=one)
    out = Path(out)
    settings = feature_settings(recipe) | {"format": recipe.format}
    targets = {video.name: out / f"{video.name}.{recipe.format}" for video in videos}
    same = _same_settings(out, settings, overwrite=recipe.overwrite)
    done = {
        video.name
        for video in videos
        if _is_current(video, targets[video.name], recipe, same=same)
        and _is_drawn(extras[video.name])
    }
    write_yaml(writable_folder(out) / RECIPE, settings)
    waiting = [video for video in videos if video.name not in done]
    outcomes = run_jobs(
        export_video,
        [
            Job(video.name, (targets[video.name], video, recipe, extras[video.name]))
            for video in waiting
        ],
        workers=recipe.workers,
        backend=recipe.backend,
        label=recipe.kind,
        progress=progress,
    )
    failures = gather_failures(targets, waiting, outcomes)
    write_failures(out, failures)
    made = [outcome.value for outcome in outcomes if outcome.reason is None]
    return FeatureExport(
        out=out,
        kind=recipe.kind,
        exported=len(made),
        skipped=len(done),
        frames=sum(frames for frames, _ in made),
        features=sum(rows for _, rows in made),
        failures=tuple(failures),
    )


def print_rows(source: str | Path, recipe: FeaturesRecipe, stream: IO[str]) -> str | None:
    """Write the rows of the trajectories of one video to an open stream.

    Returns the reason why the video could not be read, if so: no row is written then.

    Raises
    ------
    ValueError, TypeError, OSError
        As :func:`run`, or if ``source`` is no single video, or the format is not "idt".
    """
    check_feature_recipe(recipe)
    if recipe.format != "idt" or Path(source).is_dir() or Path(source).suffix == ".csv":
        message = f"OUT - prints the rows of one video: give a video and --format idt, got {source}"
        raise ValueError(message)
    video = find_videos(source)[0]
    extras = _extras([video], recipe, one=True)[video.name]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "features.safetensors"
        arguments = (target, video.path, replace(recipe, dtype="float32"), extras)
        done = attempt(local_features.describe_video, Job(video.name, arguments))
        if done.reason is None:
            copy_rows(ArrayFile(target), stream)
    return done.reason and done.reason.removeprefix(f"{video.path} ")


def export_video(
    target: Path, video: Video, recipe: FeaturesRecipe, extras: Extras
) -> tuple[int, int]:
    """Write the file of one video; return how many frames it has, and how many features."""
    if recipe.kind == "histograms":
        return _export_histograms(target, video, recipe), 1
    if recipe.format == "safetensors":
        header = local_features.describe_video(target, video.path, recipe, extras)
        return header.frames, _count(ArrayFile(target))
    with scratch_folder(target) as folder:
        arrays = folder / "features.safetensors"
        header = local_features.describe_video(
            arrays, video.path, replace(recipe, dtype="float32"), extras
        )
        return header.frames, write_rows(target, ArrayFile(arrays))


def _export_histograms(target: Path, video: Video, recipe: FeaturesRecipe) -> int:
    with scratch_folder(target) as folder:
        plain = folder / "features.safetensors"
        features.describe_video(plain, video)
        arrays = read_arrays(plain)
    with open_video(video.path, recipe) as frames:
        for _ in frames:
            pass
        header = describe_stream(frames, video.path, recipe)
    with spool_arrays(target) as spool:
        spool.append(arrays)
        spool.metadata.update(header.metadata())
    return header.frames


def _count(file: ArrayFile) -> int:
    return next(iter(file.rows.values()))


def _extras(videos: Sequence[Video], recipe: FeaturesRecipe, *, one: bool) -> dict[str, Extras]:
    """Return by name which boxes and which overlay belong to each video."""
    people, overlay = Path(recipe.people), Path(recipe.overlay)
    if recipe.people and not people.exists():
        message = (
            f"{people} does not exist; give a file of boxes, or a folder of <class>/<video>.txt"
        )
        raise FileNotFoundError(message)
    if recipe.people and people.is_dir() == one:
        wanted = "a file, as there is one video" if one else "a folder of <class>/<video>.txt"
        message = f"--people must be {wanted}, got {people}"
        raise ValueError(message)
    if recipe.overlay and (overlay.suffix.lower() in VIDEO_SUFFIXES) != one:
        wanted = f"a file that ends in {' or '.join(VIDEO_SUFFIXES)}" if one else "a folder"
        message = f"--overlay must be {wanted}, got {overlay}"
        raise ValueError(message)
    return {
        video.name: Extras(
            people=_place(recipe.people, video, PEOPLE_SUFFIX, one=one),
            overlay=_place(recipe.overlay, video, ".mp4", one=one),
        )
        for video in videos
    }


def _place(option: str, video: Video, suffix: str, *, one: bool) -> Path | None:
    if not option:
        return None
    return Path(option) if one else Path(option) / f"{video.name}{suffix}"


def _same_settings(out: Path, settings: Mapping[str, Any], *, overwrite: bool) -> bool:
    """Say whether ``out`` holds features that were made with these settings."""
    path = out / RECIPE
    if not path.exists():
        return False
    stored = read_yaml(path)
    if not isinstance(stored, dict) or not {"kind", "format"} <= stored.keys():
        message = (
            f"{out} is in the way: it holds no features (see its {RECIPE}); give another folder"
        )
        raise ValueError(message)
    if not overwrite:
        refuse_other_settings(out, stored, settings)
    return stored == settings


def _is_current(video: Video, target: Path, recipe: FeaturesRecipe, *, same: bool) -> bool:
    """Say whether the file of a video is there and needs no export.

    A file of arrays knows its settings and its video; rows of text are told by the folder's recipe.
    """
    if not target.exists():
        return False
    if recipe.format != "safetensors":
        return same
    try:
        header = FeatureHeader.parse(ArrayFile(target).metadata)
    except (ValueError, OSError) as error:
        message = f"{target} is in the way: it holds no features ({error}); move it"
        raise ValueError(message) from None
    if not recipe.overwrite:
        refuse_other_settings(target, header.settings, feature_settings(recipe))
    same_file = not video.path.is_file() or video.path.stat().st_size == header.source_bytes
    return same_file and header.settings == feature_settings(recipe)


def _is_drawn(extras: Extras) -> bool:
    return extras.overlay is None or extras.overlay.exists()
