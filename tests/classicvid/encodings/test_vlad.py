"""VLAD against a loop over descriptors."""

from __future__ import annotations

import numpy as np
import pytest

from classicvid.encodings import VLAD, SpatioTemporalPyramid


def naive_vlad(descriptors, words, *, intra, power):
    sums = np.zeros(words.shape)
    for row in descriptors:
        nearest = np.argmin(((words - row) ** 2).sum(axis=1))
        sums[nearest] += row - words[nearest]
    if intra:
        for k in range(len(sums)):
            sums[k] /= np.linalg.norm(sums[k]) or 1
    vector = np.sign(sums.ravel()) * np.abs(sums.ravel()) ** power
    return vector / np.linalg.norm(vector)


@pytest.mark.parametrize("intra", [False, True])
@pytest.mark.parametrize("power", [0.5, 1.0])
def test_vectors_equal_their_twin(intra, power, rng):
    descriptors = rng.normal(0, 1, (500, 9))
    encoder = VLAD(12, intra=intra, power=power).fit(descriptors)
    ours = encoder.encode(descriptors[:60])
    assert ours.dtype == np.float32
    twin = naive_vlad(descriptors[:60], encoder.words_, intra=intra, power=power)
    np.testing.assert_allclose(ours, twin, atol=1e-4)


def test_a_row_is_the_offset_from_its_word(rng):
    descriptors = rng.normal(0, 1, (200, 4))
    encoder = VLAD(5, power=1).fit(descriptors)
    shares = encoder.transform(descriptors)
    assert (np.any(shares.reshape(200, 5, 4) != 0, axis=2).sum(axis=1) == 1).all()
    total = shares.sum(axis=0, dtype=np.float64)
    one = encoder.encode(descriptors[:30])
    mean = shares[:30].sum(axis=0)
    np.testing.assert_allclose(one, mean / np.linalg.norm(mean), atol=1e-5)
    assert np.abs(total).max() < 0.1 * np.abs(shares).sum(axis=0).max()  # words are means


def test_a_burst_weighs_less_with_intra_normalisation(rng):
    descriptors = rng.normal(0, 1, (500, 6))
    burst = np.concatenate([descriptors[:40], np.repeat(descriptors[:1], 200, axis=0)])
    near = []
    for intra in (False, True):
        encoder = VLAD(10, intra=intra, power=1).fit(descriptors)
        near.append(encoder.encode(burst) @ encoder.encode(descriptors[:40]))
    assert near[1] > near[0]


def test_cells_and_empty_sets(rng):
    descriptors = rng.normal(0, 1, (100, 3))
    encoder = VLAD(4).fit(descriptors)
    assert not encoder.encode(np.zeros((0, 3))).any()
    positions = np.full((100, 3), 0.25)
    halves = SpatioTemporalPyramid(((1, 1, 2),))
    vector = encoder.encode(descriptors, positions=positions, pyramid=halves)
    np.testing.assert_array_equal(vector[:12], encoder.encode(descriptors))
    assert not vector[12:].any()


@pytest.mark.parametrize(
    "options", [{"n_words": 0}, {"power": 1.5}, {"restarts": 0}, {"seed": -1}, {"intra": "no"}]
)
def test_bad_options_are_named_when_fitted(options):
    with pytest.raises((TypeError, ValueError), match=next(iter(options))):
        VLAD(**options).fit(np.eye(3))
