"""Samples of a stream: bounded, even, and the same however the stream is cut."""

from __future__ import annotations

import numpy as np
import pytest

from classicvid.encodings import DescriptorSample


def stream(rows, cuts, **options):
    sample = DescriptorSample(**options)
    for part in np.split(rows, cuts):
        sample.add(part)
    return sample


@pytest.mark.parametrize("size", [1, 7, 100, 999, 1000, 5000])
def test_how_the_stream_is_cut_does_not_matter(size, rng):
    rows = rng.random((1000, 3))
    whole = stream(rows, [], size=size).descriptors
    for cuts in ([1, 2, 2, 3, 900], range(1, 1000), [500]):
        np.testing.assert_array_equal(stream(rows, cuts, size=size).descriptors, whole)
    assert whole.shape == (min(size, 1000), 3)
    assert whole.dtype == np.float32


def test_a_short_stream_is_kept_whole(rng):
    rows = rng.random((10, 4)).astype(np.float32)
    sample = stream(rows, [3, 7], size=10)
    np.testing.assert_array_equal(sample.descriptors, rows)
    assert sample.seen == 10


def test_rows_are_different_and_in_order():
    kept = stream(np.arange(5000.0)[:, None], range(0, 5000, 37), size=800).descriptors[:, 0]
    assert (np.diff(kept) > 0).all()


def test_every_row_has_the_same_chance():
    """How often each tenth of a stream is drawn in 200 samples of 50 rows, within 5 deviations."""
    rows = np.arange(1000.0)[:, None]
    counts = np.zeros(10)
    for seed in range(200):
        kept = stream(rows, [100, 150, 600], size=50, seed=seed).descriptors[:, 0]
        counts += np.histogram(kept, bins=10, range=(0, 1000))[0]
    assert np.abs(counts - 1000).max() < 5 * np.sqrt(1000 * 0.9)


def test_the_seed_decides_and_rows_of_two_streams_correspond(rng):
    rows = rng.random((500, 2))
    samples = [stream(rows, [100], size=20, seed=seed).descriptors for seed in (3, 3, 4)]
    np.testing.assert_array_equal(samples[0], samples[1])
    assert (samples[0] != samples[2]).any()
    other = stream(-rows, [7], size=20, seed=3).descriptors
    np.testing.assert_array_equal(other, -samples[0])


def test_what_is_looked_at_can_go_on(rng):
    rows = rng.random((3000, 2))
    sample = DescriptorSample(50)
    for part in np.split(rows, 300):
        sample.add(part)
        sample.descriptors[:] = 0  # the caller's own
    np.testing.assert_array_equal(sample.descriptors, stream(rows, [], size=50).descriptors)


def test_memory_is_bounded_by_the_sample(rng):
    sample = DescriptorSample(100)
    for _ in range(300):
        sample.add(rng.random((60, 2)))
        assert sum(map(len, sample._rows)) <= 200
    assert sample.seen == 18000


def test_videos_without_descriptors_are_taken():
    sample = DescriptorSample(5)
    for _ in range(3):
        sample.add(np.zeros((0, 4)))
    assert sample.descriptors.shape == (0, 4)
    sample.add(np.ones((2, 4)))
    sample.add(np.zeros((0, 4)))
    assert sample.descriptors.shape == (2, 4)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="size must be at least 1"):
        DescriptorSample(0)
    with pytest.raises(ValueError, match="seed"):
        DescriptorSample(5, seed=-1)
    sample = DescriptorSample(5)
    with pytest.raises(ValueError, match="the sample is empty; add"):
        _ = sample.descriptors
    sample.add(np.ones((2, 4)))
    with pytest.raises(ValueError, match=r"descriptors must be \(N, 4\)"):
        sample.add(np.ones((2, 3)))
    with pytest.raises(ValueError, match="finite, row 1 is not"):
        sample.add([[0, 0, 0, 0], [0, np.nan, 0, 0]])
    with pytest.raises(TypeError, match="real numbers, got complex128"):
        sample.add(np.zeros((2, 4), complex))
    assert sample.seen == 2
