"""A decoded frame goes in, the way to lay its picture upright comes out."""

from __future__ import annotations

from typing import Any, NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

# Of (transpose, flip_rows, flip_columns) to degrees clockwise.
_ROTATIONS = {
    (False, False, False): 0,
    (True, False, True): 90,
    (False, True, True): 180,
    (True, True, False): 270,
}


class Orientation(NamedTuple):
    """One of the eight ways to lay a picture on its axes: transpose first, then flip."""

    transpose: bool = False
    flip_rows: bool = False
    flip_columns: bool = False

    @property
    def mirrored(self) -> bool:
        """Whether the picture is mirrored left to right after its rotation."""
        return sum(self) % 2 == 1

    @property
    def rotation(self) -> int:
        """Degrees clockwise, 0, 90, 180 or 270, before the mirror image if any."""
        return _ROTATIONS[self.transpose, self.flip_rows, self.flip_columns != self.mirrored]

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Return the upright (height, width) of a stored one, and the stored of an upright one."""
        return (width, height) if self.transpose else (height, width)

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a view of a stored image, shape (H, W, 3), that stands upright."""
        if self.transpose:
            image = image.swapaxes(0, 1)
        return image[:: -1 if self.flip_rows else 1, :: -1 if self.flip_columns else 1]


def orientation_of(frame: av.VideoFrame) -> Orientation:
    """Return the orientation that a frame's display matrix asks for, to the nearest right angle."""
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return Orientation()
    # Row vectors, y down: shown x = a x + c y, shown y = b x + d y, up to a translation.
    a, b, _, c, d = np.frombuffer(matrix, dtype=np.int32)[:5].tolist()
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(flip_rows=d < 0, flip_columns=a < 0)
    return Orientation(transpose=True, flip_rows=b < 0, flip_columns=c < 0)
