"""The stages of Farnebäck's flow against their slow twins, and their reads and writes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from numba import config

from classicvid.flow.farneback import levels, weights
from classicvid.flow.farneback.levels import Level, Scratch, Settings, allocate
from classicvid.kernels import farneback as kernels
from classicvid.kernels.simd import LANES
from tests import naive

ROOT = Path(__file__).resolve().parents[3]
DEFAULTS = {
    "pyr_scale": 0.5,
    "levels": 3,
    "winsize": 15,
    "iterations": 3,
    "poly_n": 5,
    "poly_sigma": 1.2,
    "gaussian": False,
}
SHAPES = [(19, 14), (1, 8), (9, 1), (1, 1), (12, 2 * LANES), (8, 2 * LANES + 1)]
IMAGES = {
    "random": lambda rng: rng.uniform(0, 255, (19, 14)).astype(np.float32),
    "constant": lambda rng: np.full((9, 12), 200, np.float32),
    "one row": lambda rng: rng.uniform(0, 255, (1, 8)).astype(np.float32),
    "one pixel": lambda rng: np.full((1, 1), 7, np.float32),
}


def make_level(shape, **changes):
    settings = Settings(**{**DEFAULTS, **changes})
    level = Level(shape, 1.0, None, settings)
    return level, Scratch(shape[1], level.reach, settings)


def expand(image, n, sigma):
    level, scratch = make_level(image.shape, poly_n=n, poly_sigma=sigma)
    level.images[1][:, : image.shape[1]] = image
    level.expand(scratch, range(image.shape[0]))
    return level.present[: image.shape[0], :, : image.shape[1]]


@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.parametrize(("n", "sigma"), [(5, 1.2), (7, 1.5), (2, 0.8)])
def test_expansion_equals_least_squares(image, n, sigma, rng):
    image = IMAGES[image](rng)
    np.testing.assert_allclose(
        expand(image, n, sigma), naive.expand_polynomials(image, n, sigma), atol=2e-3
    )


def test_expansion_recovers_a_quadratic():
    y, x = np.mgrid[-10:11, -12:13].astype(np.float32)
    image = 3 + 2 * x - y + 0.5 * x**2 - 0.25 * y**2 + 0.75 * x * y
    np.testing.assert_allclose(
        expand(image, 5, 1.2)[10, :, 12], [-1, 2, -0.25, 0.5, 0.75], atol=1e-4
    )


def run_iteration(shape, first, second, flow, band=None, **changes):
    """Return the flow (2, H, W) after one iteration of one level that starts from ``flow``."""
    level, scratch = make_level(shape, iterations=1, **changes)
    for expansion, values in ((level.previous, first), (level.present, second)):
        expansion[: shape[0], :, : shape[1]] = values
    level.flow[: shape[0], : shape[1]] = np.moveaxis(flow, 0, 2)
    out = np.full((*shape, 2), np.nan, np.float32)
    level.solve((level.previous, level.present), True, out, scratch, band or range(shape[0]))
    return np.moveaxis(out, 2, 0)


def confidence_of(shape):
    rows, kinds = weights.border_confidence(*shape)
    return rows[kinds]


def flow_twin(shape, first, second, flow, winsize, gaussian):
    window = np.full(winsize // 2 * 2 + 1, 1 / winsize)
    if gaussian:
        half = weights.gaussian_window(winsize)
        window = np.concatenate([half[:0:-1], half])
    matrices = naive.update_matrices(first, second, flow, confidence_of(shape))
    return naive.solve_window(matrices, window)


@pytest.mark.parametrize("gaussian", [False, True])
@pytest.mark.parametrize("winsize", [3, 10, 15, 2 * LANES + 5])
@pytest.mark.parametrize("shape", SHAPES)
def test_an_iteration_equals_its_twin(shape, winsize, gaussian, rng):
    first, second = rng.normal(0, 3, (2, shape[0], 5, shape[1])).astype(np.float32)
    flow = rng.normal(0, 3, (2, *shape)).astype(np.float32)
    settings = {"winsize": winsize, "gaussian": gaussian}
    solved = run_iteration(shape, first, second, flow, **settings)
    twin = flow_twin(shape, first, second, flow, **settings)
    np.testing.assert_allclose(solved, twin, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("motion", ["smooth", "fan", "wild", "away"])
def test_any_motion_finds_its_partner(motion, rng):
    shape = (40, 3 * LANES + 5)
    y, x = np.mgrid[: shape[0], : shape[1]]
    flow = {
        "smooth": np.stack([0.9 + 0.02 * x, 0.7 - 0.05 * y]),
        "fan": np.stack([(x - 20) * 1.5, (y - 20) * 0.8 + 0.4 * x]),
        "wild": rng.normal(0, 25, (2, *shape)),
        "away": np.stack([x + 1000.0, y - 1000.0]),
    }[motion].astype(np.float32)
    first, second = rng.normal(0, 3, (2, shape[0], 5, shape[1])).astype(np.float32)
    solved = run_iteration(shape, first, second, flow, winsize=3)
    twin = flow_twin(shape, first, second, flow, 3, False)
    np.testing.assert_allclose(solved, twin, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("lost", [np.nan, np.inf, -np.inf, 1e12])
def test_a_lost_guess_counts_as_outside(lost, rng):
    # What is multiplied by a guess that is no number is none: only what has none of it is compared.
    first, second = rng.normal(0, 3, (2, 6, 5, 7)).astype(np.float32)
    flow = np.zeros((2, 6, 7), np.float32)
    flow[:, 0, 0] = lost
    solved = run_iteration((6, 7), first, second, flow, winsize=3)
    away = flow.copy()
    away[:, 0, 0] = 1e4
    other = run_iteration((6, 7), first, second, away, winsize=3)
    np.testing.assert_array_equal(solved[:, 3:, 3:], other[:, 3:, 3:])


@pytest.mark.parametrize("gaussian", [False, True])
@pytest.mark.parametrize("winsize", [4, 15])
def test_bands_make_up_the_whole(winsize, gaussian, rng):
    shape = (50, 20)
    first, second = rng.normal(0, 3, (2, shape[0], 5, shape[1])).astype(np.float32)
    flow = rng.normal(0, 3, (2, *shape)).astype(np.float32)
    settings = {"winsize": winsize, "gaussian": gaussian}
    whole = run_iteration(shape, first, second, flow, **settings)
    for band in (range(7), range(7, 8), range(8, 50), range(49, 50)):
        part = run_iteration(shape, first, second, flow, band, **settings)
        np.testing.assert_array_equal(
            part[:, band.start : band.stop], whole[:, band.start : band.stop]
        )
        outside = np.delete(part, np.arange(band.start, band.stop), axis=1)
        assert np.isnan(outside).all()


@pytest.mark.parametrize(("shape", "scale"), [((40, 33), 1.0), ((40, 64), 0.5), ((64, 50), 0.7071)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_levels_equal_blur_and_resize(shape, scale, dtype, rng):
    image = rng.uniform(0, 255, shape).astype(dtype)
    settings = Settings(**DEFAULTS)
    level = Level(shape, scale, None, settings)
    frame = np.zeros((shape[0], levels.whole_vectors(shape[1])), dtype)
    frame[:, : shape[1]] = image
    level.sample(frame, shape[1], Scratch(shape[1], level.reach, settings), range(level.shape[0]))
    sampled = level.images[1][:, : level.shape[1]]
    taps = []
    for old, new in zip(shape, level.shape, strict=True):
        starts, shares = weights.blurred_taps(old, new, scale)
        taps += [weights.mirror(starts[:, None] + np.arange(shares.shape[1]), old), shares]
    np.testing.assert_allclose(sampled, naive.resample(image, *taps), rtol=1e-5)
    sigma = (1 / scale - 1) / 2
    size = max(round(5 * sigma) | 1, 3)
    blurred = cv2.GaussianBlur(image.astype(np.float32), (size, size), sigma)
    reference = cv2.resize(blurred, level.shape[::-1], interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(sampled, reference, rtol=1e-4)


def test_rows_begin_on_lines_of_the_cache():
    assert allocate((3, LANES), np.float32).ctypes.data % levels.CACHE_LINE == 0
    assert kernels.BATCH == 2


GUARDED = """
import ctypes, mmap, sys
import numpy as np
from classicvid.flow import farneback_flow
from classicvid.flow.farneback import levels
from classicvid.kernels.simd import LANES

