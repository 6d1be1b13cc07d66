"""A gray image and room for a few of its rows go in; the map of its corner responses comes out.

Rows stream through: a row of the image becomes floats, then products of its derivatives, then the
products' sums over a block, then responses, while it still lies in the nearest cache.
"""

from __future__ import annotations

import numpy as np

from classicvid.kernels.jit import kernel, part
from classicvid.kernels.simd import (
    LANES,
    first_lanes,
    fma,
    highest,
    load,
    load_floats,
    maximum,
    memory,
    select,
    splat,
    square_root,
    store,
)


def row_room(width, block_size):
    """Return how many floats a scratch row of an image so wide takes, its borders included."""
    return _margin(block_size) + -(-width // LANES) * LANES + _margin(block_size) + LANES


def scratch_rows(block_size):
    """Return how many rows `respond` works in: 3 gray, 3 of products a row of a block, 3 sums."""
    return 3 + 3 * (block_size // 2 * 2 + 1) + 3


@kernel
def respond(image, scale, block_size, use_harris, harris_k, scratch, out):
    """Fill ``out`` (H, W), flattened, with responses; return the strongest.

    ``image`` (H, W) is uint8 or float32; ``scale`` multiplies the squares of Sobel's derivatives,
    once they are summed: of whole gray levels, the sums of small blocks are exact. ``scratch`` is
    (`scratch_rows`, `row_room`), float32; ``out`` (H W + ``LANES``,) has room for the last vector.
    """
    height, width = image.shape
    room, before = scratch.shape[1], block_size // 2
    ring = 2 * before + 1
    grays, products = memory(scratch[:3]), memory(scratch[3 : 3 + 3 * ring])
    sums, responses = memory(scratch[3 + 3 * ring :]), memory(out)
    starts = np.empty(block_size, np.int64)
    best = splat(-np.inf)
    done = -1
    _load_row(memory(image), 0, width, room, block_size, grays)
    for y in range(height):
        while done < min(y + before, height - 1):
            done += 1
            if done + 1 < height:
                _load_row(memory(image), done + 1, width, room, block_size, grays)
            place = done % ring * 3 * room
            _multiply_gradients(grays, done, height, width, room, block_size, place, products)
        for i in range(block_size):
            starts[i] = _reflect(y - before + i, height) % ring * 3 * room
        _sum_rows(products, memory(starts), block_size, width, room, sums)
        best = _measure_row(
            sums, block_size, width, room, scale, use_harris, harris_k, y * width, responses, best
        )
    return highest(best)


@part
def _margin(block_size):
    # Whole vectors, wide enough for the reflected columns that a block or a derivative reaches.
    return -(-max(block_size, 2) // LANES) * LANES


@part
def _reflect(index, length):
    if length == 1:
        return 0
    while index < 0 or index >= length:
        index = -index if index < 0 else 2 * length - 2 - index
    return index


@part
def _reflect_ends(row, start, width, left, right):
    for i in range(1, left + 1):
        row[start - i] = row[start + _reflect(-i, width)]
    for i in range(right):
        row[start + width + i] = row[start + _reflect(width + i, width)]


@part
def _load_row(image, y, width, room, block_size, grays):
    start, row = y * width, y % 3 * room + _margin(block_size)
    whole = width // LANES * LANES
    for x in range(0, whole, LANES):
        store(grays, row + x, load_floats(image, start + x))
    for x in range(whole, width):
        grays[row + x] = np.float32(image[start + x])
    _reflect_ends(grays, row, width, 1, 1)


@part
def _multiply_gradients(grays, y, height, width, room, block_size, place, products):
    """Write gx^2, gx gy and gy^2 of row ``y`` as three rows of ``products`` from ``place`` on."""
    margin = _margin(block_size)
    above = _reflect(y - 1, height) % 3 * room + margin
    row = y % 3 * room + margin
    below = _reflect(y + 1, height) % 3 * room + margin
    two = splat(2)
    for x in range(0, width, LANES):
        a, b, c = load(grays, above + x - 1), load(grays, above + x), load(grays, above + x + 1)
        d, f = load(grays, row + x - 1), load(grays, row + x + 1)
        g, h, i = load(grays, below + x - 1), load(grays, below + x), load(grays, below + x + 1)
        gx = fma(two, f - d, (c - a) + (i - g))
        gy = fma(two, h - b, (g - a) + (i - c))
        to = place + margin + x
        store(products, to, gx * gx)
        store(products, to + room, gx * gy)
        store(products, to + 2 * room, gy * gy)


@part
def _sum_rows(products, starts, block_size, width, room, sums):
    """Sum the rows of a block, at each of ``starts`` three, into three rows of ``sums``."""
    margin = _margin(block_size)
    for x in range(margin, margin + width, LANES):
        first = starts[0] + x
        xx, xy = load(products, first), load(products, first + room)
        yy = load(products, first + 2 * room)
        for i in range(1, block_size):
            place = starts[i] + x
            xx = xx + load(products, place)
            xy = xy + load(products, place + room)
            yy = yy + load(products, place + 2 * room)
        store(sums, x, xx)
        store(sums, x + room, xy)
        store(sums, x + 2 * room, yy)
    for plane in range(3):
        # An even block reaches one pixel further up and left, as OpenCV's does.
        before = block_size // 2
        _reflect_ends(sums, plane * room + margin, width, before, block_size - 1 - before)


@part
def _measure_row(sums, block_size, width, room, scale, use_harris, harris_k, start, out, best):
    """Write the responses of one row from ``start`` on; return ``best``, raised where exceeded."""
    first = _margin(block_size) - block_size // 2
    half, k = splat(0.5), splat(harris_k)
    for x in range(0, width, LANES):
        place = first + x
        xx, xy = load(sums, place), load(sums, place + room)
        yy = load(sums, place + 2 * room)
        for i in range(place + 1, place + block_size):
            xx = xx + load(sums, i)
            xy = xy + load(sums, i + room)
            yy = yy + load(sums, i + 2 * room)
        if use_harris:
            trace = xx + yy
            response = (fma(xx, yy, -(xy * xy)) - k * trace * trace) * (scale * scale)
        else:
            a, c = xx * half, yy * half
            response = ((a + c) - square_root(fma(a - c, a - c, xy * xy))) * scale
        store(out, start + x, response)
        if x + LANES <= width:
            best = maximum(best, response)
        else:
            best = select(first_lanes(width - x), maximum(best, response), best)
    return best
