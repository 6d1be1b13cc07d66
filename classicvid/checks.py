"""Checks arguments at the door: takes a name and a value, returns the value ready for use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def check_gray(name: str, image: Any) -> NDArray[Any]:
    """Return a C-contiguous gray image, shape (H, W), uint8 or float32.

    Raises
    ------
    TypeError
        If the dtype is neither uint8 nor a float.
    ValueError
        If the shape is not (H, W) with at least one pixel.
    """
    array = np.asarray(image)
    if array.ndim != 2 or array.size == 0:
        hint = "; convert colour with classicvid.to_gray" if array.ndim == 3 else ""
        message = f"{name} must be a gray image (H, W), got shape {array.shape}{hint}"
        raise ValueError(message)
    if array.dtype != np.uint8 and not np.issubdtype(array.dtype, np.floating):
        message = (
            f"{name} must be uint8 or float32 in 0..255, got {array.dtype}; "
            "convert with astype(np.float32)"
        )
        raise TypeError(message)
    return np.ascontiguousarray(array, dtype=None if array.dtype == np.uint8 else np.float32)


def check_gray_pair(
    previous: Any, next: Any, *, names: tuple[str, str] = ("previous", "next")
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return two gray images of one shape and one dtype (float32 where they differ)."""
    first, second = check_gray(names[0], previous), check_gray(names[1], next)
    if first.shape != second.shape:
        message = (
            f"{names[0]} and {names[1]} must have the same shape, "
            f"got {first.shape} and {second.shape}; resize one of them"
        )
        raise ValueError(message)
    if first.dtype != second.dtype:
        first, second = first.astype(np.float32), second.astype(np.float32)
    return first, second


def check_frame(name: str, frame: Any) -> NDArray[np.uint8]:
    """Return a C-contiguous RGB frame, shape (H, W, 3), uint8."""
    array = np.asarray(frame)
    if array.ndim != 3 or array.shape[2] != 3 or array.size == 0:
        message = f"{name} must be an RGB frame (H, W, 3), got shape {array.shape}"
        raise ValueError(message)
    if array.dtype != np.uint8:
        message = f"{name} must be uint8, got {array.dtype}; convert with astype(np.uint8)"
        raise TypeError(message)
    return np.ascontiguousarray(array)


def check_flow(
    name: str, flow: Any, *, shape: tuple[int, int] | None = None
) -> NDArray[np.float32]:
    """Return a C-contiguous flow field, shape (H, W, 2), float32, of the given (H, W) if any."""
    array = np.asarray(flow)
    wanted = "(H, W, 2)" if shape is None else f"({shape[0]}, {shape[1]}, 2)"
    if (
        array.ndim != 3
        or array.shape[2] != 2
        or array.size == 0
        or (shape is not None and array.shape[:2] != tuple(shape))
    ):
        message = f"{name} must be {wanted}, got {array.shape}"
        raise ValueError(message)
    if not np.issubdtype(array.dtype, np.floating):
        message = f"{name} must be float32 in pixels per frame, got {array.dtype}"
        raise TypeError(message)
    return np.ascontiguousarray(array, dtype=np.float32)


def check_points(name: str, points: Any) -> NDArray[np.float32]:
    """Return C-contiguous points, shape (N, 2), float32; OpenCV's (N, 1, 2) is taken too."""
    array = np.asarray(points)
    if array.size == 0:
        return np.zeros((0, 2), np.float32)
    if array.ndim == 3 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 2 or array.shape[1] != 2:
        message = f"{name} must be (N, 2) as (x, y), got {array.shape}"
        raise ValueError(message)
    if not np.issubdtype(array.dtype, np.number) or np.issubdtype(array.dtype, np.complexfloating):
        message = f"{name} must be real numbers in pixels, got {array.dtype}"
        raise TypeError(message)
    return np.ascontiguousarray(array, dtype=np.float32)


