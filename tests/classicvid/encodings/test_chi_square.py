"""Chi-square distances and kernels against their formula and scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics.pairwise import additive_chi2_kernel

from classicvid.encodings import chi_square_distance, chi_square_kernel, chi_square_scale


def histograms(rng, count, size, *, empty=0.5):
    table = rng.random((count, size)) * (rng.random((count, size)) >= empty)
    return (table / np.maximum(table.sum(axis=1, keepdims=True), 1e-9)).astype(np.float32)


def naive_distances(first, second):
    out = np.zeros((len(first), len(second)))
    for i, x in enumerate(first.astype(np.float64)):
        for j, y in enumerate(second.astype(np.float64)):
            total = x + y
            out[i, j] = 0.5 * sum(((x - y) ** 2)[total > 0] / total[total > 0])
    return out


@pytest.mark.parametrize("size", [1, 2, 15, 32, 77, 1025, 2500])
@pytest.mark.parametrize(("n", "m"), [(1, 1), (3, 70), (40, 5)])
def test_distances_equal_their_twin_and_scikit_learn(n, m, size, rng):
    first, second = histograms(rng, n, size), histograms(rng, m, size)
    ours = chi_square_distance(first, second)
    assert ours.shape == (n, m)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, naive_distances(first, second), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ours, -additive_chi2_kernel(first, second) / 2, rtol=1e-5, atol=1e-6)


def test_distances_to_itself_are_symmetric_and_zero_on_the_diagonal(rng):
    table = histograms(rng, 50, 90)
    ours = chi_square_distance(table)
    np.testing.assert_allclose(ours, chi_square_distance(table, table), atol=1e-7)
    np.testing.assert_array_equal(ours, ours.T)
    assert not ours.diagonal().any()


def test_disjoint_distributions_are_at_distance_one():
    assert chi_square_distance(np.eye(3), np.eye(3)).tolist() == (1 - np.eye(3)).tolist()


@pytest.mark.parametrize("factor", [1e-30, 1e-6, 1.0, 1e12, 1e30])
def test_distances_grow_with_their_unit(factor, rng):
    table = histograms(rng, 6, 40)
    scaled = chi_square_distance((factor * table.astype(np.float64)).astype(np.float32))
    np.testing.assert_allclose(scaled / factor, chi_square_distance(table), rtol=1e-4, atol=1e-6)


def test_tiny_bins_beside_large_ones(rng):
    table = (10.0 ** rng.uniform(-37, 0, (8, 200))).astype(np.float32)
    np.testing.assert_allclose(chi_square_distance(table), naive_distances(table, table), rtol=1e-4)


def test_empty_histograms(rng):
    table = histograms(rng, 4, 10, empty=0)
    none = np.zeros((2, 10))
    np.testing.assert_allclose(chi_square_distance(none, table), 0.5, rtol=1e-5)
    assert not chi_square_distance(none).any()
    np.testing.assert_array_equal(chi_square_kernel(none), np.ones((2, 2)))
    assert chi_square_distance(table, table[:0]).shape == (4, 0)
    assert chi_square_kernel(table[:0], table).shape == (0, 4)


def test_the_kernel_sums_channels_each_by_its_mean_distance(rng):
    widths = [10, 33, 5]
    train, test = (np.hstack([histograms(rng, n, w) for w in widths]) for n in (20, 7))
    exponent = np.zeros((7, 20))
    scales = []
    for part, other in zip(*(np.split(t, [10, 43], axis=1) for t in (train, test)), strict=True):
        scales.append(naive_distances(part, part)[~np.eye(20, dtype=bool)].mean())
        exponent += naive_distances(other, part) / scales[-1]
    np.testing.assert_allclose(chi_square_scale(train, channels=widths), scales, rtol=1e-5)
    ours = chi_square_kernel(test, train, channels=widths)
    np.testing.assert_allclose(ours, np.exp(-exponent), rtol=1e-4)
    given = chi_square_kernel(test, train, scale=scales, channels=widths)
    np.testing.assert_allclose(given, ours, rtol=1e-5)


def test_the_training_kernel_is_that_of_training_samples_as_test_samples(rng):
    train = histograms(rng, 25, 60)
    own = chi_square_kernel(train, channels=[20, 40])
    np.testing.assert_allclose(own, chi_square_kernel(train, train, channels=[20, 40]), rtol=1e-6)
    np.testing.assert_array_equal(own.diagonal(), 1)
    np.testing.assert_array_equal(own, own.T)
    assert np.linalg.eigvalsh(own.astype(np.float64)).min() > -1e-6


def test_one_sample_or_equal_ones_have_scale_one(rng):
    table = np.repeat(histograms(rng, 1, 9), 3, axis=0)
    assert chi_square_scale(table) == [1]
    assert chi_square_scale(table[:1]) == [1]
    np.testing.assert_array_equal(chi_square_kernel(table), np.ones((3, 3)))


@pytest.mark.parametrize("rows", [1, 31, 32, 33, 65])
def test_blocks_of_rows_and_columns_meet(rows, rng):
    table = histograms(rng, rows, 2 * 1024 + 33)
    np.testing.assert_allclose(
        chi_square_distance(table), naive_distances(table, table), rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"X": np.full((2, 4), -1.0)}, ValueError, "X must not be negative, row 0 is"),
        ({"Y": np.full((2, 4), -1.0)}, ValueError, "Y must not be negative"),
        ({"Y": np.ones((2, 5))}, ValueError, r"Y must be \(N, 4\)"),
        ({"X": np.full((2, 4), np.nan)}, ValueError, "finite"),
        ({"scale": [1, 1]}, ValueError, r"scale must be \(1,\)"),
        ({"scale": [0]}, ValueError, "above 0"),
        ({"channels": [2, 3]}, ValueError, "sum to the 4 bins of a row, got 5"),
        ({"channels": [4, 0]}, ValueError, "channels must be at least 1"),
        ({"channels": [2.0, 2.0]}, TypeError, "channels must be a whole number"),
    ],
)
def test_bad_input_is_named(change, error, words):
    arguments = {"X": np.ones((2, 4)), "Y": np.ones((3, 4)), **change}
    with pytest.raises(error, match=words):
        chi_square_kernel(arguments.pop("X"), arguments.pop("Y"), **arguments)
