"""Saved scores go in and come back; files that are damaged or hostile are refused."""

from __future__ import annotations

import pickle
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from classicvid.metrics import (
    Scores,
)
from tests.classicvid.metrics.tables import assert_same, judged, make_scores


@pytest.mark.parametrize("names", [("a", "b"), ("Größe/日本", 'x "y",\n z')])
def test_saved_scores_come_back(tmp_path, rng, names):
    scores = replace(make_scores(rng, videos=2), videos=names)
    scores.save(tmp_path / "scores.npz")
    assert_same(Scores.load(tmp_path / "scores.npz"), scores)


def test_saved_scores_keep_the_name_they_are_given(tmp_path):
    judged([1, 0]).save(tmp_path / ".scores.part-1")
    assert [path.name for path in tmp_path.iterdir()] == [".scores.part-1"]
    assert_same(Scores.load(tmp_path / ".scores.part-1"), judged([1, 0]))


class Bomb:
    """Leaves a trace where it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return (open, (str(self.trace), "w"))


def write_hostile(path, trace, kind):
    fields = {name: getattr(judged([1, 0]), name) for name in Scores.__dataclass_fields__}
    if kind == "objects":
        fields["labels"] = np.array([Bomb(trace), Bomb(trace)], object)
    elif kind == "too few":
        del fields["clip_videos"]
    elif kind == "out of range":
        fields["labels"] = np.array([0, 99])
    elif kind == "no names":
        fields["classes"] = np.array(3.5)
    elif kind == "labels as text":
        fields["labels"] = np.array(["0", "1"])
    if kind == "a pickle":
        path.write_bytes(pickle.dumps(Bomb(trace)))
    elif kind == "one array":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "a zip of other things":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("labels", b"text")
    else:
        with path.open("wb") as file:
            np.savez(file, allow_pickle=True, **fields)
    if kind == "cut short":
        path.write_bytes(path.read_bytes()[:-40])
    elif kind == "bytes changed":
        content = bytearray(path.read_bytes())
        place = content.find(b"NUMPY")
        content[place : place + 300] = bytes(300)
        path.write_bytes(content)


@pytest.mark.parametrize(
    "kind",
    [
        "objects",
        "too few",
        "out of range",
        "no names",
        "labels as text",
        "a pickle",
        "one array",
        "empty",
        "a zip of other things",
        "cut short",
        "bytes changed",
    ],
)
def test_a_hostile_file_is_refused_in_one_line_and_runs_nothing(tmp_path, kind):
    path, trace = tmp_path / "scores.npz", tmp_path / "trace"
    write_hostile(path, trace, kind)
    with pytest.raises(ValueError, match=r"is no readable scores file .*delete it") as caught:
        Scores.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "trust" not in str(caught.value)
    assert not trace.exists()


def test_the_hostile_writer_writes_good_files_too(tmp_path):
    write_hostile(tmp_path / "scores.npz", tmp_path / "trace", "good")
    assert_same(Scores.load(tmp_path / "scores.npz"), judged([1, 0]))


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        Scores.load(tmp_path / "scores.npz")
