"""Videos go in; a folder for each of its frames and of its flow, as 8-bit images, comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
from numpy.typing import NDArray

from classicvid.checks import check_choice, check_number, check_whole
from classicvid.flow import FarnebackFlow
from classicvid.flow.images import quantise_flow
from classicvid.image import to_gray
from classicvid.video import FrameStream, iter_frames
from pipelines.dataset import Video, find_videos
from pipelines.exports import gather_failures, refuse_other_settings, writable_folder
from pipelines.recipes import FlowExportRecipe, plain
from pipelines.runner import BACKENDS, run_jobs
from pipelines.store import atomic_folder, read_json, write_failures, write_json
from pipelines.workers import Job

DESCRIPTION = "export.json"
"""File in the folder of each video that says what was exported, with which settings."""

LAYOUTS = ("frames",)

_NEEDED = frozenset({"source_bytes", "frames", "damaged_packets", "settings"})


@dataclass(frozen=True)
class FlowExport:
    """What an export came to.

    Parameters
    ----------
    out : Path
        Root of the export: ``<out>/<name of the video>/img_00001.jpg, flow_x_00001.jpg, ...``.
    exported, skipped : int
        Videos written now, and videos that were there already with these settings.
    frames, pairs : int
        Images of frames, and pairs of flow images, in the folders of both.
    failures : tuple of (str, str)
        Path and reason of each video that could not be exported; also in ``failures.csv``.
    damaged : tuple of (str, int)
        Path of each video of both that has damaged packets, and how many were skipped.
    bound : float
        Displacement that is stored as level 255, pixels per frame.
    """

    out: Path
    exported: int
    skipped: int
    frames: int
    pairs: int
    failures: tuple[tuple[str, str], ...]
    damaged: tuple[tuple[str, int], ...]
    bound: float

    def text(self) -> str:
        """Say it in a few lines."""
        lines = [
            f"{self.exported} videos exported to {self.out}, {self.skipped} were there already, "
            f"{len(self.failures)} failed: {self.frames} frames, {self.pairs} flow pairs.",
            f"Levels 0 to 255 are -{self.bound:g} to {self.bound:g} px per frame, 128 is still.",
        ]
        if self.damaged:
            named = ", ".join(f"{path} ({packets})" for path, packets in self.damaged[:5])
            more = ", ..." if len(self.damaged) > 5 else ""
            lines.append(f"Damaged packets were skipped in {len(self.damaged)}: {named}{more}.")
        return "\n".join(lines)


def run(
    source: str | Path, out: str | Path, recipe: FlowExportRecipe, *, progress: bool = True
) -> FlowExport:
    """Export the frames and the flow of every video that is not exported yet.

    Image i of a video is its frame i, counted from 1; flow pair i leads from image i to image i+1,
    so that N frames give N - 1 pairs. Files are JPEG: frames in colour, dx and dy in gray, as
    `quantise_flow` stores them.

    Parameters
    ----------
    source : path
        What `find_videos` takes.
    out : path
        Folder to write into, made where it does not exist. What cannot be exported is listed in its
        ``failures.csv``.
    recipe : FlowExportRecipe
    progress : bool
        Show how much is done, and the time that remains, on stderr.

    Raises
    ------
    ValueError, TypeError
        If a setting is out of range; if ``out`` holds one of the videos with other settings, and
        ``overwrite`` is false; if a folder that would be written to holds something else.
    OSError
        If ``source`` does not exist, or ``out`` cannot be written to.
    """
    settings = _checked_settings(recipe)
    videos = find_videos(source)
    out = writable_folder(Path(out))
    done = _done(out, videos, settings, overwrite=recipe.overwrite)
    waiting = [video for video in videos if video.name not in done]
    outcomes = run_jobs(
        export_video,
        [Job(video.name, (video.path, out / video.name, recipe)) for video in waiting],
        workers=recipe.workers,
        backend=recipe.backend,
        label="flow export",
        progress=progress,
    )
    targets = {video.name: out / video.name for video in waiting}
    failures = gather_failures(targets, waiting, outcomes)
    write_failures(out, failures)
    written = {outcome.name: outcome.value for outcome in outcomes if outcome.reason is None}
    return _summary(
        out, videos, done | written, skipped=len(done), failures=failures, bound=recipe.bound
    )


def export_video(path: Path, folder: Path, recipe: FlowExportRecipe) -> dict[str, Any]:
    """Write the images of one video into ``folder``, whole or not at all; return its description.

    Raises
    ------
    ValueError, OSError
        If the video cannot be read, or the folder not be written.
    """
    with (
        iter_frames(path, short_side=recipe.short_side or None) as stream,
        atomic_folder(folder) as part,
    ):
        _write_images(stream, part, recipe)
        description = _describe(stream, path, recipe)
        write_json(part / DESCRIPTION, description)
    return description


def _write_images(stream: FrameStream, folder: Path, recipe: FlowExportRecipe) -> None:
    estimator = FarnebackFlow(**asdict(recipe.flow))
    for number, frame in enumerate(stream, 1):
        # OpenCV writes images whose channels come as blue, green, red.
        image = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
        _write_jpeg(folder / f"img_{number:05d}.jpg", image, recipe.quality)
        flow = estimator.feed(to_gray(frame))
        if flow is None:
            continue
        levels = quantise_flow(flow, bound=recipe.bound)
        for axis, name in enumerate(("flow_x", "flow_y")):
            path = folder / f"{name}_{number - 1:05d}.jpg"
            _write_jpeg(path, levels[..., axis], recipe.quality)


def _write_jpeg(path: Path, image: NDArray[Any], quality: int) -> None:
    # Encoded in memory first: OpenCV's own writer does not say that a disk is full.
    _, content = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    path.write_bytes(content.tobytes())


def _describe(stream: FrameStream, path: Path, recipe: FlowExportRecipe) -> dict[str, Any]:
    height, width = stream.size
    return {
        "source": path.name,
        "source_bytes": path.stat().st_size,
        "frames": stream.frames,
        "height": height,
        "width": width,
        "fps": stream.info.fps,
        "damaged_packets": stream.damaged,
        "concealed_frames": stream.concealed,
        "settings": _settings(recipe),
    }


def _settings(recipe: FlowExportRecipe) -> dict[str, Any]:
    """Return what decides the contents of the files, and not how or where they are made."""
    settings = plain(recipe)
    flow = settings.pop("flow")
    for name in ("workers", "backend", "overwrite"):
        del settings[name]
    return settings | flow


def _checked_settings(recipe: FlowExportRecipe) -> dict[str, Any]:
    check_number("bound", recipe.bound, low=0, exclusive=True)
    check_whole("short_side", recipe.short_side, low=0)
    check_whole("quality", recipe.quality, low=1, high=100)
    check_choice("layout", recipe.layout, LAYOUTS)
    check_choice("backend", recipe.backend, BACKENDS)
    check_whole("workers", recipe.workers, low=0)
    FarnebackFlow(**asdict(recipe.flow))
    return _settings(recipe)


def _done(
    out: Path, videos: Sequence[Video], settings: dict[str, Any], *, overwrite: bool
) -> dict[str, dict[str, Any]]:
    """Return the descriptions of the videos that need no export, by name."""
    existing = _read_descriptions(out, videos)
    if not overwrite:
        for name, description in existing.items():
            refuse_other_settings(out / name, description["settings"], settings)
    return {
        video.name: existing[video.name]
        for video in videos
        if video.name in existing and _is_current(video, existing[video.name], settings)
    }


def _read_descriptions(out: Path, videos: Sequence[Video]) -> dict[str, dict[str, Any]]:
    """Return the descriptions of the videos that are exported, by name."""
    descriptions = {}
    for video in videos:
        folder = out / video.name
        if not folder.exists():
            continue
        # It would be replaced as a whole: never by mistake something that an export did not make.
        if not (folder / DESCRIPTION).is_file():
            message = (
                f"{folder} is in the way: it is no exported video (it holds no {DESCRIPTION}); "
                "move it, or give another folder to write into"
            )
            raise ValueError(message)
        descriptions[video.name] = _read_description(folder / DESCRIPTION)
    return descriptions


def _read_description(path: Path) -> dict[str, Any]:
    description = read_json(path)
    if not isinstance(description, dict) or not description.keys() >= _NEEDED:
        message = f"{path} is damaged: it lacks {', '.join(sorted(_NEEDED))}; delete its folder"
        raise ValueError(message)
    return description


def _is_current(video: Video, description: dict[str, Any], settings: dict[str, Any]) -> bool:
    same_file = not video.path.is_file() or video.path.stat().st_size == description["source_bytes"]
    return same_file and description["settings"] == settings


def _summary(
    out: Path,
    videos: Sequence[Video],
    descriptions: dict[str, dict[str, Any]],
    *,
    skipped: int,
    failures: Sequence[tuple[str, str]],
    bound: float,
) -> FlowExport:
    good = [(video, descriptions[video.name]) for video in videos if video.name in descriptions]
    return FlowExport(
        out=out,
        exported=len(good) - skipped,
        skipped=skipped,
        frames=sum(description["frames"] for _, description in good),
        pairs=sum(max(0, description["frames"] - 1) for _, description in good),
        failures=tuple(failures),
        damaged=tuple(
            (str(video.path), description["damaged_packets"])
            for video, description in good
            if description["damaged_packets"]
        ),
        bound=bound,
    )
