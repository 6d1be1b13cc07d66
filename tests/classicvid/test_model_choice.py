"""The choice of a model: it finds what tells classes apart, and only looks at what it is given."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
from sklearn.metrics import log_loss

from classicvid import model_choice
from classicvid.classifier import HistogramClassifier
from classicvid.model_choice import choose_model


@pytest.fixture(autouse=True)
def few_passes(monkeypatch):
    monkeypatch.setattr(model_choice, "_MOST_PASSES", 60)


def videos(rng, *, classes=3, groups=8, count=48, size=20):
    """Channels: one of the class, one of the recording and one of nothing."""
    labels = np.arange(count) % classes
    recording = np.arange(count) * groups // count
    signal = np.eye(classes)[labels] + rng.normal(0, 0.3, (count, classes))
    scene = np.eye(groups)[recording] * 4 + rng.normal(0, 0.1, (count, groups))
    features = {"signal": signal, "scene": scene, "noise": rng.normal(0, 1, (count, size))}
    return features, labels, [f"recording {number}" for number in recording]


def test_the_channel_that_tells_classes_apart_is_chosen(rng):
    features, labels, groups = videos(rng)
    subsets = (("noise",), ("signal",), ("scene",), ("scene", "noise"))
    choice = choose_model(features, labels, classes=3, groups=groups, subsets=subsets)
    assert choice.channels == ("signal",)
    by_channels = {tuple(trial["channels"]): trial for trial in choice.tried}
    assert by_channels["signal",]["accuracy"] > 0.9
    assert by_channels["noise",]["accuracy"] < 0.6


def test_a_scene_that_gives_the_recording_away_gives_nothing(rng):
    """Each recording holds one class: its scene says all, unless whole recordings are left out."""
    features, _, groups = videos(rng, groups=12)
    labels = np.array([int(name.split()[1]) % 3 for name in groups])
    subset = (("scene",),)
    choice = choose_model(features, labels, classes=3, groups=groups, subsets=subset)
    assert max(trial["accuracy"] for trial in choice.tried) < 0.6
    alone = [str(number) for number in range(len(labels))]
    choice = choose_model(features, labels, classes=3, groups=alone, subsets=subset)
    assert max(trial["accuracy"] for trial in choice.tried) > 0.9


def test_the_best_of_what_was_tried_is_chosen(rng):
    features, labels, groups = videos(rng)
    choice = choose_model(features, labels, classes=3, groups=groups)
    best = min(choice.tried, key=lambda trial: trial["log_loss"])
    assert {name: best[name] for name in choice.options} == choice.options
    assert choice.channels == tuple(features) == tuple(best["channels"])
    # One subset, then three more of the first row and two of the second.
    assert len(choice.tried) == 6
    assert json.loads(json.dumps(asdict(choice)))["channels"] == list(features)
    HistogramClassifier(**choice.options)


def test_the_loss_is_that_of_videos_left_out(rng, monkeypatch):
    """Nothing is predicted by a network that saw it or another video of its group."""
    features, labels, groups = videos(rng)
    names, seen = np.array(groups), []
    inputs = features["signal"] - features["signal"].mean(axis=0)

    class Witness(HistogramClassifier):
        def fit(self, vectors, targets, **options):
            self.rows = [int(np.abs(inputs - row).sum(axis=1).argmin()) for row in vectors]
            return super().fit(vectors, targets, **options)

        def predict_probabilities(self, vectors):
            rows = [int(np.abs(inputs - row).sum(axis=1).argmin()) for row in vectors]
            assert not set(names[rows]) & set(names[self.rows])
            scores = super().predict_probabilities(vectors)
            seen.append((rows, scores))
            return scores

    monkeypatch.setattr(model_choice, "HistogramClassifier", Witness)
    signal = {"signal": features["signal"].astype(np.float32)}
    choice = choose_model(signal, labels, classes=3, groups=groups)
    first = sorted(row for rows, _ in seen[:3] for row in rows)
    assert first == list(range(len(labels)))
    expected = sum(
        len(rows) * log_loss(labels[rows], np.clip(scores, 0.01, None), labels=[0, 1, 2])
        for rows, scores in seen[:3]
    )
    # scikit-learn makes the clipped rows sum to 1 again, which moves the loss a little.
    assert choice.tried[0]["log_loss"] == pytest.approx(expected / len(labels), rel=0.02)


def test_one_seed_gives_one_choice(rng):
    features, labels, groups = videos(rng)
    first, again, other = (
        choose_model(features, labels, classes=3, groups=groups, seed=seed) for seed in (1, 1, 2)
    )
    assert first == again
    assert first.tried != other.tried


def test_two_groups_make_two_folds_and_one_group_is_taken_apart(rng):
    features, labels, _ = videos(rng)
    for groups in (["a"] * 24 + ["b"] * 24, ["a"] * 48):
        choice = choose_model(features, labels, classes=3, groups=groups)
        assert len(choice.tried) == 6


@pytest.mark.parametrize("labels", [[0], [0, 1], [1, 0, 2]])
def test_with_too_few_videos_the_first_is_taken_untried(labels):
    count = len(labels)
    features = {"a": np.ones((count, 3)), "b": np.zeros((count, 2))}
    names = [str(n) for n in range(count)]
    subsets = (("b",), ("a",))
    choice = choose_model(features, labels, classes=3, groups=names, subsets=subsets)
    assert choice.tried == ()
    assert choice.channels == ("b",)
    model = HistogramClassifier(**choice.options).fit(features["b"], labels, classes=3)
    assert np.isfinite(model.predict_probabilities(features["b"])).all()


def test_a_class_of_one_video_and_an_empty_class_do_not_stop_it(rng):
    features, labels, groups = videos(rng)
    labels = np.where(np.arange(len(labels)) == 5, 3, labels)
    choice = choose_model(features, labels, classes=6, groups=groups)
    assert all(np.isfinite(trial["log_loss"]) for trial in choice.tried)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"features": {}}, ValueError, "one entry a video"),
        ({"labels": [0, 1]}, ValueError, "one entry a video"),
        ({"groups": ["a"]}, ValueError, "one entry a video"),
        ({"features": {"x": np.ones((3, 2))}}, ValueError, "x must have 4 rows"),
        ({"features": {"x": np.full((4, 2), np.nan)}}, ValueError, "x must be finite"),
        ({"labels": [0, 1, 2, 0]}, ValueError, "labels must be from 0 to 1"),
        ({"subsets": [("x", "y")]}, ValueError, "among x; got 'y'"),
        ({"subsets": [()]}, ValueError, "among x; got none"),
        ({"folds": 1}, ValueError, "folds must be at least 2"),
        ({"seed": -1}, ValueError, "seed must be from 0"),
    ],
)
def test_bad_input_is_named(change, error, words):
    options = {
        "features": {"x": np.ones((4, 2))},
        "labels": [0, 1, 0, 1],
        "groups": ["a", "b", "c", "d"],
        "classes": 2,
        **change,
    }
    with pytest.raises(error, match=words):
        choose_model(options.pop("features"), options.pop("labels"), **options)
