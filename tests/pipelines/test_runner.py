"""Jobs: order, failures, workers that die, Ctrl-C; no process and no half-made folder stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.runner import run_jobs
from pipelines.workers import THREAD_LIMITS, Job

ROOT = Path(__file__).resolve().parents[2]

SLOW_SCRIPT = """
import os, signal, sys, time
from pathlib import Path
from pipelines.runner import run_jobs
from pipelines.store import atomic_folder
from pipelines.workers import Job

def work(folder, seconds):
    with atomic_folder(folder / "done") as part:
        (folder / f"{os.getpid()}.pid").write_text("")
        time.sleep(seconds)

if __name__ == "__main__":
    # Tests that a shell runs in the background have Ctrl-C switched off.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    folders = [Path(sys.argv[1]) / str(n) for n in range(6)]
    jobs = [Job("fast", (folders[0], 0))] + [Job("slow", (folder, 60)) for folder in folders[1:]]
    try:
        run_jobs(work, jobs, workers=2, backend=sys.argv[2], label="work", progress=False)
    except KeyboardInterrupt as stop:
        sys.exit(f"stopped: {stop}")
"""


def double(number: int, seconds: float = 0) -> int:
    time.sleep(seconds)
    if number < 0:
        message = f"number must be 0 or more,\n got {number}"
        raise ValueError(message)
    return 2 * number


def break_down(kind: str) -> None:
    if kind == "empty":
        raise MemoryError
    if kind == "fault":
        [].pop()
    raise OSError(28, "No space left on device", "/full/disk")


def own_process(folder: Path, wanted: int) -> int:
    """Return this process once as many processes as wanted have got here."""
    (folder / f"{os.getpid()}.pid").touch()
    wait_until(lambda: len(list(folder.glob("*.pid"))) >= wanted)
    return os.getpid()


def die(folder: Path, number: int, deaths: int) -> int:
    """Die by SIGKILL the first ``deaths`` times."""
    tries = folder / f"{number}.tries"
    with tries.open("a") as file:
        file.write("x")
    if tries.stat().st_size <= deaths:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def count_threads() -> dict[str, int]:
    # Imported where the worker counts, as the work of a worker would import them.
    import cv2  # noqa: PLC0415
    import numba  # noqa: PLC0415
    import torch  # noqa: PLC0415
    from threadpoolctl import threadpool_info  # noqa: PLC0415

    counts = {"opencv": cv2.getNumThreads(), "torch": torch.get_num_threads()}
    counts["numba"] = numba.get_num_threads()
    return counts | {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()}


def jobs_of(*arguments) -> list[Job]:
    return [Job(f"job {number}", values) for number, values in enumerate(arguments)]


@pytest.mark.parametrize("backend", ["serial", "processes"])
def test_outcomes_come_in_order_and_failures_stay_alone(backend):
    jobs = jobs_of((1, 0.2), (2,), (-3,), (4,), (5,))
    outcomes = run_jobs(double, jobs, workers=2, backend=backend, label="double", progress=False)
    assert [outcome.name for outcome in outcomes] == [job.name for job in jobs]
    assert [outcome.value for outcome in outcomes] == [2, 4, None, 8, 10]
    reasons = [outcome.reason for outcome in outcomes]
    assert reasons == [None, None, "number must be 0 or more, got -3", None, None]


def test_reasons_are_one_line_and_name_the_place_of_a_fault():
    jobs = jobs_of(("empty",), ("fault",), ("disk",))
    outcomes = run_jobs(break_down, jobs, backend="serial", label="x", progress=False)
    empty, fault, disk = (outcome.reason for outcome in outcomes)
    assert empty.startswith("MemoryError: no message (test_runner.py:")
    assert fault.startswith("IndexError: pop from empty list (test_runner.py:")
    assert disk == "[Errno 28] No space left on device: '/full/disk'"


def test_work_is_shared_among_as_many_processes_as_asked(tmp_path):
    jobs = jobs_of(*[(tmp_path, 2)] * 6)
    found = run_jobs(own_process, jobs, workers=2, label="x", progress=False)
    processes = {outcome.value for outcome in found}
    assert len(processes) == 2
    assert os.getpid() not in processes


@pytest.mark.parametrize(("count", "backend"), [(1, "processes"), (3, "serial")])
def test_one_job_and_serial_jobs_stay_in_this_process(tmp_path, count, backend):
    found = run_jobs(own_process, jobs_of(*[(tmp_path, 1)] * count), backend=backend, label="x")
    assert {outcome.value for outcome in found} == {os.getpid()}


def test_no_jobs_no_outcomes(capsys):
    assert run_jobs(double, [], label="x") == []
    assert capsys.readouterr().err == ""


def test_every_library_in_a_worker_runs_one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    before = {name: os.environ.get(name) for name in THREAD_LIMITS}
    found = run_jobs(count_threads, jobs_of((), ()), workers=1, label="x", progress=False)
    assert len(found[0].value) > 3
    assert set(found[0].value.values()) == {1}, found[0].value
    assert {name: os.environ.get(name) for name in THREAD_LIMITS} == before


def test_a_worker_that_dies_once_costs_nothing(tmp_path):
    jobs = jobs_of(*[(tmp_path, number, int(number in (0, 3))) for number in range(5)])
    found = run_jobs(die, jobs, workers=2, label="x", progress=False)
    assert [outcome.value for outcome in found] == [0, 1, 2, 3, 4]
    tries = [(tmp_path / f"{number}.tries").stat().st_size for number in range(5)]
    assert tries == [2, 1, 1, 2, 1]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_job_that_kills_every_worker_fails_alone(tmp_path, workers):
    jobs = jobs_of(*[(tmp_path, number, 99 * (number == 1)) for number in range(4)])
    found = run_jobs(die, jobs, workers=workers, label="x", progress=False)
    assert [outcome.value for outcome in found] == [0, None, 2, 3]
    assert (
        found[1].reason == "its worker process died twice (SIGKILL, most often for want of memory)"
    )
    assert (tmp_path / "1.tries").stat().st_size == 2


@pytest.mark.parametrize("backend", ["processes", "serial"])
def test_ctrl_c_leaves_quickly_and_leaves_nothing_behind(tmp_path, backend):
    work, process = start_slow_script(tmp_path, backend)
    began = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)  # as the terminal does: the children get it too
    _, errors = process.communicate(timeout=10)
    assert time.monotonic() - began < 5
    assert process.returncode == 1
    assert errors == "stopped: work: 1 of 6 done\n"
    assert not alive(work)
    assert [path.name for path in work.rglob("*done*")] == ["done"]


def test_workers_do_not_outlive_a_parent_that_is_killed(tmp_path):
    work, process = start_slow_script(tmp_path, "processes")
    process.kill()
    process.communicate(timeout=10)
    wait_until(lambda: not alive(work))
    assert len(list(work.rglob("*.pid"))) >= 2


def start_slow_script(tmp_path, backend):
    """Run one fast job and five slow ones in a process group of their own, till slow ones run."""
    script, work = tmp_path / "slow.py", tmp_path / "work"
    script.write_text(SLOW_SCRIPT)
    process = subprocess.Popen(
        [sys.executable, script, work, backend],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wanted = 3 if backend == "processes" else 2
    wait_until(lambda: len(list(work.rglob("*.pid"))) >= wanted)
    return work, process


def alive(work: Path) -> list[str]:
    return [path.stem for path in work.rglob("*.pid") if Path("/proc", path.stem).exists()]


def wait_until(condition, seconds=30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def test_a_script_without_a_main_guard_is_told_so(tmp_path):
    (tmp_path / "bare.py").write_text(
        "import time\nfrom pipelines.runner import run_jobs\nfrom pipelines.workers import Job\n"
        "run_jobs(time.sleep, [Job('a', (0,)), Job('b', (0,))], label='x', progress=False)\n"
    )
    done = subprocess.run(
        [sys.executable, tmp_path / "bare.py"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert "ChildProcessError: a worker process could not start (exit code 1)" in done.stderr


def test_progress_away_from_a_terminal_is_plain_lines(capsys):
    run_jobs(double, jobs_of((1,), (-1,)), backend="serial", label="double")
    assert capsys.readouterr().err == "double: 2/2 done, 1 failed, 00:00 left\n"
    run_jobs(double, jobs_of((1,), (-1,)), backend="serial", label="double", progress=False)
    assert capsys.readouterr().err == ""


def test_progress_on_a_terminal_is_a_bar(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    run_jobs(double, jobs_of((1,), (-1,)), backend="serial", label="double")
    shown = capsys.readouterr().err
    assert "double: 100%" in shown
    assert "1 failed" in shown


def test_wrong_settings_are_named():
    with pytest.raises(ValueError, match="backend must be one of serial, processes, got 'ray'"):
        run_jobs(double, jobs_of((1,)), backend="ray", label="x")
    with pytest.raises(ValueError, match="workers must be at least 0, got -1"):
        run_jobs(double, jobs_of((1,)), workers=-1, label="x")
