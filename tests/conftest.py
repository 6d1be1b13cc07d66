"""Fixtures that any test may ask for: random numbers and the real data beside the project."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent


def _key_kernel_cache() -> None:
    """Give each state of the kernels a cache of its own.

    numba does not see that a function which a cached kernel calls has changed in another file.
    """
    sources = sorted((ROOT / "classicvid" / "kernels").rglob("*.py"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"classicvid-kernels-{os.getuid()}-{digest}"
    os.environ.setdefault("NUMBA_CACHE_DIR", str(folder))


_key_kernel_cache()  # before any test imports numba


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real videos and ground truth that lies beside the repository."""
    folder = Path(os.environ.get("CLASSICVID_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"needs the shared real data: {folder} is absent (CLASSICVID_SHARED_DATA)")
    return folder


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers that are the same in every run."""
    return np.random.default_rng(20140623)
