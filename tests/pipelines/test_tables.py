"""The table is aligned, narrow, complete and rounded as a reader expects."""

from __future__ import annotations

import pytest

from pipelines import tables

ROW = {
    "clip_hit_at_1": 0.4115,
    "video_hit_at_1": 0.6092,
    "video_hit_at_5": 0.8021,
    "mean_class_accuracy": 0.5,
    "parameters": 62_378_344,
    "train_seconds": 86_400.0,
    "clips_per_second": 12.345,
    "video_hit_at_1_interval": [0.59, 1.0],
}


def test_every_column_is_there_in_order_and_aligned():
    first, second, rule, row, other, _, chance = lines(
        {"slow-fusion": ROW, "feature-histograms": {**ROW, "clip_hit_at_1": None}}, chance=1 / 487
    )
    assert row.split() == [
        "slow-fusion", "41.1", "60.9", "59.0-100.0", "80.2", "50.0", "62,378,344", "86,400", "12.3",
    ]  # fmt: skip
    assert other.split()[:2] == ["feature-histograms", "-"]
    assert chance.split() == ["chance", "0.2"]
    assert second.split()[:3] == ["Method", "Hit@1", "Hit@1"]
    assert len(first) <= len(second) == len(row) == len(other) == len(rule)
    end = row.index("60.9") + 4
    assert chance.endswith("0.2")
    assert len(chance) == end
    assert first[:end].endswith("Video")
    assert second[:end].endswith("Hit@1")


def test_no_line_is_wider_than_a_hundred():
    wide = {**ROW, "parameters": 9_999_999_999, "train_seconds": 9e6, "clips_per_second": 9e6}
    table = tables.format_table({"gru-rcn-bidirectional and trajectories-fisher": wide}, chance=0.1)
    assert max(map(len, table.split("\n"))) <= 100
    assert "gru-rcn-bi" in table


def test_unmeasured_and_absent_values_are_dashes():
    row = lines({"single-frame": {"video_hit_at_1": 0.0}}, chance=0.5)[3]
    assert row.split() == ["single-frame", "-", "0.0", "-", "-", "-", "-", "-", "-"]


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0.0, "0.00"), (3.217, "3.22"), (9.996, "10.0"), (99.96, "100"), (1e4, "10,000")],
)  # fmt: skip
def test_amounts_have_about_three_digits(amount, text):
    assert tables.show_amount(amount) == text


def test_best_is_what_reads_as_the_highest():
    column = next(c for c in tables.COLUMNS if c.key == "video_hit_at_1")
    values = {"a": 0.9, "b": 0.90001, "c": 0.8, "d": None}
    metrics = {name: {"video_hit_at_1": value} for name, value in values.items()}
    assert tables.best_methods(metrics, column) == {"a", "b"}
    assert tables.best_methods({"a": {}}, column) == frozenset()
    assert tables.best_methods({"a": ROW, "b": ROW}, column) == frozenset()


def test_cost_has_no_best():
    column = next(c for c in tables.COLUMNS if c.key == "parameters")
    assert tables.best_methods({"a": ROW}, column) == frozenset()


def lines(metrics, *, chance):
    return tables.format_table(metrics, chance=chance).split("\n")
