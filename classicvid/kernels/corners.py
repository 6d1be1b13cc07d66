"""Gray images and response maps (float32, C order) go in; corner responses and maxima come out."""

from __future__ import annotations

import numpy as np

from classicvid.kernels.jit import kernel


@kernel
def gradient_products(image, scale, out):
    """Fill ``out`` (H, 3, W) with gx^2, gx gy, gy^2: Sobel's derivatives times ``scale``."""
    height, width = image.shape
    smooth, slope = np.empty(width + 2, np.float32), np.empty(width + 2, np.float32)
    gx, gy = np.empty(width, np.float32), np.empty(width, np.float32)
    two = np.float32(2)
    for y in range(height):
        above, row, below = image[_reflect(y - 1, height)], image[y], image[_reflect(y + 1, height)]
        smooth_inside, slope_inside = smooth[1 : 1 + width], slope[1 : 1 + width]
        for x in range(width):
            smooth_inside[x] = above[x] + below[x] + two * row[x]
        for x in range(width):
            slope_inside[x] = below[x] - above[x]
        _mirror_ends(smooth)
        _mirror_ends(slope)
        smooth_right, slope_right = smooth[2:], slope[2:]
        for x in range(width):
            gx[x] = (smooth_right[x] - smooth[x]) * scale
        for x in range(width):
            gy[x] = (slope[x] + slope_right[x] + two * slope_inside[x]) * scale
        _multiply(gx, gx, out[y, 0])
        _multiply(gx, gy, out[y, 1])
        _multiply(gy, gy, out[y, 2])


@kernel
def _reflect(index, length):
    if length == 1:
        return 0
    while index < 0 or index >= length:
        index = -index if index < 0 else 2 * length - 2 - index
    return index


@kernel
def _mirror_ends(padded):
    width = padded.size - 2
    padded[0] = padded[1 + _reflect(-1, width)]
    padded[width + 1] = padded[1 + _reflect(width, width)]


@kernel
def _multiply(first, second, out):
    for x in range(out.size):
        out[x] = first[x] * second[x]


@kernel
def min_eigenvalues(products, block_size, out):
    """Fill ``out`` (H, W) with the smaller eigenvalue of the products summed over a block."""
    half = np.float32(0.5)
    sums = np.empty((3, out.shape[1]), np.float32)
    wide = np.empty(out.shape[1] + block_size)
    for y in range(out.shape[0]):
        _sum_blocks(products, y, block_size, wide, sums)
        xx, xy, yy, row = sums[0], sums[1], sums[2], out[y]
        for x in range(row.size):
            a, b, c = xx[x] * half, xy[x], yy[x] * half
            row[x] = (a + c) - np.sqrt((a - c) * (a - c) + b * b)


@kernel
def harris_responses(products, block_size, k, out):
    """Fill ``out`` (H, W) with det - ``k`` trace^2 of the gradient products summed over a block."""
    sums = np.empty((3, out.shape[1]), np.float32)
    wide = np.empty(out.shape[1] + block_size)
    for y in range(out.shape[0]):
        _sum_blocks(products, y, block_size, wide, sums)
        xx, xy, yy, row = sums[0], sums[1], sums[2], out[y]
        for x in range(row.size):
            a, b, c = xx[x], xy[x], yy[x]
            row[x] = a * c - b * b - k * (a + c) * (a + c)


@kernel
def _sum_blocks(products, y, block_size, wide, sums):
    height, _, width = products.shape
    # An even block reaches one pixel further up and left, as OpenCV's does.
    before = block_size // 2
    for c in range(3):
        inside = wide[before : before + width]
        inside[:] = 0
        for i in range(block_size):
            row = products[_reflect(y - before + i, height), c]
            for x in range(width):
                inside[x] += row[x]
        for i in range(before):
            wide[i] = inside[_reflect(i - before, width)]
        for i in range(before + width, width + block_size - 1):
            wide[i] = inside[_reflect(i - before, width)]
        _sum_window(wide, block_size, sums[c])


@kernel
def _sum_window(wide, block_size, out):
    total = np.zeros(out.size)
    for i in range(block_size):
        shifted = wide[i:]
        for x in range(out.size):
            total[x] += shifted[x]
    for x in range(out.size):
        out[x] = total[x]


@kernel
def local_maxima(response, threshold, allowed, out):
    """List the flat indices of pixels above ``threshold`` that no neighbour exceeds; count them.

    Pixels of the image's border, and those that ``allowed`` (H, W; 0 x 0 for all) marks False, are
    left out. At most ``out.size`` are listed; the number counts all.
    """
    height, width = response.shape
    masked = allowed.size > 0
    found = 0
    for y in range(1, height - 1):
        above, row, below = response[y - 1], response[y], response[y + 1]
        for x in range(1, width - 1):
            value = row[x]
            if value <= threshold or (masked and not allowed[y, x]):
                continue
            if value < max(row[x - 1], row[x + 1]):
                continue
            if value < max(above[x - 1], above[x], above[x + 1]) or value < max(
                below[x - 1], below[x], below[x + 1]
            ):
                continue
            if found < out.size:
                out[found] = y * width + x
            found += 1
    return found


@kernel
def keep_apart(candidates, shape, min_distance, out):
    """Fill ``out`` (N, 2) with the (x, y) of candidates at least ``min_distance`` from kept ones.

    ``candidates``, best first, are flat indices into an image of ``shape`` (H, W). Stops when
    ``out`` is full; returns how many were kept.
    """
    height, width = shape
    # Cells no smaller than the distance: only the eight around a point's own can hold one that is
    # too near.
    cell = max(int(np.ceil(min_distance)), 1)
    columns, rows = (width + cell - 1) // cell, (height + cell - 1) // cell
    newest, older = np.full(rows * columns, -1), np.empty(len(out), np.int64)
    kept = 0
    for index in candidates:
        if kept == len(out):
            break
        y, x = index // width, index % width
        if _is_free(x, y, cell, columns, rows, newest, older, out, min_distance):
            out[kept, 0], out[kept, 1] = x, y
            place = y // cell * columns + x // cell
            older[kept] = newest[place]
            newest[place] = kept
            kept += 1
    return kept


@kernel
def _is_free(x, y, cell, columns, rows, newest, older, kept, min_distance):
    row, column = y // cell, x // cell
    for i in range(max(row - 1, 0), min(row + 2, rows)):
        for j in range(max(column - 1, 0), min(column + 2, columns)):
            other = newest[i * columns + j]
            while other >= 0:
                dx, dy = x - kept[other, 0], y - kept[other, 1]
                if dx * dx + dy * dy < min_distance * min_distance:
                    return False
                other = older[other]
    return True
