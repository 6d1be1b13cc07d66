"""A gray frame and a flow go in; row by row, sums of their votes for orientations come out.

The sums are an integral image (Viola and Jones 2001): element (y, x) holds the votes of all pixels
above row y and left of column x, so that any rectangle's are four reads. Only its last rows are
kept, in a ring: it is used while it lies in the cache.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from classicvid.kernels.jit import inlined, kernel_fused, spliced
from classicvid.kernels.simd import (
    LANES,
    absolute,
    deinterleave,
    first_lanes,
    fma,
    lane_numbers,
    load,
    load_floats,
    maximum,
    minimum,
    select,
    splat,
    square_root,
    store,
    to_floats,
)

BINS = 8
# Numbers a pixel: the bins of the gradients of gray, dx and dy, and of the flow itself.
VOTES = 4 * BINS
# Scratch rows: gray, dx and dy of three rows; position and magnitude of four vectors; who rests.
_DX, _DY, _PLANES = 1, 2, 3
_POLAR = 3 * _PLANES
_ROWS = _POLAR + 2 * VOTES // BINS + 1
# The odd polynomial of OpenCV's fastAtan2, in bins of a full turn of eight.
_A1 = np.float32(0.9997878412794807 * 4 / np.pi)
_A3 = np.float32(-0.3258083974640975 * 4 / np.pi)
_A5 = np.float32(0.1555786518463281 * 4 / np.pi)
_A7 = np.float32(-0.04432655554792128 * 4 / np.pi)
_TINY = np.float32(2.220446e-16)


def rooms(width, patch):
    """Return the shapes of the rows, the sums and the rests of `Votes`, for patches so high."""
    rows = _ROWS, -(-width // LANES) * LANES + 2 * LANES
    return rows, (patch + 1, width + 1, VOTES), (patch + 1, width + 1)


class Votes(NamedTuple):
    """A frame (H, W), and the room in which its votes are summed.

    ``gray`` (H, W) is uint8, ``flow`` (H + 1, ``flow_stride``, 2) float32; ``rows`` are the scratch
    rows of `rooms`. ``sums`` (``ring``, W + 1, `VOTES`) and ``rests`` (``ring``, W + 1) hold
    row y of the integral images at y modulo ``ring``. Flow vectors no longer than ``min_flow`` vote
    in ``rests`` with 1 instead of in the last 8 of ``sums``.
    """

    gray: object
    flow: object
    rows: object
    sums: object
    rests: object
    height: int
    width: int
    flow_stride: int
    room: int
    ring: int
    min_flow: float


@spliced
def begin_votes(votes):
    """Write row 0 of the integral images, which is empty, and load the first row of the frame."""
    for x in range(0, (votes.width + 1) * VOTES, LANES):
        store(votes.sums, x, splat(0.0))
    for x in range(votes.width + 1):
        votes.rests[x] = 0
    _load_row(votes, 0)


@kernel_fused
def add_votes(votes, y):
    """Write row ``y`` + 1 of the integral images; the rows above come first."""
    if y + 1 < votes.height:
        _load_row(votes, y + 1)
    _vote_row(votes, y)
    _add_row(votes, y)
    _add_rests(votes, y)


@spliced
def _load_row(votes, y):
    """Put row y into the ring of three, mirrored at the centres of its last pixels."""
    width, room, rows = votes.width, votes.room, votes.rows
    at, start = y % 3 * _PLANES * room + LANES, y * width
    for x in range(0, width, LANES):
        pair = 2 * (y * votes.flow_stride + x)
        dx, dy = deinterleave(load(votes.flow, pair), load(votes.flow, pair + LANES))
        store(rows, at + _DX * room + x, dx)
        store(rows, at + _DY * room + x, dy)
    whole = width // LANES * LANES
    for x in range(0, whole, LANES):
        store(rows, at + x, load_floats(votes.gray, start + x))
    for x in range(whole, width):
        rows[at + x] = np.float32(votes.gray[start + x])
    for plane in range(at, at + _PLANES * room, room):
        rows[plane - 1] = rows[plane + min(1, width - 1)]
        rows[plane + width] = rows[plane + max(width - 2, 0)]


@spliced
def _vote_row(votes, y):
    """Write the positions among the bins and the magnitudes of the four vectors of every pixel."""
    rows, room, last = votes.rows, votes.room, votes.height - 1
    at = y % 3 * _PLANES * room + LANES
    # Mirrored, the rows above the first and below the last are their neighbours.
    above = (y - 1 if y else min(1, last)) % 3 * _PLANES * room + LANES
    below = (y + 1 if y < last else max(last - 1, 0)) % 3 * _PLANES * room + LANES
    to = _POLAR * room + LANES
    for x in range(0, votes.width, LANES):
        for plane in range(_PLANES):
            near = plane * room + x
            right, left = load(rows, at + near + 1), load(rows, at + near - 1)
            down, up = load(rows, below + near), load(rows, above + near)
            position, magnitude = _polar(right - left, down - up)
            store(rows, to + 2 * plane * room + x, position)
            store(rows, to + (2 * plane + 1) * room + x, magnitude)
        dx, dy = load(rows, at + _DX * room + x), load(rows, at + _DY * room + x)
        position, magnitude = _polar(dx, dy)
        rests = magnitude <= votes.min_flow
        store(rows, to + 6 * room + x, position)
        store(rows, to + 7 * room + x, select(rests, splat(0.0), magnitude))
        store(rows, to + 8 * room + x, select(rests, splat(1.0), splat(0.0)))


@inlined
def _polar(x, y):
    """Return the place of a vector's angle among the bins, 0 to 8, and its length."""
    width, height = absolute(x), absolute(y)
    t = minimum(width, height) / (maximum(width, height) + _TINY)
    s = t * t
    place = fma(fma(fma(splat(_A7), s, splat(_A5)), s, splat(_A3)), s, splat(_A1)) * t
    zero = splat(0.0)
    place = select(width < height, 2.0 - place, place)
    place = select(x < zero, 4.0 - place, place)
    place = select(y < zero, 8.0 - place, place)
    return place, square_root(fma(x, x, y * y))


