"""A folder that a command writes to goes in; whether it may, and what failed there, come out."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.dataset import Video
from pipelines.store import clear_leftovers
from pipelines.workers import Outcome


def writable_folder(out: Path) -> Path:
    """Return ``out``, made where it does not exist.

    Raises
    ------
    NotADirectoryError, PermissionError
        If it is a file, or nothing can be written there.
    """
    if out.exists() and not out.is_dir():
        message = f"{out} is a file; give a folder to write into"
        raise NotADirectoryError(message)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        message = f"cannot write into {out} ({error.strerror}); give another folder"
        raise PermissionError(message) from None
    return out


def refuse_other_settings(place: Path, then: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise ValueError with all that changed, where a result was made with other settings."""
    changed = [key for key in now if then.get(key) != now[key]]
    if changed:
        changes = "; ".join(f"{key}: {then.get(key)} then, {now[key]} now" for key in changed)
        message = (
            f"{place} was exported with other settings ({changes}); "
            "give another folder to write into, or --overwrite true to export it again"
        )
        raise ValueError(message)


def gather_failures(
    targets: Mapping[str, Path], videos: Sequence[Video], outcomes: Sequence[Outcome]
) -> list[tuple[str, str]]:
    """Return (path, reason) of each video whose job failed, and clear what its worker left.

    ``targets`` says by the name of a video where its result would have been.
    """
    failures = []
    for video, outcome in zip(videos, outcomes, strict=True):
        if outcome.reason is not None:
            clear_leftovers(targets[video.name])  # A worker that was killed left its own.
            # The path has a column of its own.
            failures.append((str(video.path), outcome.reason.removeprefix(f"{video.path} ")))
    return failures
