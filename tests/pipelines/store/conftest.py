"""A process that has ended, for the tests that need one."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.fixture
def dead_process() -> int:
    """Number of a process that has ended."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid
