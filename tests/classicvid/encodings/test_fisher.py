"""Fisher vectors against their formula, scikit-image's and the gradient by finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.feature import fisher_vector
from sklearn.mixture import GaussianMixture

from classicvid.encodings import FisherVector, SpatioTemporalPyramid


def scikit_mixture(encoder):
    theirs = GaussianMixture(len(encoder.weights_), covariance_type="diag")
    theirs.weights_ = encoder.weights_.astype(np.float64)
    theirs.means_ = encoder.means_.astype(np.float64)
    theirs.covariances_ = encoder.variances_.astype(np.float64)
    theirs.precisions_cholesky_ = 1 / np.sqrt(theirs.covariances_)
    return theirs


@pytest.fixture
def descriptors(rng):
    return rng.gamma(1, 1, (2000, 10)) @ rng.normal(0, 1, (10, 10))


def normalise(vector, power=0.5):
    roots = np.sign(vector) * np.abs(vector) ** power
    return roots / np.linalg.norm(roots)


@pytest.mark.parametrize("pca", [None, 0.5])
def test_vectors_are_those_of_scikit_image(pca, descriptors):
    """But for the gradients of the weights, before the others, and the sign of the deviations'."""
    encoder = FisherVector(6, pca=pca, power=1).fit(descriptors)
    rows = descriptors[:300].astype(np.float64) - encoder.centre_
    if pca is not None:
        rows = rows @ encoder.directions_.T
    theirs = fisher_vector(rows, scikit_mixture(encoder))
    k, d = encoder.means_.shape
    assert (k, d) == (6, 10 if pca is None else 5)
    theirs = np.concatenate([theirs[k : k + k * d], -theirs[k + k * d :]])
    np.testing.assert_allclose(encoder.encode(descriptors[:300]), normalise(theirs, 1), atol=1e-5)
    np.testing.assert_allclose(encoder.transform(descriptors[:300]).mean(axis=0), theirs, atol=1e-4)
    rooted = encoder.set_params(power=0.5).encode(descriptors[:300])
    np.testing.assert_allclose(rooted, normalise(theirs), atol=1e-3)


def test_vectors_are_gradients_of_the_likelihood(descriptors):
    """By central differences of scikit-learn's likelihood, scaled by the paper's factors."""
    encoder = FisherVector(3, pca=2, power=1).fit(descriptors)
    rows = (descriptors[:100] - encoder.centre_) @ encoder.directions_.T.astype(np.float64)
    deviations = np.sqrt(encoder.variances_, dtype=np.float64)
    roots = np.sqrt(encoder.weights_, dtype=np.float64)

    def likelihood(k, d, by_mean, by_deviation):
        theirs = scikit_mixture(encoder)
        theirs.means_[k, d] += by_mean
        spread = deviations.copy()
        spread[k, d] += by_deviation
        theirs.precisions_cholesky_ = 1 / spread
        return theirs.score(rows)

    expected, step = np.empty((2, 3, 2)), 1e-4
    for k in range(3):
        for d in range(2):
            scale = deviations[k, d] / roots[k] / (2 * step)
            rise = likelihood(k, d, step, 0) - likelihood(k, d, -step, 0)
            expected[0, k, d] = rise * scale
            rise = likelihood(k, d, 0, step) - likelihood(k, d, 0, -step)
            expected[1, k, d] = rise * scale / np.sqrt(2)
    ours = encoder.transform(descriptors[:100]).mean(axis=0)
    np.testing.assert_allclose(ours, expected.ravel(), atol=1e-3)


def test_a_vector_is_the_normalised_mean_of_its_rows(descriptors):
    encoder = FisherVector(8).fit(descriptors)
    ours = encoder.encode(descriptors[:500])
    assert ours.shape == (2 * 5 * 8,)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(
        ours, normalise(encoder.transform(descriptors[:500]).mean(axis=0)), atol=1e-3
    )
    assert np.linalg.norm(ours) == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(encoder.encode(descriptors[499::-1]), ours, atol=1e-3)


