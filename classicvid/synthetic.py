"""A class name and random numbers go in; a little movie and its true optical flow come out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from classicvid.checks import check_choice, check_number, check_whole

# px; a movie of the default size and length stays within it. A larger one may look past the
# border, where the canvas goes on mirrored: its true flow is as exact there.
_CANVAS = 256


@dataclass(frozen=True, eq=False)
class Movie:
    """Frames with the motion that made them.

    Parameters
    ----------
    frames : ndarray, shape (T, H, W, 3), uint8
        RGB.
    transforms : ndarray, shape (T, 2, 3), float64
        Frame t shows at pixel (x, y) the canvas at ``transforms[t] @ (x, y, 1)``.
    """

    frames: NDArray[np.uint8]
    transforms: NDArray[np.float64]

    def flow(self, step: int) -> NDArray[np.float32]:
        """Return the true flow of frame ``step`` to the next, shape (H, W, 2), px per frame."""
        if len(self.frames) < 2:
            message = "flow needs a movie of two frames or more, got one"
            raise ValueError(message)
        check_whole("step", step, low=0, high=len(self.frames) - 2)
        height, width = self.frames.shape[1:3]
        this, after = self.transforms[step], self.transforms[step + 1]
        # after @ (x + d, 1) = this @ (x, 1), solved for the displacement d.
        inverse = np.linalg.inv(after[:, :2])
        linear = inverse @ this[:, :2] - np.eye(2)
        shift = inverse @ (this[:, 2] - after[:, 2])
        y, x = np.mgrid[:height, :width]
        return (np.stack((x, y), axis=-1) @ linear.T + shift).astype(np.float32)


def render_motion(
    label: str, *, size: int = 64, frames: int = 24, rng: np.random.Generator
) -> Movie:
    """Film a random texture that moves as the class says: one frame says nothing of it.

    Parameters
    ----------
    label : str
        One of ``MOTION_CLASSES``.
    size : int
        Height and width, px, 8 to 96.
    frames : int
        Length, 1 to 32.
    rng : numpy.random.Generator
        Draws the texture, the speed and the phase.

    Raises
    ------
    ValueError, TypeError
        If the label is unknown, or a size out of range.
    """
    check_choice("label", label, MOTION_CLASSES)
    _check_extent(size, frames, rng)
    texture = random_texture(rng)
    return _film(texture, label, size=size, frames=frames, rng=rng)


def render_appearance(
    label: str, *, size: int = 64, frames: int = 24, rng: np.random.Generator
) -> Movie:
    """Film the class's pattern under a motion drawn from all: it says nothing.

    Parameters are those of :func:`render_motion`, with a label of ``APPEARANCE_CLASSES``.
    """
    check_choice("label", label, APPEARANCE_CLASSES)
    _check_extent(size, frames, rng)
    motion = MOTION_CLASSES[rng.integers(len(MOTION_CLASSES))]
    pattern = _colour(_PATTERNS[label](rng), rng)
    return _film(pattern, motion, size=size, frames=frames, rng=rng)


def random_texture(
    rng: np.random.Generator, *, wavelengths: tuple[float, float] = (8.0, 28.0)
) -> NDArray[np.float32]:
    """Draw isotropic noise of a band of wavelengths (px), shape (256, 256, 3), float32 in 0..255.

    The band leaves out what interpolation would blur: sharpness must not betray the motion.
    """
    shortest, longest = wavelengths
    check_number("shortest wavelength", shortest, low=2, high=_CANVAS)
    check_number("longest wavelength", longest, low=shortest, high=_CANVAS)
    return _colour(_noise(rng, shortest, longest), rng)


def _check_extent(size: int, frames: int, rng: np.random.Generator) -> None:
    check_whole("size", size, low=8, high=96)
    check_whole("frames", frames, low=1, high=32)
    if not isinstance(rng, np.random.Generator):
        message = f"rng must be a numpy.random.Generator, got {rng!r}; np.random.default_rng(0)"
        raise TypeError(message)


def _film(
    canvas: NDArray[np.float32],
    motion: str,
    *,
    size: int,
    frames: int,
    rng: np.random.Generator,
) -> Movie:
    # Time runs through 0 in the middle, so that zooming in and out pass the same scales.
    time = np.arange(frames, dtype=np.float64) - (frames - 1) / 2
    poses = _MOTIONS[motion](time, rng)
    scales = _zoom_path(time, rng)
    if motion != "zoom":
        # One moment of a zoom: a frame's scale must not tell that this movie does not zoom.
        scales = np.full(frames, scales[rng.integers(frames)])
    centre = (size - 1) / 2
    start = _CANVAS / 2 + rng.uniform(-12, 12, 2)
    transforms = np.empty((frames, 2, 3))
    shown = np.empty((frames, size, size, 3), np.uint8)
    for t, pose in enumerate(poses):
        linear = pose[:, :2] * scales[t]
        shift = start + linear @ (pose[:, 2] - centre)
        transforms[t] = np.column_stack((linear, shift))
        shown[t] = _look(canvas, transforms[t], size)
    return Movie(shown, transforms)


def _look(
    canvas: NDArray[np.float32], transform: NDArray[np.float64], size: int
) -> NDArray[np.uint8]:
    # Lanczos keeps the true flow true to 0.01 px; OpenCV's cubic kernel is off by up to 0.07 px.
    view = cv2.warpAffine(
        canvas,
        transform,
        (size, size),
        flags=cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return np.clip(np.rint(view), 0, 255).astype(np.uint8)


def _translate(angle: float) -> Callable[..., NDArray[np.float64]]:
    def motion(time: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        path = rng.uniform(1.0, 3.0) * time
        # The canvas is looked at from a window that moves the other way.
        return _poses(time, x=-np.cos(angle) * path, y=-np.sin(angle) * path)

    return motion


def _rotate(time: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    speed = rng.uniform(0.04, 0.10) * rng.choice((-1, 1))  # radians a frame
    return _poses(time, angle=speed * time)


def _rest(time: NDArray[np.float64], _rng: np.random.Generator) -> NDArray[np.float64]:
    return _poses(time)


def _zoom_path(time: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    rate = rng.uniform(0.02, 0.04) * rng.choice((-1, 1))  # log scale a frame
    return np.exp(rng.uniform(-0.1, 0.1) + rate * time)


def _oscillate(time: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    period, reach = rng.uniform(7, 10), rng.uniform(2.5, 4.0)  # frames, px
    path = reach * np.sin(2 * np.pi * time / period + rng.uniform(0, 2 * np.pi))
    angle = rng.uniform(0, np.pi)
    return _poses(time, x=np.cos(angle) * path, y=np.sin(angle) * path)


def _poses(
    time: NDArray[np.float64],
    *,
    x: NDArray[np.float64] | float = 0.0,
    y: NDArray[np.float64] | float = 0.0,
    angle: NDArray[np.float64] | float = 0.0,
) -> NDArray[np.float64]:
    """Rigid transforms, shape (T, 2, 3), of a window that shifts and turns."""
    cosine, sine = np.cos(angle), np.sin(angle)
    rows = np.broadcast_arrays(cosine, -sine, x, sine, cosine, y, time)[:6]
    return np.stack(rows, axis=-1).reshape(-1, 2, 3).astype(np.float64)


def _noise(rng: np.random.Generator, shortest: float, longest: float) -> NDArray[np.float64]:
    """Noise of mean 0 and deviation 1 whose wavelengths lie in the given band (px)."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(_CANVAS), np.fft.rfftfreq(_CANVAS))).T
    band = (frequency >= 1 / longest) & (frequency <= 1 / shortest)
    spectrum = np.fft.rfft2(rng.standard_normal((_CANVAS, _CANVAS))) * band
    noise = np.fft.irfft2(spectrum, s=(_CANVAS, _CANVAS))
    return noise / noise.std()


