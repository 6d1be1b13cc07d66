"""Videos go in; one safetensors file of features a video comes out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from classicvid.descriptors import LOCAL_CHANNELS, describe_frames
from classicvid.video import iter_frames, probe
from pipelines.dataset import Video
from pipelines.run_folder import RunFolder
from pipelines.runner import Backend, run_jobs
from pipelines.store import write_arrays
from pipelines.workers import Job

# Histograms gain nothing from more pixels than this on the shorter side, and cost with
# their square.
SHORT_SIDE = 120


def run(
    folder: RunFolder, videos: Sequence[Video], *, workers: int, backend: Backend = "processes"
) -> dict[str, str]:
    """Make the features that are missing; return the reason of each failure by video name."""
    jobs = [
        Job(video.name, (folder.features(video.name), video))
        for video in videos
        if not folder.features(video.name).exists()
    ]
    outcomes = run_jobs(describe_video, jobs, workers=workers, backend=backend, label="features")
    return {done.name: done.reason for done in outcomes if done.reason is not None}


def describe_video(target: Path, video: Video) -> None:
    """Write the histograms and the local descriptors of one video, each an array of its own."""
    info = probe(video.path)
    smaller = SHORT_SIDE if min(info.height, info.width) > SHORT_SIDE else None
    with iter_frames(video.path, short_side=smaller) as frames:
        arrays = describe_frames(frames)
    # Half the digits of local descriptors are enough to find the nearest of the words.
    halved = {name: arrays[name].astype(np.float16) for name in LOCAL_CHANNELS}
    write_arrays(target, {**arrays, **halved})
