"""A gray frame goes in; one level of its pyramid, blurred and resized, comes out."""

from __future__ import annotations

from classicvid.kernels.jit import kernel_fused, spliced
from classicvid.kernels.simd import (
    LANES,
    all_lanes,
    gather,
    load,
    load_floats,
    memory,
    permute,
    splat,
    store,
)


@kernel_fused
def sample_level(frame, row_taps, row_weights, column_starts, column_weights, blended, level, rows):
    """Fill rows of ``level`` with weighted sums of pixels of ``frame``.

    ``rows`` holds the first row, the end, and how many pixels of a row of ``frame`` count:
    ``frame`` (H, W', uint8 or float32) is padded to whole vectors. ``row_taps`` (h, K) holds the
    rows of the frame that make each row, ``row_weights`` their weights. Column x of the level takes
    the columns from ``column_starts`` (w') onwards, which may begin left of the frame and end right
    of it (the border is mirrored), with the weights ``column_weights`` (K', w'). ``blended`` is
    room for one row, and for K' pixels and two vectors on both sides: blur, border and change of
    size are one operator, evaluated only where the result is sampled.
    """
    source, out, row = memory(frame), memory(level), memory(blended)
    taps, weights = memory(row_taps), memory(row_weights)
    starts, shares = memory(column_starts), memory(column_weights)
    margin = (blended.size - frame.shape[1]) // 2
    width, stride = column_starts.size, level.shape[1]
    count, reach = row_taps.shape[1], column_weights.shape[0]
    for y in range(rows[0], rows[1]):
        for x in range(0, frame.shape[1], LANES):
            blend = splat(0.0)
            for k in range(y * count, (y + 1) * count):
                pixels = load_floats(source, taps[k] * frame.shape[1] + x)
                blend = blend + pixels * weights[k]
            store(row, margin + x, blend)
        _mirror(row, margin, rows[2], reach)
        for x in range(0, width, LANES):
            first = margin + starts[x]
            place = load(starts, x) - starts[x]
            blend = splat(0.0)
            if all_lanes(place < 2 * LANES):
                for k in range(reach):
                    near, far = load(row, first + k), load(row, first + k + LANES)
                    blend = blend + permute(near, far, place) * load(shares, k * width + x)
            else:
                for k in range(reach):
                    pixels = gather(row, first + k, place)
                    blend = blend + pixels * load(shares, k * width + x)
            store(out, y * stride + x, blend)


@spliced
def _mirror(row, margin, width, reach):
    """Continue a row beyond its ends, mirrored at the centres of the last pixels."""
    for k in range(1, reach + 1):
        period = max(2 * width - 2, 1)
        left = k % period
        left = min(left, period - left) if width > 1 else 0
        right = (width - 1 + k) % period
        right = min(right, period - right) if width > 1 else 0
        row[margin - k] = row[margin + left]
        row[margin + width - 1 + k] = row[margin + right]
