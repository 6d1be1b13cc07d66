"""Codebooks against a twin that counts words one by one, and soft shares against their formula."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from classicvid.encodings import Codebook, SpatioTemporalPyramid


def blobs(rng, *, words=6, count=400, size=10, spread=0.05):
    """Descriptors close around a few places, and which place each is from."""
    origin = rng.integers(0, words, count)
    return rng.normal(0, 1, (words, size))[origin] + rng.normal(0, spread, (count, size)), origin


def naive_histogram(descriptors, words, cells, count):
    """Count nearest words in each cell, one descriptor after another."""
    histogram = np.zeros((count, len(words)))
    for row, cell in zip(descriptors, cells, strict=True):
        histogram[cell, np.argmin(((words - row) ** 2).sum(axis=1))] += 1
    return histogram / len(descriptors)


def naive_shares(row, words, width, neighbours):
    squares = ((words.astype(np.float64) - row) ** 2).sum(axis=1)
    shares = np.exp(-squares / (2 * float(width) ** 2))
    shares[np.argsort(squares)[neighbours:]] = 0
    return shares / shares.sum()


def test_well_separated_clusters_become_words(rng):
    descriptors, origin = blobs(rng)
    codebook = Codebook(6, restarts=4).fit(descriptors)
    memberships = codebook.transform(descriptors)
    for k in range(6):
        own = memberships[origin == k]
        assert (own == own[0]).all()
        centre = descriptors[origin == k].mean(axis=0)
        np.testing.assert_allclose(codebook.words_[own[0].argmax()], centre, atol=1e-5)


def test_hard_histograms_equal_their_twin(rng):
    descriptors = rng.normal(0, 1, (300, 7))
    codebook = Codebook(20, restarts=1).fit(descriptors)
    assert codebook.words_.shape == (20, 7)
    ours = codebook.encode(descriptors[:50])
    twin = naive_histogram(descriptors[:50], codebook.words_, np.zeros(50, int), 1)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, twin.ravel(), atol=1e-7)


@pytest.mark.parametrize("neighbours", [1, 3, 100])
def test_soft_shares_equal_their_formula(neighbours, rng):
    descriptors = rng.normal(0, 1, (300, 7))
    codebook = Codebook(20, assignment="soft", neighbours=neighbours, restarts=1).fit(descriptors)
    ours = codebook.transform(descriptors[:30])
    for row, shares in zip(descriptors, ours, strict=False):
        expected = naive_shares(row, codebook.words_, codebook.width_[0], neighbours)
        np.testing.assert_allclose(shares, expected, atol=1e-5)
    assert ((ours > 0).sum(axis=1) <= neighbours).all()


def test_the_learnt_width_is_that_of_the_mean_gap(rng):
    descriptors = rng.normal(0, 1, (400, 5))
    codebook = Codebook(30, assignment="soft", restarts=1).fit(descriptors)
    near = np.sort(cdist(descriptors, codebook.words_, "sqeuclidean"), axis=1)
    gap = (near[:, 1] - near[:, 0]).mean()
    assert np.exp(-gap / (2 * codebook.width_[0] ** 2)) == pytest.approx(np.exp(-1), rel=1e-4)
    given = Codebook(30, assignment="soft", width=0.5, restarts=1).fit(descriptors)
    assert given.width_ == [0.5]


def test_a_narrow_width_is_hard_and_a_wide_one_even(rng):
    descriptors = rng.normal(0, 1, (200, 5))
    hard = Codebook(10, restarts=1).fit(descriptors).transform(descriptors)
    options = {"assignment": "soft", "neighbours": 4, "restarts": 1}
    narrow = Codebook(10, width=1e-30, **options).fit(descriptors).transform(descriptors)
    wide = Codebook(10, width=1e6, **options).fit(descriptors).transform(descriptors)
    np.testing.assert_array_equal(narrow, hard)
    np.testing.assert_allclose(np.sort(wide, axis=1)[:, -4:], 0.25, atol=1e-6)


@pytest.mark.parametrize("assignment", ["hard", "soft"])
def test_an_encoding_is_the_mean_of_memberships(assignment, rng):
    descriptors = rng.random((500, 6))
    codebook = Codebook(40, assignment=assignment, restarts=1).fit(descriptors)
    memberships = codebook.transform(descriptors)
    np.testing.assert_allclose(memberships.sum(axis=1), 1, atol=1e-6)
    histogram = codebook.encode(descriptors)
    np.testing.assert_allclose(histogram, memberships.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(codebook.encode(descriptors[::-1]), histogram, atol=1e-7)


def test_every_grid_of_a_pyramid_is_a_distribution_of_its_cells(rng):
    descriptors, positions = rng.random((300, 6)), rng.random((300, 3))
    codebook = Codebook(12, restarts=1).fit(descriptors)
    pyramid = SpatioTemporalPyramid()
    vector = codebook.encode(descriptors, positions=positions, pyramid=pyramid)
    widths = codebook.channels(pyramid)
    assert widths == [12 * cells for cells in (1, 4, 3, 2, 8, 6)]
    cells, start = pyramid.cells(positions), 0
    for grid, (part, width) in enumerate(
        zip(np.split(vector, np.cumsum(widths)[:-1]), widths, strict=True)
    ):
        own = cells[:, grid] - start
        twin = naive_histogram(descriptors, codebook.words_, own, width // 12)
        np.testing.assert_allclose(part, twin.ravel(), atol=1e-6)
        np.testing.assert_allclose(part.sum(), 1, atol=1e-5)
        start += width // 12
    np.testing.assert_array_equal(vector[:12], codebook.encode(descriptors))


def test_no_descriptors_make_an_empty_histogram(rng):
    codebook = Codebook(8, restarts=1).fit(rng.random((50, 6)))
    none = np.zeros((0, 6), np.float32)
    assert codebook.encode(none).shape == (8,)
    assert not codebook.encode(none).any()
    pyramid = SpatioTemporalPyramid(((1, 1, 1), (2, 2, 1)))
    vector = codebook.encode(none, positions=np.zeros((0, 3)), pyramid=pyramid)
    assert vector.shape == (40,)
    assert not vector.any()


@pytest.mark.parametrize("assignment", ["hard", "soft"])
def test_few_or_equal_descriptors_make_fewer_words(assignment, rng):
    three = rng.random((3, 6))
    codebook = Codebook(assignment=assignment, restarts=1).fit(three)
    assert len(codebook.words_) == 3
    np.testing.assert_allclose(np.sort(codebook.transform(three).argmax(axis=1)), np.arange(3))
    repeated = Codebook(10, assignment=assignment, restarts=2).fit(np.tile(three, (40, 1)))
    np.testing.assert_allclose(np.sort(repeated.words_, axis=0), np.sort(three, axis=0), atol=1e-6)
    one = Codebook(10, assignment=assignment).fit(np.zeros((5, 2)))
    np.testing.assert_array_equal(one.encode(np.ones((4, 2))), [1])


def test_the_seed_decides(rng):
    descriptors = rng.random((300, 6))
    words = [Codebook(9, restarts=1, seed=seed).fit(descriptors).words_ for seed in (1, 1, 2)]
    np.testing.assert_array_equal(words[0], words[1])
    assert (words[0] != words[2]).any()


def test_an_offset_and_half_precision_change_nothing_of_weight(rng):
    descriptors = rng.random((400, 12)).astype(np.float16)
    plain = Codebook(15, restarts=1).fit(descriptors)
    shifted = Codebook(15, restarts=1).fit(descriptors.astype(np.float32) + 64)
    np.testing.assert_allclose(
        shifted.encode(descriptors.astype(np.float32) + 64), plain.encode(descriptors), atol=1e-6
    )


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"n_words": 0}, ValueError, "n_words must be at least 1, got 0"),
        ({"n_words": 2.5}, TypeError, "n_words must be a whole number"),
        ({"assignment": "fuzzy"}, ValueError, "assignment must be one of hard, soft"),
        ({"neighbours": 0}, ValueError, "neighbours"),
        ({"width": 0}, ValueError, "width must be above 0"),
        ({"restarts": 0}, ValueError, "restarts"),
        ({"max_iterations": 0}, ValueError, "max_iterations"),
        ({"seed": -1}, ValueError, "seed"),
    ],
)
def test_bad_options_are_named_when_fitted(options, error, words):
    with pytest.raises(error, match=words):
        Codebook(**options).fit(np.eye(3))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"descriptors": np.zeros((4, 5))}, "5 features.* expecting 6"),
        ({"descriptors": np.zeros(6)}, "1D array"),
        ({"descriptors": np.full((2, 6), np.nan)}, "NaN"),
        ({"descriptors": np.full((2, 6), 1e300)}, "infinity"),
        (
            {"descriptors": np.zeros((4, 6)), "pyramid": SpatioTemporalPyramid()},
            r"positions must be \(4, 3\) .* got None",
        ),
        (
            {
                "descriptors": np.zeros((4, 6)),
                "positions": np.zeros((3, 3)),
                "pyramid": SpatioTemporalPyramid(),
            },
            r"positions must be \(4, 3\) .* got \(3, 3\)",
        ),
    ],
)
def test_bad_sets_are_named(arguments, words, rng):
    codebook = Codebook(4, restarts=1).fit(rng.random((20, 6)))
    with pytest.raises(ValueError, match=words):
        codebook.encode(**arguments)


def test_use_before_training_is_named():
    with pytest.raises(ValueError, match="not fitted"):
        Codebook().encode(np.zeros((0, 3)))
    with pytest.raises(ValueError, match="minimum of 1 is required"):
        Codebook().fit(np.zeros((0, 3)))
