"""Scores of several methods are weighed as scikit-learn's machine weighs their unit rows."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.svm import LinearSVC

from classicvid.metrics import Scores
from classicvid.score_fusion import ScoreFusion

CLASSES = ("run", "walk", "wave")


def scores_of(labels, scores, *, names=None, clips=2, classes=CLASSES):
    """Scores of videos whose clips all say the same."""
    count = len(labels)
    return Scores.from_clips(
        classes=classes,
        videos=names or [f"v{n}" for n in range(count)],
        labels=labels,
        clip_scores=np.repeat(np.asarray(scores, np.float32), clips, axis=0),
        clip_videos=np.repeat(np.arange(count), clips),
    )


def streams(rng, labels, *, prefix=""):
    """One method that tells run from the rest, one that tells walk from wave, both unsure."""
    labels = np.asarray(labels)
    first = np.stack([labels == 0, labels > 0, labels > 0], 1) + rng.random((len(labels), 3))
    noise = rng.random((len(labels), 3))
    second = np.stack([noise[:, 0], labels == 1, labels == 2], 1) + 0.6 * noise
    names = [f"{prefix}{n}" for n in range(len(labels))]
    return [scores_of(labels, rows / rows.sum(1)[:, None], names=names) for rows in (first, second)]


def test_machine_is_scikit_learn_s_on_unit_rows_side_by_side(rng):
    labels = rng.integers(0, 3, 60)
    train, test = streams(rng, labels), streams(rng, labels[::-1], prefix="t")
    found = ScoreFusion(c=2.0).fit(train).predict(test)

    def rows(parts):
        units = [
            part.video_scores / np.linalg.norm(part.video_scores, axis=1)[:, None] for part in parts
        ]
        return np.concatenate(units, 1).astype(float)

    machine = LinearSVC(C=2.0, random_state=0, max_iter=10_000).fit(rows(train), labels)
    np.testing.assert_allclose(found.video_scores, machine.decision_function(rows(test)), atol=1e-4)
    assert found.videos == test[0].videos
    np.testing.assert_array_equal(found.labels, labels[::-1])
    # All clips of a video say the same here.
    np.testing.assert_allclose(found.clip_scores, np.repeat(found.video_scores, 2, 0), atol=1e-5)


def test_machine_trusts_the_method_that_is_right(rng):
    labels, other = rng.integers(0, 3, 90), rng.integers(0, 3, 90)

    def methods(truth, prefix):
        wrong = rng.permutation(truth)
        names = [f"{prefix}{n}" for n in range(90)]
        sure = scores_of(truth, np.eye(3)[wrong], names=names)  # certain, and mistaken
        right = scores_of(truth, 0.34 + 0.05 * np.eye(3)[truth], names=names)
        return [sure, right]

    test = methods(other, "t")
    fused = ScoreFusion(c=100.0).fit(methods(labels, "v")).predict(test)
    assert Scores.average(test).video_hit_at(1) < 0.6
    assert fused.video_hit_at(1) > 0.95


def test_length_of_a_row_and_order_of_videos_change_nothing(rng):
    labels = rng.integers(0, 3, 40)
    parts = streams(rng, labels)
    longer = [
        scores_of(labels, 7.0 * parts[0].video_scores, names=list(parts[0].videos)),
        parts[1].select(parts[1].videos[::-1]),
    ]
    first, second = (ScoreFusion().fit(parts).predict(given) for given in (parts, longer))
    np.testing.assert_allclose(first.video_scores, second.video_scores, atol=1e-5)


def test_two_classes_and_classes_without_videos_are_scored(rng):
    labels = np.array([0, 2] * 10)
    parts = streams(rng, labels)
    fused = ScoreFusion().fit(parts).predict(parts)
    assert fused.video_scores.shape == (20, 3)
    assert set(fused.video_scores.argmax(1)) <= {0, 2}
    np.testing.assert_allclose(fused.video_scores[:, 0], -fused.video_scores[:, 2], atol=1e-6)


def test_clips_that_are_not_the_same_are_left_out(rng):
    labels = rng.integers(0, 3, 30)
    first, second = streams(rng, labels)
    other = scores_of(labels, second.video_scores, names=list(second.videos), clips=3)
    assert len(ScoreFusion().fit([first, second]).predict([first, other]).clip_videos) == 0


def test_what_cannot_be_fused_is_refused(rng):
    labels = np.array([0, 1, 2] * 5)
    first, second = streams(rng, labels)
    fusion = ScoreFusion()
    with pytest.raises(ValueError, match="has not been fitted: call fit"):
        fusion.predict([first, second])
    with pytest.raises(ValueError, match="scores of one method or more are wanted, got none"):
        fusion.fit([])
    with pytest.raises(ValueError, match="only Scores of the same classes"):
        fusion.fit([first, second.select(second.videos[1:])])
    with pytest.raises(ValueError, match="videos of two classes or more are wanted, got 1"):
        fusion.fit([scores_of([1, 1], np.eye(3)[:2])])
    fusion.fit([first, second])
    with pytest.raises(
        ValueError, match="6 scores of classes run, walk, wave are wanted, got 3 of"
    ):
        fusion.predict([first])
    with pytest.raises(ValueError, match="c must be above 0"):
        ScoreFusion(c=0.0)
