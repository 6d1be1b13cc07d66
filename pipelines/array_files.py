"""Rows come in little by little and go out as one safetensors file, which is read back in parts."""

from __future__ import annotations

import json
import math
import shutil
import struct
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from classicvid.checks import check_choice
from pipelines.store import atomic_file

CODES = {
    "float64": "F64",
    "int64": "I64",
    "float32": "F32",
    "int32": "I32",
    "float16": "F16",
    "uint8": "U8",
}
"""Names of the dtypes in the header, the widest first: each array then starts at its own width."""

CHUNK_ROWS = 8192
"""Rows that are held in memory at a time when a file is read in parts."""


@dataclass
class _Column:
    """One array on its way to a file: its rows lie in a temporary file of their own."""

    file: IO[bytes]
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    rows: int = 0

    def append(self, name: str, rows: NDArray[Any]) -> None:
        if rows.shape[1:] != self.shape:
            message = f"{name} must have rows of shape {self.shape}, got {rows.shape[1:]}"
            raise ValueError(message)
        self.file.write(np.ascontiguousarray(rows, self.dtype).tobytes())
        self.rows += len(rows)


@dataclass
class ArraySpool:
    """Named arrays that grow by rows, made by :func:`spool_arrays`.

    Parameters
    ----------
    folder : Path
        Where the rows wait until all are there.
    dtypes : mapping of str to str
        By name, for arrays that are stored otherwise than they come: "float32", "int32" or
        "float16".
    metadata : dict of str to str
        Written into the file's header; may be filled while rows come in.
    """

    folder: Path
    dtypes: Mapping[str, str]
    metadata: dict[str, str] = field(default_factory=dict)
    _columns: dict[str, _Column] = field(default_factory=dict)
    _open: ExitStack = field(default_factory=ExitStack)

    def append(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Add rows to each array; the first call, perhaps of no row, fixes names and shapes.

        Raises
        ------
        ValueError
            If the names or the shape of the rows differ from those of the first call, or a dtype
            has no name in ``CODES``.
        """
        if not self._columns:
            for name, rows in arrays.items():
                dtype = np.dtype(self.dtypes.get(name, rows.dtype.name))
                check_choice(f"dtype of {name}", dtype.name, tuple(CODES))
                file = self._open.enter_context(tempfile.TemporaryFile(dir=self.folder))  # noqa: SIM115
                self._columns[name] = _Column(file, dtype, rows.shape[1:])
        if arrays.keys() != self._columns.keys():
            message = f"arrays must be {sorted(self._columns)} each time, got {sorted(arrays)}"
            raise ValueError(message)
        for name, rows in arrays.items():
            self._columns[name].append(name, rows)

    def write(self, path: Path) -> None:
        """Write all that came in as one safetensors file."""
        order = list(CODES)
        names = sorted(self._columns, key=lambda name: order.index(self._columns[name].dtype.name))
        with path.open("wb") as target:
            target.write(self._header(names))
            for name in names:
                source = self._columns[name].file
                source.seek(0)
                shutil.copyfileobj(source, target, 1 << 20)

    def close(self) -> None:
        """Drop the rows that wait."""
        self._open.close()

    def _header(self, names: list[str]) -> bytes:
        entries: dict[str, Any] = {"__metadata__": self.metadata}
        end = 0
        for name in names:
            column = self._columns[name]
            start, end = end, end + column.file.tell()
            shape = [column.rows, *column.shape]
            code = CODES[column.dtype.name]
            entries[name] = {"dtype": code, "shape": shape, "data_offsets": [start, end]}
        text = json.dumps(entries, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)  # so that the numbers start at a multiple of their width
        return struct.pack("<Q", len(text)) + text


@contextmanager
def spool_arrays(path: Path, *, dtypes: Mapping[str, str] | None = None) -> Iterator[ArraySpool]:
    """Yield a spool whose rows become the safetensors file ``path``, whole or not at all.

    Rows wait on disk beside ``path``: memory does not grow with their number. After an error
    nothing is left.
    """
    with atomic_file(path) as part:
        spool = ArraySpool(part.parent, dtypes or {})
        try:
            yield spool
            spool.write(part)
        finally:
            spool.close()


class ArrayFile:
    """A safetensors file of arrays that is mapped into memory and read in parts.

    Parameters
    ----------
    path : Path

    Attributes
    ----------
    metadata : dict of str to str
        What the header says besides the arrays.
    rows : dict of str to int
        Number of rows of each array, by name.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = safe_open(path, framework="np")
            self.metadata: dict[str, str] = dict(self._file.metadata() or {})
            self._shapes = {
                name: tuple(self._file.get_slice(name).get_shape())
                for name in self._file.keys()  # noqa: SIM118 - no mapping
            }
        except SafetensorError as error:
            message = (
                f"{path} is not a readable safetensors file ({error}); delete it and run again"
            )
            raise ValueError(message) from None
        self.rows = {name: shape[0] if shape else 1 for name, shape in self._shapes.items()}

    @property
    def count(self) -> int:
        """How many numbers there are in all arrays."""
        return sum(math.prod(shape) for shape in self._shapes.values())

    def read(self, name: str, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """Read the rows from ``start`` up to ``stop``, the end by default.

        Raises
        ------
        ValueError
            If there is no array of this name.
        """
        if name not in self._shapes:
            message = f"{self.path} holds no {name}, only {', '.join(sorted(self._shapes))}"
            raise ValueError(message)
        rows = self.rows[name]
        stop = rows if stop is None else min(stop, rows)
        if start >= stop or (start, stop) == (0, rows):
            # safetensors slices no empty range.
            return self._file.get_tensor(name)[: max(stop - start, 0)]
        return self._file.get_slice(name)[start:stop]

    def chunks(self, *names: str, rows: int = CHUNK_ROWS) -> Iterator[tuple[NDArray[Any], ...]]:
        """Yield the arrays of these names side by side, at most ``rows`` rows at a time."""
        for start in range(0, self.rows.get(names[0], 1), rows):
            yield tuple(self.read(name, start, start + rows) for name in names)
