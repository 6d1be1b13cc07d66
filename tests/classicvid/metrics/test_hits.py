"""Scores of known quality go in; the hits of scikit-learn and of plain counting come out."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import top_k_accuracy_score

from classicvid.metrics import (
    hit_at_k,
    label_ranks,
)


@pytest.mark.parametrize("k", [1, 2, 5, 9])
def test_hit_at_k_is_that_of_scikit_learn(rng, k):
    scores, labels = rng.standard_normal((200, 10)), rng.integers(0, 10, 200)
    expected = top_k_accuracy_score(labels, scores, k=k, labels=np.arange(10))
    assert hit_at_k(scores, labels, k) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int8, np.uint8, bool])
def test_ties_go_to_the_lowest_class_as_in_argmax(rng, dtype):
    scores = rng.integers(0, 3, (300, 6)).astype(dtype)
    labels = rng.integers(0, 6, 300)
    assert hit_at_k(scores, labels, 1) == np.mean(np.argmax(scores, axis=1) == labels)


def test_constant_scores_hit_only_the_classes_that_come_first():
    labels = np.repeat(np.arange(5), 20)
    assert [hit_at_k(np.zeros((100, 5)), labels, k) for k in (1, 2, 5)] == [0.2, 0.4, 1.0]


def test_ranks_are_counted_from_the_best():
    scores = [[0.1, 0.7, 0.2], [0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [-np.inf, 1, np.inf]]
    assert label_ranks(scores, [0, 0, 1, 0]).tolist() == [2, 0, 1, 2]


def test_the_best_of_several_labels_counts():
    scores = np.array([[0.1, 0.7, 0.2], [0.6, 0.3, 0.1], [0.6, 0.3, 0.1]])
    marks = np.array([[1, 0, 1], [0, 0, 1], [0, 0, 0]])
    assert label_ranks(scores, marks).tolist() == [1, 2, 3]
    assert [hit_at_k(scores, marks, k) for k in (1, 2, 3)] == [0, 1 / 3, 2 / 3]


def test_one_label_a_sample_is_a_special_case_of_marks(rng):
    scores, labels = rng.integers(0, 4, (100, 7)), rng.integers(0, 7, 100)
    np.testing.assert_array_equal(
        label_ranks(scores, labels), label_ranks(scores, np.eye(7, dtype=bool)[labels])
    )


def test_a_sample_without_a_label_is_never_hit_however_large_k():
    assert hit_at_k(np.zeros((2, 3)), [[0, 0, 0], [0, 0, 1]], 50) == 0.5


def test_hit_at_k_of_nothing_is_nan():
    assert np.isnan(hit_at_k(np.zeros((0, 3)), [], 1))


@pytest.mark.parametrize(
    ("scores", "labels", "k", "error"),
    [
        (np.zeros((2, 3)), [0, 3], 5, ValueError),
        (np.zeros((2, 3)), [0, -1], 5, ValueError),
        (np.zeros((2, 3)), [0.0, 1.0], 1, TypeError),
        (np.zeros((2, 3)), [0], 1, ValueError),
        (np.zeros(3), [0, 1, 2], 1, ValueError),
        (np.zeros((2, 0)), np.zeros((2, 0), bool), 1, ValueError),
        ([[np.nan, 0.0]], [0], 1, ValueError),
        (np.zeros((2, 3)), [0, 1], 0, ValueError),
        (np.zeros((2, 3)), [0, 1], 1.0, TypeError),
    ],
)
def test_what_cannot_be_ranked_is_refused(scores, labels, k, error):
    with pytest.raises(error):
        hit_at_k(scores, labels, k)
