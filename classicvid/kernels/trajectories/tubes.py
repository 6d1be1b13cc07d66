"""A frame, its flow and the heads of tracks go in; histograms of their surroundings come out.

A patch is cut into 2 x 2 cells. The numbers of a patch run over its cells (x outer, y inner), a
cell's over the orientations of HOG, MBHx, MBHy and HOF; the cells' shares of pixels at rest follow.
"""

from __future__ import annotations

import numpy as np

from classicvid.kernels.jit import kernel_fused, spliced
from classicvid.kernels.simd import (
    LANES,
    first_lanes,
    load,
    maximum,
    memory,
    prefetch,
    select,
    splat,
    square_root,
    store,
    total,
)
from classicvid.kernels.trajectories.votes import BINS, VOTES, Votes, add_votes, begin_votes

CELLS = 4
# Where the numbers of pixels at rest begin, and how many numbers a patch has.
REST = CELLS * VOTES
TUBE = REST + CELLS
_KINDS = VOTES // BINS
# Added to every bin of every cell, as the authors' program does for cells of 16 x 16 pixels.
_EPSILON = np.float32(0.05)
# Tubes that are fetched ahead, and numbers in a line of the cache.
_AHEAD, _LINE = 6, 16


@kernel_fused
def describe_tubes(gray, flow, min_flow, patch, room, tracks):
    """Add the histograms of the patches around the heads to the tubes of their tracks.

    Of each kind, the histograms of the four cells together are a distribution; their square roots
    are averaged over the frames of a part of a track.

    Parameters
    ----------
    gray : array (H, W), uint8
        Its gradients are the kind HOG.
    flow : array (H + 1, W', 2), float32
        W' is W rounded up to whole vectors.
    min_flow : float32
        A flow vector of this length or less is at rest.
    patch : int
        Side of the patch in pixels, even. It is moved into the frame where it would reach out.
    room : tuple
        Three arrays of the shapes `rooms`, float32.
    tracks : tuple
        Heads (N, 2), float32, as (x, y); the track of each (N,), int64; steps that each track has
        taken (tracks,), int64; how many of them are a part; where to add: (tracks, parts, `TUBE`),
        float32.
    """
    height, width = gray.shape
    rows, sums, rests = room
    votes = Votes(
        memory(gray),
        memory(flow),
        memory(rows),
        memory(sums),
        memory(rests),
        height,
        width,
        flow.shape[1],
        rows.shape[1],
        patch + 1,
        min_flow,
    )
    heads, slots, ages, length, tubes = tracks
    out = memory(tubes)
    cells, inverse = np.empty(TUBE, np.float32), np.empty(_KINDS, np.float32)
    scratch = memory(cells)
    starts, order = _sort_by_bottom(heads, patch, height)
    begin_votes(votes)
    for y in range(height):
        add_votes(votes, y)
        for k in range(starts[y + 1], starts[y + 2]):
            i = order[k]
            _ask_for(out, slots, ages, length, tubes.shape[1], order, k + _AHEAD)
            left = _first_pixel(heads[i, 0], patch, width)
            top = _first_pixel(heads[i, 1], patch, height)
            _sum_cells(votes, patch // 2, left, top, scratch, inverse)
            at = (slots[i] * tubes.shape[1] + ages[slots[i]] // length) * TUBE
            _add_roots(scratch, inverse, np.float32(1 / length), out, at)


@spliced
def _ask_for(out, slots, ages, length, parts, order, k):
    """Fetch the tube that is described next but a few: tracks lie anywhere in memory."""
    if k < order.size:
        slot = slots[order[k]]
        at = (slot * parts + ages[slot] // length) * TUBE
        for line in range(at, at + TUBE, _LINE):
            prefetch(out, line)


@kernel_fused
def _first_pixel(centre, patch, length):
    return min(max(int(np.rint(centre)) - patch // 2, 0), max(length - patch, 0))


@kernel_fused
def _sort_by_bottom(heads, patch, height):
    """Return the heads in the order of the rows that end their patches, and where each row begins.

    A patch that ends with row y is complete when row y + 1 of the integral images is written.
    """
    starts, order = np.zeros(height + 2, np.int64), np.empty(heads.shape[0], np.int64)
    for i in range(heads.shape[0]):
        starts[min(_first_pixel(heads[i, 1], patch, height) + patch, height) + 1] += 1
    for y in range(height + 1):
        starts[y + 1] += starts[y]
    places = starts.copy()
    for i in range(heads.shape[0]):
        bottom = min(_first_pixel(heads[i, 1], patch, height) + patch, height)
        order[places[bottom]] = i
        places[bottom] += 1
    return starts, order


@spliced
def _sum_cells(votes, side, left, top, cells, inverse):
    """Write the sums over the cells of a patch, and one over the total of each kind."""
    low, zero, none = first_lanes(BINS), splat(0.0), splat(_EPSILON)
    line = votes.width + 1
    inverse[:] = 0
    for cell in range(CELLS):
        x, y = left + cell // 2 * side, top + cell % 2 * side
        x, right = min(x, votes.width), min(x + side, votes.width)
        bottom = min(y + side, votes.height) % votes.ring * line
        y = min(y, votes.height) % votes.ring * line
        at = cell * VOTES
        for start in range(0, VOTES, LANES):
            inside = (
                load(votes.sums, (bottom + right) * VOTES + start)
                + load(votes.sums, (y + x) * VOTES + start)
                - load(votes.sums, (y + right) * VOTES + start)
                - load(votes.sums, (bottom + x) * VOTES + start)
            )
            store(cells, at + start, maximum(inside, zero) + none)
        rests = votes.rests
        inside = (rests[bottom + right] + rests[y + x]) - (rests[y + right] + rests[bottom + x])
        cells[REST + cell] = max(inside, np.float32(0)) + _EPSILON
        inverse[_KINDS - 1] += cells[REST + cell]
    for start in range(0, VOTES, LANES):
        summed = zero
        for cell in range(start, REST, VOTES):
            summed = summed + load(cells, cell)
        inverse[start // BINS] += total(select(low, summed, zero))
        if LANES > BINS:
            inverse[start // BINS + 1] += total(select(low, zero, summed))
    for kind in range(_KINDS):
        inverse[kind] = np.float32(1) / inverse[kind]


@spliced
def _add_roots(cells, inverse, share, out, at):
    low = first_lanes(BINS)
    for start in range(0, VOTES, LANES):
        first, second = inverse[start // BINS], inverse[(start + LANES - 1) // BINS]
        scale = select(low, splat(first), splat(second))
        for cell in range(start, REST, VOTES):
            root = square_root(load(cells, cell) * scale)
            store(out, at + cell, load(out, at + cell) + root * share)
    for cell in range(REST, TUBE):
        out[at + cell] += np.sqrt(cells[cell] * inverse[_KINDS - 1]) * share
