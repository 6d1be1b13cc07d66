"""Two expansions and a coarser flow go in; after all iterations, a level's flow comes out."""

from __future__ import annotations

from typing import NamedTuple

from classicvid.kernels.farneback import box, gaussian
from classicvid.kernels.farneback.guess import Coarse, guess_row
from classicvid.kernels.farneback.layout import (
    BATCH,
    PLANES,
    Expansions,
    Room,
    equations_at,
    flow_at,
    move_row,
    spare_at,
)
from classicvid.kernels.farneback.plan import HANDED
from classicvid.kernels.jit import inlined, spliced
from classicvid.kernels.simd import LANES, floats_at, integers_at, load, longs_at, store_pairs
from classicvid.kernels.threads import publish, wait_for


class Course(NamedTuple):
    """The band of rows ``begin`` .. ``end`` - 1 of ``height``, and its way through the iterations.

    ``window`` holds the 1-D weights of the window from the centre outwards, none (``gaussian`` is
    False) for a box, which adds ``regularisation`` to the determinant of its sums. The first row of
    ``numbers`` (2, iterations) counts the rows that have entered each iteration, the second those
    that have left it; ``places`` is room for 2 ``radius`` + 2 numbers.
    """

    begin: int
    end: int
    height: int
    iterations: int
    radius: int
    gaussian: bool
    window: object
    regularisation: float
    numbers: object
    places: object


class Neighbours(NamedTuple):
    """How a band shares the equations near its ends with the bands above and below.

    ``rows`` (bands - 1, iterations, 2 radius, 5, ``plane``) is room for the equations that bands
    hand over: this one ``gives`` into room ``hand``, and says so by its ``flag`` on the ``board``;
    or it takes from room ``hand`` + 1 what the band with the flag ``giver`` gives (-1: none does).
    """

    board: object
    rows: object
    plane: int
    hand: int
    gives: bool
    flag: int
    giver: int


@spliced
def solve_rows(call, level, scratch, task, board):
    """Fill a band of rows of a level's ``out`` with its flow.

    All iterations run at once, as a wave down the rows: as soon as the rows of a window have
    entered iteration j, its row of flow enters iteration j + 1; so the expansions are read once,
    while they are in the cache.

    A band of rows starts early enough to need no band above it. Behind its end it needs equations
    of rows that the band below makes as its first ones, and takes them from there; without such a
    ``giver`` it makes them itself.
    """
    first, second = floats_at(level["expansion_0"]), floats_at(level["expansion_1"])
    if call["backward"]:
        first, second = second, first
    pair = Expansions(
        first,
        second,
        floats_at(level["confidence"]),
        longs_at(level["confidence_rows"]),
        level["stride"],
        level["height"],
        level["width"],
    )
    room = Room(
        floats_at(scratch["flow"]),
        floats_at(scratch["equations"]),
        floats_at(scratch["sums"]),
        scratch["flow_plane"],
        scratch["plane"],
        (scratch["plane"] - scratch["flow_plane"]) // 2 + LANES,
        scratch["capacity"],
    )
    coarse = Coarse(
        floats_at(level["coarse"]),
        longs_at(level["coarse_rows"]),
        floats_at(level["coarse_row_fractions"]),
        integers_at(level["coarse_columns"]),
        floats_at(level["coarse_column_fractions"]),
        floats_at(scratch["coarse_rows"]),
        scratch["coarse_plane"],
        level["coarse_stride"],
        level["coarse_width"],
        level["length"],
    )
    course = Course(
        task["begin"],
        task["end"],
        level["height"],
        call["iterations"],
        call["radius"],
        call["window"]["size"] > 0,
        floats_at(call["window"]),
        call["regularisation"],
        longs_at(scratch["numbers"]),
        longs_at(scratch["row_places"]),
    )
    neighbours = Neighbours(
        board,
        floats_at(scratch["handed"]),
        scratch["handed_plane"],
        task["hand"],
        task["gives"] > 0,
        task["flag"],
        task["giver"],
    )
    _run(pair, room, coarse, course, neighbours, (floats_at(level["out"]), level["out_stride"]))


