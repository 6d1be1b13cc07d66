"""Rows of flow enter an iteration under a box window; what it makes of them leaves row by row."""

from __future__ import annotations

from classicvid.kernels.farneback.layout import (
    PLANES,
    copy_row,
    equations_at,
    flow_at,
    repeat_ends,
    spare_at,
    sums_at,
)
from classicvid.kernels.farneback.solution import solve
from classicvid.kernels.farneback.update import equations
from classicvid.kernels.jit import inlined, part_fused, spliced
from classicvid.kernels.simd import LANES, load, prefetch, splat, store, window_sum


@part_fused
def enter_row(expansions, room, iteration, y, top):
    """Take row y into the sums over the window's rows; ``top`` is the first row that enters.

    The rows are cut into blocks as long as the window, the first of which begins where the window
    of row 0 does. A window is the end of one block and the beginning of the next: the sums of all
    ends are made when a block is complete, that of the beginning grows by every row. So nothing is
    ever subtracted, and the numbers do not depend on where a band of rows begins.
    """
    radius = room.capacity // 2
    _fold_block(room, iteration, y, expansions.width)
    _add_row(expansions, room, iteration, y, y == top or (y + radius) % room.capacity == 0)
    if y == 0:
        _repeat_first_row(room, iteration, radius, expansions.width)
    if y == expansions.height - 1:
        copy_row(
            room.equations,
            row_at(room, iteration, y),
            spare_at(room, iteration),
            room,
            expansions.width,
        )


@part_fused
def take_row(room, iteration, y, width, source, start, apart):
    """Take row y into the sums: equations that are already made, ``apart`` between their planes."""
    _fold_block(room, iteration, y, width)
    rows, sums, to = room.equations, room.sums, row_at(room, iteration, y)
    total, ends = sums_at(room, iteration), _ends_at(room, iteration, y)
    begins = (y + room.capacity // 2) % room.capacity == 0
    for c in range(PLANES):
        for x in range(0, width, LANES):
            at, row = c * room.plane + x, load(source, start + c * apart + x)
            _add(rows, to + at, ends + at, sums, total + at, PLANES * room.plane, row, begins)


@inlined
def row_at(room, iteration, y):
    """Return where row y, which may be outside the image, has its place in the ring."""
    return equations_at(room, iteration, y + room.capacity // 2)


@inlined
def _ends_at(room, iteration, y):
    """Return where the sums of the end of the block before that of row y lie."""
    place = (y + room.capacity // 2) % room.capacity + 1
    if place == room.capacity:
        return spare_at(room, iteration) + PLANES * room.plane
    return equations_at(room, iteration, place)


@inlined
def _add(rows, to, ends, sums, total, plane, row, begins):
    beginning = row if begins else load(sums, total + plane) + row
    store(rows, to, row)
    store(sums, total + plane, beginning)
    store(sums, total, beginning + load(rows, ends))


@part_fused
def solve_row(room, iteration, y, width, radius, regularisation):
    """Write row y of the flow that enters the next iteration."""
    at, to = sums_at(room, iteration), flow_at(room, iteration + 1, y)
    for c in range(PLANES):
        repeat_ends(room.sums, at + c * room.plane, width, radius + LANES)
    if radius == 7:  # the compiler leaves out what the usual window does not need
        _solve_row(room, at, to, width, 7, regularisation)
    else:
        _solve_row(room, at, to, width, radius, regularisation)


@spliced
def _add_row(expansions, room, iteration, y, begins):
    rows, sums, flow, plane = room.equations, room.sums, room.flow, room.plane
    at, to = flow_at(room, iteration, y), row_at(room, iteration, y)
    ends, total, apart = _ends_at(room, iteration, y), sums_at(room, iteration), PLANES * plane
    trust = expansions.confidence_rows[y] * expansions.stride
    for x in range(0, expansions.width, LANES):
        dx, dy = load(flow, at + x), load(flow, at + room.flow_plane + x)
        confidence = load(expansions.confidence, trust + x)
        g11, g12, g22, h1, h2 = equations(expansions, x, y, dx, dy, confidence)
        if iteration == 0:  # the later ones find these rows in the cache
            ahead = PLANES * (y + 2) * expansions.stride + x
            for c in range(PLANES):
                prefetch(expansions.first, ahead + c * expansions.stride)
                prefetch(expansions.second, ahead + c * expansions.stride)
        c = x
        _add(rows, to + c, ends + c, sums, total + c, apart, g11, begins)
        c += plane
        _add(rows, to + c, ends + c, sums, total + c, apart, g12, begins)
        c += plane
        _add(rows, to + c, ends + c, sums, total + c, apart, g22, begins)
        c += plane
        _add(rows, to + c, ends + c, sums, total + c, apart, h1, begins)
        c += plane
        _add(rows, to + c, ends + c, sums, total + c, apart, h2, begins)


@spliced
def _fold_block(room, iteration, y, width):
    """Where a block begins with row y, replace each row of the one before by its end's sums."""
    if (y + room.capacity // 2) % room.capacity:
        return
    rows, row = room.equations, PLANES * room.plane
    block = equations_at(room, iteration, 0)
    for c in range(block, block + row, room.plane):
        for x in range(c, c + width, LANES):
            total = load(rows, x + (room.capacity - 1) * row)
            for i in range(room.capacity - 2, 0, -1):
                total = total + load(rows, x + i * row)
                store(rows, x + i * row, total)


@spliced
def _repeat_first_row(room, iteration, radius, width):
    """Let row 0 have entered ``radius`` times before."""
    rows, plane, first = room.equations, room.plane, row_at(room, iteration, 0)
    total = sums_at(room, iteration) + PLANES * plane
    for y in range(-radius, 0):
        copy_row(rows, first, row_at(room, iteration, y), room, width)
    for c in range(0, PLANES * plane, plane):
        for x in range(c, c + width, LANES):
            store(room.sums, total + x, load(rows, first + x) * (radius + 1))


@inlined
def _solve_row(room, at, to, width, radius, regularisation):
    sums, plane, count = room.sums, room.plane, 2 * radius + 1
    # The window of pixel ``start`` begins with a whole vector.
    start = -(-radius % LANES)
    for x in range(start, width, LANES):
        begin = at + x - radius
        g11 = _sum_neighbours(sums, begin, count)
        g12 = _sum_neighbours(sums, begin + plane, count)
        g22 = _sum_neighbours(sums, begin + 2 * plane, count)
        h1 = _sum_neighbours(sums, begin + 3 * plane, count)
        h2 = _sum_neighbours(sums, begin + 4 * plane, count)
        dx, dy = solve(g11, g12, g22, h1, h2, regularisation)
        store(room.flow, to + x, dx)
        store(room.flow, to + room.flow_plane + x, dy)


@inlined
def _sum_neighbours(row, at, count):
    """Return the sums of the ``count`` elements from each of the places ``at``, ``at`` + 1, ..."""
    near, far = load(row, at), load(row, at + LANES)
    total = splat(0.0)
    if count >= LANES:
        last = at + count // LANES * LANES
        following = far
        for place in range(at + LANES, last, LANES):
            near, far = near + far, load(row, place + LANES)
            following = following + far
        total = window_sum(near, following, LANES)
        near, far = load(row, last), load(row, last + LANES)
    return total + window_sum(near, far, count % LANES)
