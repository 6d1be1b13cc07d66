"""Frames whose flow is known go in; error and time of every method, beside OpenCV's, come out."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import matplotlib as mpl
import numpy as np
from machine import ROOT, SHARED, describe, race
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from classicvid import (
    angular_error,
    end_point_error,
    farneback_flow,
    lucas_kanade_grid_flow,
    read_flo,
)

Gray = NDArray[np.uint8]
Flow = NDArray[np.float32]
TABLE, PLOT = "flow_quality_table.md", "flow_quality.svg"
# Readable on a white page and on a dark one.
INK, OURS, THEIRS, OTHERS = "#7d8590", "#2f81f7", "#d4762c", "#8a63d2"


class Pair(NamedTuple):
    """Two gray frames (H, W) and the true flow (H, W, 2) between them."""

    previous: Gray
    next: Gray
    truth: Flow


class Row(NamedTuple):
    """A method: its mean errors on each data set, in pixels and degrees, and ms a pair."""

    name: str
    errors: dict[str, tuple[float, float]]
    milliseconds: float


def farneback_pair(name: str, levels: int, poly: tuple[int, float], gaussian: bool) -> dict:
    """Return our Farnebäck and OpenCV's at one setting, by their names."""

    def ours(previous: Gray, next: Gray) -> Flow:
        return farneback_flow(
            previous, next, levels=levels, poly_n=poly[0], poly_sigma=poly[1], gaussian=gaussian
        )

    def theirs(previous: Gray, next: Gray) -> Flow:
        flags = cv2.OPTFLOW_FARNEBACK_GAUSSIAN * gaussian
        return cv2.calcOpticalFlowFarneback(previous, next, None, 0.5, levels, 15, 3, *poly, flags)

    return {f"{name}, ours": ours, f"{name}, OpenCV": theirs}


def opencv_grid_flow(previous: Gray, next: Gray, spacing: int = 8) -> Flow:
    """Follow the grid of `lucas_kanade_grid_flow` with OpenCV, and spread it as that does."""
    height, width = previous.shape
    cells = [max(round(side / spacing), 1) for side in (width, height)]
    x, y = (
        (np.arange(count) + 0.5) * side / count - 0.5
        for count, side in zip(cells, (width, height), strict=True)
    )
    points = np.stack(np.meshgrid(x, y), axis=-1).astype(np.float32)
    moved, status, _ = cv2.calcOpticalFlowPyrLK(previous, next, points.reshape(-1, 2), None)
    motion, lost = moved.reshape(points.shape) - points, status.reshape(points.shape[:2]) == 0
    nearest = distance_transform_edt(lost, return_distances=False, return_indices=True)
    return cv2.resize(motion[tuple(nearest)], (width, height), interpolation=cv2.INTER_LINEAR)


def dense_inverse_search(preset: int) -> Callable[[Gray, Gray], Flow]:
    """Return OpenCV's DIS at a preset."""
    search = cv2.DISOpticalFlow_create(preset)
    return lambda previous, next: search.calc(previous, next, None)


METHODS: dict[str, Callable[[Gray, Gray], Any]] = {
    **farneback_pair("Farnebäck, box", 3, (5, 1.2), False),
    **farneback_pair("Farnebäck, Gaussian", 3, (5, 1.2), True),
    **farneback_pair("Farnebäck, 5 levels, poly_n 7", 5, (7, 1.5), False),
    "Lucas-Kanade grid, ours": lucas_kanade_grid_flow,
    "Lucas-Kanade grid, OpenCV": opencv_grid_flow,
    "DIS ultrafast, OpenCV": dense_inverse_search(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST),
    "DIS fast, OpenCV": dense_inverse_search(cv2.DISOPTICAL_FLOW_PRESET_FAST),
    "DIS medium, OpenCV": dense_inverse_search(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM),
}


