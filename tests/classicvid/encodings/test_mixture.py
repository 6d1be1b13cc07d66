"""Mixtures and projections against scikit-learn's, started from the same place."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture

from classicvid.encodings import mixture as module
from classicvid.encodings.mixture import Mixture, learn_mixture
from classicvid.encodings.projection import learn_projection


def clouds(rng, *, components=5, count=3000, size=6):
    """Rows of Gaussians that overlap a little, centred."""
    means = rng.normal(0, 3, (components, size))
    deviations = rng.uniform(0.3, 1.5, (components, size))
    origin = rng.choice(components, count, p=rng.dirichlet(np.full(components, 5)))
    rows = means[origin] + deviations[origin] * rng.normal(0, 1, (count, size))
    return (rows - rows.mean(axis=0)).astype(np.float32)


def as_scikit(mixture):
    """Return scikit-learn's mixture of the same parameters."""
    theirs = GaussianMixture(len(mixture.weights), covariance_type="diag")
    theirs.weights_ = mixture.weights.astype(np.float64)
    theirs.means_ = mixture.means.astype(np.float64)
    theirs.covariances_ = mixture.variances.astype(np.float64)
    theirs.precisions_cholesky_ = 1 / np.sqrt(theirs.covariances_)
    return theirs


@pytest.mark.parametrize("count", [1, 5, 20000])
def test_posteriors_and_likelihood_are_those_of_scikit_learn(count, rng):
    """The largest case takes several blocks."""
    mixture = learn_mixture(clouds(rng), 5, max_iterations=5, tolerance=0, seed=0)
    rows = clouds(rng, count=count) * 2
    theirs = as_scikit(mixture)
    ours = np.empty((count, 5))
    for block, shares, powers, _ in mixture.posteriors(rows):
        ours[block] = shares
        np.testing.assert_array_equal(powers, np.hstack([rows[block], rows[block] ** 2]))
    expected = theirs.predict_proba(rows.astype(np.float64))
    np.testing.assert_allclose(ours, expected, atol=2e-4)
    sums = mixture.statistics(rows)
    np.testing.assert_allclose(sums.counts, expected.sum(axis=0), rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(sums.firsts, expected.T @ rows, rtol=1e-3, atol=1e-2)
    np.testing.assert_allclose(sums.seconds, expected.T @ rows**2, rtol=1e-3, atol=1e-2)
    likelihood = theirs.score_samples(rows.astype(np.float64)).sum()
    assert sums.log_likelihood == pytest.approx(likelihood, rel=1e-4)


@pytest.mark.parametrize("iterations", [1, 10, 60])
def test_iterations_are_those_of_scikit_learn(iterations, rng):
    rows = clouds(rng)
    start = module._start(rows, 5, 1e-4, 0)
    ours = learn_mixture(rows, 5, max_iterations=iterations, tolerance=0, seed=0)
    theirs = GaussianMixture(
        len(start.weights),
        covariance_type="diag",
        weights_init=start.weights.astype(np.float64) / start.weights.sum(dtype=np.float64),
        means_init=start.means,
        precisions_init=1 / start.variances,
        max_iter=iterations,
        tol=0,
    )
    with pytest.warns(UserWarning, match="did not converge"):
        theirs.fit(rows.astype(np.float64))
    np.testing.assert_allclose(ours.weights, theirs.weights_, atol=2e-4)
    np.testing.assert_allclose(ours.means, theirs.means_, atol=2e-3)
    np.testing.assert_allclose(ours.variances, theirs.covariances_, rtol=5e-3, atol=1e-4)


def test_known_gaussians_are_found(rng):
    means = np.array([[-6, 0], [0, 6], [6, 0]])
    rows = means[rng.integers(0, 3, 6000)] + rng.normal(0, [1.0, 0.25], (6000, 2))
    mixture = learn_mixture(np.float32(rows), 3, max_iterations=100, tolerance=1e-4, seed=0)
    order = mixture.means[:, 0].argsort()
    np.testing.assert_allclose(mixture.weights[order], 1 / 3, atol=0.02)
    np.testing.assert_allclose(mixture.means[order], means, atol=0.1)
    np.testing.assert_allclose(mixture.variances[order], np.tile([1, 1 / 16], (3, 1)), rtol=0.15)


def test_the_likelihood_never_falls(rng):
    rows = clouds(rng)
    values = [
        learn_mixture(rows, 8, max_iterations=n, tolerance=0, seed=1).statistics(rows)[-1]
        for n in (1, 2, 4, 8, 16)
    ]
    assert (np.diff(values) > -0.1).all()
    assert values[-1] > values[0]


def test_far_and_huge_rows_have_posteriors(rng):
    mixture = learn_mixture(clouds(rng), 5, max_iterations=5, tolerance=0, seed=0)
    rows = (clouds(rng, count=50) * 1e4).astype(np.float32)
    for _, shares, _, likelihood in mixture.posteriors(rows):
        np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)
        assert np.isfinite(shares).all()
        assert np.isfinite(likelihood)


