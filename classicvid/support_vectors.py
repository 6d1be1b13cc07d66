"""Vectors of labelled videos go in; how surely a machine tells each class comes out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicvid.checks import (
    check_choice,
    check_features,
    check_indices,
    check_number,
    check_whole,
)
from classicvid.encodings import chi_square_kernel, chi_square_scale
from classicvid.encodings.storage import check_shapes, read_model, write_model

KERNELS = ("linear", "chi-square")
_BLOCK = 256  # rows of a table of products that are worked on at a time


class SupportVectorClassifier:
    """A support vector machine a class, which tells it from all others.

    Parameters
    ----------
    kernel : {"linear", "chi-square"}
        Linear, for Fisher vectors; or exp(-mean_c D_c / A_c) over channels of histograms, with the
        chi-square distance D_c and its mean A_c over the training videos.
    C : float, above 0
        Price of a training video on the wrong side of the margin.

    Notes
    -----
    Linear with C = 100, one class against the rest: H. Wang and C. Schmid, "Action recognition with
    improved trajectories", ICCV 2013. Multi-channel chi-square kernel: H. Wang et al., "Action
    recognition by dense trajectories", CVPR 2011, which does not print its C.
    We depart in that the exponent is the mean over the channels, not their sum: over the 24 of a
    pyramid, a sum leaves e^-24 between any two videos, less than a solver can tell from nothing.

    Training is scikit-learn's ``SVC`` (libsvm) on the table of products between the training
    videos, for both kernels: there are far fewer videos than numbers in a vector. What it learns is
    kept as plain arrays, so that a saved model depends on no version of it.
    """

    def __init__(self, *, kernel: str = "linear", C: float = 100.0) -> None:
        self.kernel = check_choice("kernel", kernel, KERNELS)
        self.C = check_number("C", C, low=0, exclusive=True)
        self._classes = 0
        self._size = 0
        self._known: list[int] = []
        self._channels: list[int] = []
        self._tensors: dict[str, NDArray[np.float32]] = {}

    def fit(
        self,
        features: ArrayLike,
        labels: ArrayLike,
        *,
        classes: int,
        channels: Sequence[int] | None = None,
    ) -> SupportVectorClassifier:
        """Learn from the vectors of labelled videos.

        Parameters
        ----------
        features : array, shape (N, D), real and finite
            A vector a video, at least one; histograms, not negative, for the chi-square kernel.
        labels : array, shape (N,), int
            Class of each video, 0 <= label < ``classes``.
        classes : int, at least 1
            K; one without a video is the least likely for every video.
        channels : sequence of int, optional
            Widths of the channels of the chi-square kernel, which sum to D; by default one.

        Returns
        -------
        self : SupportVectorClassifier

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described.
        """
        vectors = check_features("features", features)
        self._classes = check_whole("classes", classes, low=1)
        targets = check_indices("labels", labels, count=self._classes)
        if len(vectors) == 0 or len(targets) != len(vectors):
            message = (
                "features and labels must have one row a video, at least one, "
                f"got {len(vectors)} and {len(targets)}"
            )
            raise ValueError(message)
        self._size = vectors.shape[1]
        self._channels = list(channels) if channels is not None else [self._size]
        known = np.unique(targets)
        self._known = known.tolist()
        if self.kernel == "linear":
            coefficients, biases = self._separate(_products(vectors), targets)
            self._tensors = {"weights": coefficients @ vectors, "biases": biases}
            return self
        scale = chi_square_scale(vectors, channels=self._channels) * np.float32(len(self._channels))
        table = chi_square_kernel(vectors, scale=scale, channels=self._channels)
        coefficients, biases = self._separate(table, targets)
        used = (coefficients != 0).any(axis=0)
        used[0] = True  # no array may be empty
        self._tensors = {
            "coefficients": np.ascontiguousarray(coefficients[:, used]),
            "biases": biases,
            "supports": vectors[used],
            "scale": scale,
        }
        return self

    def decision_values(self, features: ArrayLike) -> NDArray[np.float32]:
        """Compute how far on its side of each class's margin every video lies, shape (N, K).

        Above 0 means this class, below 0 another; 1 and -1 are the margins. A class that had no
        video in training gets the least value of the video, less one.

        Raises
        ------
        TypeError, ValueError
            If the classifier has not been fitted, or features are not finite numbers (N, D) with
            the D of training.
        """
        tensors = self._fitted()
        vectors = check_features("features", features, size=self._size)
        if self.kernel == "linear":
            known = vectors @ tensors["weights"].T + tensors["biases"]
        else:
            table = chi_square_kernel(
                vectors, tensors["supports"], scale=tensors["scale"], channels=self._channels
            )
            known = table @ tensors["coefficients"].T + tensors["biases"]
        values = np.repeat(known.min(axis=1, keepdims=True) - 1, self._classes, axis=1)
        values[:, self._known] = known
        return values.astype(np.float32)

    def predict_probabilities(self, features: ArrayLike) -> NDArray[np.float32]:
        """Turn decision values into shares that sum to 1, shape (N, K), float32, by a softmax.

        They rank the classes as the decision values do, and can be averaged with the scores of
        other methods; they are no measured frequencies.

        Raises
        ------
        TypeError, ValueError
            As :meth:`decision_values`.
        """
        values = self.decision_values(features)
        shares = np.exp(values - values.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)

    def save(self, folder: str | Path) -> None:
        """Write ``model.safetensors`` and ``config.json`` into a folder, made where absent.

        Raises
        ------
        ValueError
            If the classifier has not been fitted.
        """
        config = {
            "encoder": type(self).__name__,
            "options": {"kernel": self.kernel, "C": self.C},
            "features": self._size,
            "classes": self._classes,
            "known": self._known,
            "channels": self._channels,
        }
        write_model(Path(folder), self._fitted(), config)

    @classmethod
    def load(cls, folder: str | Path) -> SupportVectorClassifier:
        """Read what :meth:`save` wrote.

        Raises
        ------
        FileNotFoundError
            If one of the two files is absent.
        ValueError
            If one is damaged, or they do not fit one another.
        """
        return read_model(Path(folder), cls.__name__, cls._build)

    @classmethod
    def _build(
        cls, config: dict[str, Any], tensors: dict[str, NDArray[np.float32]]
    ) -> SupportVectorClassifier:
        model = cls(**config["options"])
        model._size = check_whole("features", config["features"], low=1)
        model._classes = check_whole("classes", config["classes"], low=1)
        known = check_indices("known", config["known"], count=model._classes)
        if not known.size or (np.diff(known) <= 0).any():
            message = f"known classes must rise, got {known.tolist()}"
            raise ValueError(message)
        model._known = known.tolist()
        model._channels = [check_whole("channels", n, low=1) for n in config["channels"]]
        if sum(model._channels) != model._size:
            message = f"channels must sum to {model._size}, got {sum(model._channels)}"
            raise ValueError(message)
        shapes: dict[str, tuple[int, ...]] = {"biases": known.shape}
        if model.kernel == "linear":
            shapes["weights"] = (known.size, model._size)
        else:
            count = len(tensors["supports"])
            shapes["supports"] = (count, model._size)
            shapes["coefficients"] = (known.size, count)
            shapes["scale"] = (len(model._channels),)
        check_shapes(tensors, shapes)
        model._tensors = tensors
        return model

    def _fitted(self) -> dict[str, NDArray[np.float32]]:
        if not self._tensors:
            message = "the classifier is not fitted; call fit(features, labels, classes=K) first"
            raise ValueError(message)
        return self._tensors

    def _separate(
        self, table: NDArray[Any], targets: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return what each training video adds to the value of each known class, and the biases."""
        from sklearn.svm import SVC  # noqa: PLC0415 - half a second, for those who train

        coefficients = np.zeros((len(self._known), len(table)), np.float32)
        biases = np.zeros(len(self._known), np.float32)
        if len(self._known) == 1:  # nothing to learn
            return coefficients, biases
        for row, label in enumerate(self._known):
            machine = SVC(kernel="precomputed", C=self.C)
            machine.fit(table, targets == label)
            coefficients[row, machine.support_] = machine.dual_coef_[0]
            biases[row] = machine.intercept_[0]
        return coefficients, biases


def _products(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """Compute the products of all pairs of rows, shape (N, N)."""
    table = np.empty((len(vectors), len(vectors)))
    for start in range(0, len(vectors), _BLOCK):
        table[start : start + _BLOCK] = vectors[start : start + _BLOCK] @ vectors.T
    return table
