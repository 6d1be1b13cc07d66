"""The size of a frame goes in; the levels of its pyramid come out, and their rows computed."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicvid.flow.farneback import weights
from classicvid.kernels import farneback as kernels
from classicvid.kernels.simd import LANES

# A level whose shorter side would fall below this many pixels is left out.
MIN_LEVEL_SIDE = 32
# Bytes of a line of the cache, on which rows begin.
CACHE_LINE = 64
# A thread gets at least so many rows of a level: a band computes some of its neighbours' as well.
MIN_BAND_ROWS = 32


@dataclass(frozen=True)
class Settings:
    """The checked parameters of the method, and the weights that follow from them."""

    pyr_scale: float
    levels: int
    winsize: int
    iterations: int
    poly_n: int
    poly_sigma: float
    gaussian: bool

    @cached_property
    def window(self) -> tuple[int, NDArray[np.float32], float]:
        """What `kernels.solve_level` takes: radius, weights (none: a box), regularisation."""
        if self.gaussian:
            return self.winsize // 2, weights.gaussian_window(self.winsize), 0.0
        # OpenCV divides the sums by winsize^2, even where winsize is even and one more is summed,
        # and adds 1e-3 to the determinant. Not divided, they have the same solution.
        return self.winsize // 2, np.empty(0, np.float32), 1e-3 * self.winsize**4


class Scratch:
    """What the kernels of one thread write between input and output."""

    def __init__(self, width: int, reach: int, settings: Settings) -> None:
        radius, iterations = settings.winsize // 2, settings.iterations
        wide, inside = whole_vectors(width), whole_vectors(radius) + 2 * LANES
        capacity, plane = 2 * radius + (2 if settings.gaussian else 1), wide + 2 * inside
        self.blended = make_rows(wide + 2 * (whole_vectors(reach) + 2 * LANES))
        self.moments = make_rows(3, wide + 2 * (whole_vectors(settings.poly_n) + LANES))
        self.rows = (
            make_rows(iterations + 1, kernels.BATCH, 2, wide + 2 * LANES),
            make_rows(iterations, capacity + 2, kernels.PLANES, plane),
            make_rows(iterations, kernels.BATCH, kernels.PLANES, plane),
            make_rows(2, wide + 2 * LANES),
            make_rows(2, iterations, dtype=np.int64),
            make_rows(2 * radius + 2, dtype=np.int64),
        )


class Level:
    """One size of the pyramid: how it is sampled from the full frame, and its buffers."""

    def __init__(
        self, full: tuple[int, int], scale: float, coarser: Level | None, settings: Settings
    ) -> None:
        height, width = (round(length * scale) for length in full)
        wide = whole_vectors(width)
        self.shape, self.scale, self.coarser, self.settings = (
            (height, width),
            scale,
            coarser,
            settings,
        )
        starts, shares = weights.blurred_taps(full[0], height, scale)
        rows = weights.mirror(starts[:, None] + np.arange(shares.shape[1]), full[0])
        self.row_taps = rows, shares
        starts, shares = weights.blurred_taps(full[1], width, scale)
        self.column_taps = pad_row(starts.astype(np.int32)), pad_rows(shares.T)
        self.expansion = weights.expansion_weights(settings.poly_n, settings.poly_sigma)
        confidence, kinds = weights.border_confidence(height, width)
        self.confidence = pad_rows(confidence), kinds
        self.image = make_rows(height, wide)
        self.previous, self.present = (
            make_rows(height + 2, kernels.PLANES, wide) for _ in range(2)
        )
        self.flow = make_rows(height + 1, wide, 2)
        above = self.shape if coarser is None else coarser.shape
        (top, below), (left, right) = (
            weights.linear_taps(*lengths) for lengths in zip(above, self.shape, strict=True)
        )
        self.taps = top, below, pad_row(left.astype(np.int32)), pad_row(right)

    @property
    def reach(self) -> int:
        """Pixels beyond both ends of a row of the full frame that the blur may ask for."""
        return self.column_taps[1].shape[0]

    def sample(self, frame: NDArray[Any], width: int, scratch: Scratch, band: range) -> None:
        """Blur and resize rows of a frame that is padded to whole vectors."""
        taps, rows = (*self.row_taps, *self.column_taps), (band.start, band.stop, width)
        kernels.sample_level(frame, *taps, scratch.blended, self.image, rows)

    def expand(self, scratch: Scratch, band: range) -> None:
        """Expand rows of the sampled image."""
        kernels.make_expansion(self.settings.poly_n)(
            self.image,
            self.shape[1],
            *self.expansion,
            scratch.moments,
            self.present,
            (band.start, band.stop),
        )

    def start(self, flow: NDArray[np.float32]) -> None:
        """Take the first guess of this level, the coarsest, from a flow of the full frame."""
        self.flow[: self.shape[0], : self.shape[1]] = self.scale * weights.shrink(flow, self.shape)

    def solve(
        self,
        expansions: tuple[NDArray[np.float32], ...],
        started: bool,
        out: NDArray[np.float32],
        scratch: Scratch,
        band: range,
    ) -> None:
        """Compute rows of the flow from the coarser level's, or from what `start` took."""
        coarse, length = self.coarser or self, 1.0
        coarse_width = coarse.shape[1] if started or self.coarser else 0
        if self.coarser:
            length = 1 / self.settings.pyr_scale
        kernels.solve_level(
            expansions,
            self.confidence,
            coarse.flow,
            self.taps,
            self.settings.window,
            scratch.rows,
            out,
            (band.start, band.stop, self.shape[1], coarse_width, length),
        )


