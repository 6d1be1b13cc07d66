"""Tracks that have ended go in; a table of those that move as something real does comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from classicvid.checks import check_whole
from classicvid.kernels import trajectories as kernels

# The rules of the authors' program, in pixels of the full frame.
MIN_DEVIATION, MAX_DEVIATION = np.sqrt(3), 50.0
MAX_STEP, MAX_STEP_SHARE = 20.0, 0.7
MIN_OWN_MOTION = 1.0
_KINDS = ("hog", "mbhx", "mbhy", "hof")  # as they lie in a tube


@dataclass(frozen=True, eq=False)
class Trajectories:
    """Trajectories and what moved around them, one a row.

    L is the number of steps, 15 unless chosen otherwise; sizes in brackets are those of L = 15 and
    the papers' cells. All positions are pixels of the full frame.

    Parameters
    ----------
    end_frame : array, shape (N,), int32
        Number of the frame that a trajectory ends in; the first frame is 0.
    scale : array, shape (N,), float32
        How many times smaller than the full frame the image was that it was tracked in.
    mean, deviation : arrays, shape (N, 2), float32
        Mean and standard deviation of x and y.
    length : array, shape (N,), float32
        Sum of the lengths of its steps.
    points : array, shape (N, L + 1, 2), float32
        (x, y) in each frame.
    shape : array, shape (N, 2 L [30]), float32
        Its steps, without the camera's motion where that was asked for, divided by the sum of their
        lengths.
    hog, hof, mbhx, mbhy : arrays, shape (N, 96), (N, 108), (N, 96), (N, 96), float32
        Roots of histograms of the orientations of edges, of flow and of motion boundaries, over 3
        parts in time, 2 x 2 cells (x outer, y inner) and 8 orientations; ``hof`` has rest as a
        ninth.
    """

    end_frame: NDArray[np.int32]
    scale: NDArray[np.float32]
    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]
    length: NDArray[np.float32]
    points: NDArray[np.float32]
    shape: NDArray[np.float32]
    hog: NDArray[np.float32]
    hof: NDArray[np.float32]
    mbhx: NDArray[np.float32]
    mbhy: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.end_frame)

    @classmethod
    def concatenate(cls, parts: Sequence[Trajectories]) -> Trajectories:
        """Join tables, at least one, of tracks of one length.

        Raises
        ------
        ValueError
            If there is none, or their rows differ in size.
        """
        if not parts:
            message = "parts must hold at least one table of trajectories, got none"
            raise ValueError(message)
        columns = [[getattr(part, item.name) for part in parts] for item in fields(cls)]
        return cls(*(np.concatenate(column) for column in columns))

    def positions(self, *, width: int, height: int, frames: int) -> NDArray[np.float32]:
        """Return where each trajectory lies in its video, shape (N, 3): shares of x, y and time.

        Parameters
        ----------
        width, height : int, at least 1
            Size of the full frame, in pixels.
        frames : int, at least 1
            Number of frames of the video.

        Returns
        -------
        positions : array, shape (N, 3), float32
            From 0 to 0.999: mean x over ``width``, mean y over ``height``, and half a length before
            the last frame over ``frames``, as the authors' program prints them.
        """
        sizes = [
            check_whole(name, value, low=1)
            for name, value in (("width", width), ("height", height), ("frames", frames))
        ]
        middle = self.end_frame - (self.points.shape[1] - 1) / 2
        places = np.column_stack([self.mean, middle]) / sizes
        return np.clip(places, 0, 0.999).astype(np.float32)


def finish(
    end_frame: int,
    scales: NDArray[np.float32],
    paths: NDArray[np.float32],
    steps: NDArray[np.float32],
    tubes: NDArray[np.float32],
    *,
    stabilised: bool,
) -> Trajectories:
    """Keep the tracks that neither rest, nor wander, nor jump.

    ``paths`` (N, L + 1, 2) and ``steps`` (N, L, 2) are in pixels of their own scales; ``tubes``
    (N, parts, `kernels.TUBE`) as the kernels fill them. Tracks that are ``stabilised`` must also
    move by themselves, without the camera.
    """
    measured = np.empty((len(paths), kernels.MEASURES))
    kernels.measure(paths, steps, scales, measured)
    deviation, length, longest = measured[:, 2:4], measured[:, 4], measured[:, 5]
    kept = (deviation >= MIN_DEVIATION).any(axis=1) & (deviation <= MAX_DEVIATION).all(axis=1)
    kept &= (longest <= MAX_STEP) | (longest <= MAX_STEP_SHARE * length)
    if stabilised:
        kept &= measured[:, 7] > MIN_OWN_MOTION
    scales, measured = scales[kept], measured[kept]
    own_length = measured[:, 6] / scales
    shape = steps[kept].reshape(len(scales), 2 * steps.shape[1]) / own_length[:, None]
    return Trajectories(
        np.full(len(scales), end_frame, np.int32),
        scales,
        measured[:, 0:2].astype(np.float32),
        measured[:, 2:4].astype(np.float32),
        measured[:, 4].astype(np.float32),
        paths[kept] * scales[:, None, None],
        shape.astype(np.float32),
        **_split(tubes[kept]),
    )


def _split(tubes: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Return the histograms of each kind, one row a tube."""
    count, parts, size = tubes.shape
    cells, kinds = size - kernels.REST, len(_KINDS)
    bins = kernels.REST // cells // kinds
    votes = tubes[:, :, : kernels.REST].reshape(count, parts, cells, kinds, bins)
    histograms = {name: votes[:, :, :, kind] for kind, name in enumerate(_KINDS)}
    rests = tubes[:, :, kernels.REST :, None]
    histograms["hof"] = np.concatenate([histograms["hof"], rests], axis=3)
    return {
        name: part.reshape(count, parts * cells * part.shape[3])
        for name, part in histograms.items()
    }
