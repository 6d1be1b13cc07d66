"""Operations on every lane by itself go in; LLVM's instructions for each come out."""

from __future__ import annotations

import inspect
import operator

from numba import types

from classicvid.kernels.simd import operations
from classicvid.kernels.simd.lanes import FUSED, LANES
from classicvid.kernels.simd.lowering.writer import compiles, lanes_at, pair_kind
from classicvid.kernels.simd.vectors import (
    DOUBLES,
    FLOATS,
    INTEGERS,
    MASK,
    SHORTS,
    Vector,
)


@compiles(operations.splat, lambda number: FLOATS)
def _splat(write, signature, number):
    return write.operand(number, signature.args[0], FLOATS)


@compiles(operations.splat_integer, lambda number: INTEGERS)
def _splat_integer(write, signature, number):
    return write.operand(number, signature.args[0], INTEGERS)


@compiles(operations.lane_numbers, lambda: INTEGERS)
def _lane_numbers(write, signature):
    return lanes_at(range(LANES))


def _is_vector(*kinds):
    return lambda vector: vector if vector in kinds else None


@compiles(operations.to_floats, lambda vector: FLOATS if isinstance(vector, Vector) else None)
def _to_floats(write, signature, vector):
    source = signature.args[0]
    if source == FLOATS:
        return vector
    return (write.sitofp if source == INTEGERS else write.fptrunc)(vector, FLOATS.layout)


@compiles(operations.to_doubles, lambda vector: DOUBLES if isinstance(vector, Vector) else None)
def _to_doubles(write, signature, vector):
    source = signature.args[0]
    if source == DOUBLES:
        return vector
    return (write.sitofp if source == INTEGERS else write.fpext)(vector, DOUBLES.layout)


@compiles(operations.to_integers, lambda vector: INTEGERS if isinstance(vector, Vector) else None)
def _to_integers(write, signature, vector):
    return write.fptosi(vector, INTEGERS.layout)


def _arithmetic(function, on_floats, on_integers):
    def typed(a, b):
        kind = pair_kind(a, b)
        name = on_floats if kind in (FLOATS, DOUBLES) else on_integers
        return kind if kind is not None and name else None

    @compiles(function, typed)
    def emit(write, signature, a, b):
        kind = signature.return_type
        name = on_floats if kind in (FLOATS, DOUBLES) else on_integers
        a = write.operand(a, signature.args[0], kind)
        return getattr(write, name)(a, write.operand(b, signature.args[1], kind))


_arithmetic(operator.add, "fadd", "add")
_arithmetic(operator.sub, "fsub", "sub")
_arithmetic(operator.mul, "fmul", "mul")
_arithmetic(operator.truediv, "fdiv", None)
_arithmetic(operator.and_, None, "and_")
_arithmetic(operator.or_, None, "or_")
_arithmetic(operator.xor, None, "xor")
_arithmetic(operator.lshift, None, "shl")
_arithmetic(operator.rshift, None, "ashr")


@compiles(operator.neg, _is_vector(FLOATS, DOUBLES, INTEGERS, SHORTS))
def _negative(write, signature, vector):
    return (write.neg if signature.return_type in (INTEGERS, SHORTS) else write.fneg)(vector)


@compiles(operator.invert, _is_vector(INTEGERS, SHORTS, MASK))
def _inverse(write, signature, vector):
    return write.not_(vector)


def _comparison(function, sign):
    def typed(a, b):
        return MASK if pair_kind(a, b) in (FLOATS, DOUBLES, INTEGERS) else None

    @compiles(function, typed)
    def emit(write, signature, a, b):
        kind = pair_kind(*signature.args)
        a, b = (
            write.operand(value, source, kind)
            for value, source in zip((a, b), signature.args, strict=True)
        )
        if kind == INTEGERS:
            return write.icmp_signed(sign, a, b)
        # NaN differs from everything, itself included.
        compare = write.fcmp_unordered if sign == "!=" else write.fcmp_ordered
        return compare(sign, a, b)


for _function, _sign in (
    (operator.lt, "<"),
    (operator.le, "<="),
    (operator.gt, ">"),
    (operator.ge, ">="),
    (operator.eq, "=="),
    (operator.ne, "!="),
):
    _comparison(_function, _sign)


def _fma_kind(a, b, c):
    kind = next((kind for kind in (a, b, c) if isinstance(kind, Vector)), None)
    fits = all(each == kind or isinstance(each, types.Number) for each in (a, b, c))
    return kind if fits and kind in (FLOATS, DOUBLES) else None


@compiles(operations.fma, _fma_kind)
def _fma(write, signature, *factors):
    kind = signature.return_type
    factors = [
        write.operand(value, source, kind)
        for value, source in zip(factors, signature.args, strict=True)
    ]
    if FUSED:
        return write.call_named(f"llvm.fma.{kind.suffix}", kind.layout, *factors)
    if kind == DOUBLES:
        return write.fadd(write.fmul(*factors[:2]), factors[2])
    # Without the instruction LLVM would call a function for every lane.
    a, b, c = (write.fpext(factor, DOUBLES.layout) for factor in factors)
    return write.fptrunc(write.fadd(write.fmul(a, b), c), FLOATS.layout)


def _lanewise(function, on_floats, on_integers=None):
    """Compile a function of one or two vectors to LLVM's function of that name."""

    def typed(*kinds):
        kind = kinds[0] if len(kinds) == 1 else pair_kind(*kinds)
        return kind if kind in (FLOATS, DOUBLES) or (on_integers and kind == INTEGERS) else None

    one = len(inspect.signature(function).parameters) == 1
    checked = (lambda vector: typed(vector)) if one else (lambda a, b: typed(a, b))  # noqa: PLW0108 arity counts

    @compiles(function, checked)
    def emit(write, signature, *vectors):
        kind = signature.return_type
        name = on_integers if kind == INTEGERS else on_floats
        operands = [
            write.operand(value, source, kind)
            for value, source in zip(vectors, signature.args, strict=True)
        ]
        return write.call_named(f"llvm.{name}.{kind.suffix}", kind.layout, *operands)


_lanewise(operations.minimum, "minnum", "smin")
_lanewise(operations.maximum, "maxnum", "smax")
_lanewise(operations.absolute, "fabs")
_lanewise(operations.floor, "floor")
_lanewise(operations.square_root, "sqrt")
