"""The size of a frame goes in; the levels of its pyramid come out, and their rows computed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicvid.flow.farneback import weights
from classicvid.kernels import farneback as kernels
from classicvid.kernels.farneback import plan
from classicvid.kernels.simd import LANES

# A level whose shorter side would fall below this many pixels is left out.
MIN_LEVEL_SIDE = 32
# Bytes of a line of the cache, on which rows begin.
CACHE_LINE = 64


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
    def record(self) -> NDArray[np.void]:
        """The `plan.CALL` of these parameters, without frames."""
        radius, window, regularisation = self.window
        moments, inverse = self.expansion
        return describe(
            plan.CALL,
            radius=radius,
            window=window,
            regularisation=regularisation,
            iterations=self.iterations,
            poly_n=self.poly_n,
            moments=moments,
            **dict(zip(("ig11", "ig03", "ig33", "ig55"), inverse, strict=True)),
        )

    @cached_property
    def expansion(self) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """What `weights.expansion_weights` returns."""
        return weights.expansion_weights(self.poly_n, self.poly_sigma)

    @cached_property
    def window(self) -> tuple[int, NDArray[np.float32], float]:
        """What the kernels take: radius, weights (none: a box), regularisation."""
        if self.gaussian:
            return self.winsize // 2, weights.gaussian_window(self.winsize), 0.0
        # OpenCV divides the sums by winsize^2, even where winsize is even and one more is summed,
        # and adds 1e-3 to the determinant. Not divided, they have the same solution.
        return self.winsize // 2, np.empty(0, np.float32), 1e-3 * self.winsize**4


class Scratch:
    """What the kernels of one thread write between input and output.

    Where several threads share a level, all have the same room for the equations that their bands
    hand over: ``handed`` (bands - 1, iterations, 2 radius, 5, W').
    """

    def __init__(
        self,
        width: int,
        reach: int,
        settings: Settings,
        *,
        handed: NDArray[np.float32] | None = None,
    ) -> None:
        radius, iterations = settings.winsize // 2, settings.iterations
        wide, inside = whole_vectors(width), whole_vectors(radius) + 2 * LANES
        plane = wide + 2 * inside
        self._margin, self._capacity = (
            whole_vectors(reach) + 2 * LANES,
            2 * radius + (2 if settings.gaussian else 1),
        )
        self.blended = make_rows(wide + 2 * self._margin)
        self.moments = make_rows(3, wide + 2 * (whole_vectors(settings.poly_n) + LANES))
        self.flow = make_rows(iterations + 1, kernels.BATCH, 2, wide + 2 * LANES)
        self.equations = make_rows(iterations, self._capacity + 2, kernels.PLANES, plane)
        self.sums = make_rows(iterations, kernels.BATCH, kernels.PLANES, plane)
        self.coarse_rows = make_rows(2, wide + 2 * LANES)
        self.numbers = make_rows(2, iterations, dtype=np.int64)
        self.row_places = make_rows(2 * radius + 2, dtype=np.int64)
        self.handed = np.empty((0, wide), np.float32) if handed is None else handed

    @cached_property
    def record(self) -> NDArray[np.void]:
        """The `plan.SCRATCH` of this room."""
        return describe(
            plan.SCRATCH,
            margin=self._margin,
            capacity=self._capacity,
            moments_plane=self.moments.shape[1],
            flow_plane=self.flow.shape[3],
            plane=self.sums.shape[3],
            coarse_plane=self.coarse_rows.shape[1],
            handed_plane=self.handed.shape[-1],
            blended=self.blended,
            moments=self.moments,
            flow=self.flow,
            equations=self.equations,
            sums=self.sums,
            coarse_rows=self.coarse_rows,
            numbers=self.numbers,
            row_places=self.row_places,
            handed=self.handed,
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
        confidence, kinds = weights.border_confidence(height, width)
        self.confidence = pad_rows(confidence), kinds
        self.images = make_rows(height, wide), make_rows(height, wide)
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

    def describe(
        self,
        expansions: tuple[NDArray[np.float32], ...],
        out: NDArray[np.float32],
        *,
        started: bool = False,
    ) -> NDArray[np.void]:
        """Return the `plan.LEVEL` of this level for two expansions and a flow to fill.

        A ``started`` coarsest level begins with what `start` took. The next call changes the
        record.
        """
        coarse = self.coarser or self
        fill(
            self._record,
            expansion_0=expansions[0],
            expansion_1=expansions[1],
            coarse=coarse.flow,
            coarse_width=coarse.shape[1] if started or self.coarser else 0,
            out=out,
            out_stride=2 * out.shape[1],
        )
        return self._record

    @cached_property
    def _record(self) -> NDArray[np.void]:
        coarse = self.coarser or self
        return describe(
            plan.LEVEL,
            height=self.shape[0],
            width=self.shape[1],
            stride=self.images[0].shape[1],
            row_taps=self.row_taps[0],
            row_weights=self.row_taps[1],
            row_reach=self.row_taps[1].shape[1],
            column_starts=self.column_taps[0],
            column_weights=self.column_taps[1],
            column_reach=self.reach,
            image_0=self.images[0],
            image_1=self.images[1],
            confidence=self.confidence[0],
            confidence_rows=self.confidence[1],
            coarse_stride=2 * coarse.flow.shape[1],
            coarse_rows=self.taps[0],
            coarse_row_fractions=self.taps[1],
            coarse_columns=self.taps[2],
            coarse_column_fractions=self.taps[3],
            length=1 / self.settings.pyr_scale if self.coarser else 1,
        )

    def sample(self, frame: NDArray[Any], width: int, scratch: Scratch, band: range) -> None:
        """Blur and resize rows of a frame that is padded to whole vectors."""
        call = self.settings.record
        fill(call, frame_1=frame, frame_width=width, frame_stride=frame.shape[1])
        call["frame_floats"] = frame.dtype == np.float32
        self._do(plan.SAMPLE, self._record, scratch, band)

    def expand(self, scratch: Scratch, band: range) -> None:
        """Expand rows of the sampled image: they become the present."""
        fill(self._record, expansion_1=self.present)
        self._do(plan.EXPAND, self._record, scratch, band)

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
        record = self.describe(expansions, out, started=started)
        self._do(plan.SOLVE, record, scratch, band)

    def _do(self, kind: int, record: NDArray[np.void], scratch: Scratch, band: range) -> None:
        """Do one task of this level alone."""
        task = (kind, 0, 1, band.start, band.stop, 0, 0, plan.FIRST_FLAG, 0, -1, 0)
        board = np.zeros(plan.FIRST_FLAG + 1, np.int64)
        tasks = np.array([task], plan.TASK)
        kernels.run_tasks(tasks, record, self.settings.record, scratch.record, board, 0)


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


def describe(dtype: np.dtype[np.void], **values: Any) -> NDArray[np.void]:
    """Return one record of a plan; arrays are entered by their places, and must live on."""
    record = np.zeros(1, dtype)
    fill(record, **values)
    return record


def fill(record: NDArray[np.void], **values: Any) -> None:
    """Enter numbers, and the places of arrays."""
    for name, value in values.items():
        is_array = isinstance(value, np.ndarray)
        record[name] = (value.ctypes.data, value.size) if is_array else value
