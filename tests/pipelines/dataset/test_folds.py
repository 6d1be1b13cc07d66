"""Data sets go in; their digest and folds that tear no group come out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipelines.dataset import (
    Dataset,
    Video,
    default_protocol,
    load_dataset,
    make_folds,
)
from tests.pipelines.dataset.examples import make_files


def make_dataset(labels, *, groups=None, splits=None) -> Dataset:
    count = len(labels)
    groups, splits = groups or [None] * count, splits or [None] * count
    videos = tuple(
        Video(Path(f"{n}.mp4"), f"{label}/{n:03d}", label, group, split)
        for n, (label, group, split) in enumerate(zip(labels, groups, splits, strict=True))
    )
    classes = tuple(sorted(set(labels)))
    return Dataset(Path(), videos, classes, np.array([classes.index(label) for label in labels]))


def test_videos_that_fail_are_left_out_and_their_classes_stay():
    dataset = make_dataset(["a", "b", "b", "c"])
    rest = dataset.without(["b/001", "c/003", "no such video"])
    assert rest.names == ("a/000", "b/002")
    assert rest.classes == ("a", "b", "c")
    assert rest.labels.tolist() == [0, 1]
    assert dataset.without(dataset.names).labels.shape == (0,)


def test_the_digest_tells_data_sets_apart(tmp_path):
    digests = set()
    for number, (label, group, split, size) in enumerate(
        [
            ("a", None, None, 1),
            ("b", None, None, 1),
            ("a", "g", None, 1),
            ("a", None, "train", 1),
            ("a", None, None, 2),
            ("a", "None", None, 1),
        ]
    ):
        path = tmp_path / str(number)
        path.write_bytes(bytes(size))
        videos = (Video(path, "x", label, group, split),)
        digests.add(Dataset(tmp_path, videos, (label,), np.zeros(1, np.int64)).digest())
    assert len(digests) == 6


def test_the_digest_stays_when_a_data_set_moves(tmp_path):
    here, there = (make_files(tmp_path / n, "a/x.mp4", "b/y.mp4") for n in ("here", "there"))
    assert load_dataset(here).digest() == load_dataset(there).digest()


def assert_folds_are_sound(dataset, folds):
    groups = np.array(dataset.groups)
    for fold in folds:
        assert len(fold.train) > 0
        assert len(fold.test) > 0
        assert not set(groups[fold.train]) & set(groups[fold.test])
        assert not set(fold.train) & set(fold.test)
    assert len({fold.name for fold in folds}) == len(folds)


@pytest.mark.parametrize("folds", [2, 3, 5])
def test_group_k_fold_tests_each_video_once_and_tears_no_group(rng, folds):
    labels = list("abc") * 20
    groups = [f"g{n}" for n in rng.integers(0, 12, 60)]
    dataset = make_dataset(labels, groups=groups)
    made = make_folds(dataset, protocol="group-k-fold", folds=folds)
    assert_folds_are_sound(dataset, made)
    assert sorted(np.concatenate([fold.test for fold in made])) == list(range(60))
    for fold in made:
        assert len(fold.train) + len(fold.test) == 60


def test_videos_without_a_group_are_dealt_out_by_class():
    dataset = make_dataset(["a"] * 20 + ["b"] * 10)
    for fold in make_folds(dataset, protocol="group-k-fold", folds=5):
        assert np.bincount(dataset.labels[fold.test]).tolist() == [4, 2]


def test_folds_depend_on_the_seed_alone():
    dataset = make_dataset(["a", "b"] * 20)
    first, again, other = (
        [f.test.tolist() for f in make_folds(dataset, protocol="group-k-fold", seed=seed)]
        for seed in (3, 3, 4)
    )
    assert first == again != other


def test_leave_one_group_out_tests_each_group():
    dataset = make_dataset(list("abab") * 3, groups=[f"g{n}" for n in (0, 0, 1, 1, 2, 2) * 2])
    made = make_folds(dataset, protocol="leave-one-group-out")
    assert [fold.name for fold in made] == ["g0", "g1", "g2"]
    assert_folds_are_sound(dataset, made)
    assert [fold.test.tolist() for fold in made] == [[0, 1, 6, 7], [2, 3, 8, 9], [4, 5, 10, 11]]


def test_the_split_of_the_data_set_leaves_unmarked_videos_out():
    splits = ["train", "train", "test", None, "test"]
    dataset = make_dataset(list("abaab"), splits=splits)
    assert default_protocol(dataset) == "split"
    (fold,) = make_folds(dataset, protocol="split")
    assert (fold.train.tolist(), fold.test.tolist()) == ([0, 1], [2, 4])


def test_without_a_split_the_protocol_is_group_k_fold():
    assert default_protocol(make_dataset(["a", "b"])) == "group-k-fold"


@pytest.mark.parametrize(
    ("dataset", "options", "words"),
    [
        (make_dataset(list("ab") * 5), {"protocol": "shuffle"}, "protocol must be one of split"),
        (make_dataset(list("ab") * 5), {"protocol": "split"}, "column 'split'"),
        (
            make_dataset(list("ab"), splits=["train", "train"]),
            {"protocol": "split"},
            "marked train and test",
        ),
        (
            make_dataset(list("aab"), splits=["train", "train", "test"]),
            {"protocol": "split"},
            "trains on 1 class",
        ),
        (
            make_dataset(list("abab"), groups=["g", "g", "h", None]),
            {"protocol": "leave-one-group-out"},
            "needs a group for each video",
        ),
        (
            make_dataset(list("aabb"), groups=list("gghh")),
            {"protocol": "leave-one-group-out"},
            "trains on 1 class",
        ),
        (
            make_dataset(list("abab"), groups=list("gggg")),
            {"protocol": "leave-one-group-out"},
            "trains on 0 class",
        ),
        (
            make_dataset(list("ab") * 9, groups=list("ghi") * 6),
            {"protocol": "group-k-fold", "folds": 4},
            "folds must be from 2 to 3,.*got 4",
        ),
        (
            make_dataset(list("ab") * 9),
            {"protocol": "group-k-fold", "folds": 1},
            "folds must be from 2 to 9,.*got 1",
        ),
        (
            make_dataset(list("abc")),
            {"protocol": "group-k-fold", "folds": 3},
            "folds must be from 2 to 1,.*got 3",
        ),
        (
            make_dataset(list("aabb"), groups=list("gghh")),
            {"protocol": "group-k-fold", "folds": 2},
            "trains on 1 class",
        ),
    ],
)
def test_folds_that_would_teach_nothing_are_refused(dataset, options, words):
    with pytest.raises(ValueError, match=words):
        make_folds(dataset, **options)


def test_a_class_with_fewer_videos_than_folds_is_dealt_out_without_a_warning():
    dataset = make_dataset(["a"] * 10 + ["b"] * 10 + ["c"])
    made = make_folds(dataset, protocol="group-k-fold", folds=5)
    assert_folds_are_sound(dataset, made)
    assert sum(len(fold.test) for fold in made) == 21


def test_train_and_test_folders_of_classes_are_a_split(tmp_path):
    for part in ("train", "test"):
        for label in ("jump", "run"):
            (tmp_path / part / label).mkdir(parents=True)
            (tmp_path / part / label / "a.mp4").write_bytes(b"x")
    dataset = load_dataset(tmp_path)
    assert dataset.classes == ("jump", "run")
    assert len(set(dataset.names)) == 4
    (fold,) = make_folds(dataset, protocol="split")
    assert [dataset.videos[row].path.parent.parent.name for row in fold.test] == ["test"] * 2
