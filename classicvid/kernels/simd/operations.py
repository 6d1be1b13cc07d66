"""Vectors of lanes go in; what every operation on them means, written in numpy, comes out."""

from __future__ import annotations

import ctypes

import numpy as np

from classicvid.kernels.simd.lanes import LANES


def memory(array):
    """Return the elements of a C-contiguous array in one row; the array must outlive their use.

    Compiled, it is a bare address: what is taken once per kernel costs nothing where it is used.
    """
    if not array.flags.c_contiguous:
        message = f"memory must be C-contiguous, got strides {array.strides}; copy the array first"
        raise ValueError(message)
    return array.reshape(-1)


def floats_at(place):
    """Return, as `memory` does, the float32 numbers of an array that a record of a plan names.

    Its fields ``address`` and ``size`` say where the array begins and how many elements it has.
    """
    return _numbers_at(place, np.float32)


def integers_at(place):
    """Return the int32 numbers of an array that a record names."""
    return _numbers_at(place, np.int32)


def longs_at(place):
    """Return the int64 numbers of an array that a record names."""
    return _numbers_at(place, np.int64)


def bytes_at(place):
    """Return the uint8 numbers of an array that a record names."""
    return _numbers_at(place, np.uint8)


def load(memory, offset):
    """Read a vector of the memory's own kind: float32, float64 or int32."""
    return memory[_span(memory, offset, LANES)].copy()


def load_floats(memory, offset):
    """Read a vector of floats from memory of any numeric type."""
    return load(memory, offset).astype(np.float32)


def load_integers(memory, offset):
    """Read a vector of integers from memory of any integer type of at most 32 bits."""
    return load(memory, offset).astype(np.int32)


def load_shorts(memory, offset):
    """Read 2 ``LANES`` shorts from memory of uint8 or int16."""
    return memory[_span(memory, offset, 2 * LANES)].astype(np.int16)


def store(memory, offset, vector):
    """Write a vector; numbers are converted to the memory's type, fractions and high bits lost.

    Shorts are written to memory of int16 only.
    """
    memory[_span(memory, offset, vector.size)] = _converted(vector, memory.dtype)


def store_first(memory, offset, vector, count):
    """Write the first ``count`` lanes, 0 to ``LANES``, of a vector of the memory's own kind."""
    memory[_span(memory, offset, count)] = vector[:count]


def store_pairs(memory, offset, even, odd):
    """Write the lanes of two vectors in turns: even[0], odd[0], even[1], ..."""
    memory[_span(memory, offset, 2 * LANES)] = np.stack([even, odd], axis=1).ravel()


def gather(memory, offset, index):
    """Read the elements ``offset + index`` of float32 memory, one for every lane."""
    places = offset + index.astype(np.int64)
    if places.min() < 0 or places.max() >= memory.size:
        message = f"elements {places.min()} to {places.max()} lie outside 0 .. {memory.size - 1}"
        raise IndexError(message)
    return memory[places]


def prefetch(memory, offset):
    """Ask for a line of the cache that will be read soon; it may lie anywhere, even outside."""


def splat(number):
    """Return floats that are all the same."""
    return np.full(LANES, number, np.float32)


def splat_integer(number):
    """Return integers that are all the same."""
    return np.full(LANES, number, np.int32)


def splat_short(number):
    """Return shorts that are all the same."""
    return np.full(2 * LANES, number, np.int16)


def splat_pair(even, odd):
    """Return shorts that are ``even`` and ``odd`` in turns."""
    return np.tile(np.array([even, odd], np.int16), LANES)


def short_lanes(first, end):
    """Return shorts with all bits set in lanes ``first`` .. ``end`` - 1, and none elsewhere."""
    lanes = np.arange(2 * LANES)
    return -((lanes >= first) & (lanes < end)).astype(np.int16)


def pair_sums(a, b):
    """Return integers: the products of shorts, those of lanes 2 i and 2 i + 1 added up."""
    products = a.astype(np.int32) * b
    return products[::2] + products[1::2]


def pairs(even, odd):
    """Return shorts: the low bits of two vectors of integers in turns."""
    return np.stack([even, odd], axis=1).ravel().astype(np.int16)


def lane_numbers():
    """Return the integers 0, 1, ..., ``LANES`` - 1."""
    return np.arange(LANES, dtype=np.int32)


def to_floats(vector):
    """Convert integers or doubles to floats."""
    return vector.astype(np.float32)


