"""The votes, the tubes and the tracks of trajectories against their slow twins."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from classicvid.kernels import trajectories as kernels
from classicvid.trajectories.tracks import Tracks
from tests import naive

PATCH = 8
SHAPES = [(9, 33), (8, 8), (20, 16), (31, 47)]


def pad_flow(flow):
    """Give a flow (H, W, 2) the rows and columns that the kernels may read, filled with NaN."""
    height, width, _ = flow.shape
    padded = np.full((height + 1, width + 16, 2), np.nan, np.float32)
    padded[:height, :width] = flow
    return padded


def describe(gray, flow, heads, *, patch=PATCH, min_flow=0.4):
    """Return the tubes of tracks with one frame, shape (N, `kernels.TUBE`)."""
    tracks = Tracks(3)
    tracks.add(np.asarray(heads, np.float32))
    rooms = [np.full(room, np.nan, np.float32) for room in kernels.rooms(gray.shape[1], patch)]
    tracks.describe(gray, pad_flow(flow), np.float32(min_flow), patch, tuple(rooms))
    still = np.zeros((len(heads), 2), np.float32)
    for _ in range(3):
        done = tracks.extend(still, still, (10**6, 10**6))
    return done[2][:, 0]


def twin(gray, flow, head, *, patch=PATCH, min_flow=0.4):
    parts = naive.patch_histograms(gray, flow, head, patch, min_flow)
    votes = [parts[name].reshape(4, -1)[:, :8] for name in ("hog", "mbhx", "mbhy", "hof")]
    rests = parts["hof"].reshape(4, 9)[:, 8]
    return np.concatenate([np.concatenate(votes, axis=1).ravel(), rests])


@pytest.mark.parametrize("shape", SHAPES)
def test_tubes_equal_their_twin(shape, rng):
    gray = rng.integers(0, 256, shape, dtype=np.uint8)
    flow = rng.normal(0, 0.6, (*shape, 2)).astype(np.float32)
    heads = rng.uniform(0.1, np.array(shape[::-1]) - 0.1, (40, 2)).astype(np.float32)
    tubes = describe(gray, flow, heads)
    for head, tube in zip(heads, tubes, strict=True):
        np.testing.assert_allclose(tube, twin(gray, flow, head), atol=2e-4)


@pytest.mark.parametrize("content", ["still", "uniform"])
def test_tubes_of_plain_frames(content):
    gray = np.full((16, 24), 90, np.uint8)
    flow = np.zeros((16, 24, 2), np.float32)
    if content == "uniform":
        flow[:] = (0, 2)  # downwards: the third of eight bins
    tube = describe(gray, flow, [(12, 8)])[0]
    votes, rests = tube[: kernels.REST].reshape(4, 4, 8), tube[kernels.REST :]
    np.testing.assert_allclose(votes[:, :3], np.sqrt(1 / 32), rtol=1e-5)  # no edges: all alike
    rest = 16.0 if content == "still" else 0.0
    total = 4 * (9 * 0.05 + (16 if content == "still" else 32))
    np.testing.assert_allclose(rests, np.sqrt((rest + 0.05) / total), rtol=1e-5)
    bins = np.full(8, np.sqrt(0.05 / total))
    if content == "uniform":
        bins[2] = np.sqrt(32.05 / total)
    np.testing.assert_allclose(votes[:, 3], np.tile(bins, (4, 1)), rtol=1e-5)


def test_a_frame_smaller_than_the_patch(rng):
    gray = rng.integers(0, 256, (5, 6), dtype=np.uint8)
    flow = rng.normal(0, 1, (5, 6, 2)).astype(np.float32)
    tube = describe(gray, flow, [(3, 2)])[0]
    np.testing.assert_allclose(tube, twin(gray, flow, (3, 2)), atol=2e-4)


def test_shares_in_a_large_bright_frame(rng):
    """The last cells of a large integral image are differences of large float32 numbers."""
    shape = (200, 330)
    gray = (rng.integers(0, 2, shape) * 255).astype(np.uint8)
    flow = np.full((*shape, 2), 30, np.float32)
    head = (313.0, 183.0)
    tube = describe(gray, flow, [head], patch=32)[0]
    np.testing.assert_allclose(tube**2, twin(gray, flow, head, patch=32) ** 2, atol=1e-4)


def test_drift_takes_the_nearest_pixel_and_rounds_halves_to_even():
    flow = np.arange(4 * 5 * 2, dtype=np.float32).reshape(4, 5, 2)
    heads = np.float32([(0.5, 0.5), (1.5, 2.6), (-3, 9), (4.4, 1.2)])
    out = np.zeros_like(heads)
    kernels.drift(flow, (4, 5), heads, out)
    np.testing.assert_array_equal(out, flow[[0, 3, 3, 1], [0, 2, 0, 4]])


def test_tracks_live_end_and_give_their_places_to_others():
    """Three steps make a track; one that leaves, or is lost, ends without a result."""
    tracks, still = Tracks(3), np.zeros((3, 2), np.float32)
    tracks.add(np.float32([(5, 5), (9, 5), (2, 2)]))
    moves = np.float32([(1, 0.5), (1, 0), (np.nan, 0)])
    assert len(tracks.extend(moves, moves, (10, 10))[0]) == 0  # (10, 5) lies outside
    np.testing.assert_array_equal(tracks.heads, [(6, 5.5)])
    tracks.add(np.float32([(3, 3)]))
    moves = np.float32([(1, 0.5), (0, 1)])
    tracks.extend(moves, 2 * moves, (10, 10))
    paths, steps, tubes = tracks.extend(moves, moves, (10, 10))
    np.testing.assert_array_equal(paths, [[(5, 5), (6, 5.5), (7, 6), (8, 6.5)]])
    np.testing.assert_array_equal(steps, [[(1, 0.5), (2, 1), (1, 0.5)]])
    assert tubes.shape == (1, 3, kernels.TUBE)
    assert not tubes.any()
    np.testing.assert_array_equal(tracks.heads, [(3, 5)])
    tracks.extend(still[:1], still[:1], (10, 10))
    assert len(tracks.heads) == 0


def test_many_tracks_keep_their_own_paths(rng):
    """Slots are given back and taken again in any order; every path stays whole."""
    tracks, born = Tracks(6), {}
    for step in range(40):
        starts = rng.integers(20, 80, (rng.integers(0, 400), 2)).astype(np.float32)
        tracks.add(starts)
        moves = np.where(rng.random((len(tracks.heads), 1)) < 0.1, 1000, 0.25).astype(np.float32)
        moves = np.repeat(moves, 2, axis=1)
        born[step] = {tuple(start) for start in starts.tolist()}
        paths, _, _ = tracks.extend(moves, moves, (100, 100))
        np.testing.assert_array_equal(np.diff(paths, axis=1), 0.25)
        assert {tuple(path[0]) for path in paths.tolist()} <= born.get(step - 5, set())


GUARDED = """
import ctypes, mmap, sys
import numpy as np
from classicvid.kernels import trajectories as kernels
from classicvid.kernels.simd import LANES

