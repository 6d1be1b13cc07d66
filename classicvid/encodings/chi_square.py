"""Histograms of videos go in; their chi-square distances, and a kernel made of these, come out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicvid.checks import check_features, check_whole
from classicvid.kernels import encodings as kernels


def chi_square_distance(X: ArrayLike, Y: ArrayLike | None = None) -> NDArray[np.float32]:
    """Compute D(x, y) = 1/2 sum_d (x_d - y_d)^2 / (x_d + y_d) of all pairs of histograms.

    Parameters
    ----------
    X : array, shape (N, D), real, finite and not negative
        A histogram a row.
    Y : array, shape (M, D), optional
        As X; by default X itself.

    Returns
    -------
    distances : array, shape (N, M), float32
        From 0 to 1 for histograms that sum to 1. A bin that is empty in both adds nothing.

    Raises
    ------
    TypeError, ValueError
        If the arrays are not as described, or differ in D.

    Notes
    -----
    With the factor 1/2 of J. Zhang et al., "Local features and kernels for classification of
    texture and object categories", IJCV 2007; scikit-learn's ``additive_chi2_kernel`` is minus
    twice this. In single precision, with long sums in double. Bins below 1e-18 of the largest count
    as empty.
    """
    first, second = _check_pair(X, Y)
    return _distances(first, second, same=Y is None).astype(np.float32)


def chi_square_scale(X: ArrayLike, *, channels: Sequence[int] | None = None) -> NDArray[np.float32]:
    """Compute A_c, the mean distance of different training samples to one another, by channel.

    Parameters
    ----------
    X : array, shape (N, D), real, finite and not negative
        Histograms of the training samples.
    channels : sequence of int, each at least 1, optional
        Widths of the channels, which sum to D; by default all is one.

    Returns
    -------
    scale : array, shape (C,), float32
        Above 0: 1 where all samples are alike, or only one.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.
    """
    rows, _ = _check_pair(X, None)
    parts = _split(rows, channels)
    means = [_mean_distance(_distances(part, part, same=True)) for part in parts]
    return np.array(means, np.float32)


def chi_square_kernel(
    X: ArrayLike,
    Y: ArrayLike | None = None,
    *,
    scale: ArrayLike | None = None,
    channels: Sequence[int] | None = None,
) -> NDArray[np.float32]:
    """Compute K(x, y) = exp(-sum_c D_c(x, y) / A_c) of all pairs, for a support vector machine.

    Parameters
    ----------
    X : array, shape (N, D), real, finite and not negative
        Histograms of all channels, one after the other; those of test samples, say.
    Y : array, shape (M, D), optional
        Those of the training samples; by default X itself.
    scale : array, shape (C,), above 0, optional
        A_c by channel; by default ``chi_square_scale`` of the training samples Y. Given, it need
        not be computed anew for every call.
    channels : sequence of int, each at least 1, optional
        Widths of the channels, which sum to D, as ``Codebook.channels`` gives them; by default all
        is one channel.

    Returns
    -------
    kernel : array, shape (N, M), float32
        From 0 to 1, and 1 for equal histograms.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.

    Notes
    -----
    H. Wang et al., "Action recognition by dense trajectories", CVPR 2011, equation 7, after J.
    Zhang et al., IJCV 2007: a channel is a type of descriptor in one grid of a pyramid. The mean
    distance A_c is over pairs of different samples.
    """
    first, second = _check_pair(X, Y)
    widths = _split(first, channels), _split(second, channels)
    known = None if scale is None else _check_scale(scale, len(widths[0]))
    exponents = np.zeros((len(first), len(second)))
    for channel, (left, right) in enumerate(zip(*widths, strict=True)):
        distances = _distances(left, right, same=Y is None)
        if known is not None:
            mean = float(known[channel])
        elif Y is None:
            mean = _mean_distance(distances)
        else:
            mean = _mean_distance(_distances(right, right, same=True))
        exponents -= distances / np.float32(mean).astype(np.float64)
    return np.exp(exponents, out=exponents).astype(np.float32)


def _distances(
    first: NDArray[np.float32], second: NDArray[np.float32], *, same: bool
) -> NDArray[np.float64]:
    """Return distances (N, M) of histograms; of a table with itself, each pair once."""
    largest = max(first.max(initial=0), second.max(initial=0))
    out = np.zeros((len(first), len(second)))
    if largest > 0 and out.size:
        left = _pad(first, largest)
        kernels.chi_square(left, left if same else _pad(second, largest), same, out)
    if same:
        out += out.T
    return out * (float(largest) / 2)


def _pad(rows: NDArray[np.float32], largest: np.float32) -> NDArray[np.float32]:
    """Scale histograms to at most 1, and add empty bins up to what the kernel's vectors take."""
    room = -(-rows.shape[1] // kernels.ALIGNED) * kernels.ALIGNED
    padded = np.zeros((len(rows), room), np.float32)
    np.divide(rows, largest, out=padded[:, : rows.shape[1]])
    return padded


def _mean_distance(distances: NDArray[np.float64]) -> float:
    """Return the mean of a square table without its diagonal, which is zero; 1 instead of 0."""
    pairs = len(distances) * (len(distances) - 1)
    return float(distances.sum() / max(pairs, 1)) or 1.0


def _split(rows: NDArray[np.float32], channels: Sequence[int] | None) -> list[NDArray[np.float32]]:
    if channels is None:
        return [rows]
    widths = [check_whole("channels", width, low=1) for width in channels]
    if sum(widths) != rows.shape[1]:
        message = f"channels must sum to the {rows.shape[1]} bins of a row, got {sum(widths)}"
        raise ValueError(message)
    return np.split(rows, np.cumsum(widths)[:-1], axis=1)


def _check_pair(X: Any, Y: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    first = _check_histograms("X", X, None)
    return first, first if Y is None else _check_histograms("Y", Y, first.shape[1])


def _check_histograms(name: str, histograms: Any, size: int | None) -> NDArray[np.float32]:
    rows = check_features(name, histograms, size=size)
    if rows.min(initial=0) < 0:
        bad = np.flatnonzero((rows < 0).any(axis=1))[0]
        message = f"{name} must not be negative, row {bad} is; histograms count"
        raise ValueError(message)
    return rows


def _check_scale(scale: Any, count: int) -> NDArray[np.float32]:
    values = np.asarray(scale, np.float32)
    if values.shape != (count,) or not (np.isfinite(values) & (values > 0)).all():
        message = f"scale must be ({count},), a number above 0 for each channel, got {scale!r}"
        raise ValueError(message)
    return values