def test_training_rows_have_little_gradient_and_their_repetition_changes_nothing(descriptors):
    """At the maximum of the likelihood it is level; other rows pull."""
    encoder = FisherVector(4, max_iterations=300, tolerance=1e-7, power=1).fit(descriptors)
    own = np.abs(encoder.transform(descriptors).mean(axis=0)).max()
    pulled = np.abs(encoder.transform(descriptors + 1).mean(axis=0)).max()
    assert own < 0.02 < pulled
    twice = np.concatenate([descriptors[:50]] * 2)
    np.testing.assert_allclose(encoder.encode(twice), encoder.encode(descriptors[:50]), atol=1e-5)


def test_an_offset_of_all_descriptors_changes_nothing(descriptors):
    plain = FisherVector(4).fit(descriptors).encode(descriptors[:300])
    moved = FisherVector(4).fit(descriptors + 20).encode(descriptors[:300] + 20)
    np.testing.assert_allclose(moved, plain, atol=0.01)


def test_blocks_do_not_show(descriptors, rng):
    """More rows than a block of posteriors holds."""
    encoder = FisherVector(2).fit(descriptors)
    many = rng.permutation(np.tile(descriptors, (15, 1)))
    np.testing.assert_allclose(encoder.encode(many), encoder.encode(descriptors), atol=2e-3)


def test_a_pyramid_describes_each_cell_by_itself(descriptors, rng):
    encoder = FisherVector(3).fit(descriptors)
    positions = rng.random((200, 3))
    positions[:, 0] *= 0.5  # nothing in the right half
    pyramid = SpatioTemporalPyramid(((1, 1, 1), (2, 1, 2)))
    vector = encoder.encode(descriptors[:200], positions=positions, pyramid=pyramid)
    cells = vector.reshape(5, -1)
    late = positions[:, 2] >= 0.5
    np.testing.assert_allclose(cells[0], encoder.encode(descriptors[:200]), atol=1e-3)
    np.testing.assert_allclose(cells[1], encoder.encode(descriptors[:200][~late]), atol=1e-5)
    np.testing.assert_allclose(cells[3], encoder.encode(descriptors[:200][late]), atol=1e-5)
    assert not cells[[2, 4]].any()


def test_no_descriptors_make_a_vector_of_zeros(descriptors):
    vector = FisherVector(4).fit(descriptors).encode(np.zeros((0, 10)))
    assert vector.shape == (40,)
    assert not vector.any()


def test_few_descriptors_are_enough(rng):
    for count in (1, 3, 9):
        rows = rng.random((count, 4))
        encoder = FisherVector().fit(rows)
        assert encoder.means_.shape == (max(count // 4, 1), 2)
        assert np.isfinite(encoder.encode(rows)).all()


def test_the_number_of_dimensions_that_are_kept(rng):
    rows = rng.random((100, 7))
    for pca, kept in ((0.5, 3), (1.0, 7), (1, 1), (5, 5), (100, 7), (1e-9, 1), (None, 7)):
        assert FisherVector(2, pca=pca).fit(rows).means_.shape[1] == kept


def test_whitened_components_have_variance_one(descriptors):
    encoder = FisherVector(1, whiten=True).fit(descriptors)
    np.testing.assert_allclose(encoder.variances_, 1, rtol=1e-3)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"n_components": 0}, ValueError, "n_components must be at least 1"),
        ({"pca": 0}, ValueError, "pca must be at least 1"),
        ({"pca": 0.0}, ValueError, "pca must be above 0"),
        ({"pca": 1.5}, ValueError, "pca must be at most 1"),
        ({"pca": "half"}, TypeError, "pca must be a number"),
        ({"whiten": 1}, TypeError, "whiten must be True or False, got 1"),
        ({"power": 0}, ValueError, "power must be above 0"),
        ({"power": 2}, ValueError, "power must be at most 1"),
        ({"max_iterations": 0}, ValueError, "max_iterations"),
        ({"tolerance": -1}, ValueError, "tolerance"),
        ({"seed": -1}, ValueError, "seed"),
    ],
)
def test_bad_options_are_named_when_fitted(options, error, words):
    with pytest.raises(error, match=words):
        FisherVector(**options).fit(np.eye(3))
