"""Windows in time against mirrored and clipped lists."""

from __future__ import annotations

import numpy as np
import pytest

from classicvid.interest_points.time_window import time_windows


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 8, 20])
@pytest.mark.parametrize("reach", [0, 1, 3, 7])
def test_windows_hold_the_neighbours(count, reach):
    planes = [np.full(2, t, np.float32) for t in range(count)]
    mirrored = np.pad(np.arange(count), reach, mode="reflect") if count else []
    seen = 0
    for t, window in enumerate(time_windows(iter(planes), reach)):
        assert window.frame == t
        for part in range(reach + 1):
            held = window.planes[window.mirrored(part), 0]
            expected = mirrored[t + reach - part : t + reach + part + 1]
            np.testing.assert_array_equal(held, expected)
            held = window.planes[window.clipped(reach, part), 0]
            expected = range(max(t - reach, 0), min(t + part + 1, count))
            np.testing.assert_array_equal(held, list(expected))
        seen += 1
    assert seen == count


def test_a_ring_is_all_that_is_kept():
    rings = {id(window.planes) for window in time_windows(iter(np.zeros((50, 3, 4))), 2)}
    assert len(rings) == 1
    assert next(time_windows(iter(np.zeros((9, 3, 4))), 2)).planes.shape == (5, 3, 4)
