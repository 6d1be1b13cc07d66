"""A gray frame goes in; one level of its pyramid, blurred and resized, comes out."""

from __future__ import annotations

from classicvid.kernels.jit import part_fused, spliced
from classicvid.kernels.simd import (
    LANES,
    all_lanes,
    floats_at,
    gather,
    integers_at,
    load,
    load_floats,
    longs_at,
    permute,
    splat,
    store,
)


@part_fused
def sample_rows(source, call, level, scratch, out, begin, end):
    """Fill rows of ``out``, a level (h, w'), with weighted sums of the pixels of ``source``.

    The frame (H, W', uint8 or float32) is padded to whole vectors; ``frame_width`` pixels of a row
    count. ``row_taps`` (h, row_reach) holds the rows of the frame that make each row,
    ``row_weights`` their weights. Column x of the level takes the columns from ``column_starts``
    (w') onwards, which may begin left of the frame and end right of it (the border is mirrored),
    with the weights ``column_weights`` (column_reach, w'). ``blended`` is room for one row, and for
    column_reach pixels and two vectors on both sides: blur, border and change of size are one
    operator, evaluated only where the result is sampled.
    """
    row = floats_at(scratch["blended"])
    taps, weights = longs_at(level["row_taps"]), floats_at(level["row_weights"])
    starts, shares = integers_at(level["column_starts"]), floats_at(level["column_weights"])
    apart, width = call["frame_stride"], level["stride"]
    margin = scratch["margin"]
    count, reach = level["row_reach"], level["column_reach"]
    for y in range(begin, end):
        for x in range(0, apart, LANES):
            blend = splat(0.0)
            for k in range(y * count, (y + 1) * count):
                pixels = load_floats(source, taps[k] * apart + x)
                blend = blend + pixels * weights[k]
            store(row, margin + x, blend)
        _mirror(row, margin, call["frame_width"], reach)
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
            store(out, y * width + x, blend)


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
