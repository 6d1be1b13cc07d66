"""Farnebäck's flow on several threads: the numbers of one, whoever comes late or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from classicvid.flow import FarnebackFlow, farneback_flow
from classicvid.flow.farneback.crew import Crew
from classicvid.flow.farneback.levels import Settings, make_levels
from classicvid.flow.farneback.schedule import Schedule, cut_bands
from classicvid.kernels.farneback import plan

ROOT = Path(__file__).resolve().parents[2]
WINDOWS = pytest.mark.parametrize("gaussian", [False, True], ids=["box", "gaussian"])


def make_settings(**changes):
    settings = {
        "pyr_scale": 0.5,
        "levels": 3,
        "winsize": 15,
        "iterations": 3,
        "poly_n": 5,
        "poly_sigma": 1.2,
        "gaussian": False,
    }
    return Settings(**{**settings, **changes})


@pytest.fixture
def frames(rng):
    noise = rng.integers(0, 256, (210, 97)).astype(np.uint8)
    first = cv2.GaussianBlur(noise, (0, 0), 2)
    return [np.roll(first, (i, 2 * i), (0, 1)) for i in range(4)]


@WINDOWS
@pytest.mark.parametrize(
    ("winsize", "iterations"), [(15, 3), (10, 1), (4, 2), (3, 5), (21, 2), (50, 3)]
)
def test_any_number_of_threads_gives_the_numbers_of_one(frames, winsize, iterations, gaussian):
    settings = {"winsize": winsize, "iterations": iterations, "gaussian": gaussian}
    alone = farneback_flow(*frames[:2], **settings)
    for threads in (2, 3, 6):
        together = farneback_flow(*frames[:2], threads=threads, **settings)
        np.testing.assert_array_equal(together, alone)


@WINDOWS
def test_a_stream_on_two_threads_gives_the_numbers_of_one(frames, gaussian):
    alone, together = (FarnebackFlow(gaussian=gaussian, threads=n) for n in (1, 2))
    alone.feed(frames[0])
    together.feed(frames[0])
    for frame in frames[1:] * 5:
        for one, other in zip(alone.feed_both(frame), together.feed_both(frame), strict=True):
            np.testing.assert_array_equal(other, one)


def test_nobody_comes_and_all_is_done(frames, monkeypatch):
    alone = farneback_flow(*frames[:2])
    monkeypatch.setattr(Crew, "call", lambda self, join, count: None)
    np.testing.assert_array_equal(farneback_flow(*frames[:2], threads=3), alone)


def test_who_comes_late_does_no_harm(frames, monkeypatch):
    joins = []
    monkeypatch.setattr(Crew, "call", lambda self, join, count: joins.append(join))
    estimator, alone = FarnebackFlow(threads=2), FarnebackFlow()
    for frame in frames:
        flow, reference = estimator.feed(frame), alone.feed(frame)
        if flow is not None:
            np.testing.assert_array_equal(flow, reference)
        for join in joins:
            join(1)
        if flow is not None:
            np.testing.assert_array_equal(flow, reference)


def test_an_interrupted_call_leaves_nobody_at_work(frames, monkeypatch):
    alone = farneback_flow(*frames[:2])
    estimator = FarnebackFlow(threads=2)
    estimator.feed(frames[0])

    def interrupt(self, join, count):
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(Crew, "call", interrupt)
        with pytest.raises(KeyboardInterrupt):
            estimator.feed(frames[2])
    estimator.reset()
    estimator.feed(frames[0])
    np.testing.assert_array_equal(estimator.feed(frames[1]), alone)


def test_ten_callers_of_two_threads_each_give_the_numbers_of_one(frames):
    pairs = list(pairwise(frames))
    alone = [farneback_flow(*pair) for pair in pairs]
    with ThreadPoolExecutor(10) as pool:
        flows = list(pool.map(lambda pair: farneback_flow(*pair, threads=2), pairs * 10))
    for i, flow in enumerate(flows):
        np.testing.assert_array_equal(flow, alone[i % len(pairs)])


FORKED = """
import os, sys
import numpy as np
from classicvid.flow import FarnebackFlow, farneback_flow
frames = np.random.default_rng(0).integers(0, 256, (2, 150, 90)).astype(np.uint8)
alone = farneback_flow(*frames)
estimator = FarnebackFlow(threads=2)
estimator.feed(frames[0]); estimator.feed(frames[1])
child = os.fork()
same = True
for _ in range(3):
    estimator.feed(frames[0])
    same &= bool((estimator.feed(frames[1]) == alone).all())
    same &= bool((farneback_flow(*frames, threads=2) == alone).all())
if child == 0:
    os._exit(not same)
sys.exit(not same or os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_and_the_end_of_the_interpreter_find_no_thread_missing():
    # Python 3.12 warns of a fork while threads run, which is what happens here.
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKED]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("frames", [range(0), range(1, 2), range(2)])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_a_task_builds_only_on_those_before_it(frames, threads):
    settings = make_settings()
    levels = make_levels((300, 70), settings)
    schedule = Schedule(levels, settings, frames=frames, solved=True, threads=threads)
    begun = set()
    for task in schedule.tasks:
        assert set(range(task["needs"], task["needs_end"])) <= begun
        assert task["giver"] in begun | {-1}
        begun.add(int(task["flag"]))
    assert begun == set(range(plan.FIRST_FLAG, plan.FIRST_FLAG + schedule.tasks.size))
    assert schedule.board.size == plan.FIRST_FLAG + schedule.tasks.size


@pytest.mark.parametrize("winsize", [2, 15, 40])
@pytest.mark.parametrize("iterations", [1, 3, 10])
@pytest.mark.parametrize("height", [1, 31, 64, 240, 1080])
@pytest.mark.parametrize("most", [1, 2, 7])
def test_bands_have_what_they_hand_over(winsize, iterations, height, most):
    settings = make_settings(winsize=winsize, iterations=iterations)
    cuts = cut_bands(height, most, settings)
    assert (cuts[0], cuts[-1]) == (0, height)
    assert len(cuts) - 1 <= most
    radius = winsize // 2
    # The rows that enter the first iteration, of which the first 2 ``radius`` are handed over.
    tops = [cut - radius * iterations for cut in cuts[1:-1]]
    assert all(top > 0 for top in tops)
    assert all(below - above >= 2 * radius for above, below in pairwise([0, *tops]))
    if tops:
        assert height - cuts[-2] >= radius
