"""A fold and the rows of its videos go in; what a method is trained or tested on comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipelines.run_folder import FoldTask, flow_bound, open_clips

if TYPE_CHECKING:
    from cnn import ClipSource, InputSpec


def clip_source(task: FoldTask, rows: NDArray[np.int64], wanted: InputSpec) -> ClipSource:
    """Open the cached clips of the videos at ``rows``, as a network wants to be fed."""
    from cnn import ClipSource  # noqa: PLC0415 - feature histograms need not wait for torch

    names = task.names(rows)
    folder = task.run.clips(wanted.cache_size)
    first, *more = wanted.arrays
    return ClipSource(
        videos=[open_clips(folder, name, first) for name in names],
        labels=task.dataset.labels[rows],
        names=names,
        classes=task.dataset.classes,
        bound=flow_bound(wanted.cache_size),
        companions=[open_clips(folder, name, more[0]) for name in names] if more else None,
    )
