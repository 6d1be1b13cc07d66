"""Positions in a video go in; the cells of the grids of a pyramid in which they lie come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicvid.checks import check_whole

# Columns, rows and spans of time of the paper's 1x1x1, 2x2x1, 3x1x1, 1x1x2, 2x2x2, 3x1x2. It counts
# rows first: its 3x1 are three bands, one above the other.
PAPER_GRIDS = ((1, 1, 1), (2, 2, 1), (1, 3, 1), (1, 1, 2), (2, 2, 2), (1, 3, 2))


@dataclass(frozen=True)
class SpatioTemporalPyramid:
    """Grids that cut a video into cells of equal width, height and duration.

    Parameters
    ----------
    grids : sequence of (columns, rows, spans), each at least 1
        Cells along x, y and t; by default the six grids of the paper, 24 cells. One grid is one
        channel of a kernel, with the histograms of all its cells.

    Raises
    ------
    TypeError, ValueError
        If the grids are not as described.

    Notes
    -----
    The grids of H. Wang et al., "Dense trajectories and motion boundary descriptors for action
    recognition", IJCV 2013, after I. Laptev et al., CVPR 2008: 1x1, 2x2 and 3x1 in the frame, where
    3x1 are three bands one above the other, each with the whole duration and with its halves.

    A grid's cells are numbered by x first, then y, then t, and grids follow one another.
    """

    grids: Sequence[tuple[int, int, int]] = PAPER_GRIDS

    def __post_init__(self) -> None:
        grids = self.grids
        if isinstance(grids, str) or not isinstance(grids, Sequence) or not grids:
            message = f"grids must be triples such as ((1, 1, 1), (2, 2, 1)), got {grids!r}"
            raise TypeError(message)
        for grid in grids:
            if isinstance(grid, str) or not isinstance(grid, Sequence) or len(grid) != 3:
                message = f"a grid must be (columns, rows, spans), got {grid!r}"
                raise ValueError(message)
        checked = (tuple(check_whole("cells of a grid", n, low=1) for n in grid) for grid in grids)
        object.__setattr__(self, "grids", tuple(checked))

    @property
    def grid_cells(self) -> list[int]:
        """Cells of each grid; times S, the widths of its channels."""
        return [columns * rows * spans for columns, rows, spans in self.grids]

    @property
    def n_cells(self) -> int:
        """M, the cells of all grids."""
        return sum(self.grid_cells)

    def cells(self, positions: Any, *, count: int | None = None) -> NDArray[np.int64]:
        """Find the cell of each position in each of the G grids.

        Parameters
        ----------
        positions : array, shape (N, 3), real
            x, y and t from 0 to 1, as shares of width, height and duration; 1 is in the last cell.
        count : int, optional
            N that is wanted.

        Returns
        -------
        cells : array, shape (N, G), int64
            Numbers from 0 to ``n_cells - 1``; those of a grid follow those of the grid before.

        Raises
        ------
        ValueError
            If the positions are not as described.
        """
        places = _check_positions(positions, count)
        columns, start = [], 0
        for grid, cells in zip(self.grids, self.grid_cells, strict=True):
            x, y, t = np.minimum((places * grid).astype(np.int64), np.array(grid) - 1).T
            columns.append(start + x + grid[0] * (y + grid[1] * t))
            start += cells
        return np.stack(columns, axis=1)


def _check_positions(positions: Any, count: int | None) -> NDArray[np.float64]:
    wanted = f"({'N' if count is None else count}, 3)"
    if positions is None:
        message = f"positions must be {wanted} as x, y, t where there is a pyramid, got None"
        raise ValueError(message)
    places = np.asarray(positions, np.float64)
    if places.ndim != 2 or places.shape[1] != 3 or count not in (None, len(places)):
        message = f"positions must be {wanted} as x, y, t, got {places.shape}"
        raise ValueError(message)
    bad = np.flatnonzero(~((places >= 0) & (places <= 1)).all(axis=1))
    if bad.size:
        message = (
            f"positions must be from 0 to 1, row {bad[0]} is {places[bad[0]].tolist()}; "
            "divide x, y, t by width, height, duration"
        )
        raise ValueError(message)
    return places
