"""Folders with every trap we know go in; named and labelled videos come out."""

from __future__ import annotations

import os

import pytest

from pipelines.dataset import (
    find_videos,
    load_dataset,
)
from tests.pipelines.dataset.examples import found, make_files, make_table


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


def test_a_video_beside_a_class_folder_of_its_name_is_not_its_parent(tmp_path):
    (tmp_path / "run").mkdir()
    for path in (tmp_path / "run.mkv", tmp_path / "run" / "a.mp4"):
        path.write_bytes(b"x")
    assert [video.name for video in find_videos(tmp_path)] == ["run.mkv", "run/a"]
