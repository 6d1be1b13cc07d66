"""Reads and writes of vectors go in; LLVM's instructions for each come out."""

from __future__ import annotations

from llvmlite import ir
from numba import types

from classicvid.kernels.simd import operations
from classicvid.kernels.simd.lanes import LANES
from classicvid.kernels.simd.lowering.writer import compiles, is_memory
from classicvid.kernels.simd.vectors import (
    BYTE,
    DOUBLE,
    DOUBLES,
    FLOAT,
    FLOATS,
    INT,
    INTEGERS,
    LONG,
    OF_SCALAR,
    SHORT,
    SHORTS,
)

_IN_MEMORY = {
    types.float32: FLOAT,
    types.float64: DOUBLE,
    types.uint8: BYTE,
    types.int8: BYTE,
    types.int16: SHORT,
    types.uint16: SHORT,
    types.int32: INT,
}


@compiles(
    operations.memory, lambda array: types.CPointer(array.dtype) if array.layout == "C" else None
)
def _memory(write, signature, array):
    return write.context.make_array(signature.args[0])(write.context, write.builder, array).data


def _numbers_at(function, element, layout):
    def typed(place):
        return types.CPointer(element) if isinstance(place, types.Record) else None

    @compiles(function, typed)
    def emit(write, signature, place):
        start = INT(signature.args[0].offset("address"))
        field = write.gep(write.bitcast(place, BYTE.as_pointer()), [start])
        address = write.load(write.bitcast(field, LONG.as_pointer()), align=8)
        return write.inttoptr(address, layout.as_pointer())


_numbers_at(operations.floats_at, types.float32, FLOAT)
_numbers_at(operations.integers_at, types.int32, INT)
_numbers_at(operations.longs_at, types.int64, LONG)
_numbers_at(operations.bytes_at, types.uint8, BYTE)


@compiles(
    operations.load,
    lambda memory, offset: OF_SCALAR.get(memory.dtype) if is_memory(memory) else None,
)
def _load(write, signature, memory, offset):
    layout = signature.return_type.layout
    address = write.place(memory, signature, offset, layout)
    return write.load(address, align=signature.return_type.scalar.bitwidth // 8)


@compiles(operations.load_floats, lambda memory, offset: FLOATS)
def _load_floats(write, signature, memory, offset):
    element = signature.args[0].dtype
    values = _load_any(write, signature, memory, offset)
    if element == types.float64:
        return write.fptrunc(values, FLOATS.layout)
    if element == types.float32:
        return values
    return write.sitofp(_widened(write, values, element), FLOATS.layout)


@compiles(
    operations.load_integers,
    lambda memory, offset: INTEGERS if isinstance(memory.dtype, types.Integer) else None,
)
def _load_integers(write, signature, memory, offset):
    values = _load_any(write, signature, memory, offset)
    return _widened(write, values, signature.args[0].dtype)


def _load_any(write, signature, memory, offset):
    element = signature.args[0].dtype
    layout = ir.VectorType(_IN_MEMORY[element], LANES)
    return write.load(write.place(memory, signature, offset, layout), align=element.bitwidth // 8)


def _widened(write, values, element):
    if element == types.int32:
        return values
    widen = write.sext if element.signed else write.zext
    return widen(values, INTEGERS.layout)


def _fits(memory, vector):
    # Numbers of 16 bits are stored as they are; narrowing them would be another instruction.
    return vector != SHORTS or memory.dtype == types.int16


@compiles(
    operations.store,
    lambda memory, offset, vector: types.none if _fits(memory, vector) else None,
)
def _store(write, signature, memory, offset, vector):
    element, source = signature.args[0].dtype, signature.args[2]
    layout = ir.VectorType(_IN_MEMORY[element], LANES)
    if source == SHORTS:
        layout = source.layout
    elif OF_SCALAR.get(element) != source:
        vector = _narrowed(write, vector, source, element, layout)
    address = write.place(memory, signature, offset, layout)
    write.store(vector, address, align=element.bitwidth // 8)


def _narrowed(write, vector, source, element, layout):
    if isinstance(element, types.Integer):
        if source in (FLOATS, DOUBLES):
            vector = write.fptosi(vector, INTEGERS.layout)
        return vector if element == types.int32 else write.trunc(vector, layout)
    if source == INTEGERS:
        return write.sitofp(vector, layout)
    return write.fptrunc(vector, layout) if source == DOUBLES else write.fpext(vector, layout)


@compiles(operations.store_first, lambda memory, offset, vector, count: types.none)
def _store_first(write, signature, memory, offset, vector, count):
    kind = signature.args[2]
    address = write.place(memory, signature, offset, kind.layout)
    mask = write.first_lanes(write.cast(count, signature.args[3], types.int32))
    bytes_apart = INT(kind.scalar.bitwidth // 8)
    write.call_named(
        f"llvm.masked.store.{kind.suffix}.p0", ir.VoidType(), vector, address, bytes_apart, mask
    )


@compiles(operations.store_pairs, lambda memory, offset, even, odd: types.none)
def _store_pairs(write, signature, memory, offset, even, odd):
    layout = ir.VectorType(signature.args[2].element, 2 * LANES)
    mixed = write.shuffle(even, odd, [k for i in range(LANES) for k in (i, LANES + i)])
    address = write.place(memory, signature, offset, layout)
    write.store(mixed, address, align=signature.args[2].scalar.bitwidth // 8)


@compiles(operations.gather, lambda memory, offset, index: FLOATS)
def _gather(write, signature, memory, offset, index):
    offset = write.cast(offset, signature.args[1], types.intp)
    return write.gather(write.gep(memory, [offset]), index)


@compiles(operations.prefetch, lambda memory, offset: types.none)
def _prefetch(write, signature, memory, offset):
    address = write.place(memory, signature, offset, ir.VectorType(BYTE, 1))
    reading, nearest, data = INT(0), INT(3), INT(1)
    write.call_named("llvm.prefetch.p0", ir.VoidType(), address, reading, nearest, data)
