"""Rows of text: what a parser written from the papers' layout alone reads is what was found."""

from __future__ import annotations

import gzip
import io

import numpy as np
import pytest

from classicvid.trajectories import Trajectories
from pipelines.array_files import ArrayFile, spool_arrays
from pipelines.feature_kinds import FeatureHeader, as_arrays
from pipelines.idt_rows import copy_rows, write_rows

HEADER = FeatureHeader(
    kind="trajectories",
    source="a.avi",
    source_bytes=1,
    width=160,
    height=120,
    frames=360,
    fps=None,
    damaged_packets=0,
    settings={},
    version="0",
)
# First and last column of each field, counted from 1.
LAYOUT = {
    "end_frame": (1, 1),
    "mean": (2, 3),
    "deviation": (4, 5),
    "length": (6, 6),
    "scale": (7, 7),
    "position": (8, 10),
    "shape": (11, 40),
    "hog": (41, 136),
    "hof": (137, 244),
    "mbhx": (245, 340),
    "mbhy": (341, 436),
}


def parse(text: str) -> dict[str, np.ndarray]:
    table = np.array([[float(word) for word in line.split("\t")] for line in text.splitlines()])
    assert table.shape[1] == 436
    return {name: table[:, first - 1 : last] for name, (first, last) in LAYOUT.items()}


@pytest.fixture
def trajectories(rng) -> Trajectories:
    count = 700  # more than are written at once
    sizes = {"shape": 30, "hog": 96, "hof": 108, "mbhx": 96, "mbhy": 96}
    numbers = {
        name: rng.normal(size=(count, size)).astype(np.float32) for name, size in sizes.items()
    }
    points = rng.uniform(0, 120, (count, 16, 2)).astype(np.float32)
    return Trajectories(
        end_frame=rng.integers(15, 360, count).astype(np.int32),
        scale=np.sqrt(2, dtype=np.float32) ** rng.integers(0, 8, count).astype(np.float32),
        mean=points.mean(axis=1),
        deviation=points.std(axis=1),
        length=np.linalg.norm(np.diff(points, axis=1), axis=2).sum(axis=1),
        points=points,
        **numbers,
    )


@pytest.fixture
def file(tmp_path, trajectories) -> ArrayFile:
    with spool_arrays(tmp_path / "a") as spool:
        spool.append(as_arrays(trajectories))
        spool.metadata.update(HEADER.metadata())
    return ArrayFile(tmp_path / "a")


def test_a_parser_of_the_layout_reads_what_was_found(file, trajectories):
    text = io.StringIO()
    assert copy_rows(file, text) == 700
    rows = parse(text.getvalue())
    places = trajectories.positions(width=160, height=120, frames=360)
    for name, columns in rows.items():
        wanted = places if name == "position" else getattr(trajectories, name)
        digits = 7 if name in ("hog", "hof", "mbhx", "mbhy") else 6
        np.testing.assert_allclose(columns, wanted.reshape(columns.shape), atol=0.6 * 10**-digits)


def test_numbers_have_the_authors_decimals(file):
    text = io.StringIO()
    copy_rows(file, text)
    words = text.getvalue().splitlines()[0].split("\t")
    decimals = [len(word.partition(".")[2]) for word in words]
    assert decimals == [0] + [6] * 39 + [7] * 396
    assert text.getvalue().endswith("\n")


def test_the_authors_rows_have_the_same_layout(shared_data):
    """Their file, read by the same parser: fields that follow from others agree."""
    path = shared_data / "trajectories" / "person01_boxing_d1_dt_golden.gz"
    lines = gzip.open(path, "rt").read().splitlines()  # noqa: SIM115
    rows = parse("\n".join(line.rstrip("\t") for line in lines))
    middle = (rows["end_frame"][:, 0] - 7.5) / 360
    np.testing.assert_allclose(rows["position"][:, 2], middle, atol=1e-6)
    np.testing.assert_allclose(rows["position"][:, 0], rows["mean"][:, 0] / 160, atol=1e-6)


def test_files_are_compressed_on_demand_and_repeat_byte_for_byte(file, tmp_path):
    assert write_rows(tmp_path / "a.idt", file) == 700
    for name in ("a.idt.gz", "b.idt.gz"):
        assert write_rows(tmp_path / name, file) == 700
    plain, packed = (tmp_path / "a.idt").read_bytes(), (tmp_path / "a.idt.gz").read_bytes()
    assert gzip.decompress(packed) == plain
    assert packed == (tmp_path / "b.idt.gz").read_bytes()


def test_no_trajectory_is_no_row(tmp_path, trajectories):
    with spool_arrays(tmp_path / "a") as spool:
        spool.append({name: array[:0] for name, array in as_arrays(trajectories).items()})
        spool.metadata.update(HEADER.metadata())
    assert write_rows(tmp_path / "a.idt", ArrayFile(tmp_path / "a")) == 0
    assert (tmp_path / "a.idt").read_bytes() == b""
