"""Scores of a method on labelled videos go in; hit rates and their uncertainty come out."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicvid.checks import check_indices, check_number, check_probabilities, check_whole

_FIELDS = ("classes", "videos", "labels", "video_scores", "clip_scores", "clip_videos")


@dataclass(frozen=True, eq=False)
class Scores:
    """What a method believes of every video: the waist through which all methods pass.

    Parameters
    ----------
    classes : tuple of str
        Names of the K classes.
    videos : tuple of str
        Names of the N videos, each once.
    labels : ndarray, shape (N,), int64
        True class of each video, 0 <= label < K.
    video_scores : ndarray, shape (N, K), float32
        Score of each class for each video, higher is likelier (probabilities where a method has
        them).
    clip_scores : ndarray, shape (M, K), float32
        Scores of the clips; M is 0 where a method looks at whole videos.
    clip_videos : ndarray, shape (M,), int64
        Row of the video that each clip was cut from.

    Raises
    ------
    ValueError
        If shapes disagree, a label or a row is out of range, a name stands twice, or a score is
        not finite.
    TypeError
        If labels or rows are not whole numbers.
    """

    classes: tuple[str, ...]
    videos: tuple[str, ...]
    labels: NDArray[np.int64]
    video_scores: NDArray[np.float32]
    clip_scores: NDArray[np.float32]
    clip_videos: NDArray[np.int64]

    def __post_init__(self) -> None:
        set_field = object.__setattr__  # the only way to normalise a frozen dataclass
        for name in ("classes", "videos"):
            set_field(self, name, tuple(str(item) for item in getattr(self, name)))
        for name, rows in (("labels", self.classes), ("clip_videos", self.videos)):
            set_field(self, name, check_indices(name, getattr(self, name), count=len(rows)))
        for name in ("video_scores", "clip_scores"):
            scores = check_probabilities(name, getattr(self, name), classes=len(self.classes))
            set_field(self, name, scores)
        self._check_together()

    @classmethod
    def from_videos(
        cls, *, classes: Sequence[str], videos: Sequence[str], labels: ArrayLike, scores: ArrayLike
    ) -> Scores:
        """Scores of a method that sees whole videos, ``scores`` of shape (N, K)."""
        clips, rows = np.zeros((0, len(classes)), np.float32), np.zeros(0, np.int64)
        video_scores = np.asarray(scores)
        return cls(tuple(classes), tuple(videos), np.asarray(labels), video_scores, clips, rows)

    @classmethod
    def from_clips(
        cls,
        *,
        classes: Sequence[str],
        videos: Sequence[str],
        labels: ArrayLike,
        clip_scores: ArrayLike,
        clip_videos: ArrayLike,
    ) -> Scores:
        """Average clips into videos, as Karpathy et al. 2014 do.

        Raises
        ------
        ValueError
            If a video has no clip.
        """
        clips = check_probabilities("clip_scores", clip_scores, classes=len(classes))
        rows = check_indices("clip_videos", clip_videos, count=len(videos))
        if len(rows) != len(clips):
            message = f"clip_videos must have a row for each of {len(clips)} clips, got {len(rows)}"
            raise ValueError(message)
        counts = np.bincount(rows, minlength=len(videos))
        if not counts.all():
            bare = [name for name, n in zip(videos, counts, strict=True) if n == 0]
            message = f"every video needs a clip, {bare[0]!r} has none ({len(bare)} videos)"
            raise ValueError(message)
        sums = np.zeros((len(videos), len(classes)), np.float64)
        np.add.at(sums, rows, clips)
        means = sums / counts[:, None]
        scores = means.astype(np.float32)
        return cls(tuple(classes), tuple(videos), np.asarray(labels), scores, clips, rows)

    @classmethod
    def concatenate(cls, parts: Sequence[Scores]) -> Scores:
        """Join the test parts of several folds, which share classes but no video."""
        if len({part.classes for part in parts}) != 1:
            message = f"the {len(parts)} folds to join must have the same classes, in one order"
            raise ValueError(message)
        offsets = np.cumsum([0] + [len(part.videos) for part in parts[:-1]])
        rows = [part.clip_videos + first for part, first in zip(parts, offsets, strict=True)]
        return cls(
            parts[0].classes,
            tuple(name for part in parts for name in part.videos),
            np.concatenate([part.labels for part in parts]),
            np.concatenate([part.video_scores for part in parts]),
            np.concatenate([part.clip_scores for part in parts]),
            np.concatenate(rows),
        )

    @classmethod
    def average(cls, parts: Sequence[Scores], *, weights: Sequence[float] | None = None) -> Scores:
        """Late fusion: the weighted mean of several methods' scores of the same videos.

        Videos are matched by name. Clip scores are averaged too where all methods cut as many
        clips from each video, which are taken for the same clips, else left out: a mean over clips
        of different times has no meaning.

        Raises
        ------
        ValueError
            If the methods differ in classes, videos or labels, or weights are not one a method,
            none negative and not all zero.
        """
        share = np.ones(len(parts)) if weights is None else np.asarray(weights, np.float64)
        if share.shape != (len(parts),) or not (share >= 0).all() or not 0 < share.sum() < np.inf:
            message = f"{len(parts)} methods need a weight from 0 each, not all 0, got {weights}"
            raise ValueError(message)
        share = share / share.sum()
        aligned = [match_videos(part, parts[0]) for part in parts]
        first = aligned[0]
        videos = sum(w * part.video_scores for w, part in zip(share, aligned, strict=True))
        same = all(np.array_equal(part.clip_videos, first.clip_videos) for part in aligned)
        if not same or len(first.clip_videos) == 0:
            return cls.from_videos(
                classes=first.classes, videos=first.videos, labels=first.labels, scores=videos
            )
        clips = sum(w * part.clip_scores for w, part in zip(share, aligned, strict=True))
        return replace(first, video_scores=np.asarray(videos), clip_scores=np.asarray(clips))

    def select(self, videos: Sequence[str]) -> Scores:
        """Return the named videos in the order given, each with its clips in their order."""
        row_of = {name: row for row, name in enumerate(self.videos)}
        missing = [name for name in videos if name not in row_of]
        if missing:
            message = f"no scores of {missing[0]!r} ({len(missing)} videos are missing)"
            raise ValueError(message)
        rows = np.array([row_of[name] for name in videos], np.int64)
        row_after = np.full(len(self.videos), -1)
        row_after[rows] = np.arange(len(rows))
        moved = row_after[self.clip_videos]
        order = np.argsort(moved, kind="stable")
        order = order[moved[order] >= 0]
        return Scores(
            self.classes,
            tuple(videos),
            self.labels[rows],
            self.video_scores[rows],
            self.clip_scores[order],
            moved[order],
        )

    def clip_hit_at(self, k: int) -> float | None:
        """Share of clips whose label is among the k best, None where there are no clips."""
        if len(self.clip_videos) == 0:
            return None
        return hit_at_k(self.clip_scores, self.labels[self.clip_videos], k)

    def video_hit_at(self, k: int) -> float:
        """Share of videos whose label is among the k best."""
        return hit_at_k(self.video_scores, self.labels, k)

    @property
    def hits(self) -> NDArray[np.bool_]:
        """Whether each video's best class is its label, shape (N,)."""
        return label_ranks(self.video_scores, self.labels) < 1

    def confusion(self) -> NDArray[np.int64]:
        """Count videos by true class (rows) and best class (columns), shape (K, K)."""
        matrix = np.zeros((len(self.classes),) * 2, np.int64)
        np.add.at(matrix, (self.labels, np.argmax(self.video_scores, axis=1)), 1)
        return matrix

    def class_accuracy(self) -> NDArray[np.float64]:
        """Video Hit@1 of each class, shape (K,); NaN for a class without videos."""
        matrix = self.confusion()
        totals = matrix.sum(axis=1)
        known = np.where(totals > 0, totals, 1)
        return np.where(totals > 0, np.diag(matrix) / known, np.nan)

    def mean_class_accuracy(self) -> float:
        """Mean of the class accuracies over the classes that have videos; NaN for no video."""
        accuracy = self.class_accuracy()
        known = accuracy[~np.isnan(accuracy)]
        return float(known.mean()) if len(known) else float("nan")

    def save(self, path: str | Path) -> None:
        """Write a compressed npz without pickled objects."""
        fields: dict[str, Any] = {name: np.asarray(getattr(self, name)) for name in _FIELDS}
        with Path(path).open("wb") as file:  # savez would append .npz to a temporary name
            np.savez_compressed(file, **fields)

    @classmethod
    def load(cls, path: str | Path) -> Scores:
        """Read what :meth:`save` wrote.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If it is damaged, holds pickled objects, or its fields do not fit one another.
        """
        with Path(path).open("rb") as file:
            try:
                return cls(**_read_fields(file))
            except Exception as error:  # a damaged zip can raise almost anything
                reason = " ".join(str(error).split()) or type(error).__name__
                message = f"{path} is no readable scores file ({reason}); delete it and run again"
                raise ValueError(message) from None

    def _check_together(self) -> None:
        for field in ("classes", "videos"):
            twice = [name for name, n in Counter(getattr(self, field)).items() if n > 1]
            if twice:
                message = f"{field} must have distinct names, {twice[0]!r} stands twice"
                raise ValueError(message)
        pairs = (("videos", "labels"), ("videos", "video_scores"), ("clip_scores", "clip_videos"))
        for field, other in pairs:
            count, wanted = len(getattr(self, other)), len(getattr(self, field))
            if count != wanted:
                message = f"{other} must have a row for each of {wanted} {field}, got {count}"
                raise ValueError(message)


