"""The plan of a pyramid and a list of tasks go in; threads fill its levels, each task done once."""

from __future__ import annotations

from classicvid.kernels.farneback.expansion import expand_rows
from classicvid.kernels.farneback.level import solve_rows
from classicvid.kernels.farneback.plan import (
    DONE,
    EXPAND,
    FIRST_FLAG,
    NEXT,
    SAMPLE,
)
from classicvid.kernels.farneback.pyramid import sample_rows
from classicvid.kernels.jit import kernel, spliced
from classicvid.kernels.simd import bytes_at, floats_at, memory
from classicvid.kernels.threads import claim, publish, wait_for


# Not fused: kernels that are called without flags of their own would take the caller's.
@kernel
def run_tasks(tasks, levels, calls, scratches, shared_board, member):
    """Do tasks, in their order, until none is left; every thread that runs this does some.

    Nothing is divided beforehand: a thread takes the next task that no one has, and waits for those
    before it that its own builds on. These have all been taken by threads that run already; so a
    thread that comes late, or not at all, delays nobody for ever.

    Parameters
    ----------
    tasks, levels, calls, scratches : record arrays
        `plan.TASK` of each task, `plan.LEVEL` of each level, one `plan.CALL`, and `plan.SCRATCH`
        of each thread.
    shared_board : array, int64
        The number of the next task, and what has become of each.
    member : int
        Number of this thread. The first one, 0, stays until all tasks are done.
    """
    call, scratch, board = calls[0], scratches[member], memory(shared_board)
    number = claim(board, NEXT)
    while number < tasks.size:
        task = tasks[number]
        for flag in range(task["needs"], task["needs_end"]):
            wait_for(board, flag, DONE)
        _do(task, levels[task["level"]], call, scratch, board)
        publish(board, task["flag"], DONE)
        number = claim(board, NEXT)
    if member == 0:
        for flag in range(FIRST_FLAG, FIRST_FLAG + tasks.size):
            wait_for(board, flag, DONE)


@kernel
def open_board(shared_board):
    """Let tasks be taken anew."""
    board = memory(shared_board)
    for flag in range(FIRST_FLAG, shared_board.size):
        board[flag] = 0
    # Last: a thread that lingers from the call before may begin at once.
    publish(board, NEXT, 0)


@spliced
def _do(task, level, call, scratch, board):
    begin, end, second = task["begin"], task["end"], task["frame"] == 1
    image = floats_at(level["image_1"] if second else level["image_0"])
    if task["kind"] == SAMPLE:
        frame = call["frame_1"] if second else call["frame_0"]
        if call["frame_floats"]:
            sample_rows(floats_at(frame), call, level, scratch, image, begin, end)
        else:
            sample_rows(bytes_at(frame), call, level, scratch, image, begin, end)
    elif task["kind"] == EXPAND:
        out = floats_at(level["expansion_1"] if second else level["expansion_0"])
        expand_rows(call, level, scratch, image, out, begin, end)
    else:
        solve_rows(call, level, scratch, task, board)
