"""Descriptors of a video go in; the gradient of their likelihood under a mixture comes out."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from classicvid.checks import check_number, check_whole
from classicvid.encodings.encoder import SetEncoder, check_flag, normalise_signed
from classicvid.encodings.mixture import Mixture, learn_mixture
from classicvid.encodings.projection import check_components, learn_projection
from classicvid.encodings.storage import check_positive, check_shapes


class FisherVector(SetEncoder):
    """Principal components, then how a set would change the means and variances of a mixture.

    Parameters
    ----------
    n_components : int, at least 1
        K, Gaussians of the mixture. There are fewer with fewer than 4 training descriptors each.
    pca : int, float or None
        Principal components that are kept, d: a share of the dimensions D, above 0 and up to 1 and
        rounded down, if a float (the paper's 0.5); a number, if an int; None keeps D dimensions as
        they are.
    whiten : bool
        Whether the components are scaled to variance 1.
    power : float, above 0 and up to 1
        Exponent of the sizes of numbers, 0.5 for the signed square root; 1 leaves them.
    max_iterations : int, at least 1
        Iterations of expectation-maximisation at most.
    tolerance : float, at least 0
        Ends them when the mean log-likelihood of a descriptor rises by less.
    seed : int, 0 to 2**32 - 1
        Draws the starting centres.

    Attributes
    ----------
    centre_ : array, shape (D,), float32
    directions_ : array, shape (d, D), float32, or None
        None without ``pca``.
    weights_ : array, shape (K,), float32
    means_, variances_ : array, shape (K, d), float32

    Notes
    -----
    F. Perronnin, J. Sánchez and T. Mensink, "Improving the Fisher kernel for large-scale image
    classification", ECCV 2010: gradients with respect to means and to standard deviations, not to
    weights, divided by the roots of the Fisher information,

        g_mean = sum_i q_i (x_i - mean) / deviation / (N sqrt(weight)),
        g_deviation = sum_i q_i ((x_i - mean)^2 / variance - 1) / (N sqrt(2 weight)),

    then signed square root and Euclidean length 1. A vector holds g_mean of all components, then
    g_deviation: 2 K d numbers. 256 components, half the dimensions and 256,000 training descriptors
    are those of H. Wang and C. Schmid, "Action recognition with improved trajectories", ICCV 2013.
    scikit-image's ``fisher_vector`` puts gradients of the weights before them, and gives those of
    the deviations with the other sign.
    """

    _learnt = ("centre", "directions", "weights", "means", "variances")

    def __init__(
        self,
        n_components: int = 256,
        *,
        pca: float | None = 0.5,
        whiten: bool = False,
        power: float = 0.5,
        max_iterations: int = 100,
        tolerance: float = 1e-3,
        seed: int = 0,
    ) -> None:
        self.n_components = n_components
        self.pca = pca
        self.whiten = whiten
        self.power = power
        self.max_iterations = max_iterations
        self.tolerance = tolerance
        self.seed = seed

    def _learn(self, rows: NDArray[np.float32]) -> None:
        self.centre_, directions = learn_projection(rows, components=self.pca, whiten=self.whiten)
        self.directions_ = None if self.pca is None else directions
        mixture = learn_mixture(
            self._project(rows),
            self.n_components,
            max_iterations=self.max_iterations,
            tolerance=self.tolerance,
            seed=self.seed,
        )
        self.weights_, self.means_ = mixture.weights, mixture.means
        self.variances_ = mixture.variances

    def transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """Compute the gradient of each descriptor's likelihood, shape (N, 2 K d), float32.

        :meth:`encode` gives their mean, normalised; it needs far less memory.

        Raises
        ------
        ValueError
            If the encoder is not fitted, or X is not finite numbers (N, D).
        """
        check_is_fitted(self)
        rows = self._project(self._check_rows(X))
        gradients = np.empty((len(rows), 2, *self.means_.shape), np.float32)
        roots = np.sqrt(self.weights_)[:, None]
        for block, shares, _, _ in self._mixture.posteriors(rows):
            offsets = (rows[block, None] - self.means_) / np.sqrt(self.variances_)
            gradients[block, 0] = shares[:, :, None] * offsets / roots
            gradients[block, 1] = shares[:, :, None] * (offsets**2 - 1) / (np.sqrt(2) * roots)
        return gradients.reshape(len(rows), -1)

    @property
    def _mixture(self) -> Mixture:
        return Mixture(self.weights_, self.means_, self.variances_)

    def _project(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        centred = rows - self.centre_
        if self.directions_ is None:
            return centred
        return np.matmul(centred, self.directions_.T, dtype=np.float32)

    @property
    def _n_features_out(self) -> int:
        return 2 * self.means_.size

    def _sum(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        sums = self._mixture.statistics(self._project(rows))
        means, variances = self.means_.astype(np.float64), self.variances_.astype(np.float64)
        counts, roots = sums.counts[:, None], np.sqrt(self.weights_, dtype=np.float64)[:, None]
        by_mean = (sums.firsts - counts * means) / np.sqrt(variances) / roots
        squares = sums.seconds - 2 * means * sums.firsts + counts * means**2
        by_deviation = (squares / variances - counts) / (np.sqrt(2) * roots)
        return np.concatenate([by_mean.ravel(), by_deviation.ravel()])

    def _normalise(self, sums: NDArray[np.float64]) -> NDArray[np.float32]:
        return normalise_signed(sums, self.power)

    def _check_options(self) -> None:
        check_whole("n_components", self.n_components, low=1)
        check_components("pca", self.pca)
        check_flag("whiten", self.whiten)
        check_number("power", self.power, low=0, exclusive=True)
        check_number("power", self.power, high=1)
        check_whole("max_iterations", self.max_iterations, low=1)
        check_number("tolerance", self.tolerance, low=0)
        check_whole("seed", self.seed, low=0, high=2**32 - 1)

    def _check_learnt(self, tensors: dict[str, NDArray[np.float32]]) -> None:
        size = self.n_features_in_
        count, kept = len(tensors["weights"]), tensors["means"].shape[-1]
        shapes: dict[str, tuple[int, ...]] = {
            "centre": (size,),
            "weights": (count,),
            "means": (count, kept),
            "variances": (count, kept),
        }
        if self.pca is not None:
            shapes["directions"] = (kept, size)
        elif kept != size:
            message = f"means must be ({count}, {size}) without pca, got ({count}, {kept})"
            raise ValueError(message)
        check_shapes(tensors, shapes)
        check_positive(tensors, "weights", "variances")
