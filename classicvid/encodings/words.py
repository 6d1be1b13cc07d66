"""Descriptors go in; the centres of their clusters, and which of these are nearest, come out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from classicvid.kernels import encodings as kernels

# Numbers in a block of scores: 4 MiB, which stay in the caches between two passes over them.
_BLOCK = 1 << 20
# The centres have settled when an iteration lowers the error by less than this share of it.
_SETTLED = 5e-4
# Starting centres are drawn from so many rows for each, at least from so many in all; in so many
# draws; of so many candidates each.
_SAMPLE, _SMALLEST_SAMPLE, _DRAWS, _CANDIDATES = 10, 10_000, 256, 32
# Farther than any word, still a finite float32.
_FAR = 3e38


class WordSearch:
    """Finds nearest words by one product of matrices: |x - w|^2 - |x|^2 = |w|^2 - 2 x w.

    Parameters
    ----------
    words : array, shape (K, D), float32
    """

    def __init__(self, words: NDArray[np.float32]) -> None:
        count, size = words.shape
        self._centre = words.mean(axis=0, dtype=np.float64).astype(np.float32)
        centred = words - self._centre  # rounding errors grow with the size of the numbers
        room = -(-count // kernels.ALIGNED) * kernels.ALIGNED
        self._matrix = np.zeros((size + 1, room), np.float32)
        self._matrix[:size, :count] = -2 * centred.T
        self._matrix[size] = _FAR
        self._matrix[size, :count] = np.square(centred, dtype=np.float64).sum(axis=1)

    def nearest(
        self, rows: NDArray[np.float32], count: int
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Find the nearest words of rows (N, D), the nearest first.

        Returns
        -------
        words : array, shape (N, count), int32
        squares : array, shape (N, count), float32
            Squared Euclidean distances.
        """
        size, room = self._matrix.shape
        block = max(_BLOCK // room, 16)
        words = np.empty((len(rows), count), np.int32)
        squares = np.empty((len(rows), count), np.float32)
        scores = np.empty((min(block, len(rows)), room), np.float32)
        for start in range(0, len(rows), block):
            stop = min(start + block, len(rows))
            centred = np.ones((stop - start, size), np.float32)
            np.subtract(rows[start:stop], self._centre, out=centred[:, :-1])
            part = scores[: stop - start]
            np.matmul(centred, self._matrix, out=part)
            kernels.smallest(part, words[start:stop], squares[start:stop])
            own = centred[:, :-1]
            squares[start:stop] += np.einsum("nd,nd->n", own, own)[:, None]
        return words, np.maximum(squares, 0, out=squares)


def learn_words(
    rows: NDArray[np.float32],
    count: int,
    *,
    restarts: int,
    max_iterations: int,
    seed: int,
) -> NDArray[np.float32]:
    """Cluster rows by k-means; the clustering with the lowest error is kept.

    Parameters
    ----------
    rows : array, shape (N, D), float32
        At least one.
    count : int, at least 1
        Clusters that are wanted.
    restarts : int, at least 1
        Starts from other centres.
    max_iterations : int, at least 1
        Iterations of a start at most; fewer where the error changes by less than 0.05 %.
    seed : int
        Draws the starting centres.

    Returns
    -------
    words : array, shape (K, D), float32
        K is ``count``, or less where rows or different rows are fewer.

    Notes
    -----
    Lloyd's iterations; a cluster that lost all its rows starts again at the row that is farthest
    from its centre. Starting centres are those of k-means++ (D. Arthur and S. Vassilvitskii, 2007):
    candidates are drawn with chances proportional to the squared distance from the centres before,
    and the one that lowers the error most is taken. We depart in that beyond 256 words several are
    taken of a draw, and that the draws are from 10 rows a word: else 4000 words take minutes.
    """
    random = np.random.default_rng(seed)
    different = _different_rows(rows)
    best, least = rows[:1], np.inf
    for _ in range(restarts):
        start = rows[different[_draw_start(rows[different], count, random)]]
        words, error = _refine(rows, start, max_iterations)
        if error < least:
            best, least = words, error
    return best


def group_sums(
    rows: NDArray[np.float32], groups: NDArray[np.int32], count: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Sum the rows (N, D) of each group, shape (count, D), and count them, shape (count,)."""
    sums = np.zeros((count, rows.shape[1]))
    kernels.add_rows(rows, groups, sums)
    return sums, np.bincount(groups, minlength=count)


def _different_rows(rows: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the first place of every row that differs from those before, in rising order."""
    bits = rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1]))).ravel()
    return np.sort(np.unique(bits, return_index=True)[1])


def _draw_start(
    rows: NDArray[np.float32], count: int, random: np.random.Generator
) -> NDArray[np.int64]:
    """Draw places of different rows, far from one another, all where ``count`` is not below N."""
    if count >= len(rows):
        return np.arange(len(rows))
    few = np.sort(random.permutation(len(rows))[: max(_SAMPLE * count, _SMALLEST_SAMPLE)])
    sample = rows[few] - rows[few].mean(axis=0)
    squares = np.full(len(few), np.inf, np.float32)  # to the nearest of those chosen so far
    chosen: list[int] = []
    picks = -(-count // _DRAWS)
    while len(chosen) < count:
        size = min(max(_CANDIDATES, 2 * picks), len(few) - len(chosen))
        chances = _chances(squares, chosen)
        candidates = random.choice(len(few), size, replace=False, p=chances)
        table = _squared_distances(sample[candidates], sample)
        free = np.ones(size, bool)
        for _ in range(min(picks, size, count - len(chosen))):
            np.minimum(table, squares, out=table)
            best = np.where(free, table.sum(axis=1), np.inf).argmin()
            squares = table[best].copy()
            free[best] = False
            chosen.append(int(candidates[best]))
    return few[chosen]


def _chances(squares: NDArray[np.float32], chosen: list[int]) -> NDArray[np.float64]:
    """Make probabilities of squared distances; no row that is left has none, as equal rows may."""
    finite = np.where(np.isfinite(squares), squares, 1).astype(np.float64)
    weights = np.maximum(finite, 1e-6 * finite.max() or 1)
    weights[chosen] = 0
    return weights / weights.sum()


def _squared_distances(
    first: NDArray[np.float32], second: NDArray[np.float32]
) -> NDArray[np.float32]:
    table = first @ (-2 * second.T)
    table += np.einsum("nd,nd->n", first, first)[:, None]
    table += np.einsum("nd,nd->n", second, second)
    return np.maximum(table, 0, out=table)


def _refine(
    rows: NDArray[np.float32], words: NDArray[np.float32], max_iterations: int
) -> tuple[NDArray[np.float32], float]:
    """Move centres to the means of their clusters until they settle; return them, the error."""
    words, before = words.copy(), np.inf
    for iteration in range(max_iterations):
        nearest, squares = WordSearch(words).nearest(rows, 1)
        sums, counts = group_sums(rows, nearest[:, 0], len(words))
        error = float(squares.sum(dtype=np.float64))
        full = counts > 0
        words[full] = sums[full] / counts[full, None]
        if error >= (1 - _SETTLED) * before or iteration == max_iterations - 1:
            break
        before = error
        lost = np.flatnonzero(~full)
        words[lost] = rows[np.argsort(-squares[:, 0], kind="stable")[: len(lost)]]
    return words[full], error
