"""A folder or a half-written result goes in; what lies there comes out."""

from __future__ import annotations

import os

from pipelines import store


def contents(folder) -> dict[str, str]:
    """Text of every file below a folder, by its path there."""
    return {
        str(path.relative_to(folder)): path.read_text("utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def names_in(folder) -> list[str]:
    """Names of all that lies in a folder, hidden or not."""
    return sorted(path.name for path in folder.iterdir())


def leftover_of(final, process):
    """Path of what ``process`` would write before it renames it to ``final``."""
    name = store._part_name(final).name
    assert str(os.getpid()) in name
    return final.with_name(name.replace(f"{os.getpid()}-", f"{process}-"))
