"""The histogram classifier: it separates, repeats, keeps, and names what it cannot take."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from sklearn.neural_network import MLPClassifier

from classicvid.classifier import HistogramClassifier, rotate

FAST = {"hidden": (8,), "members": 2, "max_iterations": 100}


def blobs(rng, *, classes=3, count=20, size=30):
    """Root distributions around one prototype a class, as histogram features are."""
    labels = np.tile(np.arange(classes), count)
    weights = rng.dirichlet(np.ones(size), classes)[labels] + rng.uniform(
        0, 0.03, (len(labels), size)
    )
    return np.sqrt(weights / weights.sum(axis=1, keepdims=True)).astype(np.float32), labels


@pytest.fixture
def fitted(rng):
    features, labels = blobs(rng)
    return HistogramClassifier(**FAST).fit(features, labels, classes=3), features


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("hidden", [(16,), (16, 8)])
def test_blobs_are_separated(classes, hidden, rng):
    features, labels = blobs(rng, classes=classes)
    half = len(labels) // 2
    model = HistogramClassifier(hidden=hidden).fit(features[:half], labels[:half], classes=classes)
    scores = model.predict_probabilities(features[half:])
    assert scores.shape == (len(labels) - half, classes)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)
    assert (scores.argmax(axis=1) == labels[half:]).mean() >= 0.95


@pytest.mark.parametrize("classes", [2, 4])
def test_probabilities_are_those_of_scikit_learn(classes, rng):
    features, labels = blobs(rng, classes=classes)
    options = {"hidden": (6, 5), "alpha": 0.1, "max_iterations": 30}
    ours = HistogramClassifier(**options, members=1, seed=3).fit(features, labels, classes=classes)
    scaled = (features - features.mean(axis=0)) / (features - features.mean(axis=0)).std()
    seed = int(np.random.SeedSequence(3).generate_state(1)[0])
    theirs = MLPClassifier((6, 5), alpha=0.1, max_iter=30, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs.fit(scaled, labels)
    expected = theirs.predict_proba(scaled)
    np.testing.assert_allclose(ours.predict_probabilities(features), expected, atol=1e-3)


@pytest.mark.parametrize("shape", [(5, 40), (1, 3), (6, 6), (9, 4)])
def test_turning_keeps_all_distances(shape, rng):
    vectors = rng.normal(0, 1, shape).astype(np.float32)
    vectors -= vectors.mean(axis=0)
    numbers, axes = rotate(vectors)
    np.testing.assert_allclose(numbers @ numbers.T, vectors @ vectors.T, atol=1e-4)
    if axes is None:
        assert shape[0] >= shape[1]
        return
    assert numbers.shape[1] <= max(shape[0] - 1, 1)
    np.testing.assert_allclose(axes.T @ axes, np.eye(axes.shape[1]), atol=1e-4)
    np.testing.assert_allclose(numbers @ axes.T, vectors, atol=1e-4)


def test_a_network_on_turned_features_is_one_on_the_features(rng):
    """The weights that are kept are those of the features, whatever it was trained on."""
    features, labels = blobs(rng, count=8, size=200)
    ours = HistogramClassifier(**FAST, seed=2).fit(features, labels, classes=3)
    centred = features - features.mean(axis=0)
    numbers, axes = rotate(centred)
    turned = HistogramClassifier(**FAST, seed=2).fit(numbers, labels, classes=3)
    new, _ = blobs(rng, count=4, size=200)
    expected = turned.predict_probabilities((new - features.mean(axis=0)) @ axes)
    np.testing.assert_allclose(ours.predict_probabilities(new), expected, atol=2e-3)
    assert ours.parameters == 2 * (200 * 8 + 8 + 8 * 3 + 3)


def test_the_learning_rate_is_the_step_of_adam(rng):
    features, labels = blobs(rng)
    rates = (1e-12, 1e-3)
    still, moved = (
        HistogramClassifier(**FAST, learning_rate=rate).fit(features, labels, classes=3)
        for rate in rates
    )
    hits = [
        (model.predict_probabilities(features).argmax(axis=1) == labels).mean()
        for model in (still, moved)
    ]
    assert hits[0] < hits[1] > 0.9


def test_one_seed_gives_one_model(rng):
    features, labels = blobs(rng)
    scores = [
        HistogramClassifier(**FAST, seed=seed)
        .fit(features, labels, classes=3)
        .predict_probabilities(features)
        for seed in (5, 5, 6)
    ]
    np.testing.assert_array_equal(scores[0], scores[1])
    assert (scores[0] != scores[2]).any()


def test_the_unit_of_features_does_not_matter(rng):
    features, labels = blobs(rng)
    scores = [
        HistogramClassifier(**FAST)
        .fit(scale * features, labels, classes=3)
        .predict_probabilities(scale * features)
        for scale in (1, 1024)
    ]
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-4)


def test_a_class_without_videos_gets_zero(rng):
    features, labels = blobs(rng)
    model = HistogramClassifier(**FAST).fit(features, 2 * labels, classes=6)
    scores = model.predict_probabilities(features)
    assert not scores[:, [1, 3, 5]].any()
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)
    assert (scores.argmax(axis=1) == 2 * labels).mean() > 0.9


def test_a_single_known_class_is_certain(rng, tmp_path):
    features, labels = blobs(rng, classes=1)
    model = HistogramClassifier(**FAST).fit(features, labels + 1, classes=3)
    model.save(tmp_path)
    for classifier in (model, HistogramClassifier.load(tmp_path)):
        scores = classifier.predict_probabilities(features)
        np.testing.assert_array_equal(scores, np.tile(np.float32([0, 1, 0]), (len(labels), 1)))


def test_one_video_a_class_and_equal_videos_are_enough(rng):
    features = np.ones((2, 5), np.float32)
    model = HistogramClassifier(**FAST).fit(features, [0, 1], classes=2)
    assert np.isfinite(model.predict_probabilities(rng.normal(0, 1, (3, 5)))).all()


def test_no_warning_leaks(rng):
    features, labels = blobs(rng)
    with warnings.catch_warnings(record=True) as leaked:
        warnings.simplefilter("always")
        HistogramClassifier(max_iterations=1).fit(features, labels, classes=3)
    assert leaked == []


def test_no_video_has_no_scores(fitted):
    assert fitted[0].predict_probabilities(np.zeros((0, 30))).shape == (0, 3)


def test_what_is_saved_comes_back(fitted, tmp_path):
    model, features = fitted
    model.save(tmp_path / "new" / "folder")
    loaded = HistogramClassifier.load(tmp_path / "new" / "folder")
    expected = model.predict_probabilities(features)
    np.testing.assert_array_equal(loaded.predict_probabilities(features), expected)
    assert loaded.parameters == model.parameters == 2 * (30 * 8 + 8 + 8 * 3 + 3)
    assert loaded.hidden == (8,)


def change_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def change_tensors(folder, **changes):
    path = folder / "model.safetensors"
    tensors = {**load_file(path), **changes}
    save_file({name: array for name, array in tensors.items() if array is not None}, path)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: change_config(folder, hidden=[9]), "weights0 must be"),
        (lambda folder: change_config(folder, hidden=[8, 8]), "tensors must be"),
        (lambda folder: change_config(folder, features=29), "mean must be"),
        (lambda folder: change_config(folder, classes=2), "known must be from 0 to 1"),
        (lambda folder: change_config(folder, members="2"), "members must be a whole number"),
        (lambda folder: change_tensors(folder, known=None), "no 'known'"),
        (lambda folder: change_tensors(folder, known=np.array([0, 2, 1])), "must rise"),
        (lambda folder: change_tensors(folder, mean=np.full(30, np.nan, np.float32)), "finite"),
        (lambda folder: (folder / "config.json").write_text("{"), "no saved classifier"),
        (lambda folder: (folder / "config.json").write_text("[]"), "no saved classifier"),
        (lambda folder: (folder / "config.json").write_bytes(b"\xff\xfe"), "no saved classifier"),
        (lambda folder: (folder / "config.json").write_text("{}"), "no 'hidden'"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"0" * 50), "no saved"),
    ],
)
def test_a_damaged_model_is_refused(damage, words, fitted, tmp_path):
    fitted[0].save(tmp_path)
    damage(tmp_path)
    with pytest.raises(ValueError, match=words):
        HistogramClassifier.load(tmp_path)


def test_an_absent_model_is_named(fitted, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds no config\.json"):
        HistogramClassifier.load(tmp_path)
    fitted[0].save(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"holds no model\.safetensors"):
        HistogramClassifier.load(tmp_path)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"hidden": 64}, TypeError, r"hidden must be a sequence .* got 64"),
        ({"hidden": ()}, TypeError, "hidden must be a sequence"),
        ({"hidden": (0,)}, ValueError, "hidden must be at least 1"),
        ({"alpha": -1.0}, ValueError, "alpha must be at least 0"),
        ({"learning_rate": 0.0}, ValueError, "learning_rate must be above 0"),
        ({"max_iterations": 0}, ValueError, "max_iterations"),
        ({"members": 0}, ValueError, "members"),
        ({"seed": -1}, ValueError, "seed"),
    ],
)
def test_bad_options_are_named(options, error, words):
    with pytest.raises(error, match=words):
        HistogramClassifier(**options)


@pytest.mark.parametrize(
    ("features", "labels", "error", "words"),
    [
        (np.zeros(4), [0] * 4, ValueError, r"features must be \(N, D\)"),
        (np.full((2, 3), np.nan), [0, 1], ValueError, "row 0 is not"),
        (np.full((2, 3), 1e300), [0, 1], ValueError, "row 0 is not"),
        (np.full((2, 3), "a"), [0, 1], TypeError, "real numbers"),
        (np.zeros((2, 3)), [0], ValueError, "got 2 and 1"),
        (np.zeros((0, 3)), np.zeros(0, int), ValueError, "got 0 and 0"),
        (np.zeros((2, 3)), [0, 2], ValueError, "labels must be from 0 to 1, got 2"),
    ],
)
def test_bad_training_data_are_named(features, labels, error, words):
    with pytest.raises(error, match=words):
        HistogramClassifier().fit(features, labels, classes=2)


def test_use_before_training_and_wrong_size_are_named(fitted, tmp_path):
    for act in (lambda m: m.predict_probabilities(np.zeros((1, 3))), lambda m: m.save(tmp_path)):
        with pytest.raises(ValueError, match="not fitted"):
            act(HistogramClassifier())
    with pytest.raises(ValueError, match=r"features must be \(N, 30\)"):
        fitted[0].predict_probabilities(np.zeros((1, 31)))
