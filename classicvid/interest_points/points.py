"""Places in space and time go in, with what was seen there; one value that holds them comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classicvid import checks
from classicvid.interest_points.maxima import Maxima


@dataclass(frozen=True, eq=False)
class SpaceTimePoints:
    """Points of a video at which something happens, in the order of time.

    Attributes
    ----------
    xyt : array, shape (N, 3), float32
        x and y in pixels, and the number of the frame.
    scale : array, shape (N, 2), float32
        (sigma, tau): the standard deviations of the detector's filters, in pixels and frames.
    response : array, shape (N,), float32
        Strength, in gray levels; the detector says how it is measured.
    descriptors : dict of arrays, shape (N, D), float32
        What is around the points, by name.
    """

    xyt: NDArray[np.float32]
    scale: NDArray[np.float32]
    response: NDArray[np.float32]
    descriptors: dict[str, NDArray[np.float32]]

    def __len__(self) -> int:
        return len(self.xyt)

    def position(self, *, width: int, height: int, frames: int) -> NDArray[np.float32]:
        """Return the points as shares of the video's extent.

        Parameters
        ----------
        width, height : int, at least 1
            Size of the frames in pixels.
        frames : int, at least 1
            Length of the video.

        Returns
        -------
        position : array, shape (N, 3), float32
            (x, y, t), each within [0, 1) for points of that video.

        Raises
        ------
        TypeError, ValueError
            If an extent is not as described.
        """
        extents = {"width": width, "height": height, "frames": frames}
        extent = [checks.check_whole(name, value, low=1) for name, value in extents.items()]
        return ((self.xyt + 0.5) / np.array(extent)).astype(np.float32)

    def select(self, chosen: NDArray[np.integer] | NDArray[np.bool_]) -> SpaceTimePoints:
        """Return the points that an index array or a mask names, in its order."""
        return SpaceTimePoints(
            self.xyt[chosen],
            self.scale[chosen],
            self.response[chosen],
            {name: values[chosen] for name, values in self.descriptors.items()},
        )


def points_of(
    found: Maxima,
    frame: int,
    scale: tuple[float, float],
    descriptors: dict[str, NDArray[np.float32]],
) -> SpaceTimePoints:
    """Return the maxima of a frame at one scale (sigma, tau) as points."""
    count = len(found.places)
    xyt = np.column_stack([found.places, np.full(count, frame)]).astype(np.float32)
    scales = np.tile(np.array(scale, np.float32), (count, 1))
    return SpaceTimePoints(xyt, scales, found.responses, descriptors)


def join_points(parts: Sequence[SpaceTimePoints]) -> SpaceTimePoints:
    """Return the points of one or more parts, with the same descriptors, as one."""
    return SpaceTimePoints(
        np.concatenate([part.xyt for part in parts]),
        np.concatenate([part.scale for part in parts]),
        np.concatenate([part.response for part in parts]),
        {
            name: np.concatenate([part.descriptors[name] for part in parts])
            for name in parts[0].descriptors
        },
    )
