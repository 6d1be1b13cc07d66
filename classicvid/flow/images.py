"""Flow in pixels goes in, 8-bit images that store it or colours that show it come out, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicvid.checks import check_flow, check_number

UNKNOWN_FLOW = 1e9
"""A displacement larger than this many pixels means "not known" in Middlebury's data."""

STILL = 128
"""The level that zero motion is stored as, and unknown (NaN) motion with it."""

WHEEL_SEGMENTS = (
    (15, (255, 0, 0), (255, 255, 0)),
    (6, (255, 255, 0), (0, 255, 0)),
    (4, (0, 255, 0), (0, 255, 255)),
    (11, (0, 255, 255), (0, 0, 255)),
    (13, (0, 0, 255), (255, 0, 255)),
    (6, (255, 0, 255), (255, 0, 0)),
)
"""Steps, colour at the start, and colour that the next segment starts with, once round the hues."""


def quantise_flow(flow: NDArray[np.float32], *, bound: float = 20.0) -> NDArray[np.uint8]:
    """Store a flow field in 8 bit: displacements from -bound to bound become 0 to 255.

    Parameters
    ----------
    flow : shape (H, W, 2), float32
        Displacement (dx, dy) in pixels per frame.
    bound : float, pixels per frame, above 0
        Displacements beyond it are stored as the bound. 20 is what the two-stream networks use.

    Returns
    -------
    images : shape (H, W, 2), uint8
        255 where v > bound, 0 where v < -bound, else 255 (v + bound) / (2 bound) rounded to the
        nearest level, halves to the even one. Zero motion is 128, and so is NaN: unknown is still.

    Raises
    ------
    ValueError, TypeError
        If the flow is no (H, W, 2) field of floats, or the bound no number above 0.

    Notes
    -----
    Computed in float32: what lies within 1e-4 levels of the edge between two may become either.

    References
    ----------
    Simonyan and Zisserman, "Two-Stream Convolutional Networks for Action Recognition in Videos",
    NIPS 2014, section 5; the rounding is that of the dense_flow program which the TSN authors used.
    """
    flow = check_flow("flow", flow)
    bound = check_number("bound", bound, low=0, exclusive=True)
    levels = np.clip(flow, -bound, bound)
    levels *= np.float32(255 / (2 * bound))
    levels += np.float32(127.5)
    np.rint(levels, out=levels)
    np.copyto(levels, STILL, where=np.isnan(levels))
    return levels.astype(np.uint8)


def dequantise_flow(images: NDArray[np.uint8], *, bound: float = 20.0) -> NDArray[np.float32]:
    """Return the flow that `quantise_flow` stored, to within half a level: bound / 255 pixels.

    Parameters
    ----------
    images : shape (H, W, 2), uint8
        Stored displacements; any shape will do, such as (T, H, W) for one component of a video.
    bound : float, pixels per frame, above 0
        The bound that they were stored with.

    Returns
    -------
    flow : the shape of ``images``, float32
        images * 2 bound / 255 - bound, in pixels per frame. Zero motion, stored as 128, comes back
        as bound / 255, since no level lies on zero.

    Raises
    ------
    ValueError, TypeError
        If the images are not uint8, or the bound no number above 0.
    """
    images = np.asarray(images)
    if images.dtype != np.uint8:
        message = f"images must be uint8, got {images.dtype}; read them as gray 8-bit images"
        raise TypeError(message)
    bound = check_number("bound", bound, low=0, exclusive=True)
    table = (np.arange(256) * (2 * bound / 255) - bound).astype(np.float32)
    return table[images]


def colour_wheel() -> NDArray[np.uint8]:
    """Return the 55 fully saturated colours that stand for directions, red first.

    Returns
    -------
    wheel : shape (55, 3), uint8
        RGB, in the order red, yellow, green, cyan, blue, magenta; hues that the eye tells apart
        better get more of the circle.

    References
    ----------
    Baker et al., "A Database and Evaluation Methodology for Optical Flow", IJCV 2011; the table is
    that of their program colorcode.
    """
    segments = [_wheel_segment(*segment) for segment in WHEEL_SEGMENTS]
    return np.concatenate(segments).astype(np.uint8)


def _wheel_segment(
    steps: int, first: tuple[int, int, int], following: tuple[int, int, int]
) -> NDArray[np.int64]:
    # The amount is cut off before it is added or taken away, as the authors' integer division does.
    amounts = 255 * np.arange(steps) // steps
    return np.array(first) + np.outer(amounts, np.sign(np.subtract(following, first)))


def flow_to_colour(
    flow: NDArray[np.float32], *, max_magnitude: float | None = None
) -> NDArray[np.uint8]:
    """Show a flow field in colour: the hue is the direction, the saturation the magnitude.

    Parameters
    ----------
    flow : shape (H, W, 2), float32
        Displacement (dx, dy) in pixels per frame.
    max_magnitude : float, pixels per frame, above 0, optional
        Displacement shown fully saturated; longer ones are shown darkened. By default the longest
        one in the field. Fix it where the frames of a video are to be compared.

    Returns
    -------
    image : shape (H, W, 3), uint8
        RGB. No motion is white; unknown motion (NaN, or a component beyond 1e9) is black.

    Raises
    ------
    ValueError, TypeError
        If the flow is no (H, W, 2) field of floats, or the magnitude no number above 0.

    References
    ----------
    Baker et al., "A Database and Evaluation Methodology for Optical Flow", IJCV 2011, and their
    program colorcode.
    """
    flow = check_flow("flow", flow)
    if max_magnitude is not None:
        max_magnitude = check_number("max_magnitude", max_magnitude, low=0, exclusive=True)
    # A NaN compares false with everything, so this mask also leaves it out.
    known = np.all(np.abs(flow) <= UNKNOWN_FLOW, axis=2)
    flow = np.where(known[..., None], flow, np.float32(0))
    magnitude = np.hypot(flow[..., 0], flow[..., 1])
    if max_magnitude is None:
        max_magnitude = float(magnitude.max()) or 1.0
    image = _shade(_hues(flow), magnitude / np.float32(max_magnitude))
    image[~known] = 0
    return image


def _hues(flow: NDArray[np.float32]) -> NDArray[np.floating]:
    """Return the wheel's colour in 0..1 for each direction, shape (H, W, 3), interpolated."""
    wheel = colour_wheel().astype(np.float32) / 255
    turn = np.arctan2(-flow[..., 1], -flow[..., 0]) / np.float32(np.pi)
    position = (turn + 1) / 2 * (len(wheel) - 1)
    below = position.astype(np.int32)
    above = (below + 1) % len(wheel)
    share = (position - below.astype(np.float32))[..., None]
    return wheel[below] + share * (wheel[above] - wheel[below])


def _shade(hues: NDArray[Any], radius: NDArray[Any]) -> NDArray[np.uint8]:
    """Fade each hue to white towards radius 0; beyond radius 1 darken it to three quarters."""
    radius = radius[..., None]
    colours = np.where(radius <= 1, 1 - radius * (1 - hues), 0.75 * hues)
    return (255 * colours).astype(np.uint8)