at_end = sys.argv[1] == "end"
protect = ctypes.CDLL(None, use_errno=True).mprotect
protect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]

def allocate(shape, dtype=np.float32):
    # A page that may not be touched lies on both sides; the array touches one of them.
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    inside = -(-max(size, 1) // mmap.PAGESIZE) * mmap.PAGESIZE
    pages = mmap.mmap(-1, inside + 2 * mmap.PAGESIZE)
    raw = np.frombuffer(pages, np.uint8)
    for guard in (0, inside + mmap.PAGESIZE):
        assert protect(raw.ctypes.data + guard, mmap.PAGESIZE, 0) == 0
    start = mmap.PAGESIZE + (inside - size if at_end else 0)
    return raw[start : start + size].view(dtype).reshape(shape)

rng = np.random.default_rng(1)
for height in (1, 2, 7, 33):
    for width in (1, 2, 5, LANES - 1, LANES, LANES + 1, 31, 67):
        for patch in (2, 8, 32):
            gray = allocate((height, width), np.uint8)
            flow = allocate((height + 1, -(-width // LANES) * LANES, 2))
            rooms = tuple(allocate(sizes) for sizes in kernels.rooms(width, patch))
            heads, slots = allocate((9, 2)), allocate((9,), np.int64)
            ages, tubes = allocate((9,), np.int64), allocate((9, 3, kernels.TUBE))
            gray[...] = rng.integers(0, 256, gray.shape)
            flow[...] = rng.normal(0, 3, flow.shape)
            heads[...] = rng.uniform(-2, [width + 2, height + 2], (9, 2))
            slots[...], ages[...] = np.arange(9), 14
            kernels.describe_tubes(
                gray, flow, np.float32(0.4), patch, rooms, (heads, slots, ages, 5, tubes)
            )
            assert np.isfinite(tubes).all() and (tubes[:, 2] > 0).all() and not tubes[:, :2].any()
print("untouched")
"""


def run_guarded(side, **settings):
    return subprocess.run(
        [sys.executable, "-c", GUARDED, side],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **settings},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="needs mprotect")
@pytest.mark.parametrize("side", ["begin", "end"])
def test_nothing_beside_the_arrays_is_touched(side):
    done = run_guarded(side)
    assert done.stdout == "untouched\n", done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("processor", ["haswell", "x86-64"])
def test_other_processors_touch_nothing_either(processor):
    done = run_guarded("end", NUMBA_CPU_NAME=processor)
    assert done.stdout == "untouched\n", done.stderr
