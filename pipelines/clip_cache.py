"""Videos go in; frames and flow at a network's resolution come out, each decoded once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from classicvid.flow import FarnebackFlow, quantise_flow
from classicvid.image import to_gray
from classicvid.video import iter_frames
from pipelines.dataset import Video
from pipelines.recipes import FlowRecipe, plain
from pipelines.run_folder import CLIP_FILES
from pipelines.runner import Backend, run_jobs
from pipelines.store import atomic_folder
from pipelines.workers import Job


@dataclass(frozen=True)
class ClipCacheRecipe:
    """How clips are made.

    Parameters
    ----------
    folder : Path
        Gets ``<class>/<video>/rgb.npy``, shape (T, H, W, 3) uint8, and ``flow.npy``, shape
        (T - 1, H, W, 2) uint8, quantised; one field of no motion for a video of one frame. With
        ``backward`` also ``backward.npy``, the flow from each frame to the one before it.
    size : tuple of int
        H and W, px.
    bound : float
        Displacement stored as 255, in px of the cached size.
    flow : FlowRecipe
        Parameters of the flow.
    flow_side : int
        Shorter side, px, at which the flow is computed before it is reduced to ``size``.
    backward : bool
        Also compute the flow backwards in time.
    """

    folder: Path
    size: tuple[int, int]
    bound: float
    flow: FlowRecipe = field(default_factory=FlowRecipe)
    flow_side: int = 128
    backward: bool = False

    def is_cached(self, video: Video) -> bool:
        """Whether all that is wanted of a video is there."""
        files = ("flow", "backward") if self.backward else ("flow",)
        return all((self.folder / video.name / CLIP_FILES[file]).exists() for file in files)


def run(
    recipe: ClipCacheRecipe,
    videos: Sequence[Video],
    *,
    workers: int,
    backend: Backend = "processes",
) -> dict[str, str]:
    """Make the clips that are missing; return the reason of each failure by video name."""
    jobs = [Job(video.name, (recipe, video)) for video in videos if not recipe.is_cached(video)]
    outcomes = run_jobs(cache_video, jobs, workers=workers, backend=backend, label="clips")
    return {done.name: done.reason for done in outcomes if done.reason is not None}


def cache_video(recipe: ClipCacheRecipe, video: Video) -> int:
    """Decode one video into the cache; return its number of frames."""
    with atomic_folder(recipe.folder / video.name) as part, iter_frames(video.path) as frames:
        rgb = _GrowingArray(part / CLIP_FILES["rgb"], (*recipe.size, 3))
        ways = ("flow", "backward") if recipe.backward else ("flow",)
        flows = [_GrowingArray(part / CLIP_FILES[way], (*recipe.size, 2)) for way in ways]
        solver = FarnebackFlow(**plain(recipe.flow))
        side = None
        for frame in frames:
            side = side or _working_size(frame.shape, recipe)
            for array, motion in zip(
                flows, _motions(solver, _resize(frame, side), recipe), strict=False
            ):
                array.append(quantise_flow(_reduce(motion, recipe.size), bound=recipe.bound))
            rgb.append(_resize(frame, recipe.size))
        still = quantise_flow(np.zeros((*recipe.size, 2), np.float32), bound=recipe.bound)
        for array in flows:
            if array.count == 0:
                array.append(still)
            array.close()
        rgb.close()
    return rgb.count


def _motions(
    solver: FarnebackFlow, frame: NDArray[np.uint8], recipe: ClipCacheRecipe
) -> tuple[NDArray[np.float32], ...]:
    """Return the flow to a frame from the one before, and back if wanted; none for the first."""
    gray = to_gray(frame)
    if recipe.backward:
        return solver.feed_both(gray) or ()
    motion = solver.feed(gray)
    return () if motion is None else (motion,)


def _working_size(shape: tuple[int, ...], recipe: ClipCacheRecipe) -> tuple[int, int]:
    """Height and width to compute flow at: as filmed, but no larger than is useful."""
    scale = min(1.0, max(recipe.flow_side, *recipe.size) / min(shape[:2]))
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def _resize(image: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    if image.shape[:2] == size:
        return image
    shrinks = image.shape[0] >= size[0] and image.shape[1] >= size[1]
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, size[::-1], interpolation=way)


def _reduce(flow: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Resize a flow field and its displacements, which are in pixels, with it."""
    ratio = np.array([size[1] / flow.shape[1], size[0] / flow.shape[0]], np.float32)
    return _resize(flow, size) * ratio


class _GrowingArray:
    """An npy file of uint8 items whose number is known only at the end."""

    def __init__(self, path: Path, item_shape: tuple[int, ...]) -> None:
        self.count = 0
        self._item_shape = item_shape
        self._file = path.open("wb")
        self._write_header()
        self._start = self._file.tell()

    def append(self, item: NDArray[np.uint8]) -> None:
        self._file.write(np.ascontiguousarray(item).tobytes())
        self.count += 1

    def close(self) -> None:
        self._file.seek(0)
        self._write_header()
        if self._file.tell() != self._start:
            message = "the npy header grew while writing; numpy no longer pads its first axis"
            raise RuntimeError(message)
        self._file.close()

    def _write_header(self) -> None:
        shape = (self.count, *self._item_shape)
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, header)
