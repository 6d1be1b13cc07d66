"""Planes go in; the same planes under a symmetric filter along both axes come out.

A plane is flattened, with room for one vector behind its last pixel, and mirrored at the centres of
its last pixels.
"""

from __future__ import annotations

import numpy as np

from classicvid.kernels.jit import inlined, kernel, kernel_fused
from classicvid.kernels.simd import LANES, fma, load, memory, splat, store


@kernel_fused
def blur_planes(planes, shape, weights, out):
    """Fill ``out`` (N, P) with the filtered ``planes`` (N, P) of ``shape`` (H, W), float32.

    ``weights`` (R + 1,), float32, weigh the pixels 0 .. R away along each axis.
    """
    height, width = shape
    reach, stride = weights.size - 1, planes.shape[1]
    margin = -(-reach // LANES) * LANES
    buffer = np.zeros(margin + width + LANES + reach + LANES, np.float32)
    above, below = np.empty(reach + 1, np.int64), np.empty(reach + 1, np.int64)
    source, row, blurred = memory(planes), memory(buffer), memory(out)
    for n in range(len(planes)):
        for y in range(height):
            for k in range(reach + 1):
                above[k] = n * stride + _mirror(y - k, height) * width
                below[k] = n * stride + _mirror(y + k, height) * width
            for x in range(0, width, LANES):
                store(row, margin + x, _add_pairs(source, above, below, x, weights))
            for k in range(1, reach + 1):
                buffer[margin - k] = buffer[margin + _mirror(-k, width)]
            for k in range(reach):
                buffer[margin + width + k] = buffer[margin + _mirror(width + k, width)]
            for k in range(reach + 1):
                above[k], below[k] = margin - k, margin + k
            for x in range(0, width, LANES):
                value = _add_pairs(row, above, below, x, weights)
                store(blurred, n * stride + y * width + x, value)
    return buffer.size  # an address alone would not keep the buffer alive


@inlined
def _add_pairs(source, before, after, x, weights):
    total = load(source, before[0] + x) * weights[0]
    for k in range(1, weights.size):
        pair = load(source, before[k] + x) + load(source, after[k] + x)
        total = fma(pair, splat(weights[k]), total)
    return total


@kernel
def _mirror(index, length):
    while length > 1 and (index < 0 or index >= length):
        index = -index if index < 0 else 2 * length - 2 - index
    return index if length > 1 else 0
