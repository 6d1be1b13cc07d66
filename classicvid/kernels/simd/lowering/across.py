"""Operations across lanes and masks go in; LLVM's instructions for each come out."""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils

from classicvid.kernels.simd import operations
from classicvid.kernels.simd.lanes import AVX2, LANES, WIDE
from classicvid.kernels.simd.lowering.writer import compiles, lanes_at, pair_kind
from classicvid.kernels.simd.vectors import (
    BIT,
    FLOAT,
    FLOATS,
    INT,
    INTEGERS,
    LONG,
    MASK,
)


@compiles(operations.select, lambda mask, a, b: pair_kind(a, b) if mask == MASK else None)
def _select(write, signature, mask, a, b):
    kind = signature.return_type
    a = write.operand(a, signature.args[1], kind)
    return write.select(mask, a, write.operand(b, signature.args[2], kind))


@compiles(operations.first_lanes, lambda count: MASK)
def _first_lanes(write, signature, count):
    return write.first_lanes(write.cast(count, signature.args[0], types.int32))


def _bits(write, mask):
    return write.bitcast(mask, ir.IntType(LANES))


@compiles(operations.all_lanes, lambda mask: types.boolean if mask == MASK else None)
def _all_lanes(write, signature, mask):
    return write.icmp_unsigned("==", _bits(write, mask), ir.IntType(LANES)(2**LANES - 1))


@compiles(operations.any_lane, lambda mask: types.boolean if mask == MASK else None)
def _any_lane(write, signature, mask):
    return write.icmp_unsigned("!=", _bits(write, mask), ir.IntType(LANES)(0))


@compiles(operations.lane_bits, lambda mask: types.uint64 if mask == MASK else None)
def _lane_bits(write, signature, mask):
    return write.zext(_bits(write, mask), LONG)


@compiles(operations.trailing_zeros, lambda bits: types.uint64)
def _trailing_zeros(write, signature, bits):
    bits = write.cast(bits, signature.args[0], types.uint64)
    return write.call_named("llvm.cttz.i64", LONG, bits, BIT(0))


@compiles(operations.first_lane, lambda vector: vector.scalar)
def _first_lane(write, signature, vector):
    return write.extract_element(vector, INT(0))


@compiles(operations.total, lambda vector: vector.scalar)
def _total(write, signature, vector):
    add = write.add if signature.args[0] == INTEGERS else write.fadd
    while vector.type.count > 1:
        half = vector.type.count // 2
        low = write.shuffle(vector, vector, range(half))
        vector = add(low, write.shuffle(vector, vector, range(half, 2 * half)))
    return write.extract_element(vector, INT(0))


def _extreme(function, on_floats, on_integers):
    @compiles(function, lambda vector: vector.scalar)
    def emit(write, signature, vector):
        kind = signature.args[0]
        name = on_integers if kind == INTEGERS else on_floats
        return write.call_named(f"llvm.vector.reduce.{name}.{kind.suffix}", kind.element, vector)


_extreme(operations.lowest, "fmin", "smin")
_extreme(operations.highest, "fmax", "smax")


def _literal(count):
    return isinstance(count, types.IntegerLiteral)


@compiles(operations.shift, lambda a, b, count: a if a == b and _literal(count) else None)
def _shift(write, signature, a, b, count):
    return _shifted(write, a, b, signature.args[2].literal_value)


def _shifted(write, a, b, count):
    return write.shuffle(a, b, range(count, count + a.type.count))


@compiles(operations.deinterleave, lambda a, b: types.UniTuple(a, 2) if a == b else None)
def _deinterleave(write, signature, a, b):
    parts = [write.shuffle(a, b, range(start, 2 * LANES, 2)) for start in (0, 1)]
    return write.context.make_tuple(write.builder, signature.return_type, parts)


@compiles(
    operations.window_sum,
    lambda a, b, count: a if a == b and isinstance(count, types.Integer) else None,
)
def _window_sum(write, signature, a, b, count):
    add = write.add if signature.args[0] == INTEGERS else write.fadd
    count = write.cast(count, signature.args[2], types.int32)
    rows, width = [], 1
    while width <= LANES:
        rows.append((width, a, b))
        a, b = add(a, _shifted(write, a, b, width)), add(b, _shifted(write, b, b, width))
        width *= 2
    sums = cgutils.alloca_once_value(write.builder, ir.Constant(a.type, None))
    for width, a, b in reversed(rows):
        # The wider sums come first: behind them, this one starts at the bits of count above it.
        with write.if_then(write.icmp_signed("!=", write.and_(count, INT(width)), INT(0))):
            done = write.and_(count, INT(-2 * width))
            places = write.add(lanes_at(range(LANES)), write.spread(done, INTEGERS.layout))
            part = _permuted(write, signature.args[0], a, b, places)
            write.store(add(write.load(sums), part), sums)
    return write.load(sums)


@compiles(operations.permute, lambda a, b, index: a if a == b and index == INTEGERS else None)
def _permute(write, signature, a, b, index):
    return _permuted(write, signature.args[0], a, b, index)


def _permuted(write, kind, a, b, index):
    if kind != FLOATS:
        bits = [write.bitcast(vector, FLOATS.layout) for vector in (a, b)]
        return write.bitcast(_permuted(write, FLOATS, *bits, index), kind.layout)
    if WIDE:
        name = "llvm.x86.avx512.vpermi2var.ps.512"
        return write.call_named(name, FLOATS.layout, a, index, b)
    if AVX2:
        name = "llvm.x86.avx2.permps"
        low, high = (write.call_named(name, FLOATS.layout, vector, index) for vector in (a, b))
        lanes = ir.Constant(INTEGERS.layout, [LANES] * LANES)
        zero = ir.Constant(INTEGERS.layout, [0] * LANES)
        second = write.icmp_signed("!=", write.and_(index, lanes), zero)
        return write.select(second, high, low)
    table = cgutils.alloca_once(write.builder, ir.VectorType(FLOAT, 2 * LANES))
    write.store(write.shuffle(a, b, range(2 * LANES)), table)
    index = write.and_(index, ir.Constant(INTEGERS.layout, [2 * LANES - 1] * LANES))
    return write.gather(write.bitcast(table, FLOAT.as_pointer()), index)
