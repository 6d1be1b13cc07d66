"""The search of nearest words and k-means against brute force and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans

from classicvid.encodings import words as module
from classicvid.encodings.words import WordSearch, group_sums, learn_words
from classicvid.kernels import encodings as kernels


def float_rows(rng, shape):
    return rng.normal(0, 1, shape).astype(np.float32)


@pytest.mark.parametrize("count", [1, 3, 32])
@pytest.mark.parametrize("columns", [32, 96, 160])
def test_the_smallest_are_those_of_a_sort(count, columns, rng):
    scores = float_rows(rng, (50, columns))
    scores[10] = 3
    scores[20, ::2] = -1
    scores[30] = np.sort(scores[30])[::-1]
    places, values = np.empty((50, count), np.int32), np.empty((50, count), np.float32)
    kernels.smallest(scores, places, values)
    expected = np.argsort(scores, axis=1, kind="stable")[:, :count]
    np.testing.assert_array_equal(places, expected)
    np.testing.assert_array_equal(values, np.take_along_axis(scores, expected, axis=1))


@pytest.mark.parametrize("shape", [(1, 1, 1), (7, 3, 2), (300, 33, 17), (40000, 65, 4)])
def test_nearest_words_are_those_of_all_distances(shape, rng):
    """The largest case takes several blocks of scores."""
    n, k, d = shape
    rows, words = float_rows(rng, (n, d)), float_rows(rng, (k, d))
    count = min(3, k)
    places, squares = WordSearch(words).nearest(rows, count)
    squares_of_small = WordSearch(words * np.float32(2**-20)).nearest(rows * np.float32(2**-20), 1)
    np.testing.assert_array_equal(squares_of_small[1] * np.float32(2.0**40), squares[:, :1])
    table = cdist(rows, words, "sqeuclidean")
    expected = np.sort(table, axis=1)[:, :count]
    np.testing.assert_allclose(squares, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        np.take_along_axis(table, places.astype(int), axis=1), expected, rtol=1e-4, atol=1e-5
    )


def test_sums_of_groups_equal_their_twin(rng):
    rows, groups = float_rows(rng, (100, 7)), rng.integers(0, 9, 100, dtype=np.int32)
    sums, counts = group_sums(rows, groups, 10)
    for k in range(10):
        np.testing.assert_allclose(sums[k], rows[groups == k].sum(axis=0), atol=1e-5)
        assert counts[k] == (groups == k).sum()


def error_of(rows, words):
    return cdist(rows, words, "sqeuclidean").min(axis=1).sum()


@pytest.mark.parametrize("content", ["clusters", "noise"])
def test_the_error_is_near_that_of_scikit_learn(content, rng):
    rows = float_rows(rng, (1000, 16))
    if content == "clusters":
        rows = (float_rows(rng, (25, 16)) * 3)[rng.integers(0, 25, 1000)] + 0.1 * rows
    ours = learn_words(rows, 25, restarts=3, max_iterations=100, seed=0)
    theirs = KMeans(25, n_init=3, random_state=0).fit(rows)
    assert ours.shape == (25, 16)
    assert error_of(rows, ours) <= 1.02 * theirs.inertia_


def test_words_are_the_means_of_their_clusters(rng):
    """Settled: one more of Lloyd's iterations, scikit-learn's, hardly lowers the error."""
    rows = float_rows(rng, (1500, 8))
    words = learn_words(rows, 25, restarts=1, max_iterations=100, seed=3)
    refined = KMeans(25, init=words, n_init=1, max_iter=300).fit(rows)
    assert error_of(rows, words) <= 1.02 * refined.inertia_


def test_restarts_keep_the_best(rng):
    rows = (float_rows(rng, (30, 4)) * 5)[rng.integers(0, 30, 900)] + 0.1 * float_rows(
        rng, (900, 4)
    )
    errors = [
        error_of(rows, learn_words(rows, 30, restarts=restarts, max_iterations=50, seed=1))
        for restarts in (1, 6)
    ]
    assert errors[1] <= errors[0]


def test_words_are_as_many_as_different_rows(rng):
    rows = np.repeat(float_rows(rng, (5, 3)), 50, axis=0)
    rows[:50] = 0
    rows[10:20] = -0.0  # the same number as 0
    for count in (4, 5, 9):
        words = learn_words(rows, count, restarts=1, max_iterations=100, seed=0)
        assert len(words) == min(count, 5)
        assert len(np.unique(words, axis=0)) == len(words)


def test_near_duplicates_do_not_stop_the_draw(rng):
    """More words than places that rounding tells apart: the rest is drawn among the near ones."""
    rows = np.repeat([[-100.0], [100.0]], 100, axis=0) + 1e-5 * rng.integers(0, 9, (200, 2))
    words = learn_words(rows.astype(np.float32), 60, restarts=1, max_iterations=5, seed=0)
    assert 2 <= len(words) <= 60
    assert np.isfinite(words).all()


def test_a_lost_centre_starts_again_where_the_error_is_largest(rng):
    rows = np.repeat(np.float32([[500, 500], [509, 500], [500, 550]]), 20, axis=0)
    start = np.float32([[500, 501], [508, 500], [-999, -999]])
    words, error = module._refine(rows, start, 20)
    assert error == pytest.approx(0, abs=1e-3)
    expected = [[500, 500], [500, 500], [509, 550]]
    np.testing.assert_allclose(np.sort(words, axis=0), expected)
    words, _ = module._refine(rows, start, 1)
    assert len(words) == 2
