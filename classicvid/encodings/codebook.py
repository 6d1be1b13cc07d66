"""Descriptors of a video go in; the histogram of the visual words that they are like comes out."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from classicvid.checks import check_choice, check_number, check_whole
from classicvid.encodings.encoder import SetEncoder
from classicvid.encodings.pyramid import SpatioTemporalPyramid
from classicvid.encodings.storage import check_positive, check_shapes
from classicvid.encodings.words import WordSearch, learn_words

_BLOCK = 8192  # descriptors whose memberships are worked on at a time


class Codebook(SetEncoder):
    """Bag of features: words are centres of k-means, a descriptor counts for those it is near.

    Parameters
    ----------
    n_words : int, at least 1
        K. There are fewer where the training descriptors, or different ones among them, are fewer.
    assignment : {"hard", "soft"}
        A descriptor belongs to the nearest word, or to several in shares that sum to 1.
    neighbours : int, at least 1
        Nearest words that share a descriptor under soft assignment.
    width : float, above 0, optional
        Standard deviation of the Gaussian of the distance that makes the shares. By default learnt:
        between a nearest and a second-nearest word whose squared distances differ by the mean
        difference in training, the shares are as e to 1.
    restarts : int, at least 1
        Clusterings from other starting centres, of which the best is kept.
    max_iterations : int, at least 1
        Iterations of a clustering at most; fewer where its error changes by less than 0.05 %.
    seed : int, 0 to 2**32 - 1
        Draws the starting centres.

    Attributes
    ----------
    words_ : array, shape (K, D), float32
    width_ : array, shape (1,), float32

    Notes
    -----
    4000 words for each type of descriptor, from 100,000 random training descriptors, the best of 8
    clusterings, and hard assignment are those of H. Wang et al., "Evaluation of local
    spatio-temporal features for action recognition", BMVC 2009, and "Action recognition by dense
    trajectories", CVPR 2011.

    Soft assignment is the codeword uncertainty of J. van Gemert et al., "Visual word ambiguity",
    PAMI 2010, restricted to the nearest words as by L. Liu et al., "In defense of soft-assignment
    coding", ICCV 2011. We depart in that the width is learnt from distances, not cross-validated.

    Examples
    --------
    >>> import numpy as np
    >>> from classicvid.encodings import Codebook
    >>> descriptors = np.random.default_rng(0).random((200, 8))
    >>> codebook = Codebook(n_words=10, restarts=1).fit(descriptors)
    >>> histogram = codebook.encode(descriptors[:50])
    >>> histogram.shape
    (10,)
    """

    _learnt = ("words", "width")

    def __init__(
        self,
        n_words: int = 4000,
        *,
        assignment: str = "hard",
        neighbours: int = 5,
        width: float | None = None,
        restarts: int = 8,
        max_iterations: int = 100,
        seed: int = 0,
    ) -> None:
        self.n_words = n_words
        self.assignment = assignment
        self.neighbours = neighbours
        self.width = width
        self.restarts = restarts
        self.max_iterations = max_iterations
        self.seed = seed

    def _learn(self, rows: NDArray[np.float32]) -> None:
        self.words_ = learn_words(
            rows,
            self.n_words,
            restarts=self.restarts,
            max_iterations=self.max_iterations,
            seed=self.seed,
        )
        width = _learn_width(rows, self.words_) if self.width is None else self.width
        self.width_ = np.maximum(np.array([width], np.float32), np.finfo(np.float32).tiny)

    def transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """Compute the share of every word in each descriptor, shape (N, K), float32.

        Rows sum to 1; :meth:`encode` gives their mean.

        Raises
        ------
        ValueError
            If the codebook is not fitted, or X is not finite numbers (N, D).
        """
        check_is_fitted(self)
        rows = self._check_rows(X)
        words, shares = self._assign(rows)
        memberships = np.zeros((len(rows), len(self.words_)), np.float32)
        np.put_along_axis(memberships, words, shares, axis=1)
        return memberships

    def channels(self, pyramid: SpatioTemporalPyramid | None = None) -> list[int]:
        """Return the widths of the channels of an encoding: the histograms that each sum to 1."""
        check_is_fitted(self)
        cells = [1] if pyramid is None else pyramid.grid_cells
        return [count * len(self.words_) for count in cells]

    def _assign(self, rows: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the words of each row, shape (N, n), and the row's shares in them."""
        count = 1 if self.assignment == "hard" else min(self.neighbours, len(self.words_))
        words, squares = WordSearch(self.words_).nearest(rows, count)
        exponents = (squares[:, :1] - squares) / (2 * self.width_[0].astype(np.float64) ** 2)
        shares = np.exp(exponents)
        shares /= shares.sum(axis=1, keepdims=True)
        return words.astype(np.int64), shares.astype(np.float32)

    @property
    def _n_features_out(self) -> int:
        return len(self.words_)

    def _sum(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        sums = np.zeros(len(self.words_))
        for start in range(0, len(rows), _BLOCK):
            words, shares = self._assign(rows[start : start + _BLOCK])
            sums += np.bincount(words.ravel(), shares.ravel(), len(sums))
        return sums

    def _normalise(self, sums: NDArray[np.float64]) -> NDArray[np.float32]:
        """Make one distribution of the histograms of all cells of a grid."""
        return (sums / (sums.sum() or 1)).astype(np.float32)

    def _check_options(self) -> None:
        check_whole("n_words", self.n_words, low=1)
        check_choice("assignment", self.assignment, ("hard", "soft"))
        check_whole("neighbours", self.neighbours, low=1)
        if self.width is not None:
            check_number("width", self.width, low=0, exclusive=True)
        check_whole("restarts", self.restarts, low=1)
        check_whole("max_iterations", self.max_iterations, low=1)
        check_whole("seed", self.seed, low=0, high=2**32 - 1)

    def _check_learnt(self, tensors: dict[str, NDArray[np.float32]]) -> None:
        count = tensors["words"].shape[0]
        check_shapes(tensors, {"words": (count, self.n_features_in_), "width": (1,)})
        check_positive(tensors, "width")


def _learn_width(rows: NDArray[np.float32], words: NDArray[np.float32]) -> float:
    """Make exp(-d^2 / (2 width^2)) fall by e over the mean gap between nearest and second word."""
    if len(words) == 1:
        return 1.0
    _, squares = WordSearch(words).nearest(rows, 2)
    gap = np.subtract(squares[:, 1], squares[:, 0], dtype=np.float64).mean()
    return float(np.sqrt(gap / 2)) or 1.0
