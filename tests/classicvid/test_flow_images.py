"""Flow images: the rounding, the way back and Middlebury's colours, each against a scalar twin."""

from __future__ import annotations

import math

import numpy as np
import pytest

from classicvid.flow.images import colour_wheel, dequantise_flow, flow_to_colour, quantise_flow

# The table of Middlebury's colorcode program, typed in at the corners of its six segments.
WHEEL_CORNERS = {
    0: (255, 0, 0),
    1: (255, 17, 0),
    14: (255, 238, 0),
    15: (255, 255, 0),
    16: (213, 255, 0),
    21: (0, 255, 0),
    22: (0, 255, 63),
    25: (0, 255, 255),
    26: (0, 232, 255),
    36: (0, 0, 255),
    37: (19, 0, 255),
    48: (235, 0, 255),
    49: (255, 0, 255),
    54: (255, 0, 43),
}


def naive_level(value: float, bound: float) -> int:
    """Store one displacement, in double precision and by the published rule."""
    if math.isnan(value):
        return 128
    if value > bound:
        return 255
    if value < -bound:
        return 0
    return round(255 * (value + bound) / (2 * bound))  # Python rounds halves to even


def naive_wheel() -> list[tuple[int, int, int]]:
    """Make the wheel as the C program does, one colour after the other."""
    wheel = []
    for i in range(15):
        wheel.append((255, 255 * i // 15, 0))
    for i in range(6):
        wheel.append((255 - 255 * i // 6, 255, 0))
    for i in range(4):
        wheel.append((0, 255, 255 * i // 4))
    for i in range(11):
        wheel.append((0, 255 - 255 * i // 11, 255))
    for i in range(13):
        wheel.append((255 * i // 13, 0, 255))
    for i in range(6):
        wheel.append((255, 0, 255 - 255 * i // 6))
    return wheel


def naive_colour(dx: float, dy: float, longest: float) -> tuple[int, ...]:
    """Colour one displacement as the C program does."""
    wheel = naive_wheel()
    radius = math.hypot(dx, dy) / longest
    position = (math.atan2(-dy, -dx) / math.pi + 1) / 2 * (len(wheel) - 1)
    first = int(position)
    second = (first + 1) % len(wheel)
    share = position - first
    colour = []
    for channel in range(3):
        hue = (1 - share) * wheel[first][channel] / 255 + share * wheel[second][channel] / 255
        colour.append(int(255 * (1 - radius * (1 - hue) if radius <= 1 else hue * 0.75)))
    return tuple(colour)


@pytest.mark.parametrize("bound", [20.0, 15.0, 3.7, 0.5])
@pytest.mark.parametrize("shape", [(31, 17), (1, 1), (4, 300)])
def test_levels_follow_the_rule(rng, bound, shape):
    flow = rng.normal(0, bound, (*shape, 2)).astype(np.float32)
    images = quantise_flow(flow, bound=bound)
    assert images.dtype == np.uint8
    assert images.shape == flow.shape
    exact = 255 * (flow.astype(np.float64) + bound) / (2 * bound)
    between = np.abs(exact - np.floor(exact) - 0.5) < 1e-4  # either neighbour is right there
    assert between.mean() < 0.01
    wanted = np.vectorize(naive_level)(flow.astype(np.float64), bound)
    np.testing.assert_array_equal(images[~between], wanted[~between])
    assert np.abs(images.astype(int) - wanted).max() <= 1


def test_halves_go_to_the_even_level():
    # With this bound a displacement of v is level v + 127.5, exactly.
    values = np.arange(-127, 128, dtype=np.float32)
    flow = np.stack([values, values], axis=1)[:, None]
    wanted = [naive_level(float(value), 127.5) for value in values]
    assert quantise_flow(flow, bound=127.5)[:, 0, 0].tolist() == wanted
    assert all(level % 2 == 0 for level in wanted)


@pytest.mark.parametrize(
    ("value", "level"),
    [
        (0, 128),
        (-0.0, 128),
        (20, 255),
        (-20, 0),
        (20.001, 255),
        (-20.001, 0),
        (3.4e38, 255),
        (-3.4e38, 0),
        (np.inf, 255),
        (-np.inf, 0),
        (np.nan, 128),
    ],
)
def test_special_values(value, level):
    flow = np.full((2, 3, 2), value, np.float32)
    assert (quantise_flow(flow) == level).all()


def test_opposite_motion_is_the_opposite_level(rng):
    flow = rng.uniform(-25, 25, (40, 50, 2)).astype(np.float32)
    np.testing.assert_array_equal(quantise_flow(-flow), 255 - quantise_flow(flow))


def test_the_flow_given_is_left_alone(rng):
    flow = rng.normal(0, 30, (5, 6, 2)).astype(np.float32)
    before = flow.copy()
    quantise_flow(flow)
    flow_to_colour(flow)
    np.testing.assert_array_equal(flow, before)


@pytest.mark.parametrize("bound", [20.0, 1.0])
def test_way_there_and_back_loses_half_a_level_at_most(rng, bound):
    flow = rng.uniform(-bound, bound, (64, 48, 2)).astype(np.float32)
    back = dequantise_flow(quantise_flow(flow, bound=bound), bound=bound)
    assert back.dtype == np.float32
    assert np.abs(back - flow).max() <= bound / 255 * (1 + 1e-4)
    far = flow * 10
    back = dequantise_flow(quantise_flow(far, bound=bound), bound=bound)
    assert np.abs(back - np.clip(far, -bound, bound)).max() <= bound / 255 * (1 + 1e-4)


def test_every_level_comes_back_as_itself():
    levels = np.arange(256, dtype=np.uint8)
    flow = dequantise_flow(levels, bound=20.0)
    wanted = np.array([level * 2 * 20 / 255 - 20 for level in range(256)])
    np.testing.assert_allclose(flow, wanted, rtol=1e-7)
    again = quantise_flow(np.stack([flow, flow], axis=-1)[None], bound=20.0)
    np.testing.assert_array_equal(again[0, :, 0], levels)


def test_wheel_is_the_published_one():
    wheel = colour_wheel()
    assert wheel.shape == (55, 3)
    assert wheel.dtype == np.uint8
    assert {row: tuple(wheel[row].tolist()) for row in WHEEL_CORNERS} == WHEEL_CORNERS
    assert [tuple(colour) for colour in wheel.tolist()] == naive_wheel()
    assert (wheel.max(axis=1) == 255).all()
    assert (wheel.min(axis=1) == 0).all()
    assert len(np.unique(wheel, axis=0)) == 55


@pytest.mark.parametrize("max_magnitude", [None, 4.0])
def test_colours_are_those_of_the_published_program(rng, max_magnitude):
    flow = rng.normal(0, 3, (23, 31, 2)).astype(np.float32)
    longest = max_magnitude or float(np.hypot(flow[..., 0], flow[..., 1]).max())
    wanted = np.array(
        [[naive_colour(*map(float, pixel), longest) for pixel in row] for row in flow]
    )
    image = flow_to_colour(flow, max_magnitude=max_magnitude)
    assert image.dtype == np.uint8
    off = np.abs(image.astype(int) - wanted)
    # Where a channel is full, a last digit decides in either program whether it is cut off to 254.
    assert off.max() <= 1
    assert (off > 0).mean() < 0.02


def test_right_is_red_and_left_is_its_opposite():
    flow = np.array([[(1, 0), (-1, 0), (0, 1), (0, -1)]], np.float32)
    right, left, down, up = flow_to_colour(flow)[0].tolist()
    assert right == [255, 0, 0]
    assert left[0] == 0
    assert left[2] == 255
    assert down[0] == 255
    assert down[2] == 0
    assert up[2] == 255
    assert up[1] == 0


def test_colours_depend_on_the_direction_and_the_relative_length(rng):
    flow = rng.normal(0, 2, (20, 20, 2)).astype(np.float32)
    np.testing.assert_array_equal(flow_to_colour(flow), flow_to_colour(4 * flow))
    np.testing.assert_array_equal(
        flow_to_colour(flow, max_magnitude=5), flow_to_colour(4 * flow, max_magnitude=20)
    )


def test_still_is_white_and_unknown_is_black():
    flow = np.zeros((3, 4, 2), np.float32)
    assert (flow_to_colour(flow) == 255).all()
    flow[0, 0] = 1.5e9
    flow[1, 1] = np.nan, 0
    flow[2, 2] = 0, -np.inf
    flow[2, 3] = 3, 0
    image = flow_to_colour(flow)
    assert not image[[0, 1, 2], [0, 1, 2]].any()
    assert image[2, 3].tolist() == [255, 0, 0]  # the unknown ones do not count as the longest
    assert (image[0, 1:] == 255).all()
    assert not flow_to_colour(np.full((2, 2, 2), np.nan, np.float32)).any()


@pytest.mark.parametrize("bad", [np.zeros((3, 4)), np.zeros((3, 4, 3)), np.zeros((0, 4, 2))])
@pytest.mark.parametrize("function", [quantise_flow, flow_to_colour])
def test_wrong_shapes_are_named(function, bad):
    with pytest.raises(ValueError, match=r"flow must be \(H, W, 2\), got"):
        function(bad.astype(np.float32))


@pytest.mark.parametrize("bound", [0, -1, np.nan, np.inf])
def test_wrong_bounds_are_named(bound):
    flow = np.zeros((2, 2, 2), np.float32)
    with pytest.raises(ValueError, match="bound must be"):
        quantise_flow(flow, bound=bound)
    with pytest.raises(ValueError, match="bound must be"):
        dequantise_flow(flow.astype(np.uint8), bound=bound)
    with pytest.raises(ValueError, match="max_magnitude must be"):
        flow_to_colour(flow, max_magnitude=bound)


def test_wrong_types_are_named():
    with pytest.raises(TypeError, match="flow must be float32"):
        quantise_flow(np.zeros((2, 2, 2), np.uint8))
    with pytest.raises(TypeError, match="images must be uint8, got float32"):
        dequantise_flow(np.zeros((2, 2, 2), np.float32))
