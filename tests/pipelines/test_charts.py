"""Every value has a place on its axis, labels leave one another free, curves keep their level."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines import charts


@pytest.mark.parametrize("seconds", [[0.4], [12.0, 45.0], [1e-5, 1e9], [60.0, 60.0], [10.0]])
def test_time_axis_holds_every_time(seconds):
    axis = charts.time_axis(seconds)
    assert all(-1e-9 <= axis.position(value) <= 100 + 1e-9 for value in seconds)
    places = [at for at, _ in axis.ticks]
    assert len(places) >= 2
    assert places == sorted(places)
    assert places[0] > -1e-9
    assert places[-1] < 100 + 1e-9


def test_labels_leave_one_another_free(rng):
    names = [f"method number {n}" for n in range(9)]
    x = rng.uniform(40, 60, 9).tolist()
    y = rng.uniform(140, 160, 9).tolist()
    labels = charts.place_labels(names, x, y, height=340)
    for width in (340, 960):
        boxes = [
            charts._label_box(name, at, top, label, width)
            for name, at, top, label in zip(names, x, y, labels, strict=True)
        ]
        for number, a in enumerate(boxes):
            assert not any(
                a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
                for b in boxes[number + 1 :]
            )


def test_curve_keeps_level_and_ends():
    corners = charts.curve(np.array([2.0, 1.0, 0.0]), high=2.0)
    assert corners.tolist() == [[0, 0], [50, 50], [100, 100]]
    assert charts.curve(np.full(1000, 1.0), high=4.0).shape == (160, 2)
    assert np.allclose(charts.curve(np.full(1000, 1.0), high=4.0)[:, 1], 75.0)


@pytest.mark.parametrize(("value", "bound"), [(0.3, 0.5), (2.0, 2.0), (2.1, 5.0), (7.0, 10.0)])
def test_round_up(value, bound):
    assert charts.round_up(value) == pytest.approx(bound)
