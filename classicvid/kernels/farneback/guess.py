"""The flow of a coarser level goes in; rows of the finer level's first guess come out."""

from __future__ import annotations

from typing import NamedTuple

from classicvid.kernels.jit import part_fused, spliced
from classicvid.kernels.simd import LANES, deinterleave, load, permute, splat, store


class Coarse(NamedTuple):
    """A flow of ``width`` (dx, dy) a row, ``stride`` numbers apart, and where finer pixels lie.

    Row y of the finer flow lies ``row_fractions[y]`` behind row ``rows[y]``, column x likewise; its
    displacements are ``length`` times as long. ``blended`` is room for two rows, ``plane`` apart.
    A ``width`` of 0 stands for no motion.
    """

    flow: object
    rows: object
    row_fractions: object
    columns: object
    column_fractions: object
    blended: object
    plane: int
    stride: int
    width: int
    length: float


@part_fused
def guess_row(coarse, y, width, flow, to, flow_plane):
    """Write row y, ``width`` pixels, of the finer flow at ``to``, dy ``flow_plane`` behind."""
    if coarse.width == 0:
        for x in range(to, to + width, LANES):
            store(flow, x, splat(0.0))
            store(flow, x + flow_plane, splat(0.0))
        return
    _blend_rows(coarse, y)
    for x in range(0, width, LANES):
        start, fraction = coarse.columns[x], load(coarse.column_fractions, x)
        place = load(coarse.columns, x) - start
        for c in range(2):
            at = c * coarse.plane + start
            near, far = load(coarse.blended, at), load(coarse.blended, at + LANES)
            left, right = permute(near, far, place), permute(near, far, place + 1)
            store(flow, to + c * flow_plane + x, left + fraction * (right - left))


@spliced
def _blend_rows(coarse, y):
    fraction = coarse.row_fractions[y]
    of_below, of_above = splat(fraction * coarse.length), splat((1 - fraction) * coarse.length)
    above = coarse.rows[y] * coarse.stride
    below = above + coarse.stride
    for x in range(0, coarse.width, LANES):
        near = load(coarse.flow, above) * of_above + load(coarse.flow, below) * of_below
        above, below = above + LANES, below + LANES
        far = load(coarse.flow, above) * of_above + load(coarse.flow, below) * of_below
        above, below = above + LANES, below + LANES
        dx, dy = deinterleave(near, far)
        store(coarse.blended, x, dx)
        store(coarse.blended, coarse.plane + x, dy)
