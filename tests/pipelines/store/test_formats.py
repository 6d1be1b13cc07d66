"""Values and arrays are written and come back; damaged files are named in one line."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from pipelines.store import (
    read_arrays,
    read_json,
    read_yaml,
    write_arrays,
    write_failures,
    write_json,
    write_yaml,
)
from tests.pipelines.store.traces import contents, names_in

VALUES = {"text": "日本\n: #'\"", "none": None, "list": [1, 2.5e-7, True], "1e3": {"a": "on"}}


@pytest.mark.parametrize(
    ("write", "read"), [(write_json, read_json), (write_yaml, read_yaml)], ids=["json", "yaml"]
)
def test_values_come_back(tmp_path, write, read):
    write(tmp_path / "file", VALUES)
    assert read(tmp_path / "file") == VALUES
    assert list(read(tmp_path / "file")) == list(VALUES)
    assert "日本" in (tmp_path / "file").read_text("utf-8")


def test_values_that_json_lacks_leave_the_old_file(tmp_path):
    write_json(tmp_path / "file", 1)
    for value in (float("nan"), np.int64(2), {"a": object()}):
        with pytest.raises((ValueError, TypeError)):
            write_json(tmp_path / "file", value)
    assert contents(tmp_path) == {"file": "1\n"}


@pytest.mark.parametrize(
    ("read", "content"),
    [
        (read_json, b""),
        (read_json, b"{"),
        (read_json, b"\xff\xfe1"),
        (read_json, b"[" * 100_000),
        (read_json, b"1" * 5000),
        (read_yaml, b"a: [1"),
        (read_yaml, b"\xff\xfe1"),
        (read_yaml, b"a: 2020-99-99"),
        (read_yaml, b"a: !!python/object/apply:os.system ['echo 1']"),
        (read_yaml, b"[" * 1200),
        (read_arrays, b""),
        (read_arrays, b"\xff" * 64),
    ],
)
def test_a_damaged_file_is_named_in_one_line(tmp_path, read, content):
    path = tmp_path / "results"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="delete it and run again") as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("read", [read_json, read_yaml, read_arrays])
def test_a_missing_file_is_said_to_be_missing(tmp_path, read):
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "nothing")


def test_arrays_come_back_whatever_their_order_in_memory(tmp_path, rng):
    arrays = {"a": rng.random((3, 4, 5)).transpose(2, 0, 1)[::2], "b": np.arange(4, dtype=np.uint8)}
    write_arrays(tmp_path / "video.safetensors", arrays)
    back = read_arrays(tmp_path / "video.safetensors")
    assert back.keys() == arrays.keys()
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype
        np.testing.assert_array_equal(back[name], array)


def test_failures_are_listed_and_forgotten_when_there_are_none(tmp_path):
    rows = [('a,"b"\n.mp4', "not a video"), ("日本.mp4", "empty"), ("caf\udce9.mp4", "no UTF-8")]
    write_failures(tmp_path / "run", rows)
    with (tmp_path / "run" / "failures.csv").open(newline="", encoding="utf-8") as file:
        read = list(csv.reader(file))
    assert read == [["path", "reason"], *map(list, rows[:2]), ["caf\\udce9.mp4", "no UTF-8"]]
    write_failures(tmp_path / "run", [])
    assert names_in(tmp_path / "run") == []
    write_failures(tmp_path / "never made", [])
