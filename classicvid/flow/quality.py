"""A flow field and its ground truth go in; the mean error, in pixels or degrees, comes out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from classicvid.checks import check_flow

# Middlebury's files mark an unknown motion with 1e10.
UNKNOWN_ABOVE = 1e9


def end_point_error(flow: NDArray[np.floating], truth: NDArray[np.floating]) -> float:
    """Return the mean distance between estimated and true end points.

    Parameters
    ----------
    flow, truth : array, shape (H, W, 2), float32
        (dx, dy) in pixels; pixels where ``truth`` exceeds 1e9 are unknown and left out.

    Returns
    -------
    error : float
        In pixels.

    Raises
    ------
    TypeError, ValueError
        If an array is not as described, or no pixel is known.

    Notes
    -----
    S. Baker et al., "A database and evaluation methodology for optical flow", IJCV 2011, section 4.
    """
    estimated, true = _known(flow, truth)
    return float(np.linalg.norm(estimated - true, axis=1).mean())


def angular_error(flow: NDArray[np.floating], truth: NDArray[np.floating]) -> float:
    """Return the mean angle between the estimated and the true motion in space-time, (dx, dy, 1).

    Parameters
    ----------
    flow, truth : array, shape (H, W, 2), float32
        (dx, dy) in pixels; pixels where ``truth`` exceeds 1e9 are unknown and left out.

    Returns
    -------
    error : float
        In degrees.

    Raises
    ------
    TypeError, ValueError
        If an array is not as described, or no pixel is known.

    Notes
    -----
    J. Barron et al., "Performance of optical flow techniques", IJCV 1994, equation 3.5.
    """
    estimated, true = (np.insert(part, 2, 1.0, axis=1) for part in _known(flow, truth))
    # The angle by its sine and cosine: the cosine alone cannot tell small angles from zero.
    sine = np.linalg.norm(np.cross(estimated, true), axis=1)
    cosine = (estimated * true).sum(axis=1)
    return float(np.degrees(np.arctan2(sine, cosine)).mean())


def _known(
    flow: NDArray[np.floating], truth: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the vectors (N, 2) of both fields where the truth is known."""
    true = check_flow("truth", truth)
    estimated = check_flow("flow", flow, shape=true.shape[:2])
    known = (np.abs(true) <= UNKNOWN_ABOVE).all(axis=2)
    if not known.any():
        message = "truth must be known at one pixel at least, got unknown (above 1e9) everywhere"
        raise ValueError(message)
    return estimated[known].astype(np.float64), true[known].astype(np.float64)