@spliced
def _add_row(votes, y):
    rows, room, sums = votes.rows, votes.room, votes.sums
    line, to = (votes.width + 1) * VOTES, _POLAR * room + LANES
    at, above = (y + 1) % votes.ring * line, y % votes.ring * line
    for start in range(0, VOTES, 2 * LANES):
        # Two vectors at a time: each sum waits for the one before it, not for the other.
        first, second = splat(0.0), splat(0.0)
        store(sums, at + start, first)
        store(sums, at + start + LANES, second)
        for x in range(votes.width):
            here = (x + 1) * VOTES + start
            first = _add_pixel(rows, to + x, room, start, first)
            store(sums, at + here, first + load(sums, above + here))
            here += LANES
            second = _add_pixel(rows, to + x, room, start + LANES, second)
            store(sums, at + here, second + load(sums, above + here))


@inlined
def _add_pixel(rows, at, room, start, running):
    """Return a row's sums of the bins from ``start`` on, with one pixel more."""
    low = first_lanes(BINS)
    # With 16 lanes, a vector holds the bins of two of the four kinds of vote.
    first = at + start // BINS * 2 * room
    second = at + (start + LANES - 1) // BINS * 2 * room
    bins = to_floats((lane_numbers() + start) & (BINS - 1))
    place = select(low, splat(rows[first]), splat(rows[second]))
    size = select(low, splat(rows[first + room]), splat(rows[second + room]))
    apart = absolute(bins - place)
    nearness = maximum(1.0 - minimum(apart, 8.0 - apart), splat(0.0))
    return fma(nearness, size, running)


@spliced
def _add_rests(votes, y):
    rests, line = votes.rests, votes.width + 1
    at, above = (y + 1) % votes.ring * line, y % votes.ring * line
    flags = (_POLAR + 8) * votes.room + LANES
    running = np.float32(0)
    rests[at] = 0
    for x in range(votes.width):
        running += votes.rows[flags + x]
        rests[at + x + 1] = running + rests[above + x + 1]
