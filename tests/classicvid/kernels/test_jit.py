"""The compiler's helper: no cache folder is no error, and a kernel frees the interpreter."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest
from numba import config
from numba.core.errors import TypingError

from classicvid.kernels import jit

ROOT = Path(__file__).resolve().parents[3]


def increase(values):
    for i in range(values.size):
        values[i] += 1


def test_compiles_without_a_folder_for_the_cache(monkeypatch):
    asked = []

    def njit(**flags):
        asked.append(flags)
        if flags.get("cache"):
            message = "cannot cache function 'increase': no locator available"
            raise RuntimeError(message)
        return numba.njit(**flags)

    monkeypatch.setattr(jit, "njit", njit)
    values = np.zeros(3)
    jit.kernel(increase)(values)
    np.testing.assert_array_equal(values, 1)
    assert [flags.get("cache", False) for flags in asked] == [True, False]
    assert all(flags["nogil"] for flags in asked)


def test_only_the_kernel_of_any_order_reorders_sums():
    assert not jit.kernel(increase).targetoptions.get("fastmath")
    reordered = jit.kernel_any_order(increase).targetoptions["fastmath"]
    assert "reassoc" in reordered
    assert "nnan" not in reordered


CALLER = """
import sys, types
from pathlib import Path
import numpy as np
from classicvid.kernels import jit
helper = types.ModuleType("helper")
source = Path(sys.argv[1]).read_text()
jit._digest_sources = lambda: source
exec(compile(source, sys.argv[1], "exec"), helper.__dict__)
sys.modules["helper"] = helper
sys.path.insert(0, str(Path(sys.argv[1]).parent))
import caller
values = np.zeros(1)
caller.run(values)
print(values[0], sum(caller.run.stats.cache_hits.values()))
"""


@pytest.mark.skipif(config.DISABLE_JIT, reason="nothing is compiled")
def test_an_edit_in_another_file_is_seen_and_nothing_is_compiled_twice(tmp_path):
    helper, caller = tmp_path / "helper_source.py", tmp_path / "caller.py"
    caller.write_text(
        "from classicvid.kernels.jit import kernel\nfrom helper import step\n"
        "@kernel\ndef run(values):\n    values[0] += step()\n"
    )

    def run(step):
        helper.write_text(
            "from classicvid.kernels.jit import inlined\n"
            f"@inlined\ndef step():\n    return {step}\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", CALLER, str(helper)],
            cwd=ROOT,
            env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    assert run(1) == ["1.0", "0"]
    assert run(1) == ["1.0", "1"]
    assert run(2) == ["2.0", "0"]
    assert run(2) == ["2.0", "1"]


@jit.part
def double(value):
    return 2 * value


@jit.kernel
def double_all(values):
    for i in range(values.size):
        values[i] = double(values[i])


def test_a_part_serves_kernels_and_runs_in_python_too():
    values = np.arange(3.0)
    double_all(values)
    assert values.tolist() == [double(i) for i in range(3)]


def test_the_collector_works_again_after_compiling():
    jit.kernel(increase)(np.zeros(1))
    assert gc.isenabled()


@pytest.mark.skipif(config.DISABLE_JIT, reason="nothing is compiled")
@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_left_as_it_was_when_nothing_compiles(enabled):
    kernel = jit.kernel(increase)
    (gc.enable if enabled else gc.disable)()
    try:
        with pytest.raises(TypingError):
            kernel("no array")
        assert gc.isenabled() == enabled
    finally:
        gc.enable()


SECOND_START = """
import numpy as np
from classicvid.flow import farneback_flow
from numba.core import event
with event.install_recorder("numba:compile") as recorder:
    for gaussian in (False, True):
        farneback_flow(*np.zeros((2, 40, 50), np.uint8), gaussian=gaussian)
print(sum(bool(kind.is_start) for _, kind in recorder.buffer))
"""


@pytest.mark.skipif(config.DISABLE_JIT, reason="nothing is compiled")
def test_a_second_start_compiles_nothing():
    def run():
        done = subprocess.run(
            [sys.executable, "-c", SECOND_START],
            cwd=ROOT,
            env=os.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return int(done.stdout)

    run()
    assert run() == 0


@jit.kernel
def only_scalars(value, room):
    return value + 1.0


@jit.kernel
def only_arrays(value, room):
    return value + room[0]


either = jit.chosen(given=only_arrays, absent=only_scalars)


@jit.kernel
def run_either(value, room):
    return either(value, room)


@pytest.mark.parametrize("run", [either, run_either], ids=["by itself", "from a kernel"])
def test_the_last_argument_chooses_the_kernel(run):
    assert run(2.0, None) == 3.0
    assert run(2.0, np.full(1, 40.0)) == 42.0
