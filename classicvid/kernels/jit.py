"""A Python function of arrays and scalars goes in; its form compiled by numba comes out."""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Callable
from functools import cache, wraps
from pathlib import Path
from typing import Any

from numba import njit, types
from numba.core.caching import FunctionCache
from numba.extending import overload, register_jitable


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a kernel at its first call, and keep the machine code on disk where that is possible.

    Notes
    -----
    The code on disk belongs to one processor and to one state of all files of kernels: a kernel may
    call the kernels of other files, and an edit anywhere among them compiles it anew. Where neither
    the folder of the source nor the user's cache folder can be written, the kernel is compiled anew
    in every process.
    """
    return _compile(function)


def kernel_any_order(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a kernel whose long sums may be added in any order, by vector instructions.

    NaN and infinity keep their meaning; only the rounding of long sums differs from the written
    order.
    """
    return _compile(function, fastmath={"reassoc", "contract", "nsz"})


def kernel_fused(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a kernel in which a product that is added to something may be rounded with the sum.

    The order of the sums is as written. Made for kernels of explicit vectors (`kernels.simd`).
    """
    return _compile(function, fastmath={"contract", "nsz"})


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a formula on vectors, fused as in `kernel_fused`, into each kernel that calls it."""
    return _link(function, fastmath={"contract", "nsz"}, forceinline=True)


def inlined_unfused(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a step into each kernel that calls it, and anew for constants that a call passes.

    The compiler unrolls loops whose ends are known in this way.
    """
    return _link(function, forceinline=True)


def part(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a step that only kernels call, once, and link it to each of them.

    Such a step has no door to Python, which would take as long to compile as a short step itself;
    called from Python, it is run by Python.
    """
    return _link(function)


def part_fused(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a `part` whose products and sums may be rounded as those of `kernel_fused`."""
    return _link(function, fastmath={"contract", "nsz"})


def spliced(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a step as a part of each kernel that calls it, as if it were written there.

    Kernels that call kernels are compiled anew within each caller: where they call one another in a
    long chain, splicing all but the first and the last saves most of that time.
    """
    return njit(inline="always")(function)


def chosen(*, given: Callable[..., Any], absent: Callable[..., Any]) -> Callable[..., Any]:
    """Return what kernels call as ``given``, or as ``absent`` where the last argument is None.

    Which it is, the types of the arguments tell: the other is not compiled.
    """

    def call(*arguments: Any) -> Any:
        return (absent if arguments[-1] is None else given)(*arguments)

    def choose(*arguments):  # of their types; numba wants the names of what it returns
        kernel = absent if isinstance(arguments[-1], types.NoneType) else given
        return lambda *arguments: kernel(*arguments)  # noqa: PLW0108 a function, not a kernel

    overload(call, jit_options={"forceinline": True})(choose)
    return call


def _link(function: Callable[..., Any], **flags: Any) -> Callable[..., Any]:
    register: Callable[..., Any] = register_jitable(
        error_model="numpy", no_cfunc_wrapper=True, **flags
    )
    return register(function)


def _compile(function: Callable[..., Any], **flags: Any) -> Callable[..., Any]:
    # Nobody calls a kernel back from C.
    flags = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True, **flags}
    try:
        dispatcher = njit(cache=True, **flags)(function)
    except RuntimeError:  # numba found no folder that it may write its cache to
        return njit(**flags)(function)
    if hasattr(dispatcher, "_cache"):  # with the JIT off, it is the function itself
        dispatcher._cache = _Cache(function)
        dispatcher.compile = _without_collector(dispatcher.compile)
    return dispatcher


def _without_collector(compile: Callable[..., Any]) -> Callable[..., Any]:
    """Let Python's collector of garbage rest: it would search the compiler's heap a thousand times.

    That takes an eighth of the time of compiling, and finds little.
    """

    @wraps(compile)
    def call(signature: Any) -> Any:
        if not gc.isenabled():
            return compile(signature)
        gc.disable()
        try:
            return compile(signature)
        finally:
            gc.enable()

    return call


class _Cache(FunctionCache):
    """numba's cache on disk, which by itself does not see an edit in another file."""

    def _index_key(self, sig: Any, codegen: Any) -> tuple[Any, ...]:
        return (*super()._index_key(sig, codegen), _digest_sources())


@cache
def _digest_sources() -> str:
    """Return what changes with any file of kernels."""
    sources = sorted(Path(__file__).parent.rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
