"""Two gray frames, or a stream of them, go in; Farnebäck's motion of every pixel comes out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicvid import checks
from classicvid.kernels import farneback as kernels

# A level whose shorter side would fall below this many pixels is left out.
MIN_LEVEL_SIDE = 32
# Confidence in the expansion of a pixel by its distance from the border: its neighbourhood hangs
# over the edge.
BORDER_CONFIDENCE = (0.14, 0.14, 0.4472, 0.4472, 0.4472)


def farneback_flow(
    previous: NDArray[Any],
    next: NDArray[Any],
    *,
    pyr_scale: float = 0.5,
    levels: int = 3,
    winsize: int = 15,
    iterations: int = 3,
    poly_n: int = 5,
    poly_sigma: float = 1.2,
    gaussian: bool = False,
    initial_flow: NDArray[np.floating] | None = None,
) -> NDArray[np.float32]:
    """Compute the motion of every pixel from one frame to the next.

    Every neighbourhood is expanded into a quadratic polynomial; the displacement that carries one
    frame's polynomials into the other's is solved for in a window, from the coarsest level of a
    pyramid to the finest.

    Parameters
    ----------
    previous, next : array, shape (H, W), uint8 or float32
        Gray frames in 0..255.
    pyr_scale : float, within (0, 1)
        Size of a level relative to the next finer one.
    levels : int, at least 0
        Levels above the full size; those with a side below 32 pixels are left out.
    winsize : int, at least 2
        Width in pixels of the averaging window; larger is smoother, and stands faster motion and
        more noise.
    iterations : int, at least 1
        Rounds at every level.
    poly_n : int, at least 1
        Radius in pixels of the expanded neighbourhood (OpenCV: 5 or 7).
    poly_sigma : float, at least 0
        Standard deviation in pixels of the expansion's Gaussian weight (1.1 for 5, 1.5 for 7); 0
        means 0.3 ``poly_n``.
    gaussian : bool
        Average under a Gaussian of deviation 0.3 ``winsize // 2`` instead of a box: more accurate,
        slower.
    initial_flow : array, shape (H, W, 2), float32, optional
        First guess, in pixels; by default no motion.

    Returns
    -------
    flow : array, shape (H, W, 2), float32
        (dx, dy), right and down, in pixels: ``next(x + dx, y + dy) = previous(x, y)``.

    Raises
    ------
    TypeError, ValueError
        If a frame or a parameter is not as described, or the frames differ in shape.

    Notes
    -----
    G. Farnebäck, "Two-frame motion estimation based on polynomial expansion", SCIA 2003, with the
    choices of OpenCV's ``calcOpticalFlowFarneback``, whose parameters these are: levels are blurred
    even at full size; pixels in a frame of 5 are trusted less; an even ``winsize`` sums one pixel
    more than it divides by; a guess that points outside the frame, the last row and column
    included, compares with zero. So two equal frames give exactly zero only away from the right and
    lower border. A ``winsize`` of 1, which OpenCV's box sums wrongly, is refused.
    """
    first, second = checks.check_gray_pair(previous, next)
    if initial_flow is not None:
        initial_flow = checks.check_flow("initial_flow", initial_flow, shape=first.shape)
    estimator = FarnebackFlow(
        pyr_scale=pyr_scale,
        levels=levels,
        winsize=winsize,
        iterations=iterations,
        poly_n=poly_n,
        poly_sigma=poly_sigma,
        gaussian=gaussian,
    )
    estimator.feed(first)
    flow = estimator.feed(second, initial_flow=initial_flow)
    assert flow is not None
    return flow


class FarnebackFlow:
    """Flow along a video: each frame that is fed is expanded once, and the buffers are kept.

    Takes the parameters of `farneback_flow` and returns the same numbers, bit for bit. One object
    serves one thread.

    Examples
    --------
    >>> estimator = FarnebackFlow(winsize=21)
    >>> flows = [estimator.feed(frame) for frame in frames][1:]
    """

    def __init__(
        self,
        *,
        pyr_scale: float = 0.5,
        levels: int = 3,
        winsize: int = 15,
        iterations: int = 3,
        poly_n: int = 5,
        poly_sigma: float = 1.2,
        gaussian: bool = False,
    ) -> None:
        self._pyr_scale = checks.check_number("pyr_scale", pyr_scale, low=0, high=1, exclusive=True)
        self._levels = checks.check_whole("levels", levels, low=0)
        self._winsize = checks.check_whole("winsize", winsize, low=2)
        self._iterations = checks.check_whole("iterations", iterations, low=1)
        n = checks.check_whole("poly_n", poly_n, low=1)
        sigma = checks.check_number("poly_sigma", poly_sigma, low=0)
        self._moments, self._projection = _expansion_weights(n, sigma or 0.3 * n)
        self._window = _gaussian_window(self._winsize) if gaussian else None
        self._pyramid: list[_Level] = []
        self._has_previous = False

    def feed(
        self, frame: NDArray[Any], *, initial_flow: NDArray[np.floating] | None = None
    ) -> NDArray[np.float32] | None:
        """Take the next frame and return the motion that leads to it from the frame before.

        Parameters
        ----------
        frame : array, shape (H, W), uint8 or float32
            Gray frame in 0..255, of the same shape as the one before.
        initial_flow : array, shape (H, W, 2), float32, optional
            First guess, in pixels; by default no motion.

        Returns
        -------
        flow : array, shape (H, W, 2), float32, or None
            As `farneback_flow` returns it; None for the first frame.

        Raises
        ------
        TypeError, ValueError
            If the frame is not as described, or differs in shape from the one before.
        """
        image = checks.check_gray("frame", frame).astype(np.float32, copy=False)
        if initial_flow is not None:
            initial_flow = checks.check_flow("initial_flow", initial_flow, shape=image.shape)
        self._fit_buffers(image.shape)
        for level in self._pyramid:
            level.expand(image, self._moments, self._projection)
        flow = self._solve(initial_flow) if self._has_previous else None
        self._has_previous = True
        return flow

    def reset(self) -> None:
        """Forget the previous frame: the next one begins a new video, of any size."""
        self._has_previous = False

    def _fit_buffers(self, shape: tuple[int, ...]) -> None:
        if self._pyramid and self._pyramid[-1].shape == shape:
            return
        if self._has_previous:
            before = self._pyramid[-1].shape
            message = (
                f"frame must have the shape of the one before, {before}, got {shape}; call reset()"
            )
            raise ValueError(message)
        self._pyramid = _make_pyramid(shape[0], shape[1], self._pyr_scale, self._levels)

    def _solve(self, initial_flow: NDArray[np.float32] | None) -> NDArray[np.float32]:
        flow = None
        for level in self._pyramid:
            if flow is None:
                flow = _first_guess(level, initial_flow)
            else:
                flow = _resize_flow(flow, level.shape, _linear_taps) / np.float32(self._pyr_scale)
            for _ in range(self._iterations):
                kernels.update_matrices(
                    level.previous, level.present, flow, level.border, level.matrices
                )
                self._solve_window(level.matrices, flow)
        assert flow is not None
        return np.stack([flow[0], flow[1]], axis=2)

    def _solve_window(self, matrices: NDArray[np.float32], flow: NDArray[np.float32]) -> None:
        if self._window is None:
            # Divided by winsize^2 even where winsize is even and one more is summed: OpenCV's
            # choice.
            kernels.solve_box_window(matrices, self._winsize // 2, float(self._winsize**2), flow)
        else:
            kernels.solve_gaussian_window(matrices, self._window, flow)


@dataclass
class _Level:
    """One size of the pyramid: how it is sampled from the full frame, and its buffers."""

    shape: tuple[int, int]
    scale: float
    row_taps: tuple[NDArray[np.int64], NDArray[np.float32]]
    column_taps: tuple[NDArray[np.int64], NDArray[np.float32]]
    image: NDArray[np.float32]
    previous: NDArray[np.float32]
    present: NDArray[np.float32]
    matrices: NDArray[np.float32]
    border: NDArray[np.float32]

    def expand(
        self,
        image: NDArray[np.float32],
        moments: NDArray[np.float32],
        projection: NDArray[np.float64],
    ) -> None:
        """Expand a full-size frame at this level; the last expansion becomes ``previous``."""
        self.previous, self.present = self.present, self.previous
        kernels.resample(image, *self.row_taps, *self.column_taps, self.image)
        kernels.expand_polynomials(self.image, moments, projection, self.present)


def _make_pyramid(height: int, width: int, pyr_scale: float, levels: int) -> list[_Level]:
    """Plan the levels, coarsest first."""
    count = 0
    while count < levels and min(height, width) * pyr_scale ** (count + 1) >= MIN_LEVEL_SIDE:
        count += 1
    return [_make_level(height, width, pyr_scale**k) for k in range(count, -1, -1)]


def _make_level(height: int, width: int, scale: float) -> _Level:
    h, w = round(height * scale), round(width * scale)
    return _Level(
        shape=(h, w),
        scale=scale,
        row_taps=_blurred_taps(height, h, scale),
        column_taps=_blurred_taps(width, w, scale),
        image=np.empty((h, w), np.float32),
        previous=np.empty((h, 5, w), np.float32),
        present=np.empty((h, 5, w), np.float32),
        matrices=np.empty((h, 5, w), np.float32),
        border=_border_confidence(h, w),
    )


@lru_cache(maxsize=64)
def _blurred_taps(
    length: int, new_length: int, scale: float
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Weigh the samples of ``length`` that make each of ``new_length``: blur, interpolation."""
    sigma = (1 / scale - 1) / 2
    radius = max(round(5 * sigma) | 1, 3) // 2
    blur = np.array([0.25, 0.5, 0.25])
    if sigma > 0:
        blur = np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * sigma**2))
        blur /= blur.sum()
    taps, weights = _linear_taps(length, new_length)
    reach = np.arange(-radius, radius + 1)
    taps = _reflect(taps[:, :, None] + reach, length)
    weights = weights[:, :, None] * blur
    # The two neighbours' Gaussians overlap in all but one sample: their weights are added there.
    merged = np.zeros((new_length, 2 * radius + 2))
    merged[:, :-1] += weights[:, 0]
    merged[:, 1:] += weights[:, 1]
    taps = np.concatenate([taps[:, 0], taps[:, 1, -1:]], axis=1)
    if not merged[:, -1].any():
        taps, merged = taps[:, :-1], merged[:, :-1]
    return np.ascontiguousarray(taps), np.ascontiguousarray(merged, dtype=np.float32)


