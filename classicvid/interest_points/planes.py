"""Frames of a video, in colour or gray, go in; gray frames of one size come out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicvid import checks
from classicvid.image import to_gray
from classicvid.kernels.interest_points.blur import blur_planes
from classicvid.kernels.simd import LANES


def open_frames(
    frames: Iterable[NDArray[Any]],
) -> tuple[tuple[int, int], Iterator[NDArray[Any]]]:
    """Return the shape of the frames, (0, 0) where there are none, and the gray frames themselves.

    A gray frame is (H, W), uint8 or float32, all of one shape and dtype.

    Raises
    ------
    TypeError, ValueError
        Here or later: if a frame is neither (H, W, 3) uint8 nor (H, W) uint8 or float32, or unlike
        the first.
    """
    grays = _gray_frames(frames)
    first = next(grays, None)
    if first is None:
        return (0, 0), grays
    return first.shape, chain([first], grays)


def _gray_frames(frames: Iterable[NDArray[Any]]) -> Iterator[NDArray[Any]]:
    kind: tuple[Any, ...] = ()
    for frame in frames:
        colour = np.ndim(frame) == 3
        gray = to_gray(frame) if colour else checks.check_gray("frame", frame)
        if kind and (gray.shape, gray.dtype) != kind:
            message = (
                f"frames must all have one size and dtype, got {gray.shape} {gray.dtype} "
                f"after {kind[0]} {kind[1]}; resize or convert them"
            )
            raise ValueError(message)
        kind = gray.shape, gray.dtype
        yield gray


def blurred_planes(grays: Iterable[NDArray[Any]], sigma: float) -> Iterator[NDArray[np.float32]]:
    """Yield every frame under a Gaussian of ``sigma`` pixels, in memory of its own.

    The frame is mirrored at the centres of its last pixels. What is yielded is flattened, with room
    for one vector of the kernels behind it: (H W + ``LANES``,).
    """
    weights, source = gaussian_weights(sigma), np.zeros((1, 0), np.float32)
    for gray in grays:
        if source.size == 0:
            source = np.zeros((1, gray.size + LANES), np.float32)
        as_image(source[0], gray.shape)[:] = gray
        blurred = np.zeros_like(source)
        blur_planes(source, gray.shape, weights, blurred)
        yield blurred[0]


def gaussian_weights(deviation: float) -> NDArray[np.float32]:
    """Return a Gaussian at 0 .. 3 deviations, rounded up; both sides together sum to 1."""
    weights = np.exp(-0.5 * (np.arange(int(np.ceil(3 * deviation)) + 1) / deviation) ** 2)
    return (weights / (2 * weights.sum() - weights[0])).astype(np.float32)


def as_image(plane: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return the pixels of a flattened plane as a view (H, W)."""
    return plane[: shape[0] * shape[1]].reshape(shape)