def make_levels(shape: tuple[int, int], settings: Settings) -> list[Level]:
    """Plan the levels, coarsest first."""
    scale, count = settings.pyr_scale, 0
    while count < settings.levels and min(shape) * scale ** (count + 1) >= MIN_LEVEL_SIDE:
        count += 1
    levels: list[Level] = []
    for k in range(count, -1, -1):
        levels.append(Level(shape, scale**k, levels[-1] if levels else None, settings))
    return levels


def allocate(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Return an array that begins on a line of the cache; its memory is not cleared."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.empty(size + CACHE_LINE, np.uint8)
    start = -raw.ctypes.data % CACHE_LINE
    return raw[start : start + size].view(dtype).reshape(shape)


def make_rows(*shape: int, dtype: Any = np.float32) -> NDArray[Any]:
    """Return zeros that begin on a line of the cache."""
    rows = allocate(shape, dtype)
    rows[...] = 0
    return rows


def pad_rows(rows: NDArray[Any]) -> NDArray[Any]:
    """Return a copy whose rows are continued by zeros to whole vectors."""
    padded = make_rows(rows.shape[0], whole_vectors(rows.shape[1]), dtype=rows.dtype)
    padded[:, : rows.shape[1]] = rows
    return padded


def pad_row(row: NDArray[Any]) -> NDArray[Any]:
    """Return a copy that is continued by its last element to whole vectors."""
    padded = make_rows(whole_vectors(row.size), dtype=row.dtype)
    padded[: row.size], padded[row.size :] = row, row[-1]
    return padded


def whole_vectors(count: int) -> int:
    """Round up to whole vectors."""
    return -(-count // LANES) * LANES


class Pyramid:
    """All levels of a frame, and what every thread needs to compute them."""

    def __init__(self, shape: tuple[int, int], settings: Settings) -> None:
        self.shape, self.settings = shape, settings
        self._levels = make_levels(shape, settings)
        self._frame = make_rows(shape[0], whole_vectors(shape[1]), dtype=np.uint8)
        self._scratch: list[Scratch] = []
        self._pool: ThreadPoolExecutor | None = None
        self._threads = 1
        self.use_threads(1)

    def use_threads(self, count: int) -> None:
        """Compute on so many threads from now on."""
        reach = max(level.reach for level in self._levels)
        for _ in range(count - len(self._scratch)):
            self._scratch.append(Scratch(self.shape[1], reach, self.settings))
        if count > 1 and (self._pool is None or self._threads != count):
            self._pool = ThreadPoolExecutor(count)
        self._threads = count

    def expand(self, image: NDArray[Any]) -> None:
        """Expand a gray frame at every level; the last one's expansions become the previous."""
        width = self.shape[1]
        if self._frame.dtype != image.dtype:
            self._frame = make_rows(*self._frame.shape, dtype=image.dtype)
        self._frame[:, :width] = image
        for level in self._levels:
            level.previous, level.present = level.present, level.previous
            self._share(level, partial(level.sample, self._frame, width))
            self._share(level, level.expand)

    def solve(
        self, *, initial_flow: NDArray[np.float32] | None = None, backward: bool = False
    ) -> NDArray[np.float32]:
        """Return the flow from the previous frame to the present, or ``backward``."""
        started, finest = initial_flow is not None, self._levels[-1]
        if initial_flow is not None:
            self._levels[0].start(initial_flow)
        flow = allocate((*self.shape, 2), np.float32)
        for level in self._levels:
            frames = (level.present, level.previous)
            if not backward:
                frames = frames[::-1]
            out = flow if level is finest else level.flow
            self._share(level, partial(level.solve, frames, started, out))
        return flow

    def _share(self, level: Level, work: Callable[[Scratch, range], None]) -> None:
        """Compute all rows of a level: bands of them, one a thread."""
        height = level.shape[0]
        count = max(1, min(self._threads, height // MIN_BAND_ROWS))
        if count == 1 or self._pool is None:
            work(self._scratch[0], range(height))
            return
        bands = [range(height * i // count, height * (i + 1) // count) for i in range(count)]
        done = [self._pool.submit(work, *each) for each in zip(self._scratch, bands, strict=False)]
        for band in done:
            band.result()
