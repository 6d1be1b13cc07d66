"""Trajectories against what the authors' programs printed for a video of KTH."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from scipy.spatial import cKDTree

from classicvid.camera import CameraMotion
from classicvid.image import to_gray
from classicvid.trajectories import DenseTrajectories, Trajectories
from classicvid.video import iter_frames

WIDTH, HEIGHT, FRAMES = 160, 120, 360
# Columns of a row: bookkeeping 0 to 9, then the shape and the histograms.
COLUMNS = {
    "shape": slice(10, 40),
    "hog": slice(40, 136),
    "hof": slice(136, 244),
    "mbhx": slice(244, 340),
    "mbhy": slice(340, 436),
}


def read_golden(folder, kind):
    path = folder / "trajectories" / f"person01_boxing_d1_{kind}_golden.gz"
    with gzip.open(path, "rt") as lines:
        return np.loadtxt(lines)


def read_gray(folder):
    file = folder / "trajectories" / "person01_boxing_d1_gray.npz"
    return np.load(file, allow_pickle=False)["gray"]


def to_rows(found):
    positions = found.positions(width=WIDTH, height=HEIGHT, frames=FRAMES)
    columns = found.end_frame, found.mean, found.deviation, found.length, found.scale, positions
    return np.column_stack([*columns, *(getattr(found, name) for name in COLUMNS)])


def extract(frames, **options):
    extractor = DenseTrajectories(**options)
    return to_rows(Trajectories.concatenate([extractor.feed(frame) for frame in frames]))


def count_by_scale(rows):
    return np.unique(rows[:, 6].round(2), return_counts=True)[1].tolist()


def match(rows, golden, tolerance):
    """Pair rows of one end frame and scale whose mean places differ by up to so many pixels."""

    def key(table):
        return np.column_stack([1e4 * table[:, 0], 1e6 * table[:, 6].round(2), table[:, 1:6]])

    distances, nearest = cKDTree(key(rows)).query(key(golden), k=3)
    pairs: dict[int, int] = {}
    for i, j in np.argwhere(distances <= tolerance):
        if i not in pairs.values() and nearest[i, j] not in pairs:
            pairs[int(nearest[i, j])] = int(i)
    return golden[list(pairs.values())], rows[list(pairs)]


def test_dense_trajectories_are_the_authors(shared_data):
    golden = read_golden(shared_data, "dt")
    rows = extract(read_gray(shared_data))
    assert len(golden) == len(rows) == 2092
    assert count_by_scale(rows) == count_by_scale(golden) == [1140, 593, 265, 94]
    theirs, ours = match(rows, golden, 0.05)
    assert len(ours) >= 0.99 * len(golden)
    np.testing.assert_allclose(ours[:, 7:10], theirs[:, 7:10], atol=1e-3)
    for name, columns in COLUMNS.items():
        difference = np.abs(ours[:, columns] - theirs[:, columns])
        assert difference.mean() < 1e-5, name
        assert np.percentile(difference, 99) < 1e-4, name


@pytest.mark.parametrize("matcher", ["orb", "sift"])
def test_improved_trajectories_are_the_authors(shared_data, matcher):
    golden = read_golden(shared_data, "idt")
    rows = extract(read_gray(shared_data), camera=CameraMotion(matcher=matcher))
    assert abs(len(rows) - 2001) <= 20
    theirs, ours = match(rows, golden, 0.5)
    assert len(ours) >= 0.97 * len(golden)
    # Other key points than the authors' give another homography, and so another warped flow.
    for name, columns in COLUMNS.items():
        assert np.abs(ours[:, columns] - theirs[:, columns]).mean() < 2e-3, name
    np.testing.assert_allclose(ours[:, 40:136], theirs[:, 40:136], atol=2e-3)  # HOG knows no camera


def test_the_video_file_gives_the_same_within_three_percent(shared_data):
    golden = read_golden(shared_data, "dt")
    path = shared_data / "trajectories" / "person01_boxing_d1_uncomp.avi"
    with iter_frames(path) as frames:
        rows = extract(to_gray(frame) for frame in frames)
    assert abs(len(rows) - len(golden)) <= 0.03 * len(golden)
    _, ours = match(rows, golden, 0.5)
    assert len(ours) > 0.9 * len(golden)
