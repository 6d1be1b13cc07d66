"""Feature histograms of a fold: words from training videos alone, distributions, what is kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from classicvid import model_choice
from classicvid.descriptors import LOCAL_CHANNELS, describe_frames
from pipelines import bags, evaluate, train
from pipelines.bags import feature_channels, histogram_subsets, learn_codebooks, load_choice
from pipelines.dataset import Dataset, Fold, Video
from pipelines.recipes import CompareRecipe
from pipelines.run_folder import FoldTask, RunFolder
from pipelines.store import read_json, write_arrays

SIZES = {"hog_dense": 72, "hog_corners": 72, "texton_dense": 9, "texton_corners": 9, "cuboids": 20}
CELLS = 1 + 4 + 2


def describe(rng, label):
    """Random descriptors that lean towards their class in one channel."""
    arrays = {name: np.sqrt(rng.dirichlet(np.ones(12))) for name in bags.GRID_CHANNELS}
    arrays |= {"hue_saturation": rng.dirichlet(np.ones(10)), "colour_moments": rng.normal(0, 1, 9)}
    for name, size in SIZES.items():
        rows = rng.normal(0, 1, (30, size))
        if name == "texton_dense":
            rows[:, 0] += 6 * label
        arrays |= {name: rows, f"{name}_positions": rng.random((30, 3))}
    return {name: array.astype(np.float32) for name, array in arrays.items()}


@pytest.fixture
def task(tmp_path, rng, monkeypatch):
    monkeypatch.setattr(bags, "_WORDS", {"tiny": 8, "paper": 16})
    monkeypatch.setattr(model_choice, "_MOST_PASSES", 40)
    labels = np.arange(30) % 2
    videos = tuple(
        Video(Path(f"{n}.mp4"), f"{label}/{n}", str(label), f"g{n // 5}")
        for n, label in enumerate(labels)
    )
    run = RunFolder(tmp_path / "run")
    for video, label in zip(videos, labels, strict=True):
        write_arrays(run.features(video.name), describe(rng, label))
    dataset = Dataset(tmp_path, videos, ("0", "1"), labels)
    fold = Fold("1-of-2", np.arange(20), np.arange(20, 30))
    return FoldTask(run, dataset, fold, 1, "feature-histograms", CompareRecipe())


def test_every_histogram_sums_to_one(task):
    channels = feature_channels(task, task.fold.test, learn_codebooks(task))
    assert tuple(channels) == bags.SUBSETS[0]
    for name in LOCAL_CHANNELS:
        assert channels[name].shape == (10, CELLS * 8)
        squares = np.square(channels[name])
        for part in np.split(squares, [8, 40], axis=1):  # whole, quarters, halves in time
            np.testing.assert_allclose(part.sum(axis=1), 1, atol=1e-5)
    for name in ("hog", "hue_saturation"):
        np.testing.assert_allclose(np.square(channels[name]).sum(axis=1), 1, atol=1e-5)


def test_words_come_from_training_videos_alone(task, rng):
    before = learn_codebooks(task)
    for name in task.names(task.fold.test):
        write_arrays(task.run.features(name), describe(rng, 50))
    after = learn_codebooks(task)
    assert set(before) == set(LOCAL_CHANNELS)
    for name, book in before.items():
        np.testing.assert_array_equal(after[name].words_, book.words_)


def test_what_tells_the_classes_apart_is_found_kept_and_used(task):
    train.run(task)
    folder = task.folder / "model"
    names, books = load_choice(folder)
    choice = read_json(folder / "choice.json")
    assert tuple(choice["channels"]) == names
    assert "texton_dense" in names
    assert sorted(path.name for path in (folder / "codebooks").iterdir()) == sorted(books)
    config = read_json(folder / "config.json")
    assert {name: config[name] for name in choice["options"]} == choice["options"]
    assert len(choice["tried"]) >= len(bags.SUBSETS)
    assert set(read_json(task.folder / "train.json")) == {"parameters", "train_seconds"}
    evaluate.run(task)
    assert read_json(task.folder / "evaluate.json")["clips"] == 10
    with np.load(task.folder / "scores.npz") as scores:
        hits = scores["video_scores"].argmax(axis=1) == task.dataset.labels[task.fold.test]
    assert hits.all()


def test_test_videos_are_not_read_in_training(task):
    for name in task.names(task.fold.test):
        task.run.features(name).unlink()
    train.run(task)
    assert (task.folder / "train.json").exists()


def test_a_channel_without_descriptors_is_left_out(task):
    still = {
        name: array.astype(np.float16) if name in LOCAL_CHANNELS else array
        for name, array in describe_frames(np.full((2, 8, 8, 3), 50, np.uint8)).items()
    }
    for name in task.names(np.arange(30)):
        write_arrays(task.run.features(name), still)
    books = learn_codebooks(task)
    assert set(books) == {"hog_dense", "texton_dense"}
    channels = feature_channels(task, task.fold.test, books)
    assert "cuboids" not in channels
    assert all(np.isfinite(vectors).all() for vectors in channels.values())
    subsets = histogram_subsets(channels)
    assert len(set(subsets)) == len(subsets) == 3
    assert set(subsets[0]) == set(channels)
    train.run(task)
    evaluate.run(task)
    assert (task.folder / "scores.npz").exists()


def test_a_video_without_descriptors_of_a_channel_has_zeros(task):
    name = task.names(task.fold.test)[0]
    arrays = describe(np.random.default_rng(0), 0)
    arrays["cuboids"], arrays["cuboids_positions"] = np.zeros((0, 20)), np.zeros((0, 3))
    books = learn_codebooks(task)
    write_arrays(task.run.features(name), arrays)
    channels = feature_channels(task, task.fold.test, books)
    assert not channels["cuboids"][0].any()
    assert channels["cuboids"][1].any()


def test_larger_networks_have_larger_codebooks(task):
    large = FoldTask(task.run, task.dataset, task.fold, 1, task.method, CompareRecipe(size="paper"))
    assert len(learn_codebooks(large)["hog_dense"].words_) == 16
