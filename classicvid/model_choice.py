"""Features of labelled videos go in; the ones to use, and the best options of a model, come out."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicvid.checks import check_features, check_indices, check_whole
from classicvid.classifier import HistogramClassifier, rotate

Options = Mapping[str, Any]

# Searched one row after the other, each from the best of the rows before: weight decay together
# with the learning rate, since both say how far the weights go; then width and depth.
SEARCH: tuple[tuple[Options, ...], ...] = (
    (
        {"alpha": 1.0, "learning_rate": 1e-3},
        {"alpha": 0.1, "learning_rate": 1e-3},
        {"alpha": 10.0, "learning_rate": 1e-3},
        {"alpha": 1.0, "learning_rate": 1e-2},
    ),
    ({"hidden": (64,)}, {"hidden": (256,)}, {"hidden": (64, 32)}),
)
# Steps of 200 videos that a training takes at most, in passes over all videos.
_STEPS, _FEWEST_PASSES, _MOST_PASSES = 500, 20, 300
# No single video weighs more than this in the loss, however sure the network was.
_LEAST_PROBABILITY = 0.01


@dataclass(frozen=True)
class Choice:
    """What a search found.

    Parameters
    ----------
    channels : tuple of str
        The features to use.
    options : dict
        Options of :class:`HistogramClassifier`.
    tried : tuple of dict
        ``channels`` and options of every trial in order, its ``log_loss`` (nats) and ``accuracy``
        on the videos that it was not trained on.
    """

    channels: tuple[str, ...]
    options: dict[str, Any]
    tried: tuple[dict[str, Any], ...]


def choose_model(
    features: Mapping[str, ArrayLike],
    labels: ArrayLike,
    *,
    classes: int,
    groups: Sequence[str],
    subsets: Sequence[Sequence[str]] = (),
    folds: int = 3,
    seed: int = 0,
) -> Choice:
    """Choose features and options of a classifier by cross-validation among training videos.

    Parameters
    ----------
    features : mapping of arrays, shape (N, D), real and finite
        By channel, a vector a video; D differs.
    labels : array, shape (N,), int
        Class of each video, 0 <= label < ``classes``.
    classes : int, at least 1
        K.
    groups : sequence of str, N
        Videos of one group are never on both sides of a fold.
    subsets : sequence of sequences of str, optional
        Channels to choose among; by default, all of them and nothing else.
    folds : int, at least 2
        Parts of whole groups, each scored by a network that is trained on the others. There are
        fewer where the groups are; where all videos are of one group, each is taken for its own.
    seed : int, 0 to 2**32 - 1
        Draws the folds and the weights.

    Returns
    -------
    choice : Choice
        The lowest mean log loss: first among the subsets, then along the rows of ``SEARCH``. Where
        less than two folds can be made, the first subset and the first options, untried.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.

    Notes
    -----
    A. Karpathy et al., CVPR 2014, section 4.1, chose learning rate, weight decay, depth and width
    by cross-validation. We add the choice of the features: with few videos, what a scene looks like
    tells the recording sooner than the action. As all of it sees training videos only, a test of
    the classifier remains a test. Rows are searched one by one, which takes a third of the time of
    all combinations, with one network a trial.
    """
    channels, targets = _check_videos(features, labels, classes, groups)
    check_whole("folds", folds, low=2)
    check_whole("seed", seed, low=0, high=2**32 - 1)
    wanted = _check_subsets(subsets, channels)
    passes = int(np.clip(200 * _STEPS // len(targets), _FEWEST_PASSES, _MOST_PASSES))
    options: dict[str, Any] = {"max_iterations": passes}
    for row in SEARCH:
        options |= row[0]
    parts = _cut(targets, groups, folds, seed)
    if len(parts) < 2:
        return Choice(wanted[0], options, ())
    trials = _Trials(channels, targets, classes, parts, seed)
    best = min(wanted, key=lambda subset: trials.run(subset, options))
    for row in SEARCH:
        losses = [trials.run(best, {**options, **change}) for change in row]
        options |= row[int(np.argmin(losses))]
    return Choice(best, options, tuple(trials.done.values()))


class _Trials:
    """Trains and scores on the folds, and never the same twice."""

    def __init__(
        self,
        channels: dict[str, NDArray[np.float32]],
        targets: NDArray[np.int64],
        classes: int,
        parts: list[NDArray[np.int64]],
        seed: int,
    ) -> None:
        self.channels, self.targets, self.classes = channels, targets, classes
        self.parts, self.seed = parts, seed
        self.done: dict[str, dict[str, Any]] = {}
        self._turned: dict[tuple[str, ...], NDArray[np.float32]] = {}

    def run(self, subset: tuple[str, ...], options: Options) -> float:
        """Return the mean log loss of a video."""
        key = repr((subset, sorted(options.items())))
        if key not in self.done:
            shares = self._predict(self._inputs(subset), options)
            own = shares[np.arange(len(shares)), self.targets]
            loss = -np.log(np.maximum(own, _LEAST_PROBABILITY)).mean(dtype=np.float64)
            hits = (shares.argmax(axis=1) == self.targets).mean()
            results = {"log_loss": float(loss), "accuracy": float(hits)}
            self.done[key] = {"channels": list(subset), **options, **results}
        return self.done[key]["log_loss"]

    def _inputs(self, subset: tuple[str, ...]) -> NDArray[np.float32]:
        if subset not in self._turned:
            joined = np.concatenate([self.channels[name] for name in subset], axis=1)
            self._turned[subset] = rotate(joined - joined.mean(axis=0))[0]
        return self._turned[subset]

    def _predict(self, inputs: NDArray[np.float32], options: Options) -> NDArray[np.float32]:
        shares = np.zeros((len(inputs), self.classes), np.float32)
        for part in self.parts:
            others = np.setdiff1d(np.arange(len(inputs)), part)
            model = HistogramClassifier(**options, members=1, seed=self.seed)
            model.fit(inputs[others], self.targets[others], classes=self.classes)
            shares[part] = model.predict_probabilities(inputs[part])
        return shares


def _cut(
    targets: NDArray[np.int64], groups: Sequence[str], folds: int, seed: int
) -> list[NDArray[np.int64]]:
    """Cut the videos into parts of whole groups with about the class shares of all."""
    from sklearn.model_selection import StratifiedGroupKFold  # noqa: PLC0415 - half a second

    names = np.array(groups, dtype=str)
    if len(set(groups)) < 2:
        names = np.arange(len(targets)).astype(str)
    # scikit-learn's rule: a class, the largest at least, has a video for each fold.
    count = min(folds, len(set(names.tolist())), max(Counter(targets.tolist()).values()))
    if count < 2:
        return []
    cutter = StratifiedGroupKFold(n_splits=count, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A class with fewer videos than folds is missing from some: that is as it must be.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        parts = [part for _, part in cutter.split(np.zeros(len(names)), targets, names)]
    return [part for part in parts if len(part)]


def _check_videos(
    features: Mapping[str, ArrayLike], labels: ArrayLike, classes: int, groups: Sequence[str]
) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.int64]]:
    check_whole("classes", classes, low=1)
    targets = check_indices("labels", labels, count=classes)
    if not features or not len(targets) or len(groups) != len(targets):
        message = (
            "features, labels and groups must have one entry a video, at least one, "
            f"got {len(features)} channels, {len(targets)} labels, {len(groups)} groups"
        )
        raise ValueError(message)
    channels = {name: check_features(name, vectors) for name, vectors in features.items()}
    for name, vectors in channels.items():
        if len(vectors) != len(targets):
            message = f"{name} must have {len(targets)} rows, one a label, got {len(vectors)}"
            raise ValueError(message)
    return channels, targets


def _check_subsets(
    subsets: Sequence[Sequence[str]], channels: Mapping[str, Any]
) -> list[tuple[str, ...]]:
    wanted = [tuple(subset) for subset in subsets] or [tuple(channels)]
    for subset in wanted:
        unknown = [name for name in subset if name not in channels]
        if unknown or not subset:
            got = repr(unknown[0]) if unknown else "none"
            message = f"a subset must name channels among {', '.join(channels)}; got {got}"
            raise ValueError(message)
    return wanted
