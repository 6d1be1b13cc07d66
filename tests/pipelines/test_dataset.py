"""Folders and tables with every trap we know go in; named videos, labels and folds come out."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from pipelines.dataset import (
    Dataset,
    Video,
    default_protocol,
    find_videos,
    load_dataset,
    make_folds,
)


def make_files(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"video")
    return root


def make_table(root: Path, text: str | bytes, name: str = "videos.csv") -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return root / name


def found(source) -> dict[str, str | None]:
    return {video.name: video.label for video in find_videos(source)}


def make_dataset(labels, *, groups=None, splits=None) -> Dataset:
    count = len(labels)
    groups, splits = groups or [None] * count, splits or [None] * count
    videos = tuple(
        Video(Path(f"{n}.mp4"), f"{label}/{n:03d}", label, group, split)
        for n, (label, group, split) in enumerate(zip(labels, groups, splits, strict=True))
    )
    classes = tuple(sorted(set(labels)))
    return Dataset(Path(), videos, classes, np.array([classes.index(label) for label in labels]))


# Folders


def test_class_folders_give_labels_and_names_in_order(tmp_path):
    make_files(tmp_path, "walk/b.AVI", "walk/a.mp4", "run/a.mkv", "run/notes.txt", "readme.md")
    assert list(found(tmp_path).items()) == [
        ("run/a", "run"),
        ("walk/a", "walk"),
        ("walk/b", "walk"),
    ]
    dataset = load_dataset(tmp_path)
    assert dataset.classes == ("run", "walk")
    assert dataset.labels.tolist() == [0, 1, 1]
    assert dataset.root == tmp_path
    assert all(video.path.is_file() for video in dataset.videos)


def test_a_folder_of_videos_has_no_labels(tmp_path):
    make_files(tmp_path, "b.mp4", "a.mp4")
    assert found(tmp_path) == {"a": None, "b": None}
    with pytest.raises(ValueError, match=r"a has no label \(2 of 2 videos\)"):
        load_dataset(tmp_path)


def test_a_stray_video_beside_the_classes_is_named(tmp_path):
    make_files(tmp_path, "walk/a.mp4", "run/a.mp4", "stray.mp4")
    with pytest.raises(ValueError, match=r"stray has no label \(1 of 3 videos\)"):
        load_dataset(tmp_path)


def test_one_video_is_taken_by_itself(tmp_path):
    make_files(tmp_path, "a b.weird")
    (video,) = find_videos(tmp_path / "a b.weird")
    assert (video.name, video.label) == ("a b", None)


def test_hidden_files_and_folders_are_left_out(tmp_path):
    make_files(
        tmp_path,
        "walk/a.mp4",
        "walk/._a.mp4",
        "walk/.trash/b.mp4",
        ".cache/c.mp4",
        ".d.mp4",
        "run/a.mp4",
    )
    assert set(found(tmp_path)) == {"walk/a", "run/a"}


def test_folders_within_a_class_belong_to_it(tmp_path):
    make_files(tmp_path, "walk/v_01/x1.mpg", "walk/v_01/deep/x2.mpg", "run/r.mpg")
    assert found(tmp_path) == {"walk/x1": "walk", "walk/x2": "walk", "run/r": "run"}


def test_a_shared_stem_is_told_apart_by_the_full_name_then_by_the_folder(tmp_path):
    make_files(
        tmp_path,
        "walk/a.mp4",
        "walk/a.avi",
        "walk/only.mp4",
        "walk/p/video.mp4",
        "walk/q/video.mp4",
        "run/a.mp4",
    )
    names = {str(v.path.relative_to(tmp_path)): v.name for v in find_videos(tmp_path)}
    assert names == {
        "walk/a.mp4": "walk/a.mp4",
        "walk/a.avi": "walk/a.avi",
        "walk/only.mp4": "walk/only",
        "walk/p/video.mp4": "walk/p_video.mp4",
        "walk/q/video.mp4": "walk/q_video.mp4",
        "run/a.mp4": "run/a",
    }


def test_names_stay_distinct_whatever_the_files_are_called(tmp_path):
    make_files(
        tmp_path,
        "walk/p/x/a.mp4",
        "walk/q/x/a.mp4",
        "walk/r/x/a.mp4",
        "walk/x_a.mp4-2.avi",
        "walk/a.mp4.mkv",
        "walk/x_a.mp4.mkv",
    )
    videos = find_videos(tmp_path)
    assert len({video.name for video in videos}) == len(videos) == 6


def test_many_videos_of_one_name_are_named_quickly(tmp_path):
    rows = "".join(f"{n}/x/video.mp4,walk\n" for n in range(2000))
    make_files(tmp_path, *(f"{n}/x/video.mp4" for n in range(2000)))
    videos = find_videos(make_table(tmp_path, "path,label\n" + rows))
    assert len({video.name for video in videos}) == 2000


LABELS = [
    "..",
    ".",
    "...",
    ".hidden",
    "a/../../b",
    "a\nb",
    "a\\b",
    "Größe 日本",
    'x:*?"<>|',
    "/etc",
    "~",
]


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("stem", ["clip", "..mp4", ".hidden", "a\nb", "日本 語", "a:b"])
def test_a_name_is_one_folder_in_another_and_neither_climbs_nor_hides(tmp_path, label, stem):
    make_files(tmp_path, f"{stem}.mp4", "other.mp4")
    table = make_table(
        tmp_path, f'path,label\n"{stem}.mp4","{label.replace(chr(34), chr(34) * 2)}"\n'
    )
    (video,) = find_videos(table)
    assert video.label == label
    parts = video.name.split("/")
    assert len(parts) == 2
    for part in parts:
        assert part == part.strip("\n\\:")
        assert part.isprintable()
        assert not part.startswith(".")
        (tmp_path / "out" / part).mkdir(parents=True, exist_ok=True)
    inside = (tmp_path / "out" / video.name).resolve()
    assert inside.parent.parent == (tmp_path / "out").resolve()


def test_classes_that_share_a_folder_name_keep_their_videos_apart(tmp_path):
    make_files(tmp_path, "1/a.mp4", "2/a.mp4")
    table = make_table(tmp_path, "path,label\n1/a.mp4,x/y\n2/a.mp4,x_y\n")
    assert len(found(table)) == 2
    assert load_dataset(table).classes == ("x/y", "x_y")


def test_an_empty_folder_says_what_was_expected(tmp_path):
    (tmp_path / "walk").mkdir()
    with pytest.raises(ValueError, match=r"no video in .*; expected videos, or class folders"):
        find_videos(tmp_path)


def test_what_does_not_exist_is_said_not_to_exist(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere does not exist"):
        find_videos(tmp_path / "nowhere")


def test_one_class_cannot_be_compared(tmp_path):
    make_files(tmp_path, "walk/a.mp4", "walk/b.mp4")
    (tmp_path / "run").mkdir()
    with pytest.raises(ValueError, match=r"one class \(walk\)"):
        load_dataset(tmp_path)


def test_links_are_followed_but_never_in_circles(tmp_path):
    data = make_files(tmp_path / "data", "walk/a.mp4", "run/b.mp4")
    make_files(tmp_path / "disk", "c.mp4")
    (data / "walk" / "self").symlink_to(data / "walk")
    (data / "walk" / "up").symlink_to(data)
    (data / "walk" / "top").symlink_to(tmp_path)
    (data / "everything").symlink_to(data)
    (data / "outside").symlink_to(tmp_path)
    (data / "nose").symlink_to(data / "nose")
    (data / "run" / "more").symlink_to(tmp_path / "disk")
    (data / "jump").symlink_to(tmp_path / "disk")
    assert found(data) == {"walk/a": "walk", "run/b": "run", "run/c": "run", "jump/c": "jump"}


def test_a_link_to_nothing_is_listed_so_that_it_fails_with_a_reason(tmp_path):
    make_files(tmp_path, "walk/a.mp4", "run/a.mp4")
    (tmp_path / "walk" / "gone.mp4").symlink_to(tmp_path / "nowhere")
    assert "walk/gone" in found(tmp_path)
    assert len(load_dataset(tmp_path).digest()) == 16


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    make_files(tmp_path, "walk/a.mp4")
    os.mkfifo(tmp_path / "walk" / "pipe.mp4")
    (tmp_path / "walk" / "folder.mp4").mkdir()
    assert set(found(tmp_path)) == {"walk/a"}


def test_a_class_folder_whose_name_is_no_text_gets_a_label_that_can_be_written(tmp_path):
    try:
        make_files(tmp_path, "caf\udce9/v\udce9.mp4", "walk/a.mp4")
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    for text in (*load_dataset(tmp_path).classes, *found(tmp_path)):
        assert text.encode("utf-8")
    assert load_dataset(tmp_path).digest()


# Tables


def test_a_table_gives_labels_groups_and_splits(tmp_path):
    make_files(tmp_path, "in/a.mp4", "in/b.mp4")
    make_files(tmp_path / "else", "c.mp4")
    text = (
        "split,path,note,label,group\n"
        "train,in/a.mp4,x,run,g1\n"
        "test,in/b.mp4,,walk,g2\n"
        f",{tmp_path}/else/c.mp4,,run,\n"
    )
    table = make_table(tmp_path, text, name="list.csv")
    rows = [(v.name, v.label, v.group, v.split) for v in find_videos(table)]
    assert rows == [
        ("run/a", "run", "g1", "train"),
        ("run/c", "run", None, None),
        ("walk/b", "walk", "g2", "test"),
    ]
    assert load_dataset(table).root == tmp_path


def test_the_table_of_a_folder_is_used_without_being_asked_for(tmp_path):
    make_files(tmp_path, "walk/a.mp4", "run/b.mp4", "run/left out.mp4")
    make_table(tmp_path, "path,label\nwalk/a.mp4,hop\nrun/b.mp4,run\n")
    assert found(tmp_path) == {"hop/a": "hop", "run/b": "run"}


@pytest.mark.parametrize(
    "text",
    [
        b"path,label\na.mp4,walk\n",
        b"\xef\xbb\xbfpath,label\na.mp4,walk\n",
        b"path,label\r\na.mp4,walk\r\n",
        b"\xef\xbb\xbfpath , label\r\n  a.mp4 , walk \r\n\r\n",
        b'"path","label"\n"a.mp4","walk"',
        b"label,path,extra,more\nwalk,a.mp4\n",
    ],
)
def test_tables_of_every_program_are_read(tmp_path, text):
    make_files(tmp_path, "a.mp4")
    assert found(make_table(tmp_path, text)) == {"walk/a": "walk"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", r"must have the columns path,label.*got \[\]"),
        ("path;label\na.mp4;walk\n", r"got \['path;label'\]"),
        ("file,label\na.mp4,walk\n", r"got \['file', 'label'\]"),
        ("Path,Label\na.mp4,walk\n", "must have the columns"),
        ("path,label\n", "no video in"),
        ("path,label\na.mp4,walk\ngone.mp4,run\n", r"line 3: gone\.mp4 is not a file"),
        ("path,label\n\n\ngone.mp4,run\n", r"line 4: gone\.mp4 is not a file"),
        ('path,label\na.mp4,"wa\nlk"\ngone.mp4,run\n', r"line 4: gone\.mp4"),
        ("path,label\n,run\n", "line 2: an empty path is not a file"),
        ("path,label\nfolder,run\n", "line 2: folder is not a file"),
        (
            "path,label\na.mp4,walk\nb.mp4,walk\na.mp4,walk\n",
            r"line 4: a\.mp4 is in line 2 already",
        ),
        ("path,label\na.mp4,walk\nfolder/../a.mp4,run\n", "line 3: .* is in line 2 already"),
        ("path,label,split\na.mp4,walk,val\n", "line 2: split must be train, test .* got 'val'"),
        ("path,label,split\na.mp4,walk,Train\n", "got 'Train'"),
        ("path,label\nMünchen.mp4,walk\n".encode("latin-1"), "save it as UTF-8"),
        ("path,label\na.mp4,walk\n".encode("utf-16"), "save it as UTF-8"),
        (b"path,label\na\0.mp4,walk\n", "line 2|not a readable CSV"),
    ],
)
def test_a_faulty_table_is_refused_with_the_line(tmp_path, text, words):
    make_files(tmp_path, "a.mp4", "b.mp4", "folder/c.mp4")
    with pytest.raises(ValueError, match=words):
        find_videos(make_table(tmp_path, text))


def test_a_row_without_a_label_can_be_exported_but_not_compared(tmp_path):
    make_files(tmp_path, "a.mp4", "b.mp4")
    table = make_table(tmp_path, "path,label\na.mp4,\nb.mp4,run\n")
    assert found(table) == {"a": None, "run/b": "run"}
    with pytest.raises(ValueError, match="a has no label"):
        load_dataset(table)


# Data sets


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


# Folds


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


def test_a_video_beside_a_class_folder_of_its_name_is_not_its_parent(tmp_path):
    (tmp_path / "run").mkdir()
    for path in (tmp_path / "run.mkv", tmp_path / "run" / "a.mp4"):
        path.write_bytes(b"x")
    assert [video.name for video in find_videos(tmp_path)] == ["run.mkv", "run/a"]
