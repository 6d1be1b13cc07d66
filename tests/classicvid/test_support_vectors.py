"""Support vector machines: scikit-learn's decisions, classes without videos, files, refusals."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import SVC

from classicvid.support_vectors import KERNELS, SupportVectorClassifier

CHANNELS = [6, 9]


@pytest.fixture
def histograms(rng) -> tuple[np.ndarray, np.ndarray]:
    """Three classes of histograms in two channels, each of which sums to 1."""
    labels = np.repeat([0, 1, 2], 12)
    centres = rng.dirichlet(np.ones(15), 3)
    rows = np.array([rng.dirichlet(200 * centres[label] + 0.5) for label in labels])
    parts = [part / part.sum(axis=1, keepdims=True) for part in np.split(rows, [6], axis=1)]
    return np.hstack(parts).astype(np.float32), labels


def fit(histograms, **options) -> SupportVectorClassifier:
    rows, labels = histograms
    return SupportVectorClassifier(**options).fit(rows, labels, classes=3, channels=CHANNELS)


def test_linear_is_scikit_learns(histograms):
    rows, labels = histograms
    oracle = OneVsRestClassifier(SVC(kernel="linear", C=10.0)).fit(rows[::2], labels[::2])
    model = SupportVectorClassifier(C=10.0).fit(rows[::2], labels[::2], classes=3)
    wanted = oracle.decision_function(rows[1::2])
    np.testing.assert_allclose(model.decision_values(rows[1::2]), wanted, atol=2e-3)


def test_two_classes_have_opposite_values(histograms):
    rows, labels = histograms
    two = labels < 2
    model = SupportVectorClassifier().fit(rows[two], labels[two], classes=2)
    values = model.decision_values(rows[two])
    np.testing.assert_allclose(values[:, 0], -values[:, 1], atol=2e-3)
    assert (values.argmax(axis=1) == labels[two]).all()


def test_the_chi_square_kernel_is_the_formula(histograms):
    rows, labels = histograms
    train, test = rows[::2], rows[1::2]
    model = SupportVectorClassifier(kernel="chi-square", C=5.0)
    model.fit(train, labels[::2], classes=3, channels=CHANNELS)

    def distances(first, second, mean_of):
        total = np.zeros((len(first), len(second)))
        for part in (slice(0, 6), slice(6, 15)):
            table = naive_distances(mean_of[:, part], mean_of[:, part])
            mean = table.sum() / (len(mean_of) * (len(mean_of) - 1))
            total += naive_distances(first[:, part], second[:, part]) / mean / 2
        return np.exp(-total)

    machine = OneVsRestClassifier(SVC(kernel="precomputed", C=5.0))
    machine.fit(distances(train, train, train), labels[::2])
    wanted = machine.decision_function(distances(test, train, train))
    np.testing.assert_allclose(model.decision_values(test), wanted, atol=2e-3)


def naive_distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.array(
            [[np.nansum((x - y) ** 2 / (x + y)) / 2 for y in second] for x in first], np.float64
        )


@pytest.mark.parametrize("kernel", KERNELS)
def test_it_tells_the_classes_apart(histograms, kernel):
    rows, labels = histograms
    model = SupportVectorClassifier(kernel=kernel)
    model.fit(rows[::2], labels[::2], classes=3, channels=CHANNELS)
    shares = model.predict_probabilities(rows[1::2])
    assert (shares.argmax(axis=1) == labels[1::2]).mean() > 0.9
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-6)
    order = np.argsort(model.decision_values(rows[1::2]), axis=1)
    np.testing.assert_array_equal(np.argsort(shares, axis=1), order)


def test_many_channels_do_not_blind_the_kernel(histograms):
    """With a sum over channels in the exponent, 200 copies of a channel would tell nothing."""
    rows, labels = histograms
    many = np.tile(rows, 100)
    model = SupportVectorClassifier(kernel="chi-square")
    model.fit(many[::2], labels[::2], classes=3, channels=CHANNELS * 100)
    once = fit((rows[::2], labels[::2]), kernel="chi-square")
    np.testing.assert_allclose(
        model.decision_values(many[1::2]), once.decision_values(rows[1::2]), atol=5e-3
    )


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_class_without_videos_is_the_least_likely(histograms, kernel):
    rows, labels = histograms
    model = SupportVectorClassifier(kernel=kernel).fit(rows, labels + 1, classes=5)
    values = model.decision_values(rows)
    assert (values[:, [0, 4]] < values[:, 1:4].min(axis=1, keepdims=True)).all()


@pytest.mark.parametrize("kernel", KERNELS)
def test_one_known_class_is_always_chosen(histograms, kernel):
    rows, _ = histograms
    model = SupportVectorClassifier(kernel=kernel).fit(rows, np.ones(len(rows), int), classes=2)
    assert (model.predict_probabilities(rows).argmax(axis=1) == 1).all()


@pytest.mark.parametrize("kernel", KERNELS)
def test_vectors_of_zeros_are_scored(histograms, kernel):
    rows, labels = histograms
    rows[3] = 0
    model = SupportVectorClassifier(kernel=kernel)
    model.fit(rows, labels, classes=3, channels=CHANNELS)
    assert np.isfinite(model.decision_values(np.zeros((2, 15)))).all()
    blind = SupportVectorClassifier(kernel=kernel).fit(rows * 0, labels, classes=3)
    assert np.isfinite(blind.decision_values(rows * 0)).all()


@pytest.mark.parametrize("kernel", KERNELS)
def test_what_is_saved_is_loaded(histograms, kernel, tmp_path):
    model = fit(histograms, kernel=kernel)
    model.save(tmp_path / "model")
    loaded = SupportVectorClassifier.load(tmp_path / "model")
    rows = histograms[0]
    np.testing.assert_array_equal(loaded.decision_values(rows), model.decision_values(rows))


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("classes", 2, "known must be from 0 to 1"),
        ("known", [0, 2, 1], "known classes must rise"),
        ("channels", [6, 8], "channels must sum to 15, got 14"),
        ("features", 14, "channels must sum to 14"),
        ("options", {"kernel": "cubic"}, "kernel must be one of linear, chi-square"),
        ("encoder", "Codebook", "a 'Codebook' wrote it"),
    ],
)
def test_a_damaged_model_is_refused(histograms, tmp_path, key, value, text):
    fit(histograms, kernel="chi-square").save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, key: value}))
    with pytest.raises(ValueError, match=text):
        SupportVectorClassifier.load(tmp_path)


def test_arrays_that_do_not_fit_are_refused(histograms, tmp_path):
    fit(histograms).save(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    save_file({**tensors, "biases": tensors["biases"][:2]}, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match=r"biases must be \(3,\)"):
        SupportVectorClassifier.load(tmp_path)
    with pytest.raises(FileNotFoundError):
        SupportVectorClassifier.load(tmp_path / "nowhere")


def test_arguments_are_checked(histograms):
    rows, labels = histograms
    with pytest.raises(ValueError, match="kernel must be one of"):
        SupportVectorClassifier(kernel="cubic")
    with pytest.raises(ValueError, match="C must be above 0"):
        SupportVectorClassifier(C=0)
    model = SupportVectorClassifier()
    with pytest.raises(ValueError, match="not fitted"):
        model.decision_values(rows)
    with pytest.raises(ValueError, match="one row a video, at least one, got 36 and 35"):
        model.fit(rows, labels[:-1], classes=3)
    with pytest.raises(ValueError, match="labels must be from 0 to 1"):
        model.fit(rows, labels, classes=2)
    model.fit(rows, labels, classes=3)
    with pytest.raises(ValueError, match=r"features must be \(N, 15\)"):
        model.decision_values(rows[:, :3])
