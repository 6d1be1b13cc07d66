"""Renders the sample that is committed: `python -m data.make_tiny` from the project's root."""

from __future__ import annotations

from pathlib import Path

from pipelines.sample_sets import KINDS, write_sample_set

TINY = Path(__file__).resolve().parent / "tiny"
TRAIN, TEST = 12, 12  # videos of each class

if __name__ == "__main__":
    for kind in KINDS:
        write_sample_set(TINY / kind, kind, train=TRAIN, test=TEST)
