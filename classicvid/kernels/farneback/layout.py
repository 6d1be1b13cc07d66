"""The kernels' arrays go in; the places of their rows, in one flat memory each, come out."""

from __future__ import annotations

from typing import NamedTuple

from classicvid.kernels.jit import inlined, spliced
from classicvid.kernels.simd import LANES, load, splat, store

# The planes of the normal equations: g11, g12, g22, h1, h2 (1 is y). A row of them is five rows of
# numbers, one below the other, as a row of an expansion is.
PLANES = 5
# Rows of flow that an iteration hands to the next one at a time.
BATCH = 2


class Expansions(NamedTuple):
    """Two expansions (H + 2, 5, ``stride``): of every row, ``width`` pixels count.

    ``confidence`` holds the distinct rows of confidence in them, ``stride`` apart, and
    ``confidence_rows[y]`` says which of these row y has.
    """

    first: object
    second: object
    confidence: object
    confidence_rows: object
    stride: int
    height: int
    width: int


class Room(NamedTuple):
    """The rows that the iterations of a level work on.

    ``flow`` (iterations + 1, BATCH, 2, ``flow_plane``) holds the flow that enters each iteration,
    pixel 0 at ``LANES``; ``equations`` (iterations, ``capacity`` + 2, 5, ``plane``) a ring of rows
    of normal equations each, a spare row and a row of zeros; ``sums`` (iterations, BATCH, 5,
    ``plane``) their sums over the window's rows, pixel 0 at ``margin``.
    """

    flow: object
    equations: object
    sums: object
    flow_plane: int
    plane: int
    margin: int
    capacity: int


@inlined
def flow_at(room, iteration, y):
    """Return where row y of the flow that enters an iteration begins."""
    return (iteration * BATCH + y % BATCH) * 2 * room.flow_plane + LANES


@inlined
def equations_at(room, iteration, y):
    """Return where row y of an iteration's equations begins."""
    return (iteration * (room.capacity + 2) + y % room.capacity) * PLANES * room.plane


@inlined
def spare_at(room, iteration):
    """Return where an iteration's spare row of equations begins; the row of zeros follows."""
    return (iteration * (room.capacity + 2) + room.capacity) * PLANES * room.plane


@inlined
def sums_at(room, iteration):
    """Return where pixel 0 of an iteration's sums lies."""
    return iteration * BATCH * PLANES * room.plane + room.margin


@spliced
def copy_row(rows, source, to, room, width):
    """Copy one row of equations within the ring."""
    move_row(rows, source, room.plane, rows, to, room.plane, width)


@inlined
def move_row(rows, source, plane, others, to, others_plane, width):
    """Copy one row of equations from memory where its planes lie ``plane`` apart to another."""
    for c in range(PLANES):
        for x in range(0, width, LANES):
            store(others, to + c * others_plane + x, load(rows, source + c * plane + x))


@inlined
def repeat_ends(row, start, width, reach):
    """Continue the ``width`` elements of a row by its end elements, ``reach`` or more both ways."""
    first, last = splat(row[start]), splat(row[start + width - 1])
    for x in range(0, reach, LANES):
        store(row, start - LANES - x, first)
        store(row, start + width + x, last)