def to_doubles(vector):
    """Convert integers or floats to doubles."""
    return vector.astype(np.float64)


def to_integers(vector):
    """Convert floats or doubles to integers, fractions cut off; within +-2^31."""
    return _converted(vector, np.dtype(np.int32))


def fma(a, b, c):
    """Return a b + c, rounded once."""
    if a.dtype == np.float64:
        return a * b + c
    return (a.astype(np.float64) * b + c).astype(np.float32)


def minimum(a, b):
    """Return the smaller of each two lanes; a number wins over NaN."""
    return np.fmin(a, b)


def maximum(a, b):
    """Return the larger of each two lanes; a number wins over NaN."""
    return np.fmax(a, b)


def absolute(vector):
    """Return floats without their signs."""
    return np.abs(vector)


def floor(vector):
    """Return the next whole numbers below or equal, still as floats."""
    return np.floor(vector)


def square_root(vector):
    """Return square roots; NaN of negative floats."""
    with np.errstate(invalid="ignore"):
        return np.sqrt(vector)


def select(mask, a, b):
    """Return the lanes of ``a`` where the mask holds, else those of ``b``."""
    return np.where(mask, a, b)


def first_lanes(count):
    """Return the mask of the first ``count`` lanes."""
    return np.arange(LANES) < count


def all_lanes(mask):
    """Tell whether the mask holds in every lane."""
    return bool(mask.all())


def any_lane(mask):
    """Tell whether the mask holds in some lane."""
    return bool(mask.any())


def lane_bits(mask):
    """Return a whole number whose bit i tells whether the mask holds in lane i."""
    return np.uint64(sum(1 << i for i in range(LANES) if mask[i]))


def trailing_zeros(bits):
    """Return the place of the lowest bit that is set, 64 if none is."""
    number = int(bits)
    return np.uint64((number & -number).bit_length() - 1 if number else 64)


def first_lane(vector):
    """Return the number in lane 0."""
    return vector[0]


def total(vector):
    """Return the sum of all lanes, halves first: 0 + LANES / 2, 1 + LANES / 2 + 1, ..."""
    while vector.size > 1:
        vector = vector[: vector.size // 2] + vector[vector.size // 2 :]
    return vector[0]


def lowest(vector):
    """Return the smallest lane of integers or floats."""
    return vector.min()


def highest(vector):
    """Return the largest lane of integers or floats."""
    return vector.max()


def shift(a, b, count):
    """Return the row a, b from lane ``count`` on, as many lanes as ``a`` has.

    ``count`` is a whole number from 0 to ``LANES`` that is known when the kernel is compiled.
    """
    return np.concatenate([a, b])[count : count + a.size]


def permute(a, b, index):
    """Return the lanes ``index``, 0 to 2 ``LANES`` - 1, of the row a, b."""
    return np.concatenate([a, b])[index & (2 * LANES - 1)]


def deinterleave(a, b):
    """Return the even and the odd lanes of the row a, b."""
    row = np.concatenate([a, b])
    return row[::2], row[1::2]


def window_sum(a, b, count):
    """Return sums of ``count`` neighbours: lane i + ... + lane i + count - 1 of the row a, b.

    ``count`` is a whole number from 0 to ``LANES``. Sums of 2, 4, 8, ... lanes are made of one
    another; the compiler leaves out what a fixed count does not need.
    """
    row, rows, width = np.concatenate([a, b]), {}, 1
    while width <= count:
        rows[width] = row
        row = row + np.concatenate([row[width:], row[:width]])
        width *= 2
    sums, done = np.zeros_like(a), 0
    for width in sorted(rows, reverse=True):
        if count & width:
            sums = sums + rows[width][done : done + LANES]
            done += width
    return sums


def _numbers_at(place, dtype):
    room = ctypes.c_byte * (int(place["size"]) * np.dtype(dtype).itemsize)
    return np.frombuffer(room.from_address(int(place["address"])) if place["size"] else b"", dtype)


def _span(memory, offset, count):
    if offset < 0 or offset + count > memory.size:
        message = f"elements {offset} to {offset + count - 1} lie outside 0 .. {memory.size - 1}"
        raise IndexError(message)
    return slice(offset, offset + count)


def _converted(vector, dtype):
    with np.errstate(invalid="ignore"):  # NaN and what is too large become any number
        if dtype.kind in "iu" and vector.dtype.kind == "f":
            vector = vector.astype(np.int32)
        return vector.astype(dtype)
