"""Frames of a video go in one by one; its hue-saturation histogram and colour moments come out."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicvid.checks import check_frame, check_whole

_HUES, _SATURATIONS = 180, 256  # OpenCV's steps: hue in half turns of 2 degrees, saturation / 255
_QUARTERS = 4


class ColourStatistics:
    """Count the hues and saturations of a video, and gather the moments of its colours.

    Parameters
    ----------
    hues : int, 2 to 180
        Steps of hue around the circle.
    saturations : int, 2 to 256
        Steps of saturation from 0 (gray) to 1.

    Notes
    -----
    The global descriptors of A. Karpathy et al., "Large-scale video classification with
    convolutional neural networks", CVPR 2014, section 4.1; moments after M. Stricker and
    M. Orengo, "Similarity of color images", SPIE 1995, in L*a*b*, whose axes have no seam, where
    they took the hue's moments. Memory is that of a few tables, however long the video is.
    """

    def __init__(self, *, hues: int = 12, saturations: int = 4) -> None:
        self.hues = check_whole("hues", hues, low=2, high=_HUES)
        self.saturations = check_whole("saturations", saturations, low=2, high=_SATURATIONS)
        self.reset()

    def reset(self) -> None:
        """Forget all frames."""
        self._joint = np.zeros((_QUARTERS, _HUES, _SATURATIONS), np.int64)
        self._levels = np.zeros((_QUARTERS, 3, 256), np.int64)

    def feed(self, frame: ArrayLike) -> None:
        """Add a frame, shape (H, W, 3), uint8, RGB.

        Raises
        ------
        TypeError, ValueError
            If the frame is not as described.
        """
        checked = check_frame("frame", frame)
        rows, columns = (np.arange(side) * 2 // side for side in checked.shape[:2])
        quarter = 2 * rows[:, None] + columns
        hsv = cv2.cvtColor(checked, cv2.COLOR_RGB2HSV)
        joint = (quarter * _HUES + hsv[..., 0]) * _SATURATIONS + hsv[..., 1]
        np.add.at(self._joint.reshape(-1), joint.ravel(), 1)
        lab = cv2.cvtColor(checked, cv2.COLOR_RGB2LAB)
        level = (quarter[..., None] * 3 + np.arange(3)) * 256 + lab
        np.add.at(self._levels.reshape(-1), level.ravel(), 1)

    def hue_saturation(self) -> NDArray[np.float32]:
        """Return the histogram of the frame and of its quarters, row by row.

        Returns
        -------
        histogram : array, shape (5 * (1 + hues * (saturations - 1)),), float32
            The frame's sums to 1, and so do the four quarters' together. The first bin of each is
            gray, where hue says nothing; the others run over hue, then over saturation. A pixel
            votes for the nearest two steps of hue and of saturation, in proportion to its
            nearness. All is zero before the first frame, and a quarter that has no pixel is.
        """
        hues, saturations = self._memberships()
        cells = hues.T @ self._joint @ saturations  # (4, hues, saturations)
        coloured = cells[:, :, 1:].reshape(_QUARTERS, -1)
        quarters = np.column_stack([cells[:, :, 0].sum(axis=1), coloured])
        quarters /= max(quarters.sum(), 1)
        return np.concatenate([quarters.sum(axis=0), quarters.ravel()]).astype(np.float32)

    def moments(self) -> NDArray[np.float32]:
        """Return mean, deviation and skewness of each colour in the frame and its quarters.

        Returns
        -------
        moments : array, shape (45,), float32
            By cell (the frame, the quarters row by row), colour (L*, a*, b*, each scaled to 0..1)
            and moment: mean, standard deviation, and the cube root of the third central moment.
            All is zero before the first frame, and for a quarter that has no pixel.
        """
        levels = np.concatenate([self._levels.sum(axis=0, keepdims=True), self._levels])
        powers = np.linspace(0, 1, 256)[:, None] ** np.arange(4)
        count, first, second, third = np.moveaxis(levels @ powers, -1, 0)
        count = np.maximum(count, 1)
        mean, square, cube = first / count, second / count, third / count
        variance = np.maximum(square - mean**2, 0)
        skew = cube - 3 * mean * square + 2 * mean**3
        table = np.stack([mean, np.sqrt(variance), np.cbrt(skew)], axis=-1)
        return table.ravel().astype(np.float32)

    def _memberships(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what each hue (180, hues) and saturation (256, saturations) votes for."""
        position = np.arange(_HUES)[:, None] * self.hues / _HUES
        distance = np.abs(position - np.arange(self.hues))
        hues = np.maximum(1 - np.minimum(distance, self.hues - distance), 0)
        position = np.arange(_SATURATIONS)[:, None] * (self.saturations - 1) / 255
        return hues, np.maximum(1 - np.abs(position - np.arange(self.saturations)), 0)
