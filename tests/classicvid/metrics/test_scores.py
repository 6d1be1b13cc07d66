"""Clips, videos and folds go in; scores that are averaged, selected and joined come out."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, confusion_matrix

from classicvid.metrics import (
    Scores,
)
from tests.classicvid.metrics.tables import assert_same, judged, make_scores


def test_clips_are_averaged_into_their_videos(rng):
    scores = make_scores(rng)
    for row in range(len(scores.videos)):
        mine = scores.clip_scores[scores.clip_videos == row].astype(np.float64)
        np.testing.assert_allclose(scores.video_scores[row], mine.mean(axis=0), rtol=1e-6)


def test_a_clip_is_judged_by_the_label_of_its_video():
    scores = Scores.from_clips(
        classes=("a", "b"),
        videos=("x", "y"),
        labels=[0, 1],
        clip_scores=[[0.9, 0.1], [0.4, 0.6], [0.45, 0.55], [0.0, 1.0]],
        clip_videos=[0, 0, 0, 1],
    )
    assert scores.clip_hit_at(1) == 0.5
    assert scores.video_hit_at(1) == 1.0
    assert scores.hits.tolist() == [True, True]


def test_a_method_that_sees_whole_videos_has_no_clip_figure():
    assert judged([1, 0]).clip_hit_at(1) is None


@pytest.mark.parametrize(
    ("rows", "count", "words"),
    [
        ([0, 0, 0], 3, "every video needs a clip, 'y' has none"),
        ([0, 1, 2], 3, "clip_videos must be from 0 to 1, got 2"),
        ([0, 1, -1], 3, "got -1"),
        ([0, 1, 10**15], 3, "got 1000000000000000"),
        ([0, 1], 3, "a row for each of 3 clips, got 2"),
        ([0, 1, 1], 1, "a row for each of 1 clips, got 3"),
    ],
)
def test_clips_and_videos_must_fit(rows, count, words):
    with pytest.raises(ValueError, match=words):
        Scores.from_clips(
            classes=("a", "b"),
            videos=("x", "y"),
            labels=[0, 1],
            clip_scores=np.zeros((count, 2)),
            clip_videos=rows,
        )


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"classes": ("a", "a")}, ValueError, "classes .* 'a' stands twice"),
        ({"videos": ("x", "x", "y")}, ValueError, "videos .* 'x' stands twice"),
        ({"labels": [0, 1, 2]}, ValueError, "labels must be from 0 to 1, got 2"),
        ({"labels": [0, 1, -1]}, ValueError, "labels must be from 0 to 1, got -1"),
        ({"labels": [0.2, 0.9, 1.0]}, TypeError, "labels must be whole numbers"),
        ({"labels": [0, 1]}, ValueError, "labels must have a row for each of 3 videos, got 2"),
        ({"labels": [[0], [1], [0]]}, ValueError, r"labels must be \(N,\)"),
        ({"video_scores": np.zeros((2, 2))}, ValueError, "each of 3 videos, got 2"),
        ({"video_scores": np.zeros((3, 5))}, ValueError, r"video_scores must be \(N, 2\)"),
        ({"video_scores": np.full((3, 2), np.nan)}, ValueError, "must be finite"),
        ({"clip_scores": np.zeros((4, 2))}, ValueError, "each of 4 clip_scores, got 0"),
        ({"clip_videos": [0]}, ValueError, "each of 0 clip_scores, got 1"),
    ],
)
def test_fields_that_do_not_fit_are_refused(change, error, words):
    good = {
        "classes": ("a", "b"),
        "videos": ("x", "y", "z"),
        "labels": [0, 1, 0],
        "video_scores": np.zeros((3, 2)),
        "clip_scores": np.zeros((0, 2)),
        "clip_videos": [],
    }
    Scores(**good)
    with pytest.raises(error, match=words):
        Scores(**{**good, **change})


def test_confusion_and_class_accuracy_are_those_of_scikit_learn(rng):
    scores = make_scores(rng, videos=120)
    guess = scores.video_scores.argmax(axis=1)
    np.testing.assert_array_equal(scores.confusion(), confusion_matrix(scores.labels, guess))
    expected = balanced_accuracy_score(scores.labels, guess)
    assert scores.mean_class_accuracy() == pytest.approx(expected)
    assert np.trace(scores.confusion()) / 120 == scores.video_hit_at(1)


def test_a_class_without_videos_is_left_out_of_the_mean():
    scores = Scores.from_videos(
        classes=("a", "b", "c"), videos=("x", "y"), labels=[0, 2], scores=np.eye(3)[[0, 0]]
    )
    assert scores.class_accuracy()[[0, 2]].tolist() == [1.0, 0.0]
    assert np.isnan(scores.class_accuracy()[1])
    assert scores.mean_class_accuracy() == 0.5


def test_no_videos_give_nan_without_a_warning(rng):
    empty = make_scores(rng).select([])
    assert np.isnan(empty.mean_class_accuracy())
    assert np.isnan(empty.video_hit_at(1))
    assert empty.clip_hit_at(1) is None


def test_selection_takes_each_video_with_its_clips(rng):
    scores = make_scores(rng)
    names = [scores.videos[row] for row in (7, 2, 29)]
    chosen = scores.select(names)
    assert chosen.videos == tuple(names)
    for row, old in enumerate((7, 2, 29)):
        assert chosen.labels[row] == scores.labels[old]
        np.testing.assert_array_equal(
            chosen.clip_scores[chosen.clip_videos == row],
            scores.clip_scores[scores.clip_videos == old],
        )
        np.testing.assert_array_equal(chosen.video_scores[row], scores.video_scores[old])
    assert len(chosen.clip_videos) == np.isin(scores.clip_videos, (7, 2, 29)).sum()


def test_selection_names_what_is_missing(rng):
    with pytest.raises(ValueError, match=r"no scores of 'ghost' \(2 videos"):
        make_scores(rng).select(["video 1", "ghost", "other"])


def test_folds_join_into_what_they_were_cut_from(rng):
    whole = make_scores(rng)
    parts = [whole.select(whole.videos[start : start + 10]) for start in (0, 10, 20)]
    assert_same(Scores.concatenate(parts), whole.select(whole.videos))


def test_folds_that_share_a_video_or_differ_in_classes_are_refused(rng):
    whole = make_scores(rng)
    with pytest.raises(ValueError, match="'video 3' stands twice"):
        Scores.concatenate([whole, whole.select(["video 3"])])
    with pytest.raises(ValueError, match="same classes"):
        Scores.concatenate([whole, judged([1])])
    with pytest.raises(ValueError, match="0 folds"):
        Scores.concatenate([])