def _colour(pattern: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float32]:
    """Paint a pattern of deviation about 1 with two random colours that differ enough."""
    middle = rng.uniform(90, 165, 3)
    axis = rng.uniform(0.6, 1.0, 3) * rng.choice((-1, 1))
    contrast = rng.uniform(28, 42)
    painted = middle + contrast * pattern[..., None] * axis
    return np.clip(painted, 0, 255).astype(np.float32)


def _axes(rng: np.random.Generator, wavelength: float) -> tuple[NDArray[np.float64], ...]:
    """Two rotated coordinates in cycles of the given wavelength."""
    angle, phase = rng.uniform(0, np.pi), rng.uniform(0, 1, 2)
    y, x = np.mgrid[:_CANVAS, :_CANVAS] / wavelength
    return (
        np.cos(angle) * x + np.sin(angle) * y + phase[0],
        np.cos(angle) * y - np.sin(angle) * x + phase[1],
    )


def _soft(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Square wave with soft edges, deviation about 1."""
    return np.tanh(3 * value)


def _stripes(rng: np.random.Generator) -> NDArray[np.float64]:
    u, _ = _axes(rng, rng.uniform(9, 16))
    return _soft(np.sin(2 * np.pi * u))


def _checks(rng: np.random.Generator) -> NDArray[np.float64]:
    u, v = _axes(rng, rng.uniform(16, 26))
    return _soft(2 * np.sin(2 * np.pi * u) * np.sin(2 * np.pi * v))


def _dots(rng: np.random.Generator) -> NDArray[np.float64]:
    u, v = _axes(rng, rng.uniform(12, 18))
    radius = np.hypot(u - np.rint(u), v - np.rint(v))
    return _soft(6 * (0.28 - radius))


def _rings(rng: np.random.Generator) -> NDArray[np.float64]:
    u, v = _axes(rng, rng.uniform(22, 30))
    radius = np.hypot(u - np.rint(u), v - np.rint(v))
    return _soft(10 * (0.12 - np.abs(radius - 0.32)))


def _crosses(rng: np.random.Generator) -> NDArray[np.float64]:
    u, v = _axes(rng, rng.uniform(18, 26))
    u, v = np.abs(u - np.rint(u)), np.abs(v - np.rint(v))
    arms = np.minimum(np.maximum(u - 0.34, v - 0.09), np.maximum(v - 0.34, u - 0.09))
    return _soft(-12 * arms)


def _cloud(rng: np.random.Generator) -> NDArray[np.float64]:
    return _noise(rng, 10.0, 30.0)


_MOTIONS: dict[str, Callable[..., NDArray[np.float64]]] = {
    "left": _translate(np.pi),
    "right": _translate(0.0),
    "up": _translate(-np.pi / 2),
    "down": _translate(np.pi / 2),
    "rotate": _rotate,
    "zoom": _rest,
    "oscillate": _oscillate,
}
_PATTERNS: dict[str, Callable[[np.random.Generator], NDArray[np.float64]]] = {
    "stripes": _stripes,
    "checks": _checks,
    "dots": _dots,
    "rings": _rings,
    "crosses": _crosses,
    "cloud": _cloud,
}
MOTION_CLASSES: tuple[str, ...] = tuple(_MOTIONS)
APPEARANCE_CLASSES: tuple[str, ...] = tuple(_PATTERNS)
