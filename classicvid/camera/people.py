"""A file of people's boxes goes in, the boxes of each frame and masks of them come out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicvid.checks import check_whole

NUMBERS_A_BOX = 5


def read_people(path: str | os.PathLike[str], *, first: int = 0) -> dict[int, NDArray[np.float32]]:
    """Read where people are in the frames of a video.

    Parameters
    ----------
    path : path of the file
        A line a frame: ``frame x1 y1 x2 y2 confidence [x1 y1 x2 y2 confidence ...]``, apart by
        blanks; a frame may have no box, and empty lines are passed over.
    first : int
        Number that the file gives to the first frame of the video, usually 0 or 1.

    Returns
    -------
    people : dict of arrays, shape (B, 4), float32
        The boxes (x1, y1, x2, y2) of every frame that the file names, in pixels; frames count from
        0, as in the rows of the trajectories. Confidences are left out.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If a line is not as described, or two lines name the same frame.

    Notes
    -----
    The format is that of the improved trajectories' authors. Their program goes by the order of
    the lines, one a frame of the video; here the number at the head of a line counts.
    """
    path = Path(path)
    check_whole("first", first, low=0)
    if not path.is_file():
        message = f"{path} is no file; give the path of a file of people's boxes"
        raise FileNotFoundError(message)
    people: dict[int, NDArray[np.float32]] = {}
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if not line.strip():
            continue
        frame, boxes = _read_line(line, f"{path}, line {number}")
        if frame < first:
            message = f"{path}, line {number}: frames count from {first}, got {frame}; see first"
            raise ValueError(message)
        if frame - first in people:
            message = f"{path}, line {number}: frame {frame} came before; keep one line a frame"
            raise ValueError(message)
        people[frame - first] = boxes
    return people


def _read_line(line: bytes, place: str) -> tuple[int, NDArray[np.float32]]:
    words = line.split()
    try:
        frame, numbers = int(words[0]), np.array([float(word) for word in words[1:]])
    except ValueError:
        text = line[:40].decode("ascii", "replace")
        message = f"{place}: a frame's number and numbers are wanted, got {text!r}; mend the line"
        raise ValueError(message) from None
    if numbers.size % NUMBERS_A_BOX:
        message = f"{place}: a box is x1 y1 x2 y2 confidence, got {numbers.size} numbers"
        raise ValueError(message)
    boxes = numbers.reshape(-1, NUMBERS_A_BOX)[:, :4]
    if not (np.abs(boxes) < np.finfo(np.float32).max).all():  # NaN is not below
        message = f"{place}: boxes must be finite, got {numbers.tolist()}"
        raise ValueError(message)
    return frame, boxes.astype(np.float32)


def check_people(people: Any) -> NDArray[np.float32]:
    """Return boxes, shape (B, 4), float32."""
    boxes = np.asarray(people)
    if boxes.size == 0:
        return np.zeros((0, 4), np.float32)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        message = f"people must be (B, 4) as (x1, y1, x2, y2), got shape {boxes.shape}"
        raise ValueError(message)
    if not np.issubdtype(boxes.dtype, np.number) or np.iscomplexobj(boxes):
        message = f"people must be real numbers in pixels, got {boxes.dtype}"
        raise TypeError(message)
    if not np.isfinite(boxes).all():
        message = f"people must be finite, row {np.argwhere(~np.isfinite(boxes))[0, 0]} is not"
        raise ValueError(message)
    return boxes.astype(np.float32)


def mask_people(boxes: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return a mask, shape (H, W), that is 0 on pixels whose centre lies in a box, else 1."""
    mask = np.ones(shape, np.uint8)
    height, width = shape
    for x1, y1, x2, y2 in boxes.astype(np.float64):
        left, right = np.clip([np.ceil(x1), np.floor(x2) + 1], 0, width).astype(int)
        top, bottom = np.clip([np.ceil(y1), np.floor(y2) + 1], 0, height).astype(int)
        mask[top:bottom, left:right] = 0
    return mask
