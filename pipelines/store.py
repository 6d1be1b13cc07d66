"""Results go in under a temporary name and are renamed last: what exists is complete."""

from __future__ import annotations

import csv
import glob
import hashlib
import io
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

# A temporary name is `.<name>.part-<process>-<random>` in the folder of the final one.
_MARK = ".part-"
_OWNER = re.compile(r"([0-9]{1,9})-[0-9a-f]{8}")
RECIPE = "recipe.yaml"


@contextmanager
def atomic_folder(final: Path) -> Iterator[Path]:
    """Yield a new folder beside ``final`` that takes its name when the block ends well.

    An older ``final`` is replaced. After an error nothing is left. Leftovers of a run that was
    killed are cleared first.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    clear_leftovers(final)
    part = _part_name(final)
    part.mkdir()
    try:
        yield part
        _take_place(part, final)
    finally:
        _remove(part, ignore_errors=True)


@contextmanager
def atomic_file(final: Path) -> Iterator[Path]:
    """Yield a path beside ``final``; what the block writes there takes the name ``final``.

    After an error nothing is left. Leftovers of a run that was killed are cleared first.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    clear_leftovers(final)
    part = _part_name(final)
    try:
        yield part
        part.replace(final)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def scratch_folder(final: Path) -> Iterator[Path]:
    """Yield a new folder beside ``final``, for work on it, which is gone when the block ends.

    Leftovers of a run that was killed are cleared first.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    clear_leftovers(final)
    part = _part_name(final)
    part.mkdir()
    try:
        yield part
    finally:
        _remove(part, ignore_errors=True)


def clear_leftovers(final: Path) -> None:
    """Remove the temporary files and folders that a killed run left for ``final``.

    A name tells the process that made it: those of a process that still lives are left alone.
    """
    start = _part_start(final)
    for leftover in final.parent.glob(f"{glob.escape(start)}*"):
        owner = _OWNER.fullmatch(leftover.name.removeprefix(start))
        if owner and not _is_alive(int(owner[1])):
            _remove(leftover, ignore_errors=True)


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, whole or not at all; NaN is refused."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    with atomic_file(path) as part:
        part.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read JSON; a damaged file raises ValueError with its name."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        message = f"{path} is not readable JSON ({error}); delete it and run again"
        raise ValueError(message) from None


def write_yaml(path: Path, value: Any) -> None:
    """Write plain values as YAML, whole or not at all."""
    with atomic_file(path) as part:
        part.write_text(yaml.safe_dump(value, sort_keys=False, allow_unicode=True), "utf-8")


def read_yaml(path: Path) -> Any:
    """Read plain values from YAML; tags that make objects are refused."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        message = f"{path} is not readable YAML ({reason}); delete it and run again"
        raise ValueError(message) from None


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write named arrays as safetensors, whole or not at all."""
    with atomic_file(path) as part:
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, part)


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read named arrays from safetensors; a damaged file raises ValueError with its name."""
    try:
        return load_file(path)
    except SafetensorError as error:
        message = f"{path} is not a readable safetensors file ({error}); delete it and run again"
        raise ValueError(message) from None


def write_failures(root: Path, rows: Sequence[tuple[str, str]]) -> None:
    """Write ``failures.csv`` (path, reason) into ``root``; with no rows, remove an old one.

    A file that says the same already is left alone.
    """
    path = root / "failures.csv"
    if not rows:
        path.unlink(missing_ok=True)
        return
    table = io.StringIO(newline="")
    csv.writer(table).writerows([("path", "reason"), *rows])
    # Names of files need not be UTF-8: those that are not are shown as they can be.
    content = table.getvalue().encode("utf-8", errors="backslashreplace")
    if path.is_file() and path.read_bytes() == content:
        return
    with atomic_file(path) as part:
        part.write_bytes(content)


def keep_recipe(folder: Path, recipe: dict[str, Any], *, overwrite: bool) -> None:
    """Store the recipe of a run, and refuse a folder that was made with another one.

    With ``overwrite`` the folder is emptied first, if it is a run at all.

    Raises
    ------
    ValueError
        If ``folder`` holds results of a different recipe and ``overwrite`` is false, or is not
        empty and no run (it has no recipe).
    """
    path = folder / RECIPE
    _refuse_what_is_no_run(folder)
    if overwrite and path.exists():
        _empty_run(folder)
    if path.exists():
        stored = read_yaml(path)
        changed = _changes(stored if isinstance(stored, dict) else {}, recipe)
        if changed:
            message = (
                f"{folder} was made with other settings ({'; '.join(changed)}); "
                "choose another --run, or --overwrite true to start it again"
            )
            raise ValueError(message)
        return
    write_yaml(path, recipe)


def _refuse_what_is_no_run(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        message = f"{folder} is a file, a folder is wanted; choose another --run"
        raise ValueError(message)
    if not folder.exists() or (folder / RECIPE).exists():
        return
    clear_leftovers(folder / RECIPE)  # of a run that was killed before it had a recipe
    held = next(folder.iterdir(), None)
    if held is not None:
        message = (
            f"{folder} holds {held.name} but no {RECIPE}, so it is no run and nothing in it is "
            "touched; choose another --run, or empty it yourself"
        )
        raise ValueError(message)


def _empty_run(folder: Path) -> None:
    # The folder stays: it may be a link, or a disk of its own. The recipe goes last: what is
    # half emptied is still a run.
    for path in sorted(folder.iterdir(), key=lambda path: path.name == RECIPE):
        _remove(path)


def _changes(old: dict[str, Any], new: dict[str, Any]) -> Iterable[str]:
    new = yaml.safe_load(yaml.safe_dump(new))  # as it would be stored: tuples become lists
    keys = sorted(old.keys() | new.keys(), key=str)
    return [
        f"{key}: {old.get(key)!r} then, {new.get(key)!r} now"
        for key in keys
        if old.get(key) != new.get(key)
    ]


def _take_place(part: Path, final: Path) -> None:
    """Rename ``part`` to ``final`` and remove what had that name."""
    if not os.path.lexists(final):
        part.rename(final)
        return
    old = _part_name(final)
    final.rename(old)
    try:
        part.rename(final)
    except BaseException:
        old.rename(final)
        raise
    _remove(old, ignore_errors=True)


def _remove(path: Path, *, ignore_errors: bool = False) -> None:
    """Remove a file, a link or a folder, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=ignore_errors)
    else:
        path.unlink(missing_ok=True)


def _part_name(final: Path) -> Path:
    return final.with_name(f"{_part_start(final)}{os.getpid()}-{uuid.uuid4().hex[:8]}")


def _part_start(final: Path) -> str:
    # File systems end a name at 255 bytes, and videos are named up to there.
    name = os.fsencode(final.name)
    short = final.name if len(name) <= 200 else hashlib.sha256(name).hexdigest()[:32]
    return f".{short}{_MARK}"


def _is_alive(process: int) -> bool:
    if process == os.getpid() or os.name == "nt":  # where asking a process would end it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
