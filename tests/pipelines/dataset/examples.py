"""Names and labels go in; files, tables and data sets of them come out."""

from __future__ import annotations

from pathlib import Path

from pipelines.dataset import (
    find_videos,
)


def make_files(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"video")
    return root


def make_table(root: Path, text: str | bytes, name: str = "videos.csv") -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return root / name


def found(source) -> dict[str, str | None]:
    return {video.name: video.label for video in find_videos(source)}
