"""A Python function of arrays and scalars goes in; its form compiled by numba comes out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a kernel at its first call, and keep the machine code on disk where that is possible.

    Notes
    -----
    A cached kernel does not notice an edit in another file: a kernel calls only kernels of its own
    file. Where neither the folder of the source nor the user's cache folder can be written, the
    kernel is compiled anew in every process.
    """
    return _compile(function)


def kernel_any_order(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a kernel whose long sums may be added in any order, by vector instructions.

    NaN and infinity keep their meaning; only the rounding of long sums differs from the written
    order.
    """
    return _compile(function, fastmath={"reassoc", "contract", "nsz"})


def _compile(function: Callable[..., Any], **flags: Any) -> Callable[..., Any]:
    flags = {"nogil": True, "error_model": "numpy", **flags}
    try:
        return njit(cache=True, **flags)(function)
    except RuntimeError:  # numba found no folder that it may write its cache to
        return njit(**flags)(function)
