"""Rows of flow enter an iteration under a Gaussian; what it makes of them leaves two by two."""

from __future__ import annotations

from classicvid.kernels.farneback.layout import (
    PLANES,
    equations_at,
    flow_at,
    move_row,
    repeat_ends,
    sums_at,
)
from classicvid.kernels.farneback.solution import solve
from classicvid.kernels.farneback.update import equations
from classicvid.kernels.jit import part_fused, spliced
from classicvid.kernels.simd import LANES, fma, load, splat, store


@part_fused
def enter_row(expansions, room, iteration, y):
    """Put the equations of row y into the ring."""
    rows, flow, plane = room.equations, room.flow, room.plane
    at, to = flow_at(room, iteration, y), equations_at(room, iteration, y)
    trust = expansions.confidence_rows[y] * expansions.stride
    for x in range(0, expansions.width, LANES):
        dx, dy = load(flow, at + x), load(flow, at + room.flow_plane + x)
        confidence = load(expansions.confidence, trust + x)
        g11, g12, g22, h1, h2 = equations(expansions, x, y, dx, dy, confidence)
        store(rows, to + x, g11)
        store(rows, to + plane + x, g12)
        store(rows, to + 2 * plane + x, g22)
        store(rows, to + 3 * plane + x, h1)
        store(rows, to + 4 * plane + x, h2)


@spliced
def take_row(room, iteration, y, width, source, start, apart):
    """Put row y into the ring: equations that are already made, ``apart`` between their planes."""
    to = equations_at(room, iteration, y)
    move_row(source, start, apart, room.equations, to, room.plane, width)


@part_fused
def solve_rows(expansions, room, iteration, y, stop, weights, radius, places):
    """Write the rows y .. ``stop`` - 1, at most two, of the flow that enters the next iteration.

    ``weights`` are those of the window from the centre outwards; ``places`` is room for
    2 ``radius`` + 2 whole numbers.
    """
    for i in range(2 * radius + 2):
        row = min(max(y - radius + i, 0), expansions.height - 1)
        places[i] = equations_at(room, iteration, row)
    _average_columns(room, iteration, expansions.width, weights, radius, places)
    at = sums_at(room, iteration)
    for row in range(y, stop):
        for c in range(PLANES):
            repeat_ends(room.sums, at + c * room.plane, expansions.width, radius + LANES)
        _solve_row(room, at, flow_at(room, iteration + 1, row), expansions.width, weights, radius)
        at += PLANES * room.plane


@spliced
def _average_columns(room, iteration, width, weights, radius, places):
    """Average the rows of two windows, of which the second lies one row further down."""
    rows, plane, to = room.equations, room.plane, sums_at(room, iteration)
    for c in range(0, PLANES * plane, plane):
        for x in range(c, c + width, LANES):
            first = load(rows, places[radius] + x)
            second = load(rows, places[radius + 1] + x)
            upper, lower = first * weights[0], second * weights[0]
            # Both windows reach from ``first`` up and from ``second`` down.
            for i in range(1, radius + 1):
                weight = splat(weights[i])
                above = load(rows, places[radius - i] + x)
                below = load(rows, places[radius + 1 + i] + x)
                upper = fma(above + second, weight, upper)
                lower = fma(first + below, weight, lower)
                first, second = above, below
            store(room.sums, to + x, upper)
            store(room.sums, to + PLANES * plane + x, lower)


@spliced
def _solve_row(room, at, to, width, weights, radius):
    sums, plane = room.sums, room.plane
    for x in range(0, width, LANES):
        centre = at + x
        g11 = load(sums, centre) * weights[0]
        g12 = load(sums, centre + plane) * weights[0]
        g22 = load(sums, centre + 2 * plane) * weights[0]
        h1 = load(sums, centre + 3 * plane) * weights[0]
        h2 = load(sums, centre + 4 * plane) * weights[0]
        for i in range(1, radius + 1):
            weight, left, right = splat(weights[i]), centre - i, centre + i
            g11 = fma(load(sums, left) + load(sums, right), weight, g11)
            left, right = left + plane, right + plane
            g12 = fma(load(sums, left) + load(sums, right), weight, g12)
            left, right = left + plane, right + plane
            g22 = fma(load(sums, left) + load(sums, right), weight, g22)
            left, right = left + plane, right + plane
            h1 = fma(load(sums, left) + load(sums, right), weight, h1)
            left, right = left + plane, right + plane
            h2 = fma(load(sums, left) + load(sums, right), weight, h2)
        dx, dy = solve(g11, g12, g22, h1, h2, 1e-3)
        store(room.flow, to + x, dx)
        store(room.flow, to + room.flow_plane + x, dy)
