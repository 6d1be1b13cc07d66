"""An operation and how to write it go in; numba writes it inline wherever a kernel calls it."""

from __future__ import annotations

import inspect

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import lower_builtin, type_callable

from classicvid.kernels.simd.lanes import LANES
from classicvid.kernels.simd.vectors import (
    FLOAT,
    FLOATS,
    INT,
    INTEGERS,
    MASK,
    Vector,
)


def compiles(function, typed):
    """Make numba write calls of ``function`` inline.

    ``typed`` maps the types of the arguments to the result's, or to None where they do not fit. The
    decorated function takes LLVM's builder, the signature and the arguments, and returns the value.
    """
    arity = len(inspect.signature(typed).parameters)
    type_callable(function)(lambda context: typed)

    def register(emit):
        def lower(context, builder, signature, arguments):
            value = emit(Writer(context, builder), signature, *arguments)
            return context.get_dummy_value() if value is None else value

        lower_builtin(function, *[types.Any] * arity)(lower)
        return emit

    return register


class Writer:
    """Writes instructions: LLVM's builder, and what vectors need beyond it."""

    def __init__(self, context, builder):
        self.context, self.builder = context, builder

    def __getattr__(self, name):
        return getattr(self.builder, name)

    def call_named(self, name, result, *arguments):
        """Call a function that LLVM knows by its name."""
        kind = ir.FunctionType(result, [argument.type for argument in arguments])
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        return self.builder.call(function, arguments)

    def cast(self, value, source, target):
        """Convert a scalar between two of numba's types."""
        return self.context.cast(self.builder, value, source, target)

    def spread(self, scalar, layout):
        """Return a vector of equal lanes."""
        empty = ir.Constant(layout, ir.Undefined)
        first = self.builder.insert_element(empty, scalar, INT(0))
        return self.builder.shuffle_vector(first, empty, lanes_at([0] * layout.count))

    def operand(self, value, kind, vector):
        """Return the vector of a value that may be a scalar."""
        if isinstance(kind, Vector):
            return value
        return self.spread(self.cast(value, kind, vector.scalar), vector.layout)

    def place(self, memory, signature, offset, layout):
        """Return the address of a vector at an offset; memory and offset come first in a call."""
        offset = self.cast(offset, signature.args[1], types.intp)
        address = self.builder.gep(memory, [offset])
        return self.builder.bitcast(address, layout.as_pointer())

    def gather(self, base, index):
        """Read the float that lies ``index`` floats behind an address, for every lane."""
        # llvmlite's builder makes no vectors of addresses.
        addresses = ir.instructions.GEPInstr(
            self.builder.block, base, [INT(0)], False, "", source_etype=FLOAT
        )
        addresses.operands, addresses.indices = [base, index], [index]
        addresses.type = ir.VectorType(FLOAT.as_pointer(), LANES)
        self.builder._insert(addresses)
        every = ir.Constant(MASK.layout, [1] * LANES)
        name = f"llvm.masked.gather.{FLOATS.suffix}.v{LANES}p0"
        nothing = ir.Constant(FLOATS.layout, ir.Undefined)
        return self.call_named(name, FLOATS.layout, addresses, INT(4), every, nothing)

    def first_lanes(self, count):
        """Return the mask of the first ``count`` lanes."""
        every = self.spread(count, INTEGERS.layout)
        return self.builder.icmp_signed("<", lanes_at(range(LANES)), every)

    def shuffle(self, a, b, places):
        """Return the lanes ``places`` of the row a, b."""
        return self.builder.shuffle_vector(a, b, lanes_at(places))


def lanes_at(numbers):
    """Return a constant vector of int32."""
    return ir.Constant(ir.VectorType(INT, len(numbers)), list(numbers))


def is_memory(kind):
    """Tell whether a type is that of `operations.memory`."""
    return isinstance(kind, types.CPointer)


def pair_kind(a, b):
    """Return the vector type of two operands, of which one may be a scalar."""
    if isinstance(a, Vector):
        return a if a == b or isinstance(b, types.Number) else None
    return b if isinstance(b, Vector) and isinstance(a, types.Number) else None
