"""Descriptors go in; their principal components, the directions in which they vary, come out."""

from __future__ import annotations

import numbers

import numpy as np
from numpy.typing import NDArray

from classicvid.checks import check_number, check_whole


def check_components(name: str, value: object) -> int | float | None:
    """Return a number of components, a share of the dimensions above 0 and up to 1, or None."""
    if value is None:
        return None
    if isinstance(value, numbers.Integral):
        return check_whole(name, value, low=1)
    share = check_number(name, value, high=1)
    return check_number(name, share, low=0, exclusive=True)


def learn_projection(
    rows: NDArray[np.float32], *, components: float | None, whiten: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Find the principal components of rows.

    Parameters
    ----------
    rows : array, shape (N, D), float32
        At least one.
    components : int, float or None
        A number d, at most D; a share of D, rounded down, at least one; or None for no projection.
    whiten : bool
        Whether projections are divided by their standard deviations.

    Returns
    -------
    centre : array, shape (D,), float32
        The mean row.
    directions : array, shape (d, D), float32
        ``(rows - centre) @ directions.T`` projects; without ``components``, the unit matrix.
        The largest number of each is positive.
    """
    centre = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    size = len(centre)
    if components is None:
        return centre, np.eye(size, dtype=np.float32)
    whole = isinstance(components, numbers.Integral)
    count = min(int(components), size) if whole else max(int(components * size), 1)
    centred = rows - centre
    covariance = sum(
        (block.T @ block).astype(np.float64)
        for block in np.array_split(centred, -(-len(rows) // 8192))
    ) / len(rows)
    variances, vectors = np.linalg.eigh(covariance)
    directions = vectors[:, ::-1][:, :count].T
    largest = np.take_along_axis(directions, np.abs(directions).argmax(axis=1)[:, None], axis=1)
    directions = directions * np.where(largest < 0, -1, 1)
    if whiten:
        kept = np.maximum(variances[::-1][:count], 1e-6 * max(variances[-1], 1e-30))
        directions = directions / np.sqrt(kept)[:, None]
    return centre, np.ascontiguousarray(directions, dtype=np.float32)