def main() -> None:
    """Print the table; with ``--docs`` also write it and the plot for the documentation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=7, help="runs of each method a pair (7)")
    parser.add_argument("--docs", action="store_true", help="write table and plot into docs/")
    options = parser.parse_args()
    sets = read_sets(SHARED / "flow_pairs")
    if not sets:
        print(f"quality of flow is not measured: {SHARED / 'flow_pairs'} is absent")
        return
    rows = measure(sets, options.turns)
    table = write_table(rows)
    print(f"{describe()}\n{summarise(sets, options.turns)}\n{table}")
    if options.docs:
        heading = f"{summarise(sets, options.turns)} {describe()}.\n\n"
        (ROOT / "docs" / TABLE).write_text(heading + table, "utf-8")
        draw(rows, ROOT / "docs" / PLOT)


def read_sets(folder: Path) -> dict[str, list[Pair]]:
    """Return the pairs of each data set that is there."""
    middlebury = [
        read_pair(place / "frame10.png", place / "frame11.png", place / "flow10.flo")
        for place in sorted((folder / "middlebury").glob("*"))
    ]
    chairs = [
        read_pair(
            *(truth.with_name(truth.name.replace("gt.flo", f"img{i}.ppm")) for i in (0, 1)), truth
        )
        for truth in sorted((folder / "flyingchairs").glob("*-gt.flo"))
    ]
    sets = {"Middlebury": middlebury, "FlyingChairs": chairs}
    return {name: pairs for name, pairs in sets.items() if pairs}


def read_pair(previous: Path, next: Path, truth: Path) -> Pair:
    """Return two frames, as gray levels, and their flow."""
    first, second = (cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in (previous, next))
    return Pair(first, second, read_flo(truth))


def measure(sets: dict[str, list[Pair]], turns: int) -> list[Row]:
    """Run every method on every pair, on one thread, in turns."""
    cv2.setNumThreads(1)
    names, times = list(METHODS), []
    errors: dict[str, dict[str, tuple[float, float]]] = {name: {} for name in names}
    for data, pairs in sets.items():
        for name in names:
            flows = [METHODS[name](pair.previous, pair.next) for pair in pairs]
            both = [
                (end_point_error(flow, pair.truth), angular_error(flow, pair.truth))
                for flow, pair in zip(flows, pairs, strict=True)
            ]
            errors[name][data] = tuple(np.mean(both, axis=0).tolist())
        for pair in pairs:
            calls = [
                lambda run=run, pair=pair: run(pair.previous, pair.next) for run in METHODS.values()
            ]
            times.append(race(calls, turns))
    mean = np.mean(times, axis=0).tolist()
    return [Row(name, errors[name], taken) for name, taken in zip(names, mean, strict=True)]


def summarise(sets: dict[str, list[Pair]], turns: int) -> str:
    """Return what was measured, in one sentence."""
    sizes = sorted({pair.previous.shape[::-1] for pairs in sets.values() for pair in pairs})
    parts = " and ".join(f"{len(pairs)} pairs of {name}" for name, pairs in sets.items())
    (left, top), (right, bottom) = sizes[0], sizes[-1]
    return (
        f"Means over {parts}, {left}x{top} to {right}x{bottom}; times are medians of {turns} runs "
        "in turns on one thread, in time of the processor."
    )


def write_table(rows: list[Row]) -> str:
    """Return the table in Markdown."""
    sets = list(rows[0].errors)
    head = "".join(f" {name}: end point, px | angle, ° |" for name in sets)
    lines = [f"| method |{head} ms a pair |", "|---|" + "---:|" * (2 * len(sets) + 1)]
    for row in rows:
        errors = "".join(f" {pixels:.3f} | {angle:.2f} |" for pixels, angle in row.errors.values())
        lines.append(f"| {row.name} |{errors} {row.milliseconds:.2f} |")
    return "\n".join(lines) + "\n"


def draw(rows: list[Row], path: Path) -> None:
    """Draw error against time, a panel for each data set; down and left is better."""
    colours = {"ours": OURS, "OpenCV": THEIRS, "DIS": OTHERS}
    style = dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), INK)
    with mpl.rc_context({**style, "axes.edgecolor": INK, "svg.hashsalt": "flow", "font.size": 9}):
        sets = list(rows[0].errors)
        figure = Figure(figsize=(4.8 * len(sets), 5.2), layout="constrained")
        for axes, data in zip(np.atleast_1d(figure.subplots(1, len(sets))), sets, strict=True):
            draw_panel(axes, data, rows, colours)
        figure.savefig(path, transparent=True, metadata={"Date": None})


def draw_panel(axes: Any, data: str, rows: list[Row], colours: dict[str, str]) -> None:
    """Draw one data set: a line joins ours to OpenCV's of the same method."""
    chains: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        family, _, maker = row.name.rpartition(", ")
        name = "DIS" if family.startswith("DIS") else maker
        place = row.milliseconds, row.errors[data][0]
        chains.setdefault("DIS" if name == "DIS" else family, []).append(place)
        axes.plot(*place, "s" if name == "DIS" else "o", color=colours[name])
        if name == "DIS":
            label(axes, family, place, offset=(0, 7), ha="center")
        elif name == "OpenCV":
            label(axes, family, place, offset=(7, 0), ha="left", va="center")
    for chain in chains.values():
        axes.plot(*zip(*chain, strict=True), color=INK, linewidth=0.8, zorder=0)
    names = {"ours": "ours", "OpenCV": "OpenCV, same method", "DIS": "OpenCV's DIS"}
    for name, text in names.items():
        axes.plot([], [], "s" if name == "DIS" else "o", color=colours[name], label=text)
    axes.legend(frameon=False, loc="lower right", labelcolor=INK)
    axes.set(xlabel="time a pair on one thread, ms (log)", ylabel="end-point error, px")
    axes.set_title(data, pad=12)
    ticks = (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
    fastest, slowest = (f(row.milliseconds for row in rows) for f in (min, max))
    axes.set_xscale("log")
    axes.set_xticks(ticks, [f"{value:g}" for value in ticks])
    axes.minorticks_off()
    axes.set_xlim(fastest / 2, slowest * 12)  # the names stand on the right
    axes.set_ylim(0, 1.1 * max(row.errors[data][0] for row in rows))
    axes.patch.set_alpha(0)
    axes.grid(color=INK, alpha=0.2)
    axes.spines[["top", "right"]].set_visible(False)


def label(axes: Any, text: str, place: tuple[float, float], **placement: Any) -> None:
    """Write a name beside a place, ``offset`` points away."""
    offset = placement.pop("offset")
    axes.annotate(text, place, offset, textcoords="offset points", fontsize=8, **placement)


if __name__ == "__main__":
    main()