def _reflect(index: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Fold indices back into [0, length) at the centres of the border pixels."""
    if length == 1:
        return np.zeros_like(index)
    index = np.abs(index) % (2 * length - 2)
    return np.minimum(index, 2 * length - 2 - index)


def _linear_taps(length: int, new_length: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Weigh the two samples between which each of ``new_length`` lies; pixel centres at halves."""
    position = ((np.arange(new_length) + 0.5) * (length / new_length) - 0.5).astype(np.float32)
    left = np.floor(position).astype(np.int64)
    fraction = position - left.astype(np.float32)
    fraction[(left < 0) | (left >= length - 1)] = 0
    left = np.clip(left, 0, length - 1)
    taps = np.stack([left, np.minimum(left + 1, length - 1)], axis=1)
    return taps, np.stack([1 - fraction, fraction], axis=1).astype(np.float32)


def _area_taps(length: int, new_length: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Weigh the samples that each of ``new_length`` covers by the covered share."""
    edges = np.arange(new_length + 1) * (length / new_length)
    first = np.floor(edges[:-1] + 1e-9).astype(np.int64)
    taps = first[:, None] + np.arange(int(np.ceil(length / new_length)) + 1)
    cover = np.minimum(taps + 1, edges[1:, None]) - np.maximum(taps, edges[:-1, None])
    cover = np.maximum(cover, 0)
    weights = (cover / cover.sum(axis=1, keepdims=True)).astype(np.float32)
    return np.minimum(taps, length - 1), weights


def _first_guess(level: _Level, initial_flow: NDArray[np.float32] | None) -> NDArray[np.float32]:
    if initial_flow is None:
        return np.zeros((2, *level.shape), np.float32)
    planes = np.ascontiguousarray(np.moveaxis(initial_flow, 2, 0))
    return _resize_flow(planes, level.shape, _area_taps) * np.float32(level.scale)


def _resize_flow(
    flow: NDArray[np.float32], shape: tuple[int, int], make_taps: Any
) -> NDArray[np.float32]:
    """Resample the planes (2, h, w) of a flow; the displacements keep their length."""
    row_taps, column_taps = make_taps(flow.shape[1], shape[0]), make_taps(flow.shape[2], shape[1])
    resized = np.empty((2, *shape), np.float32)
    for plane, out in zip(flow, resized, strict=True):
        kernels.resample(plane, *row_taps, *column_taps, out)
    return resized


def _border_confidence(height: int, width: int) -> NDArray[np.float32]:
    rows, rows_matter = _side_confidence(height)
    columns, columns_matter = _side_confidence(width)
    confidence = np.multiply.outer(rows, columns)
    if min(height, width) < 2 * len(BORDER_CONFIDENCE):
        confidence[~(rows_matter[:, None] | columns_matter)] = 1
    return confidence


def _side_confidence(length: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the factor of each position along one side, and where it is applied.

    Where a side is shorter than two margins, OpenCV's unsigned comparison leaves some positions
    out; so do we.
    """
    margin = len(BORDER_CONFIDENCE)
    factor = np.ones(length, np.float32)
    near = min(length, margin)
    rising = np.array(BORDER_CONFIDENCE[:near], np.float32)
    factor[:near] *= rising
    factor[length - near :] *= rising[::-1]
    position = (np.arange(length) - margin).astype(np.uint32)
    return factor, position >= np.array(length - 2 * margin).astype(np.uint32)


def _expansion_weights(n: int, sigma: float) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return the weights and the projection that `kernels.expand_polynomials` takes."""
    x = np.arange(-n, n + 1, dtype=np.float32)
    g = np.exp(-(x.astype(np.float64) ** 2) / (2 * sigma**2)).astype(np.float32)
    g = (g * (1 / g.sum(dtype=np.float64))).astype(np.float32)
    moments = np.stack([g, x * g, x * x * g])[:, n:]
    # The Gram matrix of the basis 1, x, y, x^2, y^2, xy under the weight g(x) g(y). Its inverse
    # cancels the gray level against the much smaller curvature: the products are rounded to
    # float32, as OpenCV's are, so that both agree to the last bit.
    weight = np.outer(g, g)
    square = weight * x * x
    fourth, mixed = square * x * x, square * x[:, None] * x[:, None]
    one, xx, xxxx, xxyy = (part.sum(dtype=np.float64) for part in (weight, square, fourth, mixed))
    gram = np.diag([one, xx, xx, xxxx, xxxx, xxyy])
    gram[0, 3:5] = gram[3:5, 0] = xx
    gram[3, 4] = gram[4, 3] = xxyy
    inverse = np.linalg.inv(gram)
    return np.ascontiguousarray(moments), inverse[[1, 0, 3, 5], [1, 3, 3, 5]]


def _gaussian_window(winsize: int) -> NDArray[np.float32]:
    radius = winsize // 2
    if radius == 0:
        return np.ones(1, np.float32)
    weights = np.exp(-(np.arange(radius + 1) ** 2) / (2 * (0.3 * radius) ** 2)).astype(np.float32)
    return (weights / (2 * weights.sum(dtype=np.float64) - 1)).astype(np.float32)
