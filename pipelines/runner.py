"""A function and its jobs go in, one outcome a job comes out, in the order of the jobs."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, Literal

from tqdm import tqdm

from classicvid.checks import check_choice, check_whole
from pipelines.workers import Job, Outcome, attempt, run_in_workers

Backend = Literal["serial", "processes"]

BACKENDS: tuple[Backend, ...] = ("serial", "processes")

LINE_SECONDS = 10.0
"""Time between two lines of progress where the progress does not go to a terminal."""


def run_jobs(
    function: Callable[..., Any],
    jobs: Sequence[Job],
    *,
    workers: int = 0,
    backend: Backend = "processes",
    label: str,
    progress: bool = True,
    isolate: bool = False,
) -> list[Outcome]:
    """Call ``function(*job.arguments)`` for every job; gather what it returned or why it failed.

    Parameters
    ----------
    function : callable of a module's top level
        With worker processes it, its arguments and its values must be picklable.
    jobs : sequence of Job
    workers : int, 0 or more
        Worker processes; 0 means one for each processor core. Never more than there are jobs, and
        a single job runs in this process.
    backend : "processes" or "serial"
        "serial" runs every job in this process, one after the other.
    label : str
        What the progress display calls the work.
    progress : bool
        Show how much is done, and the time that remains, on stderr.
    isolate : bool
        With worker processes, run even a single job in one: it then computes on one thread, as it
        would among others, and so gives the same numbers.

    Returns
    -------
    outcomes : list of Outcome, one a job, in the order of ``jobs``

    Raises
    ------
    ValueError, TypeError
        If the backend is not known or the number of workers is no whole number from 0.
    ChildProcessError
        If a worker process dies before it takes its first job.
    KeyboardInterrupt
        On Ctrl-C, once the workers are gone; its text says how far the work came.

    Notes
    -----
    A worker is a fresh (spawned) process in which each library runs one thread: parallel kernels
    deadlock in a forked child, and the workers fill the cores already. One that is killed or
    crashes is replaced; the job that it held is tried once more, and then counts as failed.
    """
    check_choice("backend", backend, BACKENDS)
    count = min(check_whole("workers", workers, low=0) or _cores(), len(jobs))
    if not jobs:
        return []
    alone = backend == "serial" or (len(jobs) <= 1 and not isolate)
    stream = _in_process(function, jobs) if alone else run_in_workers(function, jobs, count)
    outcomes: dict[int, Outcome] = {}
    with closing(stream), _progress(label, len(jobs), shown=progress) as advance:
        try:
            for index, outcome in stream:
                outcomes[index] = outcome
                advance(outcome)
        except KeyboardInterrupt:
            message = f"{label}: {len(outcomes)} of {len(jobs)} done"
            raise KeyboardInterrupt(message) from None
    return [outcomes[index] for index in range(len(jobs))]


def _cores() -> int:
    # The cores that this process may use: a container or a scheduler grants fewer than there are.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _in_process(
    function: Callable[..., Any], jobs: Sequence[Job]
) -> Generator[tuple[int, Outcome], None, None]:
    for index, job in enumerate(jobs):
        yield index, attempt(function, job)


@contextmanager
def _progress(label: str, total: int, *, shown: bool) -> Iterator[Callable[[Outcome], None]]:
    """Yield what to call with each outcome: it moves a bar, or now and then prints a line."""
    terminal = sys.stderr.isatty()
    bar = tqdm(total=total, desc=label, unit="video", disable=not (shown and terminal))
    began = time.monotonic()
    printed, done, failed = began, 0, 0

    def advance(outcome: Outcome) -> None:
        nonlocal printed, done, failed
        done += 1
        if outcome.reason is not None:
            failed += 1
            bar.set_postfix_str(f"{failed} failed", refresh=False)
        bar.update()
        now = time.monotonic()
        if shown and not terminal and (now - printed >= LINE_SECONDS or done == total):
            printed = now
            left = tqdm.format_interval((now - began) / done * (total - done))
            sys.stderr.write(f"{label}: {done}/{total} done, {failed} failed, {left} left\n")

    with bar:
        yield advance
