"""The responses of three frames go in; the pixels that exceed their 26 neighbours come out."""

from __future__ import annotations

import numpy as np

from classicvid.kernels.jit import inlined, kernel
from classicvid.kernels.simd import (
    LANES,
    any_lane,
    first_lanes,
    lane_bits,
    load,
    maximum,
    memory,
    splat,
    trailing_zeros,
)


@kernel
def space_time_maxima(planes, slots, shape, threshold, out):
    """List the flat indices of maxima above ``threshold`` in the middle one of three frames.

    ``planes`` (S, P), float32, holds the responses of frames of ``shape`` (H, W), flattened, with
    P >= H W + ``LANES``; ``slots`` (3,) says where the three frames lie. Of equal neighbours the
    first is chosen, in the order of time, rows and columns. Pixels on the border of the image are
    left out. At most ``out.size`` are listed; the number counts all.
    """
    height, width = shape
    values, stride = memory(planes), planes.shape[1]
    before, now, after = slots[0] * stride, slots[1] * stride, slots[2] * stride
    limit = splat(threshold)
    found = 0
    for y in range(1, height - 1):
        for x in range(1, width - 1, LANES):
            index = y * width + x
            place = now + index
            centre = load(values, place)
            strong = (centre > limit) & first_lanes(width - 1 - x)
            if not any_lane(strong):
                continue
            earlier = maximum(load(values, place - 1), _row_maximum(values, place - width))
            earlier = maximum(earlier, _block_maximum(values, before + index, width))
            later = maximum(load(values, place + 1), _row_maximum(values, place + width))
            later = maximum(later, _block_maximum(values, after + index, width))
            chosen = lane_bits(strong & (centre > earlier) & (centre >= later))
            while chosen != 0:
                if found < out.size:
                    out[found] = index + np.int64(trailing_zeros(chosen))
                chosen = chosen & (chosen - np.uint64(1))
                found += 1
    return found


@inlined
def _block_maximum(values, place, width):
    rows = maximum(_row_maximum(values, place - width), _row_maximum(values, place + width))
    return maximum(rows, _row_maximum(values, place))


@inlined
def _row_maximum(values, place):
    return maximum(maximum(load(values, place - 1), load(values, place)), load(values, place + 1))
