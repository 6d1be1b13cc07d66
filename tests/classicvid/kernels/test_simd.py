"""Every operation on vectors against numpy: compiled, as numpy, and for other processors."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba import config

from classicvid.kernels import simd
from classicvid.kernels.jit import kernel
from classicvid.kernels.simd import LANES, memory

ROOT = Path(__file__).resolve().parents[3]
FULL = LANES


@kernel
def run_floats(values, whole, out, answers):
    """Write the result of every operation on floats into a row of ``out``."""
    data, result = memory(values), memory(out)
    a, b, c = simd.load(data, 0), simd.load(data, LANES), simd.load(data, 2 * LANES)
    index = simd.load(memory(whole), 0)
    simd.store(result, 0 * LANES, a + b * c - a / b)
    simd.store(result, 1 * LANES, simd.fma(a, b, c))
    simd.store(result, 2 * LANES, -simd.minimum(a, b))
    simd.store(result, 3 * LANES, simd.maximum(a, 0.25))
    simd.store(result, 4 * LANES, simd.absolute(simd.floor(a * 10.0)))
    simd.store(result, 5 * LANES, simd.square_root(simd.absolute(a)))
    simd.store(result, 6 * LANES, simd.select((a < b) & ~(b <= c) | (a == 0.5), a, 7.0))
    simd.store(result, 7 * LANES, simd.select((a > b) ^ (b >= c), 1.0 - a, 2 / b))
    simd.store(result, 8 * LANES, simd.select(a != a, 1.0, b))
    simd.store(result, 9 * LANES, simd.gather(data, 3, index))
    simd.store(result, 10 * LANES, simd.permute(a, b, index))
    simd.store(result, 11 * LANES, simd.shift(a, b, 3))
    simd.store(result, 12 * LANES, simd.window_sum(a, b, 3))
    simd.store(result, 13 * LANES, simd.window_sum(a, b, FULL))
    even, odd = simd.deinterleave(a, b)
    simd.store(result, 14 * LANES, even)
    simd.store(result, 15 * LANES, odd)
    simd.store_pairs(result, 16 * LANES, a, b)
    simd.store_first(result, 18 * LANES, a, 3)
    simd.store(result, 19 * LANES, simd.splat(2.5) + simd.to_floats(simd.lane_numbers()))
    simd.store(result, 20 * LANES, simd.to_floats(simd.to_integers(a * 100.0)))
    precise = simd.to_doubles(a) * simd.to_doubles(b) + simd.to_doubles(index)
    simd.store(result, 21 * LANES, simd.to_floats(precise))
    simd.store(result, 22 * LANES, simd.fma(a, b, -(a * b)))
    answers[0] = simd.total(a)
    answers[1] = simd.lowest(a)
    answers[2] = simd.highest(a)
    answers[3] = simd.first_lane(b)
    answers[4] = simd.all_lanes(a < 2.0)
    answers[5] = simd.all_lanes(a < b)
    answers[6] = simd.any_lane(a > 2.0)
    answers[7] = simd.any_lane(simd.lane_numbers() == 1)
    answers[8] = simd.lane_bits(simd.first_lanes(3) & (simd.lane_numbers() > 0))
    answers[9] = simd.trailing_zeros(simd.lane_bits(simd.lane_numbers() == 2))


def test_floats(rng):
    values = rng.uniform(-1, 1, 4 * LANES).astype(np.float32)
    values[0] = 0.5
    a, b, c = values[: 3 * LANES].reshape(3, LANES)
    whole = rng.integers(0, 2 * LANES, LANES).astype(np.int32)
    row = np.concatenate([a, b])
    out, answers = np.zeros((23, LANES), np.float32), np.zeros(10)
    run_floats(values, whole, out, answers)
    expected = [
        a + b * c - a / b,
        a * b + c,
        -np.minimum(a, b),
        np.maximum(a, np.float32(0.25)),
        np.abs(np.floor(a * 10)),
        np.sqrt(np.abs(a)),
        np.where((a < b) & ~(b <= c) | (a == 0.5), a, 7),
        np.where((a > b) ^ (b >= c), 1 - a, 2 / b),
        b,
        values[3 + whole],
        row[whole],
        row[3 : LANES + 3],
        [row[i : i + 3].sum() for i in range(LANES)],
        [row[i : i + FULL].sum() for i in range(LANES)],
        row[::2],
        row[1::2],
        np.stack([a, b], axis=1).ravel()[:LANES],
        np.stack([a, b], axis=1).ravel()[LANES:],
        np.where(np.arange(LANES) < 3, a, 0),
        np.arange(LANES) + 2.5,
        np.trunc(a * np.float32(100)),
        a.astype(float) * b + whole,
        a.astype(float) * b - a * b,
    ]
    np.testing.assert_allclose(out[:22], expected[:22], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(out[22], expected[22], rtol=1e-6, atol=1e-16)
    np.testing.assert_allclose(
        answers, [a.sum(), a.min(), a.max(), b[0], 1, (a < b).all(), 0, 1, 0b110, 2], rtol=1e-5
    )


@kernel
def run_integers(values, bytes_in, shorts_in, out, bytes_out, shorts_out, answers):
    """Write the result of every operation on integers into a row of ``out``."""
    data, result = memory(values), memory(out)
    a, b = simd.load(data, 0), simd.load_integers(data, LANES)
    small, short = memory(bytes_in), memory(shorts_in)
    simd.store(result, 0 * LANES, a + b * 3 - (a << 2))
    simd.store(result, 1 * LANES, (a >> 1) & b | (a ^ 5))
    simd.store(result, 2 * LANES, simd.minimum(a, b) - simd.maximum(a, -b))
    simd.store(result, 3 * LANES, simd.select(a < b, ~a, simd.splat_integer(9)))
    simd.store(result, 4 * LANES, simd.load_integers(small, 1))
    simd.store(result, 5 * LANES, simd.load_integers(short, 1))
    simd.store(result, 6 * LANES, simd.load_floats(small, 1) + simd.load_floats(short, 1))
    simd.store(result, 7 * LANES, simd.permute(a, b, simd.lane_numbers() * 2))
    simd.store(result, 8 * LANES, simd.window_sum(a, b, 3))
    simd.store(memory(bytes_out), 0, simd.load_floats(small, 0) + 0.75)
    simd.store(memory(shorts_out), 0, simd.load_integers(short, 0) - 1)
    answers[0] = simd.total(a)
    answers[1] = simd.lowest(a)
    answers[2] = simd.highest(a)
    answers[3] = simd.first_lane(b)


def test_integers(rng):
    values = rng.integers(-1000, 1000, 2 * LANES).astype(np.int32)
    a, b = values.reshape(2, LANES)
    small = rng.integers(0, 255, LANES + 1).astype(np.uint8)
    short = rng.integers(-(2**15) + 1, 2**15, LANES + 1).astype(np.int16)
    out, answers = np.zeros((9, LANES), np.int32), np.zeros(4)
    bytes_out, shorts_out = np.zeros(LANES, np.uint8), np.zeros(LANES, np.int16)
    run_integers(values, small, short, out, bytes_out, shorts_out, answers)
    row = np.concatenate([a, b])
    expected = [
        a + b * 3 - (a << 2),
        (a >> 1) & b | (a ^ 5),
        np.minimum(a, b) - np.maximum(a, -b),
        np.where(a < b, ~a, 9),
        small[1:],
        short[1:],
        small[1:].astype(int) + short[1:],
        row[::2],
        [row[i : i + 3].sum() for i in range(LANES)],
    ]
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(bytes_out, small[:-1])
    np.testing.assert_array_equal(shorts_out, short[:-1] - 1)
    np.testing.assert_array_equal(answers, [a.sum(), a.min(), a.max(), b[0]])


@kernel
def run_shorts(bytes_in, shorts_in, numbers, out, sums):
    """Write the result of every operation on shorts into a row of ``out`` or ``sums``."""
    small, short, result = memory(bytes_in), memory(shorts_in), memory(out)
    a, b = simd.load_shorts(small, 1), simd.load_shorts(short, 1)
    wide = 2 * LANES
    simd.store(result, 0 * wide, a)
    simd.store(result, 1 * wide, b + a * 3 - (a << 2))
    simd.store(result, 2 * wide, (b >> 3) & a | (b ^ 5))
    simd.store(result, 3 * wide, simd.shift(a, b, 1) - ~b)
    simd.store(result, 4 * wide, simd.splat_pair(3, -7) + simd.splat_short(2))
    simd.store(result, 5 * wide, -b & simd.short_lanes(2, wide - 3))
    simd.store(result, 6 * wide, simd.short_lanes(-5, 300))
    even, odd = simd.load(memory(numbers), 0), simd.load(memory(numbers), LANES)
    simd.store(result, 7 * wide, simd.pairs(even, odd))
    simd.store(memory(sums), 0, simd.pair_sums(b, b))
    simd.store(memory(sums), LANES, simd.pair_sums(a, b) + even)


def test_shorts(rng):
    small = rng.integers(0, 256, 2 * LANES + 1).astype(np.uint8)
    short = rng.integers(-4000, 4000, 2 * LANES + 1).astype(np.int16)
    numbers = rng.integers(-(2**20), 2**20, 2 * LANES).astype(np.int32)
    out, sums = np.zeros((8, 2 * LANES), np.int16), np.zeros((2, LANES), np.int32)
    run_shorts(small, short, numbers, out, sums)
    a, b = small[1:].astype(int), short[1:].astype(int)
    lanes = np.arange(2 * LANES)
    expected = [
        a,
        b + a * 3 - (a << 2),
        (b >> 3) & a | (b ^ 5),
        np.append(a[1:], b[0]) - ~b,
        np.where(lanes % 2 == 0, 5, -5),
        np.where((lanes >= 2) & (lanes < 2 * LANES - 3), -b, 0),
        np.full(2 * LANES, -1),
        np.stack(numbers.reshape(2, LANES), axis=1).ravel().astype(np.int16),
    ]
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(sums[0], (b * b).reshape(-1, 2).sum(axis=1))
    np.testing.assert_array_equal(sums[1], (a * b).reshape(-1, 2).sum(axis=1) + numbers[:LANES])


def test_not_a_number_differs_and_loses():
    values = np.full(2 * LANES, np.nan, np.float32)
    values[LANES:] = 3
    out, whole = np.zeros((23, LANES), np.float32), np.zeros(LANES, np.int32)
    answers = np.zeros(10)
    run_floats(np.concatenate([values, values]), whole, out, answers)
    np.testing.assert_array_equal(out[2], -3)
    np.testing.assert_array_equal(out[3], 0.25)
    np.testing.assert_array_equal(out[8], 1)


@pytest.mark.parametrize(
    "call",
    [
        lambda data: simd.load(data, -1),
        lambda data: simd.load(data, 1),
        lambda data: simd.store(data, 1, simd.splat(0)),
        lambda data: simd.store_first(data, LANES - 1, simd.splat(0), 2),
        lambda data: simd.store_pairs(data, 0, simd.splat(0), simd.splat(0)),
        lambda data: simd.gather(data, 0, simd.lane_numbers() + 1),
        lambda data: simd.gather(data, -1, simd.lane_numbers()),
    ],
)
def test_numpy_checks_what_the_compiler_does_not(call):
    with pytest.raises(IndexError, match="lie outside 0"):
        call(memory(np.zeros(LANES, np.float32)))


def test_memory_is_refused_where_rows_are_apart():
    with pytest.raises(ValueError, match="C-contiguous"):
        memory(np.zeros((4, 4))[:, :2])


OTHER_PROCESSORS = {
    "AVX2": ({"NUMBA_CPU_NAME": "haswell"}, 8),
    "neither": ({"NUMBA_CPU_NAME": "x86-64"}, 4),
    "numpy": ({"NUMBA_DISABLE_JIT": "1"}, None),
}


@pytest.mark.skipif(
    config.DISABLE_JIT or config.CPU_NAME is not None, reason="is itself the other processor"
)
@pytest.mark.parametrize("name", OTHER_PROCESSORS)
def test_other_processors_give_the_same(name):
    settings, lanes = OTHER_PROCESSORS[name]
    if lanes and not simd.AVX2 and not simd.WIDE:
        pytest.skip("this processor cannot run AVX2")
    environment = {**os.environ, **settings}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    code = "from classicvid.kernels.simd import LANES; print(LANES)"
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, check=True
    )
    assert lanes in (None, int(told.stdout))
