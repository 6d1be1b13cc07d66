"""Memory and offsets go in; vectors of ``LANES`` numbers, computed on all lanes at once, come out.

A vector is a value like a float: ``a * b + c``, ``fma(a, b, c)``, ``a < b`` and ``select(mask, a,
b)`` act on every lane by itself, and a scalar beside a vector stands for a vector of equal lanes.
There are five kinds: floats (float32), doubles (float64), integers (int32), masks (what comparisons
give) and shorts (int16), of which a vector holds 2 ``LANES``. Being values, they are replaced, not
changed: ``a = a + b``, never ``a += b``. A kernel takes the `memory` of its arrays at its head,
once, and then moves vectors by offsets: ``load(memory, offset)`` holds the elements ``offset ..
offset + LANES - 1`` of the flattened array. Nobody checks the offsets of compiled code: arrays are
padded, so that the last vector of a row ends inside them.

`operations` says what each operation means, in numpy; this is also what runs with the JIT off, and
there the offsets are checked. `lowering` says how the compiler writes it. The number of lanes is
that of the processor: 16 with AVX-512, 8 with AVX2, 4 elsewhere.
"""

from classicvid.kernels.simd.lanes import AVX2, FUSED, LANES, WIDE

# Imported, they teach numba the operations.
from classicvid.kernels.simd.lowering import across as _across  # noqa: F401
from classicvid.kernels.simd.lowering import arithmetic as _arithmetic  # noqa: F401
from classicvid.kernels.simd.lowering import memory as _memory  # noqa: F401
from classicvid.kernels.simd.lowering import shorts as _shorts  # noqa: F401
from classicvid.kernels.simd.operations import (
    absolute,
    all_lanes,
    any_lane,
    bytes_at,
    deinterleave,
    first_lane,
    first_lanes,
    floats_at,
    floor,
    fma,
    gather,
    highest,
    integers_at,
    lane_bits,
    lane_numbers,
    load,
    load_floats,
    load_integers,
    load_shorts,
    longs_at,
    lowest,
    maximum,
    memory,
    minimum,
    pair_sums,
    pairs,
    permute,
    prefetch,
    select,
    shift,
    short_lanes,
    splat,
    splat_integer,
    splat_pair,
    splat_short,
    square_root,
    store,
    store_first,
    store_pairs,
    to_doubles,
    to_floats,
    to_integers,
    total,
    trailing_zeros,
    window_sum,
)

__all__ = [
    "AVX2",
    "FUSED",
    "LANES",
    "WIDE",
    "absolute",
    "all_lanes",
    "any_lane",
    "bytes_at",
    "deinterleave",
    "first_lane",
    "first_lanes",
    "floats_at",
    "floor",
    "fma",
    "gather",
    "highest",
    "integers_at",
    "lane_bits",
    "lane_numbers",
    "load",
    "load_floats",
    "load_integers",
    "load_shorts",
    "longs_at",
    "lowest",
    "maximum",
    "memory",
    "minimum",
    "pair_sums",
    "pairs",
    "permute",
    "prefetch",
    "select",
    "shift",
    "short_lanes",
    "splat",
    "splat_integer",
    "splat_pair",
    "splat_short",
    "square_root",
    "store",
    "store_first",
    "store_pairs",
    "to_doubles",
    "to_floats",
    "to_integers",
    "total",
    "trailing_zeros",
    "window_sum",
]
