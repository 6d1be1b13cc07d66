"""Numbers that threads share: each is claimed once, and what is published is complete."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from classicvid.kernels.jit import kernel
from classicvid.kernels.simd import memory
from classicvid.kernels.threads import SHARED, claim, publish, rest, wait_for

ROOT = Path(__file__).resolve().parents[3]
shared_only = pytest.mark.skipif(not SHARED, reason="without the compiler, one thread does it all")


@kernel
def claim_all(board, mine):
    shared, count = memory(board), 0
    number = claim(shared, 0)
    while number < mine.size:
        mine[number] += 1
        count += 1
        number = claim(shared, 0)
    return count


@kernel
def pass_on(board, row, member):
    """Wait for one's turn, then write what the one before has written, plus 1."""
    shared = memory(board)
    wait_for(shared, 0, member)
    row[member + 1] = row[member] + 1
    publish(shared, 0, member + 1)


def test_one_thread_claims_every_number():
    board, taken = np.zeros(1, np.int64), np.zeros(100, np.int64)
    assert claim_all(board, taken) == 100
    np.testing.assert_array_equal(taken, 1)
    assert board[0] == 101


@shared_only
def test_no_number_is_claimed_twice():
    claim_all(np.zeros(1, np.int64), np.zeros(1, np.int64))
    with ThreadPoolExecutor(4) as pool:
        board, taken = np.zeros(1, np.int64), np.zeros(1_000_000, np.int64)
        counts = [pool.submit(claim_all, board, taken) for _ in range(4)]
        assert sum(count.result() for count in counts) == taken.size
    np.testing.assert_array_equal(taken, 1)


@shared_only
def test_what_is_published_is_seen():
    # More threads than cores, the last in line first: the waiting must leave them room.
    members = 12
    board, row = np.zeros(1, np.int64), np.zeros(members + 1, np.int64)
    pass_on(np.zeros(1, np.int64), np.zeros(2, np.int64), 0)
    with ThreadPoolExecutor(members) as pool:
        for done in [pool.submit(pass_on, board, row, m) for m in reversed(range(members))]:
            done.result(timeout=60)
    np.testing.assert_array_equal(row, np.arange(members + 1))


@pytest.mark.skipif(SHARED, reason="with the compiler, another thread may end the wait")
def test_alone_one_does_not_wait():
    with pytest.raises(RuntimeError, match="would never end"):
        rest(False)


@pytest.mark.skipif(not SHARED, reason="is itself without the compiler")
def test_without_the_compiler_these_tests_pass():
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    environment = {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
