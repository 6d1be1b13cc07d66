"""A map of responses and points in hand go in; the middles of the other, strong cells come out."""

from __future__ import annotations

import numpy as np

from classicvid.kernels.jit import kernel


@kernel
def free_cells(response, shape, side, threshold, held, out):
    """Write the middles (x, y) of free cells to ``out`` (cells, 2); return how many.

    The image (H, W) = ``shape`` is cut into cells of ``side`` pixels; a cell is free if none of
    ``held`` (N, 2) lies in it, and strong if the response (H W + ...,) in its middle exceeds the
    threshold.
    """
    rows, columns = shape[0] // side, shape[1] // side
    taken = np.zeros(rows * columns, np.bool_)
    for i in range(held.shape[0]):
        x, y = held[i, 0], held[i, 1]
        if x >= 0 and x < columns * side and y >= 0 and y < rows * side:
            taken[int(y) // side * columns + int(x) // side] = True
    count, middle = 0, side // 2
    for row in range(rows):
        y = row * side + middle
        for column in range(columns):
            x = column * side + middle
            if response[y * shape[1] + x] > threshold and not taken[row * columns + column]:
                out[count, 0] = x
                out[count, 1] = y
                count += 1
    return count
