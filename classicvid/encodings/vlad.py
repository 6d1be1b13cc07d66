"""Descriptors of a video go in; the sums of their offsets from the nearest words come out."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from classicvid.checks import check_number, check_whole
from classicvid.encodings.encoder import SetEncoder, check_flag, normalise_signed
from classicvid.encodings.storage import check_shapes
from classicvid.encodings.words import WordSearch, group_sums, learn_words


class VLAD(SetEncoder):
    """Vector of locally aggregated descriptors: what is left of each beyond its nearest word.

    Parameters
    ----------
    n_words : int, at least 1
        K. There are fewer where the training descriptors, or different ones among them, are fewer.
    intra : bool
        Whether each word's sum is first given length 1, so that a burst of like descriptors does
        not outweigh all else.
    power : float, above 0 and up to 1
        Exponent of the sizes of numbers, 0.5 for the signed square root; 1 leaves them.
    restarts : int, at least 1
        Clusterings from other starting centres, of which the best is kept.
    max_iterations : int, at least 1
        Iterations of a clustering at most.
    seed : int, 0 to 2**32 - 1
        Draws the starting centres.

    Attributes
    ----------
    words_ : array, shape (K, D), float32

    Notes
    -----
    H. Jégou et al., "Aggregating local image descriptors into compact codes", PAMI 2012; ``intra``
    is that of R. Arandjelović and A. Zisserman, "All about VLAD", CVPR 2013, who leave out the
    square root. The vector has K D numbers, word after word, and Euclidean length 1.
    """

    _learnt = ("words",)

    def __init__(
        self,
        n_words: int = 64,
        *,
        intra: bool = False,
        power: float = 0.5,
        restarts: int = 1,
        max_iterations: int = 100,
        seed: int = 0,
    ) -> None:
        self.n_words = n_words
        self.intra = intra
        self.power = power
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

    def transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """Compute the offset of each descriptor from its nearest word, shape (N, K D), float32.

        It stands at the place of that word; the rest is zero. :meth:`encode` normalises their sum.

        Raises
        ------
        ValueError
            If the encoder is not fitted, or X is not finite numbers (N, D).
        """
        check_is_fitted(self)
        rows = self._check_rows(X)
        nearest = WordSearch(self.words_).nearest(rows, 1)[0][:, 0]
        offsets = np.zeros((len(rows), *self.words_.shape), np.float32)
        offsets[np.arange(len(rows)), nearest] = rows - self.words_[nearest]
        return offsets.reshape(len(rows), -1)

    @property
    def _n_features_out(self) -> int:
        return self.words_.size

    def _sum(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        nearest = WordSearch(self.words_).nearest(rows, 1)[0][:, 0]
        sums, _ = group_sums(rows - self.words_[nearest], nearest, len(self.words_))
        return sums.ravel()

    def _normalise(self, sums: NDArray[np.float64]) -> NDArray[np.float32]:
        if self.intra:
            words = sums.reshape(-1, self.n_features_in_)
            sums = normalise_signed(words, 1).reshape(sums.shape).astype(np.float64)
        return normalise_signed(sums, self.power)

    def _check_options(self) -> None:
        check_whole("n_words", self.n_words, low=1)
        check_flag("intra", self.intra)
        check_number("power", self.power, low=0, exclusive=True)
        check_number("power", self.power, high=1)
        check_whole("restarts", self.restarts, low=1)
        check_whole("max_iterations", self.max_iterations, low=1)
        check_whole("seed", self.seed, low=0, high=2**32 - 1)

    def _check_learnt(self, tensors: dict[str, NDArray[np.float32]]) -> None:
        count = tensors["words"].shape[0]
        check_shapes(tensors, {"words": (count, self.n_features_in_)})
