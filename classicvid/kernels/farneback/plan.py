"""Arrays and numbers go in; the records by which a kernel finds all levels of a pyramid come out.

A kernel that takes them needs a few arguments instead of hundreds of arrays. The arrays must live
as long as the records are in use.
"""

from __future__ import annotations

import numpy as np

# What a task does.
SAMPLE, EXPAND, SOLVE = 0, 1, 2
# What a task says on the board, beside that it has not begun.
HANDED, DONE = 1, 2
# Where the board has the number of the next task; every task has its own place behind.
NEXT, FIRST_FLAG = 0, 8

# Where an array begins, and how many elements it has: what `simd.floats_at` and so on take.
PLACE = np.dtype([("address", np.int64), ("size", np.int64)])


def _record(**kinds: str) -> np.dtype:
    fields = [(name, kind) for kind, names in kinds.items() for name in names.split()]
    return np.dtype([(name, {"place": PLACE}.get(kind, kind)) for name, kind in fields])


# Rows ``begin`` .. ``end`` - 1 of a level. Before it starts, the flags ``needs`` .. ``needs_end``
# - 1 must be DONE; then its own will be. A band of flow may hand the equations of its first rows
# to the band above (``gives``) in room ``hand``, and take those behind its end from the band below
# in room ``hand`` + 1, once the flag ``giver`` (or -1) is HANDED.
TASK = _record(int64="kind level frame begin end needs needs_end flag gives giver hand")

# A level of ``height`` rows of ``width`` pixels, padded to ``stride``. How it is sampled stands in
# `pyramid.sample_rows`; image and expansion 0 are of the older frame, 1 of the newer;
# `layout.Expansions` explains the confidence, `guess.Coarse` the coarser flow (``length`` times as
# long here). ``out`` is the flow to fill, (H, out_stride / 2, 2).
LEVEL = _record(
    int64="height width stride row_reach column_reach coarse_width coarse_stride out_stride",
    float64="length",
    place="row_taps row_weights column_starts column_weights image_0 image_1 "
    "expansion_0 expansion_1 confidence confidence_rows coarse coarse_rows "
    "coarse_row_fractions coarse_columns coarse_column_fractions out",
)

# Two frames, of which 1 is the newer one: ``frame_width`` pixels of a row count of the
# ``frame_stride``, which are float32 (``frame_floats``) or uint8. Whether the flow leads
# ``backward``, from the newer to the older. The weights and numbers that `expansion` takes, and the
# window as in `level.Course`.
CALL = _record(
    int64="frame_width frame_stride frame_floats backward poly_n radius iterations",
    float64="ig11 ig03 ig33 ig55 regularisation",
    place="frame_0 frame_1 moments window",
)

# Room of one thread, as `pyramid` (``blended``, ``margin``), `expansion` (``moments``),
# `layout.Room`, `guess.Coarse` (``coarse_rows``) and `level.Course` (``numbers``, ``row_places``)
# describe it; and what all threads share, the ``handed`` equations of `level.Neighbours`.
SCRATCH = _record(
    int64="margin moments_plane flow_plane plane capacity coarse_plane handed_plane",
    place="blended moments flow equations sums coarse_rows numbers row_places handed",
)
