"""Averaged normal equations go in; the flow that solves them comes out."""

from __future__ import annotations

from classicvid.kernels.jit import inlined
from classicvid.kernels.simd import fma


@inlined
def solve(g11, g12, g22, h1, h2, regularisation):
    """Return dx and dy of each lane (Farnebäck 2003, equation 8; 1 is y).

    The regularisation keeps the flow of a flat neighbourhood at zero instead of infinity.
    """
    inverse = 1.0 / (_difference(g11, g22, g12, g12) + regularisation)
    dx = _difference(g11, h2, g12, h1) * inverse
    return dx, _difference(g22, h1, g12, h2) * inverse


@inlined
def _difference(a, b, c, d):
    """Return a b - c d, nearly as exact as if it were rounded once (Kahan)."""
    product = c * d
    error = fma(-c, d, product)
    return fma(a, b, -product) + error