def check_whole(name: str, value: Any, *, low: int, high: int | None = None) -> int:
    """Return a whole number within [low, high]."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        message = f"{name} must be a whole number, got {value!r}"
        raise TypeError(message)
    if value < low or (high is not None and value > high):
        message = f"{name} must be {_range_text(low, high)}, got {value}"
        raise ValueError(message)
    return int(value)


def check_number(
    name: str,
    value: Any,
    *,
    low: float | None = None,
    high: float | None = None,
    exclusive: bool = False,
) -> float:
    """Return a finite number within [low, high], or within (low, high) where ``exclusive``."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        message = f"{name} must be a number, got {value!r}"
        raise TypeError(message)
    try:
        number = float(value)
    except OverflowError:
        number = np.inf
    outside = not np.isfinite(number)
    if exclusive:
        outside |= (low is not None and number <= low) or (high is not None and number >= high)
    else:
        outside |= (low is not None and number < low) or (high is not None and number > high)
    if outside:
        message = f"{name} must be {_range_text(low, high, exclusive=exclusive)}, got {value}"
        raise ValueError(message)
    return number


def check_choice(name: str, value: Any, choices: Sequence[str]) -> str:
    """Return a string that is one of ``choices``."""
    if value not in choices:
        message = f"{name} must be one of {', '.join(choices)}, got {value!r}"
        raise ValueError(message)
    return str(value)


def check_probabilities(name: str, scores: Any, *, classes: int) -> NDArray[np.float32]:
    """Return finite scores, shape (N, classes), float32; a higher score means more likely."""
    array = np.asarray(scores, dtype=np.float32)
    if array.ndim != 2 or array.shape[1] != classes:
        message = f"{name} must be (N, {classes}), one column a class, got {array.shape}"
        raise ValueError(message)
    if not np.isfinite(array).all():
        row, column = np.argwhere(~np.isfinite(array))[0]
        message = f"{name} must be finite, row {row} holds {array[row, column]} at column {column}"
        raise ValueError(message)
    return array


def check_indices(name: str, indices: Any, *, count: int) -> NDArray[np.int64]:
    """Return whole numbers from 0 to ``count - 1``, shape (N,), int64."""
    array = np.asarray(indices)
    if array.ndim != 1:
        message = f"{name} must be (N,), got shape {array.shape}"
        raise ValueError(message)
    if array.size and not np.issubdtype(array.dtype, np.integer):
        message = f"{name} must be whole numbers, got {array.dtype}"
        raise TypeError(message)
    outside = array[(array < 0) | (array >= count)]
    if outside.size:
        message = f"{name} must be from 0 to {count - 1}, got {outside[0]}"
        raise ValueError(message)
    return array.astype(np.int64)


def check_features(name: str, features: Any, *, size: int | None = None) -> NDArray[np.float32]:
    """Return finite feature vectors, shape (N, D) or (N, size), float32; N may be 0."""
    array = np.asarray(features)
    wanted = "(N, D)" if size is None else f"(N, {size})"
    if array.ndim != 2 or array.shape[1] == 0 or (size is not None and array.shape[1] != size):
        message = f"{name} must be {wanted}, a vector a video, got shape {array.shape}"
        raise ValueError(message)
    if not np.issubdtype(array.dtype, np.number) or np.issubdtype(array.dtype, np.complexfloating):
        message = f"{name} must be real numbers, got {array.dtype}"
        raise TypeError(message)
    with np.errstate(over="ignore"):  # too large for float32 becomes infinite, refused below
        array = np.ascontiguousarray(array, dtype=np.float32)
    bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if bad.size:
        message = f"{name} must be finite, row {bad[0]} is not; leave that video out"
        raise ValueError(message)
    return array


def check_size(name: str, size: Any) -> tuple[int, int]:
    """Return a size in pixels, (height, width), both whole and at least 1."""
    if not isinstance(size, Sequence) or isinstance(size, str) or len(size) != 2:
        message = f"{name} must be (height, width) in pixels, got {size!r}"
        raise ValueError(message)
    return check_whole(f"{name}[0]", size[0], low=1), check_whole(f"{name}[1]", size[1], low=1)


def _range_text(low: float | None, high: float | None, *, exclusive: bool = False) -> str:
    above, below = ("above", "below") if exclusive else ("at least", "at most")
    if low is not None and high is not None:
        return f"{above} {low} and {below} {high}" if exclusive else f"from {low} to {high}"
    if low is not None:
        return f"{above} {low}"
    return f"{below} {high}" if high is not None else "finite"
