"""Flow errors against hand-made fields and the known figures of OpenCV's method on Middlebury."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from classicvid.flow import angular_error, end_point_error, farneback_flow, read_flo


def constant(dx, dy, shape=(4, 5)):
    return np.full((*shape, 2), (dx, dy), np.float32)


def test_end_point_error_is_a_distance():
    assert end_point_error(constant(1, 2), constant(1, 2)) == 0
    assert end_point_error(constant(4, 6), constant(1, 2)) == pytest.approx(5)


def test_angular_error_is_an_angle_in_space_time():
    assert angular_error(constant(1, 2), constant(1, 2)) == 0
    assert angular_error(constant(1, 0), constant(0, 0)) == pytest.approx(45)
    assert angular_error(constant(1e-4, 0), constant(0, 0)) == pytest.approx(np.degrees(1e-4))


def test_unknown_pixels_are_left_out():
    truth = constant(0, 0)
    truth[1, 2] = 1e10
    flow = constant(0, 0)
    flow[1, 2] = 77
    flow[0, 0] = (3, 4)
    assert end_point_error(flow, truth) == pytest.approx(5 / 19)


@pytest.mark.parametrize("measure", [end_point_error, angular_error])
def test_refuses_in_one_line(measure):
    with pytest.raises(ValueError, match=r"flow must be \(4, 5, 2\), got \(5, 4, 2\)"):
        measure(constant(0, 0, (5, 4)), constant(0, 0))
    with pytest.raises(ValueError, match="truth must be known at one pixel at least"):
        measure(constant(0, 0), constant(2e9, 0))


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("Dimetrodon", 1.13),
        ("Grove2", 0.96),
        ("RubberWhale", 0.43),
        ("Urban2", 2.64),
        ("Venus", 1.59),
    ],
)
def test_reproduces_the_error_on_middlebury(shared_data, name, error):
    folder = shared_data / "flow_pairs" / "middlebury" / name
    frames = [cv2.imread(str(folder / f"frame1{i}.png"), cv2.IMREAD_GRAYSCALE) for i in (0, 1)]
    flow = farneback_flow(*frames, levels=5, poly_n=7, poly_sigma=1.5)
    assert round(end_point_error(flow, read_flo(folder / "flow10.flo")), 2) == error
