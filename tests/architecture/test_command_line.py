"""The command line is started in a process of its own; that it is quick and light is seen."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source_tree import ROOT

HEAVY = ("torch", "torchvision", "numba", "ray", "cv2", "sklearn", "av", "scipy", "matplotlib")


def run_python(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_command_line_loads_nothing_heavy():
    code = "import sys, json, pipelines.cli; print(json.dumps(sorted(sys.modules)))"
    done = run_python("-c", code)
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert "pipelines.cli" in loaded
    assert [name for name in loaded if name in HEAVY] == []


def test_help_works_and_loads_nothing_heavy():
    code = (
        "import sys, json\nfrom pipelines.cli import main\n"
        "try:\n    code = main(['--help'])\nexcept SystemExit as stop:\n    code = stop.code\n"
        "print(json.dumps([code, sorted(sys.modules)]))"
    )
    done = run_python("-c", code)
    assert done.returncode == 0, done.stderr
    *text, last = done.stdout.splitlines()
    code, loaded = json.loads(last)
    assert code in (0, None)
    assert "classicvid" in "\n".join(text)
    for command in ("demo", "flow", "compare"):
        assert command in "\n".join(text)
    assert [name for name in loaded if name in HEAVY] == []


def test_the_installed_command_answers():
    command = Path(sys.executable).with_name("classicvid")
    if not command.exists():
        pytest.skip("classicvid is not installed beside this Python")
    done = subprocess.run(
        [command, "--help"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage: classicvid" in done.stdout
