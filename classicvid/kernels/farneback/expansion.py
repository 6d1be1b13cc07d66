"""A level of a pyramid goes in; the quadratic that fits around each of its pixels comes out."""

from __future__ import annotations

from functools import cache

import numpy as np

from classicvid.kernels.farneback.layout import repeat_ends
from classicvid.kernels.jit import kernel
from classicvid.kernels.simd import LANES, load, memory, splat, store


@cache
def make_expansion(n):
    """Return the kernel ``expand(level, width, weights, inverse, moments, out, rows)`` of radius n.

    It fills the ``rows`` (first, stop) of ``out`` (H + 2, 5, W') with the coefficients of y, x,
    y^2, x^2, xy of the quadratics that fit ``level`` (H, W') around each pixel under a Gaussian
    weight (Farnebäck 2003, section 2); the borders repeat the last of the ``width`` pixels.
    ``weights`` holds the 1-D weights g, x g, x^2 g for x = 0..n, one after the other, ``inverse``
    the entries (1, 1), (0, 3), (3, 3) and (5, 5) of the inverse Gram matrix. ``moments``
    (3, W' + 2 margins) is room for one row; a margin is n rounded up to whole vectors, and one
    vector more.
    """
    square, margin = 2 * (n + 1), -(-n // LANES) * LANES + LANES

    @kernel
    def expand(level, width, weights, inverse, moments, out, rows):
        image, g, sums, fit = memory(level), memory(weights), memory(moments), memory(out)
        height, stride = level.shape
        plane = moments.shape[1]
        linear = n + 1
        total_g, total_xxg = np.float64(g[0]), 0.0
        for k in range(1, n + 1):
            total_g += 2 * g[k]
            total_xxg += 2 * g[square + k]
        ig11, ig03, ig33, ig55 = inverse[0], inverse[1], inverse[2], inverse[3]
        for y in range(rows[0], rows[1]):
            for x in range(0, width, LANES):
                # Correlate the columns with g, y g and y^2 g.
                s, sy, syy = load(image, y * stride + x) * g[0], splat(0.0), splat(0.0)
                for k in range(1, n + 1):
                    above = load(image, max(y - k, 0) * stride + x)
                    below = load(image, min(y + k, height - 1) * stride + x)
                    both = above + below
                    s = s + both * g[k]
                    sy = sy + (below - above) * g[linear + k]
                    syy = syy + both * g[square + k]
                store(sums, margin + x, s)
                store(sums, plane + margin + x, sy)
                store(sums, 2 * plane + margin + x, syy)
            for moment in range(3):
                repeat_ends(sums, moment * plane + margin, width, n)
            at = 5 * y * stride
            for x in range(0, width, LANES):
                # Correlate the rows of the sums with g, x g and x^2 g.
                of_s = margin + x
                of_sy, of_syy = of_s + plane, of_s + 2 * plane
                # The mean cancels in the squares; digits are spent on what differs from it.
                mean, mean_yy = sums[of_s], sums[of_syy]
                one, yy = (load(sums, of_s) - mean) * g[0], (load(sums, of_syy) - mean_yy) * g[0]
                first_y, first_x = load(sums, of_sy) * g[0], splat(0.0)
                xx, xy = splat(0.0), splat(0.0)
                for k in range(1, n + 1):
                    left, right = load(sums, of_s - k), load(sums, of_s + k)
                    both = left + right - 2 * mean
                    one, xx = one + both * g[k], xx + both * g[square + k]
                    first_x = first_x + (right - left) * g[linear + k]
                    left, right = load(sums, of_sy - k), load(sums, of_sy + k)
                    first_y = first_y + (left + right) * g[k]
                    xy = xy + (right - left) * g[linear + k]
                    left, right = load(sums, of_syy - k), load(sums, of_syy + k)
                    yy = yy + (left + right - 2 * mean_yy) * g[k]
                of_mean = total_g * ig03 * mean
                store(fit, at + x, first_y * ig11)
                store(fit, at + stride + x, first_x * ig11)
                store(
                    fit,
                    at + 2 * stride + x,
                    one * ig03 + (yy * ig33 + (of_mean + total_g * ig33 * mean_yy)),
                )
                store(
                    fit,
                    at + 3 * stride + x,
                    one * ig03 + (xx * ig33 + (of_mean + total_xxg * ig33 * mean)),
                )
                store(fit, at + 4 * stride + x, xy * ig55)

    return expand