@spliced
def _run(pair, room, coarse, course, neighbours, out):
    """Send the rows of a band through all iterations."""
    iterations, numbers, gives = course.iterations, course.numbers, neighbours.gives
    for j in range(iterations):
        numbers[j] = _begin(j, course)
        numbers[iterations + j] = _begin(j + 1, course)
    ready, written = numbers[0], course.begin
    while written < course.end:
        guessed = ready
        ready = min(guessed + _step(course), _own_end(0, course, neighbours.giver))
        for y in range(guessed, ready):
            guess_row(coarse, y, pair.width, room.flow, flow_at(room, 0, y), room.flow_plane)
        arrived = ready
        for j in range(iterations):
            arrived = _pass_rows(pair, room, course, neighbours, j, arrived)
        for y in range(written, arrived):
            at = flow_at(room, iterations, y)
            _write_row(room.flow, at, room.flow_plane, pair.width, out[0], out[1] * y)
        written = arrived
        if gives and written > course.begin:
            # To write a row, the last iteration made all that the band above needs of it, and the
            # others were ahead.
            publish(neighbours.board, neighbours.flag, HANDED)
            gives = False


@spliced
def _pass_rows(pair, room, course, neighbours, j, arrived):
    """Take the rows up to ``arrived`` into iteration j; return up to where rows have left it."""
    entered, first = course.numbers[j], course.numbers[course.iterations + j]
    own_end = _own_end(j, course, neighbours.giver)
    end = own_end + 2 * course.radius * (neighbours.giver >= 0)
    if entered >= own_end:
        arrived = min(entered + _step(course), end)
    for y in range(entered, arrived):
        if y < own_end:
            _make_row(pair, room, course, neighbours, j, y)
        else:
            _take_row(pair, room, course, neighbours, j, y, y - own_end)
    course.numbers[j] = arrived
    stop = arrived - course.radius
    if arrived == course.height:
        stop = _own_end(j + 1, course, neighbours.giver)
    stop = min(stop, first + _step(course))
    if stop <= first:
        return first
    if course.gaussian:
        gaussian.solve_rows(pair, room, j, first, stop, course.window, course.radius, course.places)
    else:
        lowest = first + course.radius if first > _begin(j + 1, course) else 0
        for y in range(max(pair.height, lowest), first + course.radius + 1):
            spare = spare_at(room, j)  # holds the last row: it is repeated below the image
            box.take_row(room, j, y, pair.width, room.equations, spare, room.plane)
        box.solve_row(room, j, first, pair.width, course.radius, course.regularisation)
    course.numbers[course.iterations + j] = stop
    return stop


@spliced
def _make_row(pair, room, course, neighbours, j, y):
    """Make the equations of row y and take them into iteration j."""
    top = _begin(j, course)
    if course.gaussian:
        gaussian.enter_row(pair, room, j, y)
    else:
        box.enter_row(pair, room, j, y, top)
    if neighbours.gives and y < top + 2 * course.radius:
        at = equations_at(room, j, y) if course.gaussian else box.row_at(room, j, y)
        to = _handed_at(course, neighbours, neighbours.hand, j, y - top)
        move_row(room.equations, at, room.plane, neighbours.rows, to, neighbours.plane, pair.width)


@spliced
def _take_row(pair, room, course, neighbours, j, y, number):
    """Take the equations of row y into iteration j as the band below has made them."""
    if j == 0 and number == 0:
        wait_for(neighbours.board, neighbours.giver, HANDED)
    at = _handed_at(course, neighbours, neighbours.hand + 1, j, number)
    rows, plane = neighbours.rows, neighbours.plane
    if course.gaussian:
        gaussian.take_row(room, j, y, pair.width, rows, at, plane)
    else:
        box.take_row(room, j, y, pair.width, rows, at, plane)


@inlined
def _handed_at(course, neighbours, hand, j, number):
    row = (hand * course.iterations + j) * 2 * course.radius + number
    return row * PLANES * neighbours.plane


@inlined
def _step(course):
    """Return how many rows enter an iteration at once."""
    return BATCH if course.gaussian else 1


@inlined
def _begin(iteration, course):
    """Return the first row that enters an iteration: what leaves it needs its window's rows."""
    return max(0, course.begin - course.radius * (course.iterations - iteration))


@inlined
def _own_end(iteration, course, giver):
    """Return the end of the rows whose equations the band makes itself."""
    reach = course.radius * (course.iterations - iteration)
    return course.end - reach if giver >= 0 else min(course.height, course.end + reach)


@inlined
def _write_row(flow, at, flow_plane, width, out, to):
    whole = width // LANES * LANES
    for x in range(0, whole, LANES):
        store_pairs(out, to + 2 * x, load(flow, at + x), load(flow, at + flow_plane + x))
    for x in range(whole, width):
        out[to + 2 * x] = flow[at + x]
        out[to + 2 * x + 1] = flow[at + flow_plane + x]