at_end, sizes = sys.argv[1] == "end", eval(sys.argv[2])
protect = ctypes.CDLL(None, use_errno=True).mprotect
protect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]

def allocate(shape, dtype):
    # A page that may not be touched lies on both sides; the array touches one of them.
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    inside = -(-max(size, 1) // mmap.PAGESIZE) * mmap.PAGESIZE
    pages = mmap.mmap(-1, inside + 2 * mmap.PAGESIZE)
    raw = np.frombuffer(pages, np.uint8)
    for guard in (0, inside + mmap.PAGESIZE):
        assert protect(raw.ctypes.data + guard, mmap.PAGESIZE, 0) == 0
    start = mmap.PAGESIZE + (inside - size if at_end else 0)
    return raw[start : start + size].view(dtype).reshape(shape)

levels.allocate = allocate
rng = np.random.default_rng(1)
for height, width in sizes:
    frames = rng.integers(0, 256, (2, height, width)).astype(np.uint8)
    for settings in ({}, {"gaussian": True}, {"winsize": 40, "poly_n": 7, "pyr_scale": 0.8},
                     {"gaussian": True, "winsize": 4, "levels": 1, "threads": 2}):
        start = rng.normal(0, 20, (height, width, 2)).astype(np.float32)
        for guess in (None, start):
            flow = farneback_flow(*frames, initial_flow=guess, **settings)
            assert np.isfinite(flow).all(), (height, width, settings)
print("untouched")
"""


def run_guarded(side, sizes, **settings):
    command = [sys.executable, "-c", GUARDED, side, repr(sizes)]
    environment = {**os.environ, **settings}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(sys.platform == "win32", reason="needs mprotect")
@pytest.mark.parametrize("side", ["begin", "end"])
def test_nothing_beside_the_arrays_is_touched(side):
    lengths = (1, 2, 5, LANES - 1, LANES, LANES + 1, 31, 3 * LANES)
    sizes = [(h, w) for h in (1, 2, 7, 33) for w in lengths] + [
        (17, 31),
        (33, 1000),
        (1000, 33),
        (130, 67),
    ]
    done = run_guarded(side, sizes)
    assert done.stdout == "untouched\n", done.stderr


@pytest.mark.skipif(config.DISABLE_JIT, reason="is itself without the compiler")
def test_numpy_finds_no_offset_outside_an_array():
    done = run_guarded("end", [(1, 1), (3, 18), (17, 31)], NUMBA_DISABLE_JIT="1")
    assert done.stdout == "untouched\n", done.stderr


@pytest.mark.slow
@pytest.mark.skipif(
    config.DISABLE_JIT or config.CPU_NAME is not None, reason="is itself the other processor"
)
@pytest.mark.parametrize("processor", ["haswell", "x86-64"])
def test_other_processors_pass_these_tests(processor):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "NUMBA_CPU_NAME": processor},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
