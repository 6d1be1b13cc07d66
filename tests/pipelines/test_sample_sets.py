"""The committed sample is what the generator makes, small enough to commit, and honest."""

from __future__ import annotations

import csv
import zlib
from pathlib import Path

import numpy as np
import pytest

from classicvid.synthetic import render_appearance, render_motion
from classicvid.video import read_frames
from pipelines.dataset import load_dataset, make_folds
from pipelines.sample_sets import KINDS, write_sample_set

TINY = Path(__file__).resolve().parents[2] / "data" / "tiny"


@pytest.mark.parametrize("kind", KINDS)
def test_the_committed_sample_is_a_balanced_split_set(kind):
    dataset = load_dataset(TINY / kind)
    assert dataset.classes == tuple(sorted(KINDS[kind][0]))
    (fold,) = make_folds(dataset, protocol="split")
    for rows in (fold.train, fold.test):
        assert set(np.bincount(dataset.labels[rows])) == {12}


def test_the_committed_sample_is_small():
    assert sum(path.stat().st_size for path in TINY.rglob("*")) < 2_000_000


@pytest.mark.parametrize(
    ("kind", "label", "render"),
    [("motion", "zoom", render_motion), ("appearance", "rings", render_appearance)],
)
def test_the_committed_sample_is_what_the_generator_makes(kind, label, render):
    number = 17
    rng = np.random.default_rng((0, zlib.crc32(f"{kind}/{label}".encode()), number))
    movie = render(label, rng=rng)
    stored = read_frames(TINY / kind / label / f"{label}_{number:03d}.mp4")
    error = np.abs(stored.astype(float) - movie.frames)
    assert stored.shape == movie.frames.shape
    # Compression, and chroma at half the resolution; another video is off by 30 and more.
    assert error.mean() < 8


def test_a_larger_set_holds_the_smaller_one(tmp_path):
    small = write_sample_set(tmp_path / "small", "motion", train=1, test=1, workers=1)
    large = write_sample_set(tmp_path / "large", "motion", train=2, test=1, workers=1)
    for path in sorted(small.rglob("*.mp4")):
        same = large / path.relative_to(small)
        assert same.read_bytes() == path.read_bytes()
    with (large / "videos.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 7 * 3
    assert sum(row["split"] == "test" for row in rows) == 7


def test_a_set_that_exists_is_left_alone(tmp_path):
    folder = write_sample_set(tmp_path / "set", "appearance", train=1, test=1, workers=1)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    write_sample_set(tmp_path / "set", "appearance", train=1, test=1, workers=1)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
