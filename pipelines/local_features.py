"""Videos go in; a file of local features a video comes out, or the video with its tracks drawn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classicvid.video import FrameStream, iter_frames, probe, write_video
from pipelines.array_files import ArraySpool, spool_arrays
from pipelines.dataset import Video
from pipelines.feature_kinds import (
    DESCRIPTORS,
    TRAJECTORY_KINDS,
    FeatureHeader,
    Step,
    feature_settings,
    point_steps,
    trajectory_steps,
)
from pipelines.overlay import draw_tracks
from pipelines.recipes import FeaturesRecipe
from pipelines.runner import Backend, run_jobs
from pipelines.workers import Job


@dataclass(frozen=True)
class Extras:
    """What is asked of one video besides its features.

    Parameters
    ----------
    people : Path, optional
        File of the boxes of people in it.
    overlay : Path, optional
        Video to draw its trajectories on.
    """

    people: Path | None = None
    overlay: Path | None = None


def run(
    root: Path,
    videos: Sequence[Video],
    recipe: FeaturesRecipe,
    *,
    backend: Backend = "processes",
) -> dict[str, str]:
    """Make the files ``<root>/<name of the video>.safetensors`` that are missing.

    Returns the reason of each failure by the name of the video.
    """
    targets = {video.name: root / f"{video.name}.safetensors" for video in videos}
    jobs = [
        Job(video.name, (targets[video.name], video.path, recipe))
        for video in videos
        if not targets[video.name].exists()
    ]
    outcomes = run_jobs(
        describe_video, jobs, workers=recipe.workers, backend=backend, label=recipe.kind
    )
    return {done.name: done.reason for done in outcomes if done.reason is not None}


def describe_video(
    target: Path, path: Path, recipe: FeaturesRecipe, extras: Extras = Extras()
) -> FeatureHeader:
    """Write the features of one video, whole or not at all; return the header of their file.

    A video without features, for want of frames, of motion or of texture, gets a file of arrays
    without rows.

    Raises
    ------
    ValueError, OSError
        If the video or its boxes cannot be read, or the files not be written.
    """
    dtypes = dict.fromkeys(DESCRIPTORS[recipe.kind], recipe.dtype)
    with open_video(path, recipe) as frames, spool_arrays(target, dtypes=dtypes) as spool:
        if recipe.kind in TRAJECTORY_KINDS:
            steps = _spooled(trajectory_steps(frames, recipe, _read_people(extras)), spool)
            _draw(steps, frames, recipe, extras.overlay)
        else:
            for arrays in point_steps(frames, recipe):
                spool.append(arrays)
        header = describe_stream(frames, path, recipe)
        spool.metadata.update(header.metadata())
    return header


@contextmanager
def open_video(path: Path, recipe: FeaturesRecipe) -> Iterator[FrameStream]:
    """Open a video, reduced where its shorter side exceeds that of the recipe."""
    side = recipe.short_side
    if side:
        info = probe(path)
        side = side if min(info.height, info.width) > side else 0
    with iter_frames(path, short_side=side or None) as frames:
        yield frames


def describe_stream(frames: FrameStream, path: Path, recipe: FeaturesRecipe) -> FeatureHeader:
    """Return the header of the features of a video that has been read to its end."""
    height, width = frames.size
    return FeatureHeader(
        kind=recipe.kind,
        source=path.name,
        source_bytes=path.stat().st_size,
        width=width,
        height=height,
        frames=frames.frames,
        fps=frames.info.fps,
        damaged_packets=frames.damaged,
        settings=feature_settings(recipe),
        version=version("classicvid"),
    )


def _spooled(steps: Iterable[Step], spool: ArraySpool) -> Iterator[Step]:
    """Pass on what comes, and store its arrays on the way."""
    for frame, arrays in steps:
        spool.append(arrays)
        yield frame, arrays


def _draw(
    steps: Iterator[Step], frames: FrameStream, recipe: FeaturesRecipe, overlay: Path | None
) -> None:
    """Go through the steps; draw them where that is asked for."""
    if overlay is None:
        for _ in steps:
            pass
        return
    overlay.parent.mkdir(parents=True, exist_ok=True)
    pictures = draw_tracks(steps, length=recipe.trajectories.length)
    rate = min(max(frames.info.fps or 25.0, 0.01), 1000.0)
    write_video(overlay, pictures, fps=rate)


def _read_people(extras: Extras) -> dict[int, NDArray[np.float32]] | None:
    if extras.people is None:
        return None
    from classicvid.camera import read_people  # noqa: PLC0415 - only where it is asked for

    return read_people(extras.people)
