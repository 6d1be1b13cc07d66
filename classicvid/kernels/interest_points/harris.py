"""Gradients of the frames around one go in; Harris's measure of its pixels in space-time comes out.

A plane is flattened, with room for one vector behind its last pixel.
"""

from __future__ import annotations

import numpy as np

from classicvid.kernels.jit import kernel_fused
from classicvid.kernels.simd import LANES, fma, load, memory, prefetch, splat, store

_AHEAD = 8 * LANES


@kernel_fused
def average_products(gradients, slots, weights, out):
    """Fill ``out`` (6, P) with products of gradients, averaged over time.

    ``gradients`` (S, 3, P), float32, holds the derivatives (x, y, t) of the frames; ``slots``
    (2 R + 1,) says where those from R before to R after lie; ``weights`` (R + 1,) weighs those 0 ..
    R away. The products are xx, yy, tt, xy, xt, yt.
    """
    frames, sums, stride = memory(gradients), memory(out), out.shape[1]
    reach = weights.size - 1
    for x in range(0, stride - LANES, LANES):
        xx, yy, tt = splat(0.0), splat(0.0), splat(0.0)
        xy, xt, yt = splat(0.0), splat(0.0), splat(0.0)
        for k in range(2 * reach + 1):
            place = slots[k] * 3 * stride + x
            weight = splat(weights[abs(k - reach)])
            dx, dy = load(frames, place), load(frames, place + stride)
            dt = load(frames, place + 2 * stride)
            # More streams than the processor foresees by itself.
            for plane in range(3):
                prefetch(frames, place + plane * stride + _AHEAD)
            weighted = weight * dx
            xx, xy, xt = fma(weighted, dx, xx), fma(weighted, dy, xy), fma(weighted, dt, xt)
            weighted = weight * dy
            yy, yt = fma(weighted, dy, yy), fma(weighted, dt, yt)
            tt = fma(weight * dt, dt, tt)
        store(sums, x, xx)
        store(sums, stride + x, yy)
        store(sums, 2 * stride + x, tt)
        store(sums, 3 * stride + x, xy)
        store(sums, 4 * stride + x, xt)
        store(sums, 5 * stride + x, yt)


@kernel_fused
def respond(moments, harris_k, out):
    """Fill ``out`` (P,) with det - k trace^3 of the matrices of entries ``moments`` (6, P)."""
    entries, responses, stride = memory(moments), memory(out), moments.shape[1]
    k = np.float32(harris_k)
    for x in range(0, stride - LANES, LANES):
        xx, yy = load(entries, x), load(entries, stride + x)
        tt, xy = load(entries, 2 * stride + x), load(entries, 3 * stride + x)
        xt, yt = load(entries, 4 * stride + x), load(entries, 5 * stride + x)
        determinant = xx * fma(yy, tt, -(yt * yt)) - xy * fma(xy, tt, -(yt * xt))
        determinant = fma(xt, fma(xy, yt, -(yy * xt)), determinant)
        trace = xx + yy + tt
        store(responses, x, determinant - k * trace * trace * trace)
