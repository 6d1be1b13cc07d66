"""Whole numbers that several threads share go in; turns, messages and waits come out.

Threads that run one kernel at the same time divide its work by counters in shared memory: `claim`
hands out the next number to one thread alone; what a thread has written before it calls `publish`
is seen by whoever `wait_for` lets go on. With the JIT off a kernel is run by one thread alone.
"""

from __future__ import annotations

import os
import platform

from llvmlite import ir
from numba import types

from classicvid.kernels.jit import inlined
from classicvid.kernels.simd.lanes import config
from classicvid.kernels.simd.lowering.writer import compiles, is_memory

# Whether a kernel may be run by several threads at once.
SHARED = not config.DISABLE_JIT
# How often a thread looks before it offers its core to others: some ten microseconds.
LOOKS = 300

_PAUSES = {
    "x86_64": "llvm.x86.sse2.pause",
    "AMD64": "llvm.x86.sse2.pause",
}
_YIELD = "SwitchToThread" if os.name == "nt" else "sched_yield"


def claim(memory, place):
    """Return a number of int64 memory and add 1 to it, so that no other thread gets the same."""
    memory[place] += 1
    return memory[place] - 1


def publish(memory, place, number):
    """Write a number; whoever reads it sees all that was written before."""
    memory[place] = number


def look(memory, place):
    """Read a number that another thread may write at any time."""
    return memory[place]


def rest(core_is_offered):
    """Let a moment pass, or offer the core to other threads."""
    message = "this wait would never end: what it waits for comes later in the order of work"
    raise RuntimeError(message)


@inlined
def wait_for(memory, place, number):
    """Go on as soon as ``memory[place]`` is at least ``number``."""
    looks = 0
    while look(memory, place) < number:
        looks += 1
        rest(looks > LOOKS)


def _is_shared(memory):
    return is_memory(memory) and memory.dtype == types.int64


@compiles(claim, lambda memory, place: types.int64 if _is_shared(memory) else None)
def _claim(write, signature, memory, place):
    one = ir.Constant(ir.IntType(64), 1)
    return write.atomic_rmw("add", _address(write, signature, memory, place), one, "acq_rel")


@compiles(publish, lambda memory, place, number: types.none if _is_shared(memory) else None)
def _publish(write, signature, memory, place, number):
    number = write.cast(number, signature.args[2], types.int64)
    write.store_atomic(number, _address(write, signature, memory, place), "release", 8)


@compiles(look, lambda memory, place: types.int64 if _is_shared(memory) else None)
def _look(write, signature, memory, place):
    return write.load_atomic(_address(write, signature, memory, place), "acquire", 8)


@compiles(rest, lambda core_is_offered: types.none)
def _rest(write, signature, core_is_offered):
    with write.if_else(core_is_offered) as (offered, kept):
        with offered:
            write.call_named(_YIELD, ir.IntType(32))
        with kept:
            pause = _PAUSES.get(platform.machine())
            if pause:
                write.call_named(pause, ir.VoidType())


def _address(write, signature, memory, place):
    return write.gep(memory, [write.cast(place, signature.args[1], types.intp)])
