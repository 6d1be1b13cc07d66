"""Frames go in; the stages of Farnebäck's flow fill the levels of a pyramid.

Arrays of rows are padded to whole vectors (`kernels.simd`); an expansion is ``(H + 2, 5, W')``: one
row of the image holds its five coefficients as five contiguous rows; two more rows are room for
reading on behind the last one.
"""

from classicvid.kernels.farneback.layout import BATCH, PLANES
from classicvid.kernels.farneback.tasks import open_board, run_tasks

__all__ = ["BATCH", "PLANES", "open_board", "run_tasks"]
