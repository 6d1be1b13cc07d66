"""Scores of several methods on the same videos go in; their weighted mean comes out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from classicvid.metrics import (
    Scores,
    paired_difference,
)
from tests.classicvid.metrics.tables import make_scores


def test_fusion_matches_videos_by_name(rng):
    first = make_scores(rng)
    shuffled = first.select([first.videos[row] for row in rng.permutation(30)])
    fused = Scores.average([first, shuffled])
    np.testing.assert_allclose(fused.video_scores, first.video_scores, rtol=1e-6)
    assert fused.videos == first.videos
    np.testing.assert_array_equal(fused.labels, first.labels)
    # The clips of a video keep their order, so they are the same clips.
    assert fused.clip_hit_at(1) == first.clip_hit_at(1)


def test_fusion_weighs_methods(rng):
    first = make_scores(rng)
    second = replace(first, video_scores=rng.random((30, 4)))
    fused = Scores.average([first, second], weights=[1, 3])
    expected = 0.25 * first.video_scores + 0.75 * second.video_scores
    np.testing.assert_allclose(fused.video_scores, expected, rtol=1e-6)
    alone = Scores.average([first, second], weights=[2, 0])
    np.testing.assert_allclose(alone.video_scores, first.video_scores, rtol=1e-6)


def test_fusion_leaves_out_clips_that_were_cut_differently(rng):
    first = make_scores(rng)
    other = Scores.from_clips(
        classes=first.classes,
        videos=first.videos,
        labels=first.labels,
        clip_scores=rng.random((30, 4)),
        clip_videos=np.arange(30),
    )
    fused = Scores.average([first, other])
    assert fused.clip_hit_at(1) is None
    expected = (first.video_scores + other.video_scores) / 2
    np.testing.assert_allclose(fused.video_scores, expected, rtol=1e-6)


@pytest.mark.parametrize("weights", [[1.0], [0, 0], [-1, 2], [np.nan, 1], [np.inf, 1]])
def test_weights_that_make_no_mean_are_refused(rng, weights):
    scores = make_scores(rng)
    with pytest.raises(ValueError, match="2 methods need a weight"):
        Scores.average([scores, scores], weights=weights)


def spoil(scores: Scores, how: str) -> Scores:
    if how == "labels":
        return replace(scores, labels=(scores.labels + 1) % 4)
    if how == "classes":
        return replace(scores, classes=scores.classes[::-1])
    return scores.select(scores.videos[1:])


@pytest.mark.parametrize("how", ["labels", "classes", "videos"])
def test_only_methods_on_the_same_videos_are_fused_or_compared(rng, how):
    scores = make_scores(rng)
    other = spoil(scores, how)
    for first, second in ((scores, other), (other, scores)):
        with pytest.raises(ValueError, match="only Scores of the same classes"):
            Scores.average([first, second])
        with pytest.raises(ValueError, match="only Scores of the same classes"):
            paired_difference(first, second)
