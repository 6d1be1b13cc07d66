"""The compiler's helper: no cache folder is no error, and a kernel frees the interpreter."""

from __future__ import annotations

import numba
import numpy as np

from classicvid.kernels import jit


def increase(values):
    for i in range(values.size):
        values[i] += 1


def test_compiles_without_a_folder_for_the_cache(monkeypatch):
    asked = []

    def njit(**flags):
        asked.append(flags)
        if flags.get("cache"):
            message = "cannot cache function 'increase': no locator available"
            raise RuntimeError(message)
        return numba.njit(**flags)

    monkeypatch.setattr(jit, "njit", njit)
    values = np.zeros(3)
    jit.kernel(increase)(values)
    np.testing.assert_array_equal(values, 1)
    assert [flags.get("cache", False) for flags in asked] == [True, False]
    assert all(flags["nogil"] for flags in asked)


def test_only_the_kernel_of_any_order_reorders_sums():
    assert not jit.kernel(increase).targetoptions.get("fastmath")
    reordered = jit.kernel_any_order(increase).targetoptions["fastmath"]
    assert "reassoc" in reordered
    assert "nnan" not in reordered
