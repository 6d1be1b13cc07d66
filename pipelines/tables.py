"""Metrics of several methods go in; the cells of their table come out, and the table as text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Metrics = Mapping[str, Mapping[str, Any]]

ABSENT = "-"
_WIDTH = 100
_GAP = "  "


@dataclass(frozen=True)
class Column:
    """One column of the table of results.

    Parameters
    ----------
    key : str
        Its name in ``metrics.json``.
    lines : tuple of str
        The two lines of its heading.
    unit : str
        Unit of its numbers, empty for a plain number.
    show : callable
        Turns a value that is not None into text.
    compared : bool
        Whether the highest value is the best.
    """

    key: str
    lines: tuple[str, str]
    unit: str
    show: Callable[[Any], str]
    compared: bool = False

    @property
    def title(self) -> str:
        """The heading in one line."""
        return " ".join(line for line in self.lines if line)

    def cell(self, row: Mapping[str, Any]) -> str:
        """Return the text of this column for one method, ``-`` where nothing was measured."""
        value = row.get(self.key)
        return ABSENT if value is None else self.show(value)


def show_percent(share: float) -> str:
    """Write a share from 0 to 1 as per cent with one decimal."""
    return f"{100 * share:.1f}"


def show_interval(bounds: tuple[float, float]) -> str:
    """Write two shares from 0 to 1 as ``low-high`` in per cent."""
    low, high = bounds
    return f"{show_percent(low)}-{show_percent(high)}"


def show_count(number: int) -> str:
    """Write a whole number with thousands apart."""
    return f"{number:,}"


def show_amount(amount: float) -> str:
    """Write a measured amount with about three digits."""
    decimals = 2 if amount < 9.995 else 1 if amount < 99.95 else 0
    return f"{amount:,.{decimals}f}"


# In the order of the Sports-1M table of Karpathy et al. 2014, then what the numbers cost.
COLUMNS: tuple[Column, ...] = (
    Column("clip_hit_at_1", ("Clip", "Hit@1"), "%", show_percent, compared=True),
    Column("video_hit_at_1", ("Video", "Hit@1"), "%", show_percent, compared=True),
    Column("video_hit_at_1_interval", ("95 %", "interval"), "%", show_interval),
    Column("video_hit_at_5", ("Video", "Hit@5"), "%", show_percent, compared=True),
    Column("mean_class_accuracy", ("Class", "mean"), "%", show_percent, compared=True),
    Column("parameters", ("", "Parameters"), "", show_count),
    Column("train_seconds", ("Train", "seconds"), "s", show_amount),
    Column("clips_per_second", ("", "Clips/s"), "", show_amount),
)


def best_methods(metrics: Metrics, column: Column) -> frozenset[str]:
    """Name the methods that show the highest number of a column; none where all show the same."""
    known = {
        name: row[column.key] for name, row in metrics.items() if row.get(column.key) is not None
    }
    shown = {name: column.show(value) for name, value in known.items()}
    if not column.compared or len(set(shown.values())) < 2:
        return frozenset()
    best = column.show(max(known.values()))
    return frozenset(name for name, text in shown.items() if text == best)


def format_table(metrics: Metrics, *, chance: float) -> str:
    """Lay out the table of results for a terminal.

    Parameters
    ----------
    metrics : mapping
        The metrics of each method, as ``metrics.json`` holds them, in the order of the rows.
    chance : float
        Video Hit@1 of guessing, 0 to 1: the last row.

    Returns
    -------
    str
        Lines of at most 100 characters without a final newline; hit rates, intervals and class
        means in per cent. A name that does not fit is cut and ends in ``...``.
    """
    rows = [[name, *(column.cell(row) for column in COLUMNS)] for name, row in metrics.items()]
    last = [show_percent(chance) if c.key == "video_hit_at_1" else "" for c in COLUMNS]
    heads = [["", *(c.lines[0] for c in COLUMNS)], ["Method", *(c.lines[1] for c in COLUMNS)]]
    table = [*heads, *rows, ["chance", *last]]
    widths = [max(len(row[n]) for row in table) for n in range(len(COLUMNS) + 1)]
    room = _WIDTH - sum(len(_GAP) + width for width in widths[1:])
    widths[0] = min(widths[0], room)
    lines = [_line([_cut(row[0], room), *row[1:]], widths) for row in table]
    rule = "-" * max(map(len, lines))
    return "\n".join([*lines[:2], rule, *lines[2:-1], rule, lines[-1]])


def _cut(name: str, room: int) -> str:
    return name if len(name) <= room else name[: room - 3] + "..."


def _line(cells: list[str], widths: list[int]) -> str:
    padded = [cells[0].ljust(widths[0])]
    padded += [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
    return _GAP.join(padded).rstrip()
