"""A corner response goes in; its local maxima, packed into keys, come out."""

from __future__ import annotations

import numpy as np

from classicvid.kernels.jit import kernel, part
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

# A key sorts as the corner does: the bits of its response, which is positive, above its flat index.
INDEX_BITS = 32


@kernel
def local_maxima(response, shape, threshold, out):
    """List the keys of pixels above ``threshold``, not negative, that no neighbour exceeds.

    ``response`` is the map of ``shape`` (H, W), flattened, and ``LANES`` more. Pixels of the
    image's border are left out. At most ``out.size`` are listed; the number counts all.
    """
    height, width = shape
    values, bits = memory(response), memory(response.view(np.int32))
    limit = splat(threshold)
    found = 0
    for y in range(1, height - 1):
        for x in range(1, width - 1, LANES):
            place = y * width + x
            centre = load(values, place)
            strong = centre > limit
            if not any_lane(strong):
                continue
            highest = maximum(load(values, place - 1), load(values, place + 1))
            highest = maximum(highest, _row_maximum(values, place - width))
            highest = maximum(highest, _row_maximum(values, place + width))
            chosen = lane_bits(strong & (centre >= highest) & first_lanes(width - 1 - x))
            while chosen != 0:
                index = place + np.int64(trailing_zeros(chosen))
                chosen = chosen & (chosen - np.uint64(1))
                if found < out.size:
                    out[found] = np.int64(bits[index]) << INDEX_BITS | index
                found += 1
    return found


@part
def _row_maximum(values, place):
    return maximum(maximum(load(values, place - 1), load(values, place)), load(values, place + 1))
