"""A run's root goes in; the place of every result in it comes out: stages meet on disk, here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.dataset import Dataset, Fold
from pipelines.recipes import CompareRecipe, FeatureKind

TRAINING_SCORES = "training_scores.npz"  # in a fold's folder, beside scores.npz
CLIP_FILES = {"rgb": "rgb.npy", "flow": "flow.npy", "backward": "backward.npy"}


@dataclass(frozen=True)
class RunFolder:
    """The layout of ``runs/<name>``.

    ``clips/<H>x<W>/<class>/<video>/`` and ``features/<kind>/<class>/<video>.safetensors`` are made
    once for all methods; ``methods/<method>/folds/<n>/`` holds the trained model, its log and its
    scores; ``methods/<method>/scores.npz`` joins the test videos of all folds.
    """

    root: Path

    def clips(self, size: tuple[int, int]) -> Path:
        """Folder of the clips of one size (H, W), px."""
        return self.root / "clips" / f"{size[0]}x{size[1]}"

    def features(self, video: str, kind: FeatureKind = "histograms") -> Path:
        """File of the features of a video."""
        return self.root / "features" / kind / f"{video}.safetensors"

    def method(self, method: str) -> Path:
        """Folder of a method."""
        return self.root / "methods" / method

    def scores(self, method: str) -> Path:
        """File of the scores of a method over all folds."""
        return self.method(method) / "scores.npz"

    def fold(self, method: str, number: int) -> Path:
        """Folder of one fold of a method; folds count from 1."""
        return self.method(method) / "folds" / f"{number:03d}"


@dataclass(frozen=True, eq=False)
class FoldTask:
    """One method on one fold: what is trained on ``fold.train`` and scored on ``fold.test``."""

    run: RunFolder
    dataset: Dataset
    fold: Fold
    number: int
    method: str
    recipe: CompareRecipe

    @property
    def folder(self) -> Path:
        """Where the model, the log, the costs and the scores of this task lie."""
        return self.run.fold(self.method, self.number)

    @property
    def is_done(self) -> bool:
        """Whether the fold's scores are there, which are written last."""
        return (self.folder / "scores.npz").exists()

    def names(self, rows: NDArray[np.int64]) -> list[str]:
        """Names of the videos at the given rows."""
        return [self.dataset.videos[row].name for row in rows]


def open_clips(folder: Path, video: str, modality: str) -> NDArray[np.uint8]:
    """Map the clips of a video into memory, shape (T, H, W, C) uint8, read only.

    Parameters
    ----------
    folder : Path
        What :meth:`RunFolder.clips` returned.
    video : str
        Name of the video.
    modality : {"rgb", "flow", "backward"}
        Frames with C = 3, quantised flow with C = 2, or that from each frame to the one before.
    """
    return np.load(folder / video / CLIP_FILES[modality], mmap_mode="r", allow_pickle=False)


def flow_bound(size: tuple[int, int]) -> float:
    """Displacement that the flow of cached clips stores as 255, px per frame, for a size (H, W).

    An eighth of the width: what crosses the frame faster is lost to any flow, and on small clips
    the finer steps matter more than the range.
    """
    return size[1] / 8
