"""Numbers go in; tables of scores that are known, and whether two are the same, come out."""

from __future__ import annotations

import numpy as np

from classicvid.metrics import (
    Scores,
)

CLASSES = ("run", "walk", "wave", "jump")


def make_scores(rng, *, videos=30, clips=90) -> Scores:
    """Random scores whose clips lie in no order, at least one a video."""
    rows = rng.permutation(np.concatenate([np.arange(videos), rng.integers(0, videos, clips)]))
    return Scores.from_clips(
        classes=CLASSES,
        videos=[f"video {n}" for n in range(videos)],
        labels=rng.integers(0, len(CLASSES), videos),
        clip_scores=rng.random((len(rows), len(CLASSES))),
        clip_videos=rows,
    )


def judged(hits, *, names=None) -> Scores:
    """Scores that get exactly the videos right for which ``hits`` is true."""
    hits = np.asarray(hits, bool)
    return Scores.from_videos(
        classes=("a", "b"),
        videos=names or [str(n) for n in range(len(hits))],
        labels=np.zeros(len(hits), int),
        scores=np.column_stack((hits, ~hits)),
    )


def assert_same(first: Scores, second: Scores) -> None:
    assert first.classes == second.classes
    assert first.videos == second.videos
    for name in ("labels", "video_scores", "clip_scores", "clip_videos"):
        left, right = getattr(first, name), getattr(second, name)
        assert left.dtype == right.dtype, name
        np.testing.assert_array_equal(left, right, err_msg=name)
