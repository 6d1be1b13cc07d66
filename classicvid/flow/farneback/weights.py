"""Sizes and parameters of the method go in; the weights that its kernels apply come out."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

# Confidence in the expansion of a pixel by its distance from the border: its neighbourhood hangs
# over the edge.
BORDER_CONFIDENCE = (0.14, 0.14, 0.4472, 0.4472, 0.4472)

Taps = tuple[NDArray[np.int64], NDArray[np.float32]]


@lru_cache(maxsize=64)
def blurred_taps(length: int, new_length: int, scale: float) -> Taps:
    """Weigh the samples of ``length`` that make each of ``new_length``: blur, then interpolation.

    Returns the first sample of each (it and its followers may lie beyond the ends, where the
    samples are mirrored) and the weights (new_length, K) of it and its followers.
    """
    sigma = (1 / scale - 1) / 2
    radius = max(round(5 * sigma) | 1, 3) // 2
    blur = np.array([0.25, 0.5, 0.25])
    if sigma > 0:
        blur = np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * sigma**2))
        blur /= blur.sum()
    left, fraction = linear_taps(length, new_length)
    # The two neighbours' Gaussians overlap in all but one sample: their weights are added there.
    weights = np.zeros((new_length, 2 * radius + 2))
    weights[:, :-1] += (1 - fraction)[:, None] * blur
    weights[:, 1:] += fraction[:, None] * blur
    if not weights[:, -1].any():
        weights = weights[:, :-1]
    return left - radius, np.ascontiguousarray(weights, dtype=np.float32)


def mirror(index: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Fold indices back into [0, length) at the centres of the border pixels."""
    if length == 1:
        return np.zeros_like(index)
    index = np.abs(index) % (2 * length - 2)
    return np.minimum(index, 2 * length - 2 - index)


def linear_taps(length: int, new_length: int) -> Taps:
    """Return the sample left of each of ``new_length``, and how far behind it that one lies.

    Pixel centres are at halves; beyond the outermost samples the fraction is 0.
    """
    position = ((np.arange(new_length) + 0.5) * (length / new_length) - 0.5).astype(np.float32)
    left = np.floor(position).astype(np.int64)
    fraction = position - left.astype(np.float32)
    fraction[(left < 0) | (left >= length - 1)] = 0
    return np.clip(left, 0, length - 1), fraction


def shrink(flow: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Average a flow (H, W, 2) over the pixels that each of ``shape`` covers."""
    rows, columns = (_cover(*lengths) for lengths in zip(flow.shape, shape, strict=False))
    averaged = np.einsum("hw,wnc->hnc", rows, flow, optimize=True)
    return np.einsum("mv,hvc->hmc", columns, averaged, optimize=True)


def _cover(length: int, new_length: int) -> NDArray[np.float32]:
    """Return the share (new_length, length) that each sample has in each of ``new_length``."""
    edges = np.arange(new_length + 1) * (length / new_length)
    sample = np.arange(length)
    cover = np.minimum(sample + 1, edges[1:, None]) - np.maximum(sample, edges[:-1, None])
    cover = np.maximum(cover, 0)
    return (cover / cover.sum(axis=1, keepdims=True)).astype(np.float32)


def border_confidence(height: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the distinct rows of the factors of all pixels, and which of them each row has."""
    rows, rows_matter = _side_confidence(height)
    columns, columns_matter = _side_confidence(width)
    margin = len(BORDER_CONFIDENCE)
    kind = np.arange(height)
    if height > 2 * margin:
        # All rows inside have the factors of the first of them.
        kind = np.concatenate(
            [
                kind[: margin + 1],
                np.full(height - 2 * margin - 1, margin),
                margin + 1 + kind[:margin],
            ]
        )
    _, examples = np.unique(kind, return_index=True)
    confidence = np.multiply.outer(rows[examples], columns)
    if min(height, width) < 2 * margin:
        confidence[~(rows_matter[examples, None] | columns_matter)] = 1
    return confidence, kind


def _side_confidence(length: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the factor of each position along one side, and where it is applied.

    Where a side is shorter than two margins, OpenCV's unsigned comparison leaves some positions
    out; so do we.
    """
    margin = len(BORDER_CONFIDENCE)
    factor = np.ones(length, np.float32)
    near = min(length, margin)
    rising = np.array(BORDER_CONFIDENCE[:near], np.float32)
    factor[:near] *= rising
    factor[length - near :] *= rising[::-1]
    position = (np.arange(length) - margin).astype(np.uint32)
    return factor, position >= np.array(length - 2 * margin).astype(np.uint32)


def expansion_weights(n: int, sigma: float) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return what `kernels.farneback.make_expansion` takes: 1-D weights, inverse Gram matrix."""
    x = np.arange(-n, n + 1, dtype=np.float32)
    g = np.exp(-(x.astype(np.float64) ** 2) / (2 * sigma**2)).astype(np.float32)
    g = (g * (1 / g.sum(dtype=np.float64))).astype(np.float32)
    moments = np.stack([g, x * g, x * x * g])[:, n:]
    # The Gram matrix of the basis 1, x, y, x^2, y^2, xy under the weight g(x) g(y). Its inverse
    # cancels the gray level against the much smaller curvature: the products are rounded to
    # float32, as OpenCV's are, so that both agree to the last bit.
    weight = np.outer(g, g)
    square = weight * x * x
    fourth, mixed = square * x * x, square * x[:, None] * x[:, None]
    one, xx, xxxx, xxyy = (part.sum(dtype=np.float64) for part in (weight, square, fourth, mixed))
    gram = np.diag([one, xx, xx, xxxx, xxxx, xxyy])
    gram[0, 3:5] = gram[3:5, 0] = xx
    gram[3, 4] = gram[4, 3] = xxyy
    inverse = np.linalg.inv(gram)[[1, 0, 3, 5], [1, 3, 3, 5]]
    return moments.ravel(), inverse


def gaussian_window(winsize: int) -> NDArray[np.float32]:
    """Return the 1-D weights of the Gaussian window from the centre outwards."""
    radius = winsize // 2
    weights = np.exp(-(np.arange(radius + 1) ** 2) / (2 * (0.3 * radius) ** 2)).astype(np.float32)
    return (weights / (2 * weights.sum(dtype=np.float64) - 1)).astype(np.float32)
