"""Frames go in; each of the stages of Farnebäck's flow fills ``out``.

Arrays of rows are padded to whole vectors (`kernels.simd`); an expansion is ``(H + 2, 5, W')``: one
row of the image holds its five coefficients as five contiguous rows; two more rows are room for
reading on behind the last one.
"""

from classicvid.kernels.farneback.expansion import make_expansion
from classicvid.kernels.farneback.layout import BATCH, PLANES
from classicvid.kernels.farneback.level import solve_level
from classicvid.kernels.farneback.pyramid import sample_level

__all__ = ["BATCH", "PLANES", "make_expansion", "sample_level", "solve_level"]
