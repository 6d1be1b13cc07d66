"""Cells of grids against a loop over positions."""

from __future__ import annotations

import numpy as np
import pytest

from classicvid.encodings import PAPER_GRIDS, SpatioTemporalPyramid


def test_cells_equal_their_twin(rng):
    pyramid = SpatioTemporalPyramid()
    positions = rng.random((200, 3))
    cells = pyramid.cells(positions)
    assert cells.shape == (200, 6)
    for (x, y, t), own in zip(positions, cells, strict=True):
        start = 0
        for (columns, rows, spans), cell in zip(PAPER_GRIDS, own, strict=True):
            number = int(x * columns) + columns * int(y * rows) + columns * rows * int(t * spans)
            assert cell == start + number
            start += columns * rows * spans
    assert pyramid.n_cells == start == 24


def test_bands_lie_one_above_the_other():
    bands = SpatioTemporalPyramid(((1, 3, 1),))
    places = [(0.9, 0.1, 0.5), (0.1, 0.5, 0.9), (0.5, 0.9, 0.1)]
    np.testing.assert_array_equal(bands.cells(places)[:, 0], [0, 1, 2])


def test_borders_belong_to_the_cell_that_they_begin():
    grid = SpatioTemporalPyramid(((2, 1, 1),))
    places = [(0, 0, 0), (0.5, 0, 0), (np.nextafter(0.5, 0), 0, 0), (1, 1, 1)]
    np.testing.assert_array_equal(grid.cells(places)[:, 0], [0, 1, 0, 1])


def test_no_positions_have_no_cells():
    assert SpatioTemporalPyramid().cells(np.zeros((0, 3))).shape == (0, 6)


@pytest.mark.parametrize(
    ("grids", "error", "words"),
    [
        ((), TypeError, "grids must be triples"),
        ("1x1x1", TypeError, "grids must be triples"),
        (((1, 1),), ValueError, r"\(columns, rows, spans\), got \(1, 1\)"),
        ((2, 2, 1), ValueError, "a grid must be .* got 2"),
        (((0, 1, 1),), ValueError, "at least 1, got 0"),
        (((1.5, 1, 1),), TypeError, "whole number"),
    ],
)
def test_bad_grids_are_named(grids, error, words):
    with pytest.raises(error, match=words):
        SpatioTemporalPyramid(grids)


@pytest.mark.parametrize(
    ("positions", "words"),
    [
        (np.zeros((4, 2)), r"\(N, 3\) as x, y, t, got \(4, 2\)"),
        ([(0, 0, 0), (0, 0, 1.5)], r"row 1 is \[0\.0, 0\.0, 1\.5\]; divide"),
        ([(-0.1, 0, 0)], "from 0 to 1, row 0"),
        ([(np.nan, 0, 0)], "from 0 to 1, row 0"),
    ],
)
def test_bad_positions_are_named(positions, words):
    with pytest.raises(ValueError, match=words):
        SpatioTemporalPyramid().cells(positions)