def hit_at_k(scores: ArrayLike, labels: ArrayLike, k: int) -> float:
    """Hit@k: share of samples with a true label among the k highest scores.

    Parameters
    ----------
    scores : array, shape (N, K), float
        Score of each class; equal scores are ranked by class number, as ``argmax`` does.
    labels : array, shape (N,), int, or (N, K), bool
        The true class, or for samples with several labels a mark for each true class. A sample
        without any label is never hit.
    k : int
        At least 1; from K on, every sample with a label is hit.

    Returns
    -------
    float
        From 0 to 1; NaN for no samples.

    Raises
    ------
    ValueError, TypeError
        If shapes disagree, a score is NaN, or a label is no class.

    References
    ----------
    Karpathy et al., Large-scale video classification with convolutional neural networks,
    CVPR 2014, section 4.1.
    """
    check_whole("k", k, low=1)
    array = np.asarray(scores)
    ranks = label_ranks(array, labels)
    return float(np.mean(ranks < min(k, array.shape[1]))) if len(ranks) else float("nan")


def label_ranks(scores: ArrayLike, labels: ArrayLike) -> NDArray[np.int64]:
    """Rank of the (best) true label in each row, 0 for the highest score, K for none; (N,)."""
    array, truth = np.asarray(scores), np.asarray(labels)
    fits = array.ndim == 2 and truth.shape in ((array.shape[0],), array.shape)
    if not fits or array.shape[1] == 0:
        message = (
            f"scores must be (N, K) with labels (N,) or (N, K), got {array.shape}, {truth.shape}"
        )
        raise ValueError(message)
    if np.isnan(array).any():
        message = f"scores must not be NaN, row {np.argwhere(np.isnan(array))[0, 0]} is"
        raise ValueError(message)
    # Sorted backwards: negating would wrap unsigned scores, and ties must go to the lower class.
    order = array.shape[1] - 1 - np.argsort(array[:, ::-1], axis=1, kind="stable")[:, ::-1]
    if truth.ndim == 1:
        found = order == check_indices("labels", truth, count=array.shape[1])[:, None]
    else:
        found = np.take_along_axis(truth.astype(bool), order, axis=1)
    return np.where(found.any(axis=1), found.argmax(axis=1), array.shape[1])


