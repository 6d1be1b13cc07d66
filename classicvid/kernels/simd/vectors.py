"""An LLVM element type and a number of lanes go in; the vector types that numba knows come out."""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.extending import models, register_model

from classicvid.kernels.simd.lanes import LANES

BIT, BYTE, SHORT, INT, LONG = (ir.IntType(bits) for bits in (1, 8, 16, 32, 64))
FLOAT, DOUBLE = ir.FloatType(), ir.DoubleType()


class Vector(types.Type):
    """A vector of ``count`` elements; ``scalar`` is numba's type of one, ``element`` LLVM's."""

    element: ir.Type
    scalar: types.Type
    kind: str
    count = LANES

    def __init__(self) -> None:
        super().__init__(name=f"{self.kind}x{self.count}")

    @property
    def layout(self) -> ir.VectorType:
        """LLVM's type of the vector."""
        return ir.VectorType(self.element, self.count)

    @property
    def suffix(self) -> str:
        """How LLVM's functions of this vector end."""
        letter = "i" if isinstance(self.element, ir.IntType) else "f"
        bits = {FLOAT: 32, DOUBLE: 64, SHORT: 16, INT: 32, BIT: 1}[self.element]
        return f"v{self.count}{letter}{bits}"


class FloatVector(Vector):
    """Lanes of float32."""

    kind, element, scalar = "float32", FLOAT, types.float32


class DoubleVector(Vector):
    """Lanes of float64."""

    kind, element, scalar = "float64", DOUBLE, types.float64


class IntegerVector(Vector):
    """Lanes of int32."""

    kind, element, scalar = "int32", INT, types.int32


class ShortVector(Vector):
    """Twice as many lanes of int16, in as many bits as the others."""

    kind, element, scalar, count = "int16", SHORT, types.int16, 2 * LANES


class MaskVector(Vector):
    """Lanes of truth values."""

    kind, element, scalar = "bool", BIT, types.boolean


@register_model(FloatVector)
@register_model(DoubleVector)
@register_model(IntegerVector)
@register_model(ShortVector)
@register_model(MaskVector)
class VectorModel(models.PrimitiveModel):
    """A vector is held in registers, as a number is."""

    def __init__(self, manager, vector):
        super().__init__(manager, vector, vector.layout)


FLOATS, DOUBLES, INTEGERS = FloatVector(), DoubleVector(), IntegerVector()
SHORTS, MASK = ShortVector(), MaskVector()
OF_SCALAR = {types.float32: FLOATS, types.float64: DOUBLES, types.int32: INTEGERS}
