"""Scores of several methods on labelled videos go in; a machine that weighs them comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from classicvid.checks import check_number, check_whole
from classicvid.metrics import Scores, match_videos

if TYPE_CHECKING:
    from sklearn.svm import LinearSVC


class ScoreFusion:
    """Linear support vector machine on the scores of several methods, side by side.

    Each method's row of scores is divided by its Euclidean norm, and the rows of all methods are
    joined; one machine a class tells its videos from the rest.

    Parameters
    ----------
    c : float
        Cost of a video on the wrong side, above 0; the paper prints none.
    seed : int
        Where random numbers start.

    References
    ----------
    Simonyan, Zisserman, Two-stream convolutional networks for action recognition in videos, NIPS
    2014, section 6 ("stacked L2-normalised softmax scores").

    Notes
    -----
    A method scores its own training videos better than others. Fitted to those scores, as in the
    paper, the machine trusts the method that learnt them by heart; scores of videos that the
    methods have not seen are the better ones to fit.
    """

    def __init__(self, *, c: float = 1.0, seed: int = 0) -> None:
        self.c = check_number("c", c, low=0.0, exclusive=True)
        self.seed = check_whole("seed", seed, low=0)
        self._classes: tuple[str, ...] = ()
        self._width = 0
        self._machine: LinearSVC | None = None

    def fit(self, parts: Sequence[Scores]) -> ScoreFusion:
        """Learn how much each score of each method says of each class.

        Parameters
        ----------
        parts : sequence of Scores
            One a method, of the same videos in any order; at least two classes must have videos.

        Raises
        ------
        ValueError
            If the methods differ in classes, videos or labels, or all videos are of one class.
        """
        from sklearn.svm import LinearSVC  # noqa: PLC0415 - half a second, for those who fit

        rows = _joined(_aligned(parts))
        labels = parts[0].labels
        if len(set(labels.tolist())) < 2:
            message = f"videos of two classes or more are wanted, got {len(set(labels.tolist()))}"
            raise ValueError(message)
        self._classes, self._width = parts[0].classes, rows.shape[1]
        self._machine = LinearSVC(C=self.c, random_state=self.seed, max_iter=10_000)
        self._machine.fit(rows, labels)
        return self

    def predict(self, parts: Sequence[Scores]) -> Scores:
        """Return the machine's scores: the signed distance from each class's boundary.

        Clips are scored like videos where all methods cut as many from each video, which are taken
        for the same clips, else left out.

        Parameters
        ----------
        parts : sequence of Scores
            As in :meth:`fit`, the methods in the same order.

        Raises
        ------
        ValueError
            Before :meth:`fit`, or if the methods are not as many or tell other classes apart.
        """
        aligned = _aligned(parts)
        first, rows = aligned[0], _joined(aligned)
        if self._machine is None:
            message = "the fusion has not been fitted: call fit(parts) first"
            raise ValueError(message)
        if first.classes != self._classes or rows.shape[1] != self._width:
            message = (
                f"{self._width} scores of classes {', '.join(self._classes)} are wanted, "
                f"got {rows.shape[1]} of {', '.join(first.classes)}"
            )
            raise ValueError(message)
        whole = Scores.from_videos(
            classes=first.classes,
            videos=first.videos,
            labels=first.labels,
            scores=self._distances(self._machine, rows),
        )
        same = all(np.array_equal(part.clip_videos, first.clip_videos) for part in aligned)
        if not same or len(first.clip_videos) == 0:
            return whole
        clips = np.concatenate([_unit(part.clip_scores) for part in aligned], axis=1)
        return replace(
            whole, clip_scores=self._distances(self._machine, clips), clip_videos=first.clip_videos
        )

    def _distances(self, machine: LinearSVC, rows: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return distances, shape (N, K); a class never seen lies below all others."""
        found = machine.decision_function(rows)
        if found.ndim == 1:  # two classes have one boundary
            found = np.stack((-found, found), axis=1)
        scores = np.repeat(found.min(axis=1, keepdims=True) - 1.0, len(self._classes), axis=1)
        scores[:, machine.classes_] = found
        return scores.astype(np.float32)


def _aligned(parts: Sequence[Scores]) -> list[Scores]:
    """Bring the videos of all parts into the order of the first."""
    if not parts:
        message = "scores of one method or more are wanted, got none"
        raise ValueError(message)
    return [match_videos(part, parts[0]) for part in parts]


def _joined(parts: Sequence[Scores]) -> NDArray[np.float64]:
    """Return unit rows of scores of each method side by side, shape (N, methods * K)."""
    return np.concatenate([_unit(part.video_scores) for part in parts], axis=1)


def _unit(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    rows = scores.astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1.0)
