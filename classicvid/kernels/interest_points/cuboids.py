"""The frames around points go in; their gradients, averaged in the cells of a grid, come out."""

from __future__ import annotations

import numpy as np

from classicvid.kernels.jit import kernel, kernel_fused


@kernel
def describe_cuboids(frames, slots, places, radius, cells, weights, out):
    """Fill ``out`` (N, t, y, x, 3) with mean gradients (x, y, t) in the cells of cuboids.

    ``frames`` (S, H, W), float32; ``slots`` (2 R + 3,) says where the frames from R + 1 before the
    points to R + 1 after them lie. ``places`` (N, 2) holds the points' (x, y), int64; a cuboid
    reaches ``radius`` pixels from them and R frames. Voxel i of a side lies in the cells
    ``cells[axis, i]`` and the next, with the shares ``weights[axis, i]`` (2,), float32; axis 0 is
    time, 1 is space. Beyond its border the frame is mirrored at the centre of the last pixel.
    """
    side, depth = 2 * radius + 1, slots.size - 2
    steps, wide = out.shape[1], out.shape[3]
    rows, columns = np.empty(side + 2, np.int64), np.empty(side + 2, np.int64)
    block = np.empty((depth + 2, side + 2, side + 2), np.float32)
    # One cell more than there are: what the last voxel does not share with any next.
    layers = np.empty((steps + 1, 3, side, side), np.float32)
    sums = np.empty((wide + 1, wide + 1, 3), np.float32)
    for n in range(len(places)):
        _mirrored_range(places[n, 0] - radius - 1, frames.shape[2], columns)
        _mirrored_range(places[n, 1] - radius - 1, frames.shape[1], rows)
        _cut_out(frames, slots, rows, columns, block)
        layers.fill(0)
        for t in range(depth):
            for i in range(2):
                if weights[0, t, i] > 0:
                    _add_gradients(block, t, weights[0, t, i], layers, cells[0, t] + i)
        for step in range(steps):
            _average(layers, step, cells, weights, sums)
            _write(sums, n, step, out)


@kernel
def _mirrored_range(start, length, out):
    for i in range(out.size):
        index = start + i
        while length > 1 and (index < 0 or index >= length):
            index = -index if index < 0 else 2 * length - 2 - index
        out[i] = index if length > 1 else 0


@kernel
def _cut_out(frames, slots, rows, columns, block):
    for t in range(slots.size):
        for i in range(rows.size):
            for j in range(columns.size):
                block[t, i, j] = frames[slots[t], rows[i], columns[j]]


@kernel_fused
def _add_gradients(block, t, share, layers, layer):
    """Add the differences of neighbours (x, y, t) in three frames to a layer (3, side, side)."""
    side = layers.shape[2]
    for i in range(side):
        for j in range(side):
            dx = block[t + 1, i + 1, j + 2] - block[t + 1, i + 1, j]
            dy = block[t + 1, i + 2, j + 1] - block[t + 1, i, j + 1]
            dt = block[t + 2, i + 1, j + 1] - block[t, i + 1, j + 1]
            layers[layer, 0, i, j] += share * dx
            layers[layer, 1, i, j] += share * dy
            layers[layer, 2, i, j] += share * dt


@kernel_fused
def _average(layers, layer, cells, weights, sums):
    """Fill ``sums`` (cells, cells, 3) with the sums of a layer in the cells of its plane."""
    side = layers.shape[2]
    sums.fill(0)
    for i in range(side):
        row, above, below = cells[1, i], weights[1, i, 0], weights[1, i, 1]
        for j in range(side):
            column, left, right = cells[1, j], weights[1, j, 0], weights[1, j, 1]
            for axis in range(3):
                value = layers[layer, axis, i, j]
                sums[row, column, axis] += above * left * value
                sums[row, column + 1, axis] += above * right * value
                sums[row + 1, column, axis] += below * left * value
                sums[row + 1, column + 1, axis] += below * right * value


@kernel
def _write(sums, n, step, out):
    for i in range(out.shape[2]):
        for j in range(out.shape[3]):
            for axis in range(3):
                out[n, step, i, j, axis] = sums[i, j, axis]
