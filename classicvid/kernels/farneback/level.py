"""Two expansions and a coarser flow go in; after all iterations, a level's flow comes out."""

from __future__ import annotations

from classicvid.kernels.farneback import box, gaussian
from classicvid.kernels.farneback.guess import Coarse, guess_row
from classicvid.kernels.farneback.layout import BATCH, Expansions, Room, flow_at
from classicvid.kernels.jit import kernel_fused, spliced
from classicvid.kernels.simd import LANES, load, memory, store_pairs


@kernel_fused
def solve_level(expansions, confidence, coarse, taps, window, scratch, out, bounds):
    """Fill rows of ``out`` (H, W', 2) with the flow of one level.

    All iterations run at once, as a wave down the rows: as soon as the rows of a window have
    entered iteration j, its row of flow enters iteration j + 1; so the expansions are read once,
    while they are in the cache. A band of rows starts early enough to need no other.

    Parameters
    ----------
    expansions : tuple
        Of the first and the second frame (H + 2, 5, W').
    confidence : tuple
        Distinct rows of confidence in a pixel's expansion (K, W'), and which row of the image has
        which of them (H,).
    coarse : array (h + 1, w', 2)
        Flow of the level above.
    taps : tuple
        Where the pixels lie in ``coarse``: rows (H,), their fractions, columns (W',), fractions.
    window : tuple
        Radius; 1-D weights (radius + 1,) from the centre outwards, none for a box; what the box
        adds to the determinant of its sums.
    scratch : tuple
        Room: see `layout.Room` and `guess.Coarse`; (2, iterations) and (2 radius + 2,) whole
        numbers.
    out : array (H, W', 2)
        The flow.
    bounds : tuple
        First row and end of the band; pixels in a row; of ``coarse``, 0 for no motion; how many
        times longer its displacements become.
    """
    flow, equations, sums, blended, numbers, places = scratch
    begin, end, width, coarse_width, length = bounds
    radius, weights, regularisation = window
    trust, trust_rows = confidence
    first, second = expansions
    stride = first.shape[2]
    pair = Expansions(
        memory(first),
        memory(second),
        memory(trust),
        memory(trust_rows),
        stride,
        first.shape[0] - 2,
        width,
    )
    room = Room(
        memory(flow),
        memory(equations),
        memory(sums),
        flow.shape[3],
        sums.shape[3],
        (sums.shape[3] - flow.shape[3]) // 2 + LANES,
        equations.shape[1] - 2,
    )
    above = Coarse(
        memory(coarse),
        memory(taps[0]),
        memory(taps[1]),
        memory(taps[2]),
        memory(taps[3]),
        memory(blended),
        blended.shape[1],
        2 * coarse.shape[1],
        coarse_width,
        length,
    )
    _run(
        pair,
        room,
        above,
        (radius, memory(weights), weights.size, regularisation),
        (equations.shape[0], begin, end),
        memory(numbers),
        numbers.shape[1],
        memory(places),
        (memory(out), 2 * out.shape[1]),
    )


@spliced
def _run(pair, room, above, window, course, numbers, apart, places, out):
    """Send the rows of a band through all iterations.

    The first row of ``numbers`` counts the rows that have entered each iteration, the second those
    that have left it.
    """
    iterations, begin, end = course
    for j in range(iterations):
        numbers[j] = _begin(j, course, window[0])
        numbers[apart + j] = _begin(j + 1, course, window[0])
    ready, written = numbers[0], begin
    while written < end:
        guessed = ready
        ready = min(guessed + (BATCH if window[2] else 1), _end(0, course, window[0], pair.height))
        for y in range(guessed, ready):
            guess_row(above, y, pair.width, room.flow, flow_at(room, 0, y), room.flow_plane)
        arrived = ready
        for j in range(iterations):
            arrived = _pass_rows(pair, room, window, course, numbers, apart, places, j, arrived)
        for y in range(written, arrived):
            at = flow_at(room, iterations, y)
            _write_row(room.flow, at, room.flow_plane, pair.width, out[0], out[1] * y)
        written = arrived


@spliced
def _pass_rows(pair, room, window, course, numbers, apart, places, j, arrived):
    """Take the rows up to ``arrived`` into iteration j; return up to where rows have left it."""
    radius, weights, gaussian_window, regularisation = window
    top, first, stop = _begin(j, course, radius), numbers[apart + j], arrived - radius
    for y in range(numbers[j], arrived):
        if gaussian_window:
            gaussian.enter_row(pair, room, j, y)
        else:
            box.enter_row(pair, room, j, y, top)
    numbers[j] = arrived
    if arrived == _end(j, course, radius, pair.height):
        stop = _end(j + 1, course, radius, pair.height)
    stop = min(stop, first + (BATCH if gaussian_window else 1))
    if stop <= first:
        return first
    if gaussian_window:
        gaussian.solve_rows(pair, room, j, first, stop, weights, radius, places)
    else:
        lowest = first + radius if first > _begin(j + 1, course, radius) else 0
        for y in range(max(pair.height, lowest), first + radius + 1):
            box.repeat_last_row(pair, room, j, y)
        box.solve_row(room, j, first, pair.width, radius, regularisation)
    numbers[apart + j] = stop
    return stop


@spliced
def _begin(iteration, course, radius):
    """Return the first row that enters an iteration: what leaves it needs its window's rows."""
    return max(0, course[1] - radius * (course[0] - iteration))


@spliced
def _end(iteration, course, radius, height):
    return min(height, course[2] + radius * (course[0] - iteration))


@spliced
def _write_row(flow, at, flow_plane, width, out, to):
    whole = width // LANES * LANES
    for x in range(0, whole, LANES):
        store_pairs(out, to + 2 * x, load(flow, at + x), load(flow, at + flow_plane + x))
    for x in range(whole, width):
        out[to + 2 * x] = flow[at + x]
        out[to + 2 * x + 1] = flow[at + flow_plane + x]
