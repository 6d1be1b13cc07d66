"""Descriptors go in; a mixture of Gaussians with diagonal covariances that fits them comes out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classicvid.encodings.words import WordSearch, group_sums, learn_words

# Numbers in a block of posteriors: 4 MiB, which stay in the caches while they are worked on.
_BLOCK = 1 << 20
# Rows in a block at most: sums over them are in single precision.
_LONGEST = 8192
# No variance is smaller than this share of the largest variance of a dimension in training.
_FLOOR = 1e-4
# A share in a component is never below e^-50 of the largest: numbers next to underflow, of which
# there would be many, take the processor ten times as long.
_LOWEST = np.float32(-50)
# Descriptors a component, at least.
_FEWEST = 4
# Descriptors a component from which the starting centres are learnt.
_START = 100


class Statistics(NamedTuple):
    """Sums over rows x of posteriors g: of g, shape (K,), g x and g x^2, both (K, D), float64."""

    counts: NDArray[np.float64]
    firsts: NDArray[np.float64]
    seconds: NDArray[np.float64]
    log_likelihood: float


@dataclass(frozen=True)
class Mixture:
    """Weights, shape (K,), means and variances, both (K, D), float32; K Gaussians."""

    weights: NDArray[np.float32]
    means: NDArray[np.float32]
    variances: NDArray[np.float32]

    def posteriors(
        self, rows: NDArray[np.float32]
    ) -> Iterator[tuple[slice, NDArray[np.float32], NDArray[np.float32], float]]:
        """Compute the shares of the components in rows (N, D), a block at a time.

        Yields
        ------
        block : slice
            The rows of the block, n of them.
        shares : array, shape (n, K), float32
            Rows sum to 1. Valid until the next block.
        powers : array, shape (n, 2 D), float32
            The rows beside their squares.
        log_likelihood : float
            Sum over the block.
        """
        # log of a Gaussian = constant + x (mean / variance) - x^2 / (2 variance): one product.
        means, variances = self.means.astype(np.float64), self.variances.astype(np.float64)
        factors = np.hstack([means / variances, -0.5 / variances]).T.astype(np.float32)
        constants = np.log(self.weights, dtype=np.float64)
        constants -= (np.log(2 * np.pi * variances) + means**2 / variances).sum(axis=1) / 2
        size = rows.shape[1]
        length = min(max(_BLOCK // len(self.weights), 16), _LONGEST)
        powers = np.empty((min(length, len(rows)), 2 * size), np.float32)
        for start in range(0, len(rows), length):
            block = slice(start, min(start + length, len(rows)))
            part = powers[: block.stop - start]
            part[:, :size] = rows[block]
            np.square(part[:, :size], out=part[:, size:])
            logs = part @ factors
            logs += constants.astype(np.float32)
            highest = logs.max(axis=1, keepdims=True)  # exp overflows without, and 0 / 0 follows
            logs -= highest
            np.maximum(logs, _LOWEST, out=logs)
            shares = np.exp(logs, out=logs)
            sums = shares.sum(axis=1, keepdims=True)
            shares /= sums
            likelihood = np.log(sums, dtype=np.float64).sum() + highest.sum(dtype=np.float64)
            yield block, shares, part, float(likelihood)

    def statistics(self, rows: NDArray[np.float32]) -> Statistics:
        """Sum posteriors and the moments that they weigh over rows (N, D)."""
        counts = np.zeros(len(self.weights))
        moments = np.zeros((len(self.weights), 2 * rows.shape[1]))
        likelihood = 0.0
        for _, shares, powers, part in self.posteriors(rows):
            counts += shares.sum(axis=0)
            moments += shares.T @ powers
            likelihood += part
        firsts, seconds = np.hsplit(moments, 2)
        return Statistics(counts, firsts, seconds, likelihood)


def learn_mixture(
    rows: NDArray[np.float32],
    count: int,
    *,
    max_iterations: int,
    tolerance: float,
    seed: int,
) -> Mixture:
    """Fit a mixture by expectation-maximisation, from centres of k-means.

    Parameters
    ----------
    rows : array, shape (N, D), float32
        At least one; best centred, since rounding errors grow with their size.
    count : int, at least 1
        Components that are wanted.
    max_iterations : int, at least 1
        Iterations at most.
    tolerance : float, at least 0
        Ends when the mean log-likelihood of a row rises by less.
    seed : int
        Draws the rows from which the starting centres are learnt, and these centres.

    Returns
    -------
    mixture : Mixture
        K components: ``count``, or less where there are fewer than 4 rows for each. One that loses
        all its rows is left out.

    Notes
    -----
    Single precision; sums over more than a block are double. Variances are at least 1e-4 of the
    largest variance of a dimension: among equal rows, as where nothing moves, a component would
    shrink to a point.
    """
    variances = rows.var(axis=0, dtype=np.float64)
    floor = _FLOOR * float(variances.max() or 1)
    mixture = _start(rows, max(min(count, len(rows) // _FEWEST), 1), floor, seed)
    before = -np.inf
    for _ in range(max_iterations):
        statistics = mixture.statistics(rows)
        mixture = _maximise(statistics, floor)
        likelihood = statistics.log_likelihood / len(rows)
        if likelihood - before < tolerance:
            break
        before = likelihood
    return mixture


def _start(rows: NDArray[np.float32], count: int, floor: float, seed: int) -> Mixture:
    """Turn the clusters of k-means into components."""
    random = np.random.default_rng(seed)
    few = np.sort(random.permutation(len(rows))[: _START * count])
    centres = learn_words(rows[few], count, restarts=1, max_iterations=20, seed=seed)
    nearest, _ = WordSearch(centres).nearest(rows, 1)
    firsts, counts = group_sums(rows, nearest[:, 0], len(centres))
    seconds, _ = group_sums(np.square(rows), nearest[:, 0], len(centres))
    return _maximise(Statistics(counts.astype(np.float64), firsts, seconds, 0.0), floor)


def _maximise(statistics: Statistics, floor: float) -> Mixture:
    """Return the mixture that the statistics of rows make likeliest."""
    alive = statistics.counts > 0.5  # less than half a row in all
    counts = statistics.counts[alive, None]
    means = statistics.firsts[alive] / counts
    variances = np.maximum(statistics.seconds[alive] / counts - means**2, floor)
    weights = counts[:, 0] / counts.sum()
    return Mixture(*(array.astype(np.float32) for array in (weights, means, variances)))
