"""Feature vectors of labelled videos go in; the probabilities of the classes of others come out."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from classicvid.checks import check_features, check_indices, check_number, check_whole

_OPTIONS = ("hidden", "alpha", "learning_rate", "max_iterations", "members", "seed")


class HistogramClassifier:
    """Networks of rectified linear units under a softmax, whose probabilities are averaged.

    Parameters
    ----------
    hidden : sequence of int, each at least 1
        Units of each hidden layer.
    alpha : float, at least 0
        Weight of the squared weights in the loss, divided by the number of training videos.
    learning_rate : float, above 0
        Step of Adam.
    max_iterations : int, at least 1
        Passes over the training videos at most; fewer where the loss stops falling.
    members : int, at least 1
        Networks that start from weights of their own: with few videos, one alone is a lottery.
    seed : int, 0 to 2**32 - 1
        Draws the weights and the order of the videos; the same seed gives the same network.

    Notes
    -----
    The baseline of A. Karpathy et al., "Large-scale video classification with convolutional neural
    networks", CVPR 2014, section 4.1, trained by Adam. Features are centred and all divided by one
    number, not each by its own deviation: roots of distributions have one scale, and a bin that is
    nearly always empty must not weigh as much as a full one. Where there are fewer videos than
    features, the features are first turned into as many as there are directions in which the
    training videos differ (:func:`rotate`).

    Training is scikit-learn's ``MLPClassifier``. The weights are kept as plain arrays, so that a
    saved model depends on no version of it.
    """

    def __init__(
        self,
        *,
        hidden: Sequence[int] = (64,),
        alpha: float = 3.0,
        learning_rate: float = 1e-3,
        max_iterations: int = 300,
        members: int = 3,
        seed: int = 0,
    ) -> None:
        if isinstance(hidden, str) or not isinstance(hidden, Sequence) or not hidden:
            message = f"hidden must be a sequence of layer widths such as (64,), got {hidden!r}"
            raise TypeError(message)
        self.hidden = tuple(check_whole("hidden", width, low=1) for width in hidden)
        self.alpha = check_number("alpha", alpha, low=0)
        self.learning_rate = check_number("learning_rate", learning_rate, low=0, exclusive=True)
        self.max_iterations = check_whole("max_iterations", max_iterations, low=1)
        self.members = check_whole("members", members, low=1)
        self.seed = check_whole("seed", seed, low=0, high=2**32 - 1)
        self._classes = 0
        self._tensors: dict[str, NDArray[Any]] = {}

    def fit(self, features: ArrayLike, labels: ArrayLike, *, classes: int) -> HistogramClassifier:
        """Learn from the features of labelled videos.

        Parameters
        ----------
        features : array, shape (N, D), real and finite
            A vector a video, at least one.
        labels : array, shape (N,), int
            Class of each video, 0 <= label < ``classes``.
        classes : int, at least 1
            K; those without a video get probability 0.

        Returns
        -------
        self : HistogramClassifier

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described.
        """
        vectors = check_features("features", features)
        classes = check_whole("classes", classes, low=1)
        targets = check_indices("labels", labels, count=classes)
        if len(vectors) == 0 or len(targets) != len(vectors):
            message = (
                "features and labels must have one row a video, at least one, "
                f"got {len(vectors)} and {len(targets)}"
            )
            raise ValueError(message)
        known, targets = np.unique(targets, return_inverse=True)
        mean = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
        inputs, axes = rotate(vectors - mean)
        scale = np.sqrt(np.mean(np.square(inputs, dtype=np.float64)))
        scale = np.array([scale if scale > 0 else 1], np.float32)
        networks = self._train(inputs / scale, targets, len(known))
        if axes is not None:
            networks["weights0"] = axes @ networks["weights0"]
        self._classes = classes
        self._tensors = {"known": known, "mean": mean, "scale": scale, **networks}
        return self

    def predict_probabilities(self, features: ArrayLike) -> NDArray[np.float32]:
        """Compute the probability of every class for each video, shape (N, K), float32.

        Raises
        ------
        TypeError, ValueError
            If the classifier has not been fitted, or features are not finite numbers (N, D) with
            the D of training.
        """
        tensors = self._fitted()
        vectors = check_features("features", features, size=tensors["mean"].size)
        outputs = (vectors - tensors["mean"]) / tensors["scale"]
        for layer in range(len(self.hidden) + 1):
            if layer:
                outputs = np.maximum(outputs, 0)
            weights, biases = tensors[f"weights{layer}"], tensors[f"biases{layer}"]
            outputs = outputs @ weights + biases[:, None]  # (members, N, units)
        outputs = np.exp(outputs - outputs.max(axis=2, keepdims=True))
        outputs /= outputs.sum(axis=2, keepdims=True)
        probabilities = np.zeros((len(vectors), self._classes), np.float32)
        probabilities[:, tensors["known"]] = outputs.mean(axis=0)
        return probabilities

    @property
    def parameters(self) -> int:
        """Number of weights and biases of all members; 0 before fitting."""
        return sum(array.size for name, array in self._tensors.items() if name[-1].isdigit())

    def save(self, folder: str | Path) -> None:
        """Write ``model.safetensors`` and ``config.json`` into a folder, made where absent.

        Raises
        ------
        ValueError
            If the classifier has not been fitted.
        """
        tensors, folder = self._fitted(), Path(folder)
        options = {name: getattr(self, name) for name in _OPTIONS}
        config = {**options, "classes": self._classes, "features": tensors["mean"].size}
        folder.mkdir(parents=True, exist_ok=True)
        save_file(tensors, folder / "model.safetensors")
        (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> HistogramClassifier:
        """Read what :meth:`save` wrote.

        Raises
        ------
        FileNotFoundError
            If one of the two files is absent.
        ValueError
            If one is damaged, or they do not fit one another.
        """
        folder = Path(folder)
        for name in ("config.json", "model.safetensors"):
            if not (folder / name).is_file():
                message = f"{folder} holds no {name}: give the folder of a saved classifier"
                raise FileNotFoundError(message)
        try:
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            model = cls(**{name: config[name] for name in _OPTIONS})
            model._classes = check_whole("classes", config["classes"], low=1)
            size = check_whole("features", config["features"], low=1)
            model._tensors = load_file(folder / "model.safetensors")
            model._check_tensors(size)
        except (KeyError, TypeError, ValueError, SafetensorError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else error
            message = f"{folder} is no saved classifier ({reason}); train and save it again"
            raise ValueError(message) from None
        return model

    def _fitted(self) -> dict[str, NDArray[Any]]:
        if not self._tensors:
            message = "the classifier is not fitted; call fit(features, labels, classes=K) first"
            raise ValueError(message)
        return self._tensors

    def _train(
        self, features: NDArray[np.float32], targets: NDArray[np.int64], classes: int
    ) -> dict[str, NDArray[np.float32]]:
        """Return weights (members, inputs, outputs) and biases (members, outputs) by layer."""
        if classes == 1:  # nothing to learn: a softmax over one output is certain
            sizes = (features.shape[1], *self.hidden, 1)
            layers = [(np.zeros((m, n)), np.zeros(n)) for m, n in pairwise(sizes)]
            networks = [layers] * self.members
        else:
            seeds = np.random.SeedSequence(self.seed).generate_state(self.members)
            networks = [self._train_member(features, targets, int(seed)) for seed in seeds]
        tensors = {}
        for layer, members in enumerate(zip(*networks, strict=True)):
            for name, arrays in zip(("weights", "biases"), zip(*members, strict=True), strict=True):
                tensors[f"{name}{layer}"] = np.stack(arrays).astype(np.float32)
        return tensors

    def _train_member(
        self, features: NDArray[np.float32], targets: NDArray[np.int64], seed: int
    ) -> list[tuple[NDArray[Any], NDArray[Any]]]:
        # Here, not above: importing scikit-learn takes longer than a pair of frames' flow.
        from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415
        from sklearn.neural_network import MLPClassifier  # noqa: PLC0415

        network = MLPClassifier(
            self.hidden,
            alpha=self.alpha,
            learning_rate_init=self.learning_rate,
            max_iter=self.max_iterations,
            random_state=seed,
        )
        with warnings.catch_warnings():
            # Stopping at max_iterations is the caller's choice, not a failure.
            warnings.simplefilter("ignore", ConvergenceWarning)
            network.fit(features, targets)
        layers = list(zip(network.coefs_, network.intercepts_, strict=True))
        weights, biases = layers[-1]
        if biases.size == 1:  # two classes: a logistic unit is a softmax beside a constant zero
            layers[-1] = (weights * [0, 1], biases * [0, 1])
        return layers

    def _check_tensors(self, size: int) -> None:
        known = check_indices("known", self._tensors["known"], count=self._classes)
        if not known.size or (np.diff(known) <= 0).any():
            message = f"known classes must rise, got {known.tolist()}"
            raise ValueError(message)
        shapes: dict[str, tuple[int, ...]] = {"known": known.shape, "mean": (size,), "scale": (1,)}
        for layer, (inputs, outputs) in enumerate(pairwise((size, *self.hidden, known.size))):
            shapes[f"weights{layer}"] = (self.members, inputs, outputs)
            shapes[f"biases{layer}"] = (self.members, outputs)
        if shapes.keys() != self._tensors.keys():
            message = f"tensors must be {sorted(shapes)}, got {sorted(self._tensors)}"
            raise ValueError(message)
        for name, shape in shapes.items():
            array = self._tensors[name]
            if array.shape != shape or (name != "known" and array.dtype != np.float32):
                message = f"{name} must be {shape} float32, got {array.shape} {array.dtype}"
                raise ValueError(message)
            if not np.isfinite(array).all():
                message = f"{name} must be finite"
                raise ValueError(message)


def rotate(
    features: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Turn centred features (N, D) into at most N numbers a video, without losing anything.

    Returns the numbers (N, R) and the axes (D, R), which are orthonormal: ``features`` is numbers
    @ axes.T. Where N is not below D, the features themselves and None.

    A network that takes one as well as the other for its input has weights in the span of its
    training videos, so that it can do in R numbers whatever it could do in D, and its weight decay
    is the same; it is trained D / R times as fast.
    """
    if len(features) >= features.shape[1]:
        return features, None
    wide = features.astype(np.float64)
    values, vectors = np.linalg.eigh(wide @ wide.T)
    kept = values > max(values[-1], 0) * 1e-6
    if not kept.any():  # all videos are alike: one number says so
        return features[:, :1], np.eye(features.shape[1], 1, dtype=np.float32)
    lengths = np.sqrt(values[kept])
    axes = wide.T @ (vectors[:, kept] / lengths)
    return (vectors[:, kept] * lengths).astype(np.float32), axes.astype(np.float32)