def wilson_interval(hits: int, total: int, *, z: float = 1.96) -> tuple[float, float]:
    """Wilson score interval of a hit rate, about 95 % at z = 1.96; (0, 1) for no samples.

    References
    ----------
    E. B. Wilson, Probable inference, the law of succession, and statistical inference, 1927.
    """
    check_whole("total", total, low=0)
    check_whole("hits", hits, low=0, high=total)
    check_number("z", z, low=0)
    if total == 0:
        return 0.0, 1.0
    rate = hits / total
    centre = (rate + z * z / (2 * total)) / (1 + z * z / total)
    half = z * np.sqrt(rate * (1 - rate) / total + z * z / (4 * total * total))
    half /= 1 + z * z / total
    return float(max(0.0, centre - half)), float(min(1.0, centre + half))


def paired_difference(
    first: Scores,
    second: Scores,
    *,
    groups: Sequence[str] | None = None,
    samples: int = 4000,
    seed: int = 0,
) -> tuple[float, float, float]:
    """By how much ``first`` beats ``second`` in Video Hit@1 on the same videos.

    Parameters
    ----------
    first, second : Scores
        Two methods on the same videos.
    groups : sequence of str, optional
        Group of each video of ``first``: whole groups are drawn, since videos of one group are
        alike. By default each video is its own group.
    samples, seed : int
        Bootstrap draws, and where their random numbers start.

    Returns
    -------
    difference, low, high : float
        Difference of the hit rates and its 95 % bootstrap interval; the interval is -1 to 1 where
        there is only one group, which leaves nothing to draw.

    Raises
    ------
    ValueError
        If there is no video, the methods differ in classes, videos or labels, or ``groups`` has
        not one entry a video.
    """
    check_whole("samples", samples, low=1)
    gains = first.hits.astype(np.float64) - match_videos(second, first).hits
    names = np.asarray(groups if groups is not None else np.arange(len(gains)))
    if len(gains) == 0 or names.shape != gains.shape:
        message = f"a difference needs videos with a group each, got {gains.shape}, {names.shape}"
        raise ValueError(message)
    _, index = np.unique(names, return_inverse=True)
    sums, sizes = np.bincount(index, weights=gains), np.bincount(index)
    if len(sums) == 1:
        return float(gains.mean()), -1.0, 1.0
    rng = np.random.default_rng(seed)
    means = np.empty(samples)
    for n in range(samples):  # one draw at a time: all at once would be samples x groups numbers
        draw = rng.integers(0, len(sums), len(sums))
        means[n] = sums[draw].sum() / sizes[draw].sum()
    low, high = np.quantile(means, (0.025, 0.975))
    return float(gains.mean()), float(low), float(high)


def match_videos(part: Scores, first: Scores) -> Scores:
    """Return ``part`` with its videos in the order of ``first``, of whose kind it must be."""
    if part.classes == first.classes and set(part.videos) == set(first.videos):
        matched = part.select(first.videos)
        if np.array_equal(matched.labels, first.labels):
            return matched
    message = "only Scores of the same classes (in one order), videos and labels can be compared"
    raise ValueError(message)


def _read_fields(file: BinaryIO) -> dict[str, Any]:
    """Return the fields of :class:`Scores` from an npz."""
    # numpy would take anything else for a pickle, and advise to trust it.
    if not zipfile.is_zipfile(file):
        message = "it is no npz"
        raise ValueError(message)
    file.seek(0)
    with np.load(file, allow_pickle=False) as stored:
        missing = [name for name in _FIELDS if name not in stored]
        if missing:
            message = f"{', '.join(missing)} missing"
            raise ValueError(message)
        fields: dict[str, Any] = {name: stored[name] for name in _FIELDS}
    return fields | {key: tuple(fields[key].tolist()) for key in ("classes", "videos")}
