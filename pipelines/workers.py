"""A function and its jobs go in, outcomes come out as the worker processes finish them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection, resource_tracker
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

THREAD_LIMITS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "OPENCV_FOR_THREADS_NUM",
)
"""Where numeric libraries look for their number of threads when they are imported."""

GRACE_SECONDS = 2.0
"""How long a worker that is told to leave may take to clear up, before it is killed."""


@dataclass(frozen=True)
class Job:
    """One call of the function: ``function(*arguments)``; ``name`` is what messages call it."""

    name: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Outcome:
    """What a job came to: the ``value`` it returned, or the ``reason`` why it failed, one line."""

    name: str
    value: Any = None
    reason: str | None = None


def attempt(function: Callable[..., Any], job: Job) -> Outcome:
    """Do a job in this process; whatever it raises, Ctrl-C apart, becomes its reason."""
    try:
        return Outcome(job.name, value=function(*job.arguments))
    except Exception as error:
        return Outcome(job.name, reason=_reason(error))


def _reason(error: Exception) -> str:
    """Say in one line what went wrong, and where if it is not a fault of the input."""
    text = " ".join(str(error).split())
    if text and isinstance(error, ValueError | OSError):
        return text
    last = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"{type(error).__name__}: {text or 'no message'} ({Path(last.filename).name}:{last.lineno})"
    )


def run_in_workers(
    function: Callable[..., Any], jobs: Sequence[Job], count: int
) -> Generator[tuple[int, Outcome], None, None]:
    """Yield (index of the job, outcome) as they come, from ``count`` fresh one-threaded processes.

    A worker that dies is replaced; the job that it held is tried once more, then counts as failed.
    Whichever way this ends, the workers end before it.

    Raises
    ------
    ChildProcessError
        If a worker dies before it takes its first job.
    """
    crew = _Crew(function, jobs)
    try:
        for _ in range(count):
            crew.hire()
        while crew.workers:
            yield from crew.listen()
    finally:
        crew.dismiss()


@dataclass
class _Worker:
    """A process, our end of its pipe, and the index of the job that it holds (None: starting)."""

    process: BaseProcess
    pipe: connection.Connection
    job: int | None = None


class _Crew:
    """The worker processes and the jobs that wait for them."""

    def __init__(self, function: Callable[..., Any], jobs: Sequence[Job]) -> None:
        self.function = function
        self.jobs = jobs
        self.waiting = deque(range(len(jobs)))
        self.retried: set[int] = set()
        self.workers: list[_Worker] = []

    def hire(self) -> None:
        """Start a worker; it asks for its first job when it has imported what it needs."""
        context = multiprocessing.get_context("spawn")
        pipe, far_end = context.Pipe()
        process = context.Process(target=_work, args=(far_end, self.function), daemon=True)
        with _one_thread_a_library(), _without_interrupts():
            process.start()
            far_end.close()  # Only the worker holds it now, so that its death ends the pipe.
            self.workers.append(_Worker(process, pipe))

    def listen(self) -> Iterator[tuple[int, Outcome]]:
        """Wait until workers report, yield what they finished and give them their next jobs."""
        ready = connection.wait([worker.pipe for worker in self.workers])
        for worker in [worker for worker in self.workers if worker.pipe in ready]:
            index = worker.job
            try:
                outcome = worker.pipe.recv()
            except (EOFError, OSError):
                outcome = self._bury(worker)
            else:
                self._employ(worker)
            if index is not None and outcome is not None:
                yield index, outcome

    def _employ(self, worker: _Worker) -> None:
        if not self.waiting:
            self.workers.remove(worker)
            _let_go(worker)
            return
        worker.job = self.waiting.popleft()
        with suppress(OSError):  # If it has died, the end of its pipe will say so.
            worker.pipe.send(self.jobs[worker.job])

    def _bury(self, worker: _Worker) -> Outcome | None:
        """Replace a dead worker; return its job as failed if it was that job's second death."""
        self.workers.remove(worker)
        cause = _let_go(worker)
        if worker.job is None:
            message = (
                f"a worker process could not start ({cause}); a script that calls this must do so "
                'under `if __name__ == "__main__":`, or ask for the backend "serial"'
            )
            raise ChildProcessError(message)
        outcome = None
        if worker.job in self.retried:
            outcome = Outcome(
                self.jobs[worker.job].name, reason=f"its worker process died twice ({cause})"
            )
        else:
            self.retried.add(worker.job)
            self.waiting.append(worker.job)
        if self.waiting:
            self.hire()
        return outcome

    def dismiss(self) -> None:
        """Tell those that still work to leave, and see that they do."""
        for worker in self.workers:
            worker.process.terminate()
        for worker in self.workers:
            _let_go(worker)
        self.workers.clear()


def _let_go(worker: _Worker) -> str:
    """Close the pipe, at whose end a worker leaves, wait for its end and say how it ended."""
    worker.pipe.close()
    worker.process.join(GRACE_SECONDS)
    if worker.process.is_alive():
        worker.process.kill()
        worker.process.join()
    code = worker.process.exitcode or 0
    worker.process.close()
    if code >= 0:
        return f"exit code {code}"
    name = signal.Signals(-code).name
    return f"{name}, most often for want of memory" if name == "SIGKILL" else name


@contextmanager
def _one_thread_a_library() -> Iterator[None]:
    # A child's libraries read these when it imports them, which is before it runs a line of ours;
    # the libraries of this process have read them already.
    before = {name: os.environ.get(name) for name in THREAD_LIMITS}
    os.environ.update(dict.fromkeys(THREAD_LIMITS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Start children that do not see Ctrl-C, which the terminal sends to all: it is ours to act on.

    A handler that the child sets itself would come after its imports, half a second too late.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # Else the first start of a child does it and lifts the mask.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _work(pipe: connection.Connection, function: Callable[..., Any]) -> None:
    """Live as a worker: report ready, then answer each job with its outcome until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    with suppress(EOFError, OSError):
        pipe.send(None)
        while True:
            pipe.send(attempt(function, pipe.recv()))


def _leave(*_: Any) -> None:
    # An exception rather than death, so that a half-written folder is cleared on the way out. A
    # call-back of a compiled library may swallow it, and would say so at length.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    sys.exit(128 + signal.SIGTERM)


def _die_with_parent() -> None:
    # A parent that is killed cannot dismiss its workers.
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
