"""A flow field goes in, a Middlebury .flo file comes out, and back."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classicvid.checks import check_flow

MAGIC = b"PIEH"
"""The four bytes that open a .flo file: 202021.25 as a little-endian float32."""

HEADER = struct.Struct("<4sii")
"""The magic, the width and the height; H rows of W pairs (dx, dy) of float32 follow."""


def read_flo(path: str | os.PathLike[str]) -> NDArray[np.float32]:
    """Read the flow field of a Middlebury .flo file.

    Parameters
    ----------
    path : path of the file

    Returns
    -------
    flow : shape (H, W, 2), float32
        Displacement (dx, dy) in pixels per frame, as stored: a component beyond 1e9 means unknown.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file does not start as a .flo file does, or holds fewer or more values than its
        header says.

    References
    ----------
    Baker et al., "A Database and Evaluation Methodology for Optical Flow", IJCV 2011, flowIO.
    """
    path = Path(path)
    if not path.is_file():
        message = f"{path} is no file; give the path of a .flo file"
        raise FileNotFoundError(message)
    content = path.read_bytes()
    width, height = _size(path, content)
    values = np.frombuffer(content, "<f4", offset=HEADER.size)
    return values.reshape(height, width, 2).astype(np.float32)


def _size(path: Path, content: bytes) -> tuple[int, int]:
    if len(content) < HEADER.size or not content.startswith(MAGIC):
        message = f"{path} is not a .flo file: it must start with {MAGIC!r}, got {content[:4]!r}"
        raise ValueError(message)
    _, width, height = HEADER.unpack_from(content)
    if width < 1 or height < 1:
        message = f"{path} says that it is {width} wide and {height} high; both must be at least 1"
        raise ValueError(message)
    wanted = HEADER.size + width * height * 8
    if len(content) != wanted:
        message = (
            f"{path} must be {wanted} bytes long for {width} by {height} pixels, "
            f"got {len(content)}; it is cut off or damaged, copy it again"
        )
        raise ValueError(message)
    return width, height


def write_flo(path: str | os.PathLike[str], flow: NDArray[np.float32]) -> None:
    """Write a flow field as a Middlebury .flo file.

    Parameters
    ----------
    path : path of the file
        Its folder must exist; a file of that name is replaced.
    flow : shape (H, W, 2), float32
        Displacement (dx, dy) in pixels per frame. Mark unknown pixels with a value beyond 1e9.

    Raises
    ------
    ValueError, TypeError
        If the flow is no (H, W, 2) field of floats.
    FileNotFoundError
        If the folder does not exist.
    """
    flow = check_flow("flow", flow)
    path = Path(path)
    if not path.parent.is_dir():
        message = f"{path.parent} is no folder; make it before writing {path.name} into it"
        raise FileNotFoundError(message)
    height, width = flow.shape[:2]
    path.write_bytes(HEADER.pack(MAGIC, width, height) + flow.astype("<f4").tobytes())
