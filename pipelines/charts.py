"""Numbers of a chart go in; positions come out, in per cent of its plot or in pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Times that a reader knows by name; on a logarithmic axis they need not be equally far apart.
TIMES: tuple[tuple[float, str], ...] = (
    (0.001, "1 ms"),
    (0.01, "10 ms"),
    (0.1, "0.1 s"),
    (1.0, "1 s"),
    (10.0, "10 s"),
    (60.0, "1 min"),
    (600.0, "10 min"),
    (3600.0, "1 h"),
    (36000.0, "10 h"),
    (86400.0 * 7, "1 week"),
    (86400.0 * 70, "10 weeks"),
)
# A label must be free on a telephone and on a wide screen: both widths of the plot, px.
_WIDTHS = (345.0, 960.0)
_MARGIN = 15.0  # blank at the side of the page, into which a label may reach
_CHARACTER, _LINE, _DOT = 6.6, 15.0, 7.0


@dataclass(frozen=True)
class Label:
    """Where the name of a point stands.

    Parameters
    ----------
    side : {1, -1}
        Right or left of the point.
    shift : float
        How far below the point, px.
    """

    side: int
    shift: float


@dataclass(frozen=True)
class LogAxis:
    """A logarithmic axis of times, between two that have a name.

    Parameters
    ----------
    low, high : float
        Its ends, seconds.
    ticks : tuple of (float, str)
        Position in per cent from the left, and name, of each tick.
    """

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]

    def position(self, seconds: float) -> float:
        """Return where a time lies, per cent from the left."""
        return _log_position(seconds, self.low, self.high)


def time_axis(seconds: Sequence[float]) -> LogAxis:
    """Choose the axis that holds all ``seconds``, each above 0."""
    values = [time for time, _ in TIMES]
    first = max(0, int(np.searchsorted(values, min(seconds), side="right")) - 1)
    last = min(len(values) - 1, int(np.searchsorted(values, max(seconds), side="left")))
    first = min(first, last - 1) if last else 0
    last = max(last, first + 1)
    low, high = min(values[first], *seconds), max(values[last], *seconds)
    ticks = tuple((_log_position(t, low, high), name) for t, name in TIMES[first : last + 1])
    return LogAxis(low, high, ticks)


def place_labels(
    names: Sequence[str], x: Sequence[float], y: Sequence[float], *, height: float
) -> list[Label]:
    """Find a place beside each point where its name covers no other name and no point.

    Parameters
    ----------
    names : sequence of str
        What is written.
    x : sequence of float
        Position of each point, per cent from the left.
    y : sequence of float
        Position of each point, px from the top.
    height : float
        Height of the plot, px.

    Returns
    -------
    list of Label
        One a point. Where no place is free, the name stands beside the point all the same.
    """
    taken = [[_dot_box(at, top, width) for at, top in zip(x, y, strict=True)] for width in _WIDTHS]
    labels = []
    for name, at, top in zip(names, x, y, strict=True):
        label = _free_place(name, at, top, taken, height)
        for boxes, width in zip(taken, _WIDTHS, strict=True):
            boxes.append(_label_box(name, at, top, label, width))
        labels.append(label)
    return labels


def curve(values: NDArray[np.float64], *, high: float, points: int = 160) -> NDArray[np.float64]:
    """Turn a series into the corners of a line.

    Parameters
    ----------
    values : ndarray, shape (T,), float64
        The series, T >= 1, finite.
    high : float
        The value at the top of the plot; 0 lies at its foot.
    points : int
        More values than this are averaged in equal runs.

    Returns
    -------
    ndarray, shape (min(T, points), 2), float64
        (x, y) in per cent of the plot, y downwards.
    """
    runs = np.array_split(values, min(len(values), points))
    means = np.array([run.mean() for run in runs])
    across = np.linspace(0.0, 100.0, len(means))
    return np.stack([across, 100.0 - 100.0 * np.clip(means / high, 0.0, 1.0)], axis=1)


def round_up(value: float) -> float:
    """Return the next of 1, 2, 5, 10, ... (times any power of ten) that is not below ``value``."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(power * step for step in (1, 2, 5, 10) if power * step >= value * (1 - 1e-12))


_Box = tuple[float, float, float, float]


def _log_position(value: float, low: float, high: float) -> float:
    return 100.0 * math.log(value / low) / math.log(high / low)


def _free_place(name: str, at: float, top: float, taken: list[list[_Box]], height: float) -> Label:
    sides = (1, -1) if at < 55 else (-1, 1)
    shifts = sorted((step * _LINE for step in range(-8, 9)), key=abs)
    for shift in shifts:
        for side in sides:
            label = Label(side, shift)
            if all(
                _is_free(_label_box(name, at, top, label, width), boxes, width, height)
                for boxes, width in zip(taken, _WIDTHS, strict=True)
            ):
                return label
    return Label(sides[0], 0.0)


def _is_free(box: _Box, boxes: list[_Box], width: float, height: float) -> bool:
    left, top, right, bottom = box
    if left < -_MARGIN or top < 0 or right > width + _MARGIN or bottom > height:
        return False
    return not any(
        left < other[2] and other[0] < right and top < other[3] and other[1] < bottom
        for other in boxes
    )


def _dot_box(at: float, top: float, width: float) -> _Box:
    centre = at / 100 * width
    return centre - _DOT, top - _DOT, centre + _DOT, top + _DOT


def _label_box(name: str, at: float, top: float, label: Label, width: float) -> _Box:
    near = at / 100 * width + label.side * (_DOT + 2)
    far = near + label.side * _CHARACTER * len(name)
    middle = top + label.shift
    return min(near, far), middle - _LINE / 2, max(near, far), middle + _LINE / 2
