"""A pair of frames of known flow goes in; the table and the plot of the documentation come out."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.classicvid.scenes import texture

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def bench(monkeypatch):
    """The benchmark, imported as its folder's scripts import one another."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    yield importlib.import_module("bench_flow_quality")
    for name in ("bench_flow_quality", "machine"):
        sys.modules.pop(name, None)


@pytest.fixture
def sets(bench):
    """Two data sets of one pair: a texture that moves, and one that moves the other way."""
    y, x = np.mgrid[:90, :120].astype(np.float64)
    made = {}
    for name, (dx, dy) in {"Middlebury": (1.5, -0.5), "FlyingChairs": (-1.0, 0.5)}.items():
        frames = [texture(x - k * dx, y - k * dy).astype(np.uint8) for k in (0, 1)]
        truth = np.full((90, 120, 2), (dx, dy), np.float32)
        truth[0, 0] = 1e10  # unknown
        made[name] = [bench.Pair(*frames, truth)]
    return made


def test_every_method_is_measured_and_ours_equals_opencvs(bench, sets):
    rows = {row.name: row for row in bench.measure(sets, turns=1)}
    assert list(rows) == list(bench.METHODS)
    families = {name.removesuffix(", ours") for name in rows if name.endswith(", ours")}
    assert len(families) == 4
    for row in rows.values():
        assert list(row.errors) == list(sets)
        assert row.milliseconds > 0
        for pixels, degrees in row.errors.values():
            assert 0 < pixels < 1
            assert 0 < degrees < 25
    for family in families:
        ours, theirs = (rows[f"{family}, {maker}"].errors for maker in ("ours", "OpenCV"))
        for data in sets:
            np.testing.assert_allclose(ours[data], theirs[data], rtol=0.01, atol=0.01)


def test_the_table_and_the_plot_have_the_shape_of_the_documentation(bench, tmp_path):
    errors = {"Middlebury": (0.5, 5.0), "FlyingChairs": (3.0, 20.0)}
    rows = [bench.Row(name, errors, 2.0 + i) for i, name in enumerate(bench.METHODS)]
    made = bench.write_table(rows).splitlines()
    stored = (ROOT / "docs" / bench.TABLE).read_text("utf-8").split("\n\n", 1)[1].splitlines()
    assert made[:2] == stored[:2]
    names = [[line.split("|")[1] for line in lines] for lines in (made, stored)]
    assert names[0] == names[1]
    assert {line.count("|") for line in stored} == {made[0].count("|")}
    bench.draw(rows, tmp_path / "plot.svg")
    again = tmp_path / "again.svg"
    bench.draw(rows, again)
    assert again.read_bytes() == (tmp_path / "plot.svg").read_bytes()


def test_sets_that_are_absent_are_left_out(bench, tmp_path, shared_data):
    assert bench.read_sets(tmp_path) == {}
    found = bench.read_sets(shared_data / "flow_pairs")
    assert {name: len(pairs) for name, pairs in found.items()} == {
        "Middlebury": 5,
        "FlyingChairs": 4,
    }
    for pairs in found.values():
        for pair in pairs:
            assert pair.previous.shape == pair.next.shape == pair.truth.shape[:2]
