"""A level of a pyramid goes in; the quadratic that fits around each of its pixels comes out."""

from __future__ import annotations

import numpy as np

from classicvid.kernels.farneback.layout import repeat_ends
from classicvid.kernels.jit import inlined_unfused, spliced
from classicvid.kernels.simd import LANES, floats_at, load, splat, store


@spliced
def expand_rows(call, level, scratch, image, out, begin, end):
    """Fill rows of ``out`` with the quadratics that fit a level's ``image`` (H, W').

    ``out`` (H + 2, 5, W') takes the coefficients of y, x, y^2, x^2, xy of the quadratics that fit
    around each pixel under a Gaussian weight (Farnebäck 2003, section 2); the borders repeat the
    last pixels. The call's ``moments`` holds the 1-D weights g, x g, x^2 g for x = 0..poly_n, one
    after the other, ``ig11`` and so on the entries of the inverse Gram matrix. The scratch's
    ``moments`` is room for a row of three planes with margins: poly_n rounded up to whole vectors,
    and one vector more.
    """
    n = call["poly_n"]
    # The compiler unrolls the loops of the usual radii.
    if n == 5:
        _expand_rows(call, level, scratch, image, out, begin, end, 5)
    elif n == 7:
        _expand_rows(call, level, scratch, image, out, begin, end, 7)
    else:
        _expand_rows(call, level, scratch, image, out, begin, end, n)


@inlined_unfused
def _expand_rows(call, level, scratch, image, fit, begin, end, n):
    g, sums = floats_at(call["moments"]), floats_at(scratch["moments"])
    height, width, stride = level["height"], level["width"], level["stride"]
    plane, margin = scratch["moments_plane"], -(-n // LANES) * LANES + LANES
    linear, square = n + 1, 2 * (n + 1)
    total_g, total_xxg = np.float64(g[0]), 0.0
    for k in range(1, n + 1):
        total_g += 2 * g[k]
        total_xxg += 2 * g[square + k]
    ig11, ig03, ig33, ig55 = call["ig11"], call["ig03"], call["ig33"], call["ig55"]
    for y in range(begin, end):
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
