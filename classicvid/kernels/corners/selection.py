"""Local maxima, packed into keys, go in; the strongest that lie apart come out."""

from __future__ import annotations

import numpy as np

from classicvid.kernels.corners.maxima import INDEX_BITS
from classicvid.kernels.jit import kernel, part

ALL = np.uint64(2**64 - 1)


@kernel
def group_by_strength(keys, starts, out):
    """Fill ``out`` with ``keys`` in groups, the strongest group first, unordered within.

    ``starts`` (groups + 1,) receives where each group begins. Responses of one group differ by
    little: the groups divide the logarithm of the range.
    """
    groups, strongest, weakest = starts.size - 1, keys[0], keys[0]
    for key in keys:
        strongest, weakest = max(strongest, key), min(weakest, key)
    shift = INDEX_BITS
    while (strongest - weakest) >> shift >= groups:
        shift += 1
    top = strongest >> shift
    for i in range(groups + 1):
        starts[i] = 0
    for key in keys:
        starts[min(top - (key >> shift), groups - 1) + 1] += 1
    for i in range(groups):
        starts[i + 1] += starts[i]
    for key in keys:
        group = min(top - (key >> shift), groups - 1)
        out[starts[group]] = key
        starts[group] += 1
    # Each start has moved on to that of the next group.
    for i in range(groups, 0, -1):
        starts[i] = starts[i - 1]
    starts[0] = 0


@kernel
def keep_apart(keys, starts, half_widths, width, taken, out):
    """Fill ``out`` (N, 2) with the (x, y) of keys whose pixels are not ``taken``.

    ``keys``, of an image ``width`` pixels wide, are in groups as `group_by_strength` leaves them;
    each is sorted only when its turn comes. Every kept key takes the disc around it, of rows
    ``half_widths``. ``taken`` (H, (W + 63) // 64), uint64, holds a bit a pixel. Stops when ``out``
    is full; returns how many were kept.
    """
    kept = 0
    if kept == len(out):
        return kept
    for group in range(starts.size - 1):
        begin, end = starts[group], starts[group + 1]
        _sort_falling(keys[begin:end])
        for i in range(begin, end):
            index = keys[i] & ((1 << INDEX_BITS) - 1)
            y, x = index // width, index % width
            if taken[y, x >> 6] >> np.uint64(x & 63) & np.uint64(1):
                continue
            out[kept, 0], out[kept, 1] = x, y
            kept += 1
            if kept == len(out):
                return kept
            _take_disc(x, y, half_widths, width, taken)
    return kept


@kernel
def take_discs(points, half_widths, width, taken):
    """Mark in ``taken`` the disc around each pixel (x, y) of ``points`` (N, 2), int64."""
    for i in range(len(points)):
        _take_disc(points[i, 0], points[i, 1], half_widths, width, taken)


@part
def _sort_falling(keys):
    # Shell's sort: as quick as insertion where a group holds a few, and safe where it holds all.
    gap = keys.size
    while gap > 1:
        gap = max(gap * 5 // 11, 1)
        for i in range(gap, keys.size):
            key, j = keys[i], i
            while j >= gap and keys[j - gap] < key:
                keys[j] = keys[j - gap]
                j -= gap
            keys[j] = key


@part
def _take_disc(x, y, half_widths, width, taken):
    for row in range(max(y - half_widths.size + 1, 0), min(y + half_widths.size, len(taken))):
        half = half_widths[abs(row - y)]
        first, last = max(x - half, 0), min(x + half, width - 1)
        if first > last:
            continue
        word, end = first >> 6, last >> 6
        from_first, to_last = ALL << np.uint64(first & 63), ALL >> np.uint64(63 - (last & 63))
        if word == end:
            taken[row, word] |= from_first & to_last
        else:
            taken[row, word] |= from_first
            for whole in range(word + 1, end):
                taken[row, whole] = ALL
            taken[row, end] |= to_last