def test_equal_and_few_rows_make_few_components(rng):
    for rows in (np.zeros((50, 3)), np.ones((1, 3)), np.tile(rng.random((2, 3)), (20, 1))):
        mixture = learn_mixture(np.float32(rows), 6, max_iterations=20, tolerance=0, seed=0)
        assert 1 <= len(mixture.weights) <= max(len(rows) // 4, 1)
        assert np.isfinite(mixture.means).all()
        assert (mixture.variances > 0).all()
        np.testing.assert_allclose(mixture.weights.sum(), 1, atol=1e-6)


def test_a_component_without_rows_is_left_out():
    sums = module.Statistics(np.array([0.1, 10]), np.ones((2, 3)), np.ones((2, 3)), 0.0)
    mixture = module._maximise(sums, 1e-6)
    np.testing.assert_allclose(mixture.weights, [1])
    np.testing.assert_allclose(mixture.means, np.full((1, 3), 0.1))
    np.testing.assert_allclose(mixture.variances, np.full((1, 3), 0.09), rtol=1e-6)


def test_no_variance_is_below_the_floor(rng):
    rows = rng.normal(0, 1, (400, 3)).astype(np.float32)
    rows[:200] = 5
    mixture = learn_mixture(rows, 8, max_iterations=50, tolerance=0, seed=0)
    floor = 1e-4 * rows.var(axis=0).max()
    assert mixture.variances.min() == pytest.approx(floor, rel=1e-3)


def test_a_mixture_of_one_is_mean_and_variance(rng):
    rows = clouds(rng, count=20000)
    mixture = learn_mixture(rows, 1, max_iterations=3, tolerance=0, seed=0)
    assert isinstance(mixture, Mixture)
    np.testing.assert_allclose(mixture.means[0], rows.mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(mixture.variances[0], rows.var(axis=0), rtol=1e-4)


@pytest.mark.parametrize("components", [1, 3, 0.5, 1.0])
@pytest.mark.parametrize("whiten", [False, True])
def test_projections_are_those_of_scikit_learn(components, whiten, rng):
    rows = (rng.normal(0, 1, (500, 6)) @ rng.normal(0, 1, (6, 6)) + 3).astype(np.float32)
    centre, directions = learn_projection(rows, components=components, whiten=whiten)
    count = components if isinstance(components, int) else int(6 * components)
    theirs = PCA(count, whiten=whiten, svd_solver="full").fit(rows)
    expected = theirs.transform(rows) * np.sqrt(500 / 499 if whiten else 1)
    ours = (rows - centre) @ directions.T
    signs = np.sign((ours * expected).sum(axis=0))
    np.testing.assert_allclose(ours, signs * expected, atol=2e-3)
    assert (np.take_along_axis(directions, np.abs(directions).argmax(axis=1)[:, None], 1) > 0).all()


def test_projections_of_few_or_equal_rows_are_finite():
    for rows in (np.ones((1, 4)), np.zeros((9, 4))):
        centre, directions = learn_projection(np.float32(rows), components=9, whiten=True)
        assert directions.shape == (4, 4)
        assert np.isfinite((rows - centre) @ directions.T).all()
