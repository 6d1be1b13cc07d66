"""Key points of two frames with descriptors go in; for each one its likeliest twin comes out.

A twin is sought among the ``candidates`` (M, 2) that are nearer than ``window`` to its key point,
one of ``points`` (N, 2), in x and in y. Both are (x, y), float32, in pixels; the candidates' rows
must not fall from one to the next, so that those in a window are a short stretch of them.
"""

from __future__ import annotations

import numpy as np

from classicvid.kernels.jit import kernel, kernel_any_order

_ODD = np.uint64(0x5555555555555555)
_PAIRS = np.uint64(0x3333333333333333)
_NIBBLES = np.uint64(0x0F0F0F0F0F0F0F0F)
_COUNT = np.uint64(0x7F)
_ONE, _TWO, _FOUR, _EIGHT = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(8)
_SIXTEEN, _HALF = np.uint64(16), np.uint64(32)


@kernel
def nearest_vectors(points, vectors, candidates, others, window, out):
    """Fill ``out`` (N,) with the candidate of the smallest Euclidean distance, -1 where none is.

    ``vectors`` (N, D) and ``others`` (M, D) are float32. Of equal distances the first wins.
    """
    for i in range(len(points)):
        start, stop = _window_rows(candidates, points[i, 1], window)
        best, out[i] = np.inf, -1
        for j in range(start, stop):
            if abs(candidates[j, 0] - points[i, 0]) < window:
                distance = _square_distance(vectors[i], others[j])
                if distance < best:
                    best, out[i] = distance, j


@kernel
def nearest_bits(points, words, candidates, others, window, out):
    """Fill ``out`` (N,) with the candidate that differs in the fewest bits, -1 where none is.

    ``words`` (N, D) and ``others`` (M, D) are uint64. Of equal distances the first wins.
    """
    for i in range(len(points)):
        start, stop = _window_rows(candidates, points[i, 1], window)
        best, out[i] = 64 * words.shape[1] + 1, -1
        for j in range(start, stop):
            if abs(candidates[j, 0] - points[i, 0]) < window:
                distance = 0
                for k in range(words.shape[1]):
                    distance += _count_bits(words[i, k] ^ others[j, k])
                if distance < best:
                    best, out[i] = distance, j


@kernel
def _window_rows(candidates, y, window):
    """Return the stretch of candidates whose rows lie nearer to ``y`` than ``window``."""
    return _first_above(candidates, y - window, False), _first_above(candidates, y + window, True)


@kernel
def _first_above(candidates, y, at_it):
    """Return the first candidate whose row exceeds ``y``, or equals it where ``at_it``."""
    low, high = 0, len(candidates)
    while low < high:
        middle = (low + high) // 2
        row = candidates[middle, 1]
        if row > y or (at_it and row == y):
            high = middle
        else:
            low = middle + 1
    return low


@kernel_any_order
def _square_distance(first, second):
    total = np.float32(0)
    for k in range(first.size):
        difference = first[k] - second[k]
        total += difference * difference
    return total


@kernel
def _count_bits(word):
    word -= (word >> _ONE) & _ODD
    word = (word & _PAIRS) + ((word >> _TWO) & _PAIRS)
    word = (word + (word >> _FOUR)) & _NIBBLES
    word += word >> _EIGHT
    word += word >> _SIXTEEN
    word += word >> _HALF
    return np.int64(word & _COUNT)
