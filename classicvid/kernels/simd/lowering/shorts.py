"""Operations on vectors of 16-bit numbers go in; LLVM's instructions for each come out."""

from __future__ import annotations

import platform

from llvmlite import ir
from numba import types

from classicvid.kernels.simd import operations
from classicvid.kernels.simd.lanes import LANES
from classicvid.kernels.simd.lowering.writer import compiles, is_memory, lanes_at
from classicvid.kernels.simd.vectors import BYTE, INT, INTEGERS, SHORT, SHORTS

# What multiplies and adds pairs in one instruction, by the number of lanes.
_ADD_PRODUCTS = {16: "avx512.pmaddw.d.512", 8: "avx2.pmadd.wd", 4: "sse2.pmadd.wd"}
_X86 = platform.machine().lower() in ("x86_64", "amd64")


@compiles(
    operations.load_shorts,
    lambda memory, offset: (
        SHORTS if is_memory(memory) and memory.dtype in (types.uint8, types.int16) else None
    ),
)
def _load_shorts(write, signature, memory, offset):
    element = signature.args[0].dtype
    layout = ir.VectorType(BYTE if element == types.uint8 else SHORT, SHORTS.count)
    values = write.load(write.place(memory, signature, offset, layout), align=element.bitwidth // 8)
    return write.zext(values, SHORTS.layout) if element == types.uint8 else values


@compiles(operations.splat_short, lambda number: SHORTS)
def _splat_short(write, signature, number):
    return write.operand(number, signature.args[0], SHORTS)


@compiles(operations.splat_pair, lambda even, odd: SHORTS)
def _splat_pair(write, signature, even, odd):
    low, high = (
        write.cast(value, kind, types.int32)
        for value, kind in zip((even, odd), signature.args, strict=True)
    )
    both = write.or_(write.and_(low, INT(0xFFFF)), write.shl(high, INT(16)))
    return write.bitcast(write.spread(both, INTEGERS.layout), SHORTS.layout)


@compiles(operations.short_lanes, lambda first, end: SHORTS)
def _short_lanes(write, signature, first, end):
    numbers = ir.Constant(SHORTS.layout, list(range(SHORTS.count)))
    first, end = (
        write.spread(write.cast(value, kind, types.int16), SHORTS.layout)
        for value, kind in zip((first, end), signature.args, strict=True)
    )
    inside = write.and_(
        write.icmp_signed(">=", numbers, first), write.icmp_signed("<", numbers, end)
    )
    return write.sext(inside, SHORTS.layout)


@compiles(operations.pair_sums, lambda a, b: INTEGERS if a == b == SHORTS else None)
def _pair_sums(write, signature, a, b):
    if _X86:
        return write.call_named(f"llvm.x86.{_ADD_PRODUCTS[LANES]}", INTEGERS.layout, a, b)
    products = [
        write.mul(
            *(write.sext(_every_second(write, value, start), INTEGERS.layout) for value in (a, b))
        )
        for start in (0, 1)
    ]
    return write.add(*products)


def _every_second(write, value, start):
    return write.shuffle_vector(value, value, lanes_at(range(start, SHORTS.count, 2)))


@compiles(operations.pairs, lambda even, odd: SHORTS if even == odd == INTEGERS else None)
def _pairs(write, signature, even, odd):
    low = write.and_(even, ir.Constant(INTEGERS.layout, [0xFFFF] * LANES))
    high = write.shl(odd, ir.Constant(INTEGERS.layout, [16] * LANES))
    return write.bitcast(write.or_(low, high), SHORTS.layout)
