"""Tables of every program and with every fault go in; labels, groups and splits come out."""

from __future__ import annotations

import pytest

from pipelines.dataset import (
    find_videos,
    load_dataset,
)
from tests.pipelines.dataset.examples import found, make_files, make_table


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
