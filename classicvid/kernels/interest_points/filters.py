"""The planes around a frame go in; weighted sums of them over time come out.

A plane is flattened, with room for one vector behind its last pixel. Filters are symmetric or
antisymmetric in time: a weight serves a frame before and one after.
"""

from __future__ import annotations

from classicvid.kernels.jit import inlined, kernel_fused
from classicvid.kernels.simd import LANES, fma, load, memory, splat, store


@kernel_fused
def filter_energy(planes, slots, even, odd, out):
    """Fill ``out`` (P,) with the sum of the squares of two filtered planes.

    ``planes`` (S, P), float32, holds the frames; ``slots`` (2 R + 1,) says where those from R
    before to R after lie. ``even`` and ``odd`` (R + 1,) weigh the sums and the differences of the
    frames 0 .. R after and before.
    """
    frames, energy, stride = memory(planes), memory(out), planes.shape[1]
    for x in range(0, stride - LANES, LANES):
        in_phase, out_of_phase = _filter_both(frames, stride, slots, even, odd, x)
        store(energy, x, fma(in_phase, in_phase, out_of_phase * out_of_phase))


@kernel_fused
def filter_both(planes, slots, even, odd, even_out, odd_out):
    """Fill ``even_out`` and ``odd_out`` (P,) with the two filtered planes of `filter_energy`."""
    frames, stride = memory(planes), planes.shape[1]
    sums, differences = memory(even_out), memory(odd_out)
    for x in range(0, stride - LANES, LANES):
        in_phase, out_of_phase = _filter_both(frames, stride, slots, even, odd, x)
        store(sums, x, in_phase)
        store(differences, x, out_of_phase)


@inlined
def _filter_both(frames, stride, slots, even, odd, x):
    reach = even.size - 1
    in_phase, out_of_phase = load(frames, slots[reach] * stride + x) * even[0], splat(0.0)
    for k in range(1, reach + 1):
        after = load(frames, slots[reach + k] * stride + x)
        before = load(frames, slots[reach - k] * stride + x)
        in_phase = fma(after + before, splat(even[k]), in_phase)
        out_of_phase = fma(after - before, splat(odd[k]), out_of_phase)
    return in_phase, out_of_phase
