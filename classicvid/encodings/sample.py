"""Descriptors of one video after another go in; a random sample of bounded size comes out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicvid.checks import check_whole


class DescriptorSample:
    """Draws rows from a stream of unknown length, each with the same chance.

    Memory is bounded by twice the sample and one array of the stream, so that a codebook or a
    mixture is fitted on a data set of any size.

    Parameters
    ----------
    size : int, at least 1
        Rows that are kept at most. The papers take 100,000 for a codebook (H. Wang et al., CVPR
        2011) and 256,000 for a mixture (ICCV 2013).
    seed : int, 0 to 2**32 - 1
        Decides by its place in the stream whether a row is kept: samples of one size and seed of
        streams of equal length hold the same rows, for example of HOG and HOF.

    Notes
    -----
    Every row gets a random number, and those with the smallest are kept. How the stream is cut
    into arrays does not matter.
    """

    def __init__(self, size: int = 100_000, *, seed: int = 0) -> None:
        self.size = check_whole("size", size, low=1)
        self.seed = check_whole("seed", seed, low=0, high=2**32 - 1)
        self._random = np.random.default_rng(self.seed)
        self._seen = 0
        self._limit = np.inf  # rows whose number is not below it cannot be kept
        self._numbers: list[NDArray[np.float64]] = []
        self._rows: list[NDArray[np.float32]] = []

    @property
    def seen(self) -> int:
        """Rows of the stream so far."""
        return self._seen

    @property
    def descriptors(self) -> NDArray[np.float32]:
        """The sample, shape (min(size, seen), D), in the order of the stream.

        Raises
        ------
        ValueError
            If no array was added, so that D is unknown.
        """
        if not self._rows:
            message = "the sample is empty; add the descriptors of at least one video"
            raise ValueError(message)
        self._shrink()
        return self._rows[0].copy()

    def add(self, descriptors: Any) -> None:
        """Take the next rows of the stream.

        Parameters
        ----------
        descriptors : array, shape (N, D), real and finite
            Of any length, also none; D is the same in all.

        Raises
        ------
        TypeError, ValueError
            If the array is not as described.
        """
        rows = _check_descriptors(descriptors, self._rows[0].shape[1] if self._rows else None)
        numbers = self._random.random(len(rows))
        self._seen += len(rows)
        low = numbers < self._limit
        if not self._rows or low.any():
            self._rows.append(rows[low])
            self._numbers.append(numbers[low])
        if sum(map(len, self._rows)) > 2 * self.size:
            self._shrink()

    def _shrink(self) -> None:
        """Keep the rows of the smallest numbers."""
        rows, numbers = np.concatenate(self._rows), np.concatenate(self._numbers)
        if len(rows) > self.size:
            kept = np.sort(np.argpartition(numbers, self.size - 1)[: self.size])
            rows, numbers = rows[kept], numbers[kept]
        if len(rows) == self.size:
            self._limit = numbers.max()
        self._rows, self._numbers = [rows], [numbers]


def _check_descriptors(descriptors: Any, size: int | None) -> NDArray[np.float32]:
    array = np.asarray(descriptors)
    if array.ndim != 2 or array.shape[1] == 0 or size not in (None, array.shape[1]):
        wanted = "(N, D)" if size is None else f"(N, {size}) as before"
        message = f"descriptors must be {wanted}, a row each, got shape {array.shape}"
        raise ValueError(message)
    if array.dtype.kind not in "fiub":
        message = f"descriptors must be real numbers, got {array.dtype}"
        raise TypeError(message)
    with np.errstate(over="ignore"):  # too large for float32 becomes infinite, refused below
        rows = array.astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if bad.size:
        message = f"descriptors must be finite, row {bad[0]} is not; leave that row out"
        raise ValueError(message)
    return rows
