"""Counts of hits go in; intervals that hold the truth 19 times in 20 come out."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from classicvid.metrics import (
    paired_difference,
    wilson_interval,
)
from tests.classicvid.metrics.tables import judged


@pytest.mark.parametrize(
    ("hits", "total", "expected"),
    [
        # Newcombe 1998, table I: Wilson's method without continuity correction.
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
        (29, 29, (1 - 0.1170, 1.0)),
    ],
)
def test_wilson_intervals_are_those_in_print(hits, total, expected):
    assert wilson_interval(hits, total) == pytest.approx(expected, abs=1e-4)


def test_wilson_interval_solves_its_equation():
    low, high = wilson_interval(7, 31, z=2.5)
    for bound in (low, high):
        assert abs(7 / 31 - bound) == pytest.approx(2.5 * np.sqrt(bound * (1 - bound) / 31))


def test_wilson_interval_is_symmetric_and_stays_within_0_and_1():
    for hits in range(11):
        low, high = wilson_interval(hits, 10)
        assert 0 <= low <= hits / 10 <= high <= 1
        assert wilson_interval(10 - hits, 10) == pytest.approx((1 - high, 1 - low))
    assert wilson_interval(0, 0) == (0.0, 1.0)
    assert wilson_interval(3, 10, z=0) == pytest.approx((0.3, 0.3))


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_wilson_interval_holds_the_true_rate_19_times_in_20(rng, rate):
    intervals = {hits: wilson_interval(hits, 60) for hits in range(61)}
    drawn = rng.binomial(60, rate, 20000)
    held = np.mean([intervals[hits][0] <= rate <= intervals[hits][1] for hits in drawn])
    assert 0.93 < held < 0.97


@pytest.mark.parametrize(("hits", "total"), [(3, 2), (-1, 2), (0, -1)])
def test_wilson_interval_refuses_impossible_counts(hits, total):
    with pytest.raises(ValueError, match="must be"):
        wilson_interval(hits, total)


def test_a_difference_counts_the_videos_that_only_one_gets_right():
    first = judged([1, 1, 1, 0, 0, 1, 1, 1, 1, 0])
    second = judged([1, 0, 0, 1, 0, 1, 1, 1, 1, 0])
    difference, low, high = paired_difference(first, second)
    assert difference == pytest.approx(0.1)
    assert low < difference < high
    swapped = paired_difference(second, first)
    assert swapped == pytest.approx((-difference, -high, -low))


def test_a_difference_matches_videos_by_name():
    names = ["w", "x", "y", "z"]
    first = judged([1, 1, 0, 0], names=names)
    second = judged([0, 0, 1, 1], names=names[::-1])
    assert paired_difference(first, second)[0] == 0.0


def test_a_difference_is_the_same_for_the_same_seed(rng):
    first, second = judged(rng.random(50) < 0.7), judged(rng.random(50) < 0.5)
    assert paired_difference(first, second) == paired_difference(first, second)
    few = [paired_difference(first, second, samples=20, seed=seed) for seed in range(5)]
    assert len(set(few)) > 1


def test_groups_of_like_videos_widen_the_interval(rng):
    hits = np.repeat(rng.random(12) < 0.7, 20)
    first, second = judged(hits), judged(np.zeros(240))
    groups = [f"g{n}" for n in np.repeat(np.arange(12), 20)]
    alone, together = (paired_difference(first, second, groups=g) for g in (None, groups))
    assert together[0] == alone[0]
    assert together[2] - together[1] > 3 * (alone[2] - alone[1])


def test_the_interval_holds_the_true_difference_19_times_in_20(rng):
    held = []
    for _ in range(250):
        first, second = judged(rng.random(80) < 0.7), judged(rng.random(80) < 0.5)
        _, low, high = paired_difference(first, second, samples=250)
        held.append(low <= 0.2 <= high)
    assert 0.90 < np.mean(held) < 0.99


def test_one_group_says_nothing_of_the_difference():
    difference = paired_difference(judged([1, 1]), judged([0, 0]), groups=["g", "g"])
    assert difference == (1.0, -1.0, 1.0)


def test_many_groups_take_little_memory():
    first, second = judged(np.arange(20000) % 3 == 0), judged(np.arange(20000) % 2 == 0)
    tracemalloc.start()
    paired_difference(first, second, samples=500)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 500 * 20000  # bytes; all draws at once would be 8 times that or more


@pytest.mark.parametrize("groups", [["a"], [], ["a", "b", "c"]])
def test_groups_must_be_one_a_video(groups):
    with pytest.raises(ValueError, match="with a group each"):
        paired_difference(judged([1, 0]), judged([1, 0]), groups=groups)
