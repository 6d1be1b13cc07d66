"""Arrays that grow on disk: what is read back, in parts and whole, and what a fault leaves."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from pipelines.array_files import ArrayFile, spool_arrays


@pytest.fixture
def parts(rng) -> list[dict[str, np.ndarray]]:
    return [
        {
            "half": rng.normal(size=(rows, 3)).astype(np.float32),
            "frame": rng.integers(0, 99, rows).astype(np.int32),
            "points": rng.normal(size=(rows, 2, 2)).astype(np.float32),
        }
        for rows in (0, 4, 1, 0, 7)
    ]


def write(path, parts):
    with spool_arrays(path, dtypes={"half": "float16"}) as spool:
        for part in parts:
            spool.append(part)
        spool.metadata["frames"] = "5"


def test_safetensors_reads_what_came_in_by_parts(tmp_path, parts):
    path = tmp_path / "new" / "a.safetensors"
    write(path, parts)
    arrays = load_file(path)
    assert {name: array.dtype.name for name, array in arrays.items()} == {
        "half": "float16",
        "frame": "int32",
        "points": "float32",
    }
    for name, array in arrays.items():
        whole = np.concatenate([part[name] for part in parts])
        np.testing.assert_array_equal(array, whole.astype(array.dtype))
    assert ArrayFile(path).metadata == {"frames": "5"}
    assert [file.name for file in path.parent.iterdir()] == ["a.safetensors"]


@pytest.mark.parametrize("rows", [1, 5, 12, 100])
def test_a_file_is_read_in_parts(tmp_path, parts, rows):
    write(tmp_path / "a", parts)
    file = ArrayFile(tmp_path / "a")
    chunks = list(file.chunks("half", "frame", rows=rows))
    assert all(len(half) == len(frame) <= rows for half, frame in chunks)
    for place, name in enumerate(("half", "frame")):
        whole = np.concatenate([chunk[place] for chunk in chunks])
        np.testing.assert_array_equal(whole, load_file(tmp_path / "a")[name])
    np.testing.assert_array_equal(file.read("frame", 3, 6), load_file(tmp_path / "a")["frame"][3:6])


def test_memory_does_not_grow_with_the_rows(tmp_path):
    rows = np.ones((1000, 128), np.float32)  # half a megabyte
    tracemalloc.start()
    try:
        with spool_arrays(tmp_path / "a") as spool:
            for _ in range(100):
                spool.append({"rows": rows})
        total = sum(float(part.sum()) for (part,) in ArrayFile(tmp_path / "a").chunks("rows"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert total == 100 * rows.size
    assert peak < 12e6


def test_arrays_without_rows_keep_their_shape(tmp_path, parts):
    write(tmp_path / "a", parts[:1])
    file = ArrayFile(tmp_path / "a")
    assert file.read("points").shape == file.read("points", 0, 5).shape == (0, 2, 2)
    assert file.read("half").dtype == np.float16
    assert list(file.chunks("half")) == []
    assert file.rows == {"half": 0, "frame": 0, "points": 0}


def test_numbers_start_at_a_multiple_of_their_width(tmp_path, parts):
    write(tmp_path / "a", parts)
    content = (tmp_path / "a").read_bytes()
    assert int.from_bytes(content[:8], "little") % 8 == 0
    points = np.concatenate([part["points"] for part in parts]).tobytes()
    assert content.index(points) % 4 == 0


def test_a_fault_leaves_nothing_and_keeps_what_was_there(tmp_path, parts):
    write(tmp_path / "a", parts)
    before = (tmp_path / "a").read_bytes()
    fault = pytest.raises(ValueError, match=r"dtype of half must be one of .*, got 'complex128'")
    with fault, spool_arrays(tmp_path / "a") as spool:
        spool.append({"x": np.zeros(3, np.uint8), "half": np.zeros(1, complex)})
    with pytest.raises(ValueError, match="each time"):
        write(tmp_path / "a", [*parts[:2], {"half": parts[2]["half"]}])
    assert [file.name for file in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == before


def test_rows_that_do_not_fit_are_named(tmp_path, parts):
    with pytest.raises(ValueError, match=r"half must have rows of shape \(3,\), got \(2,\)"):
        write(tmp_path / "a", [parts[1], {**parts[1], "half": np.zeros((1, 2), np.float32)}])
    with pytest.raises(ValueError, match=r"arrays must be .*'half'.* each time, got \['half'\]"):
        write(tmp_path / "a", [parts[1], {"half": parts[1]["half"]}])
    assert list(tmp_path.iterdir()) == []


def test_files_that_cannot_be_read_are_named(tmp_path):
    (tmp_path / "a").write_bytes(b"\xff" * 64)
    with pytest.raises(ValueError, match="a is not a readable safetensors file"):
        ArrayFile(tmp_path / "a")
    with pytest.raises(FileNotFoundError):
        ArrayFile(tmp_path / "b")
    save_file({"x": np.zeros(3)}, tmp_path / "c")
    with pytest.raises(ValueError, match="holds no y, only x"):
        ArrayFile(tmp_path / "c").read("y")
