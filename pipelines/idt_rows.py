"""Trajectories go in; the rows of text that their authors' program prints come out."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from classicvid.trajectories import Trajectories
from pipelines.array_files import ArrayFile
from pipelines.feature_kinds import FeatureHeader, as_arrays, feature_positions
from pipelines.store import atomic_file

COLUMNS = 436
# The last frame is a whole number, all up to the shape has 6 decimals, the histograms have 7.
_ROW = "\t".join(["%d"] + ["%.6f"] * 39 + ["%.7f"] * 396) + "\n"
_ROWS_AT_ONCE = 512


def format_rows(trajectories: Trajectories, header: FeatureHeader) -> Iterator[str]:
    """Yield a line a trajectory: 436 numbers with tabs between them.

    The number of its last frame; mean x and y; their standard deviations; length; scale; x, y and t
    as shares of the video, from 0 to 0.999; shape (30), HOG (96), HOF (108), MBHx (96), MBHy (96).
    """
    arrays = as_arrays(trajectories)
    table = np.column_stack(
        [
            trajectories.end_frame,
            trajectories.mean,
            trajectories.deviation,
            trajectories.length,
            trajectories.scale,
            feature_positions(arrays, header),
            *(arrays[name].astype(np.float64) for name in ("shape", "hog", "hof", "mbhx", "mbhy")),
        ]
    )
    for row in table:
        yield _ROW % tuple(row.tolist())


def copy_rows(source: ArrayFile, target: IO[str]) -> int:
    """Write the trajectories of a file of features as rows; return how many there are.

    Raises
    ------
    ValueError
        If the file holds no trajectories of 15 steps.
    """
    header = FeatureHeader.parse(source.metadata)
    names = list(Trajectories.__dataclass_fields__)
    count = 0
    for columns in source.chunks(*names, rows=_ROWS_AT_ONCE):
        target.writelines(format_rows(Trajectories(*columns), header))
        count += len(columns[0])
    return count


def write_rows(path: Path, source: ArrayFile) -> int:
    """Write the rows of a file of features into a text file, whole or not at all.

    Where the name ends in ``.gz`` it is compressed. Returns the number of rows.
    """
    with atomic_file(path) as part, part.open("wb") as plain:
        if path.suffix != ".gz":
            return _write(source, plain)
        # No name and no time in it: the same rows give the same bytes.
        with gzip.GzipFile(filename="", mode="wb", fileobj=plain, mtime=0) as packed:
            return _write(source, packed)


def _write(source: ArrayFile, target: Any) -> int:
    text = io.TextIOWrapper(target, encoding="ascii", newline="\n")
    count = copy_rows(source, text)
    text.flush()
    text.detach()
    return count
