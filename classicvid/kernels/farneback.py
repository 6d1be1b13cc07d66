"""Images, expansions and flow (float32, C order) go in; each of Farnebäck's stages fills ``out``.

Expansions and matrices are ``(H, 5, W)``: one row of the image holds its five coefficients as five
contiguous rows.
"""

from __future__ import annotations

import numpy as np

from classicvid.kernels.jit import kernel


@kernel
def resample(image, row_taps, row_weights, column_taps, column_weights, out):
    """Fill ``out`` (h, w) with weighted sums of the rows and columns that the taps name.

    ``row_taps`` (h, K) and ``column_taps`` (w, L) hold indices inside the image, ``*_weights``
    their weights: blur, border and change of size are one operator, evaluated only where the result
    is sampled.
    """
    blended = np.empty(image.shape[1], np.float32)
    for y in range(out.shape[0]):
        _blend_rows(image, row_taps[y], row_weights[y], blended)
        _blend_columns(blended, column_taps, column_weights, out[y])


@kernel
def _blend_rows(image, taps, weights, out):
    out[:] = 0
    for k in range(taps.size):
        row = image[taps[k]]
        weight = weights[k]
        for x in range(out.size):
            out[x] += weight * row[x]


@kernel
def _blend_columns(row, taps, weights, out):
    for x in range(out.size):
        total = np.float32(0)
        for k in range(taps.shape[1]):
            total += weights[x, k] * row[taps[x, k]]
        out[x] = total


@kernel
def expand_polynomials(image, moments, projection, out):
    """Fill ``out`` (H, 5, W) with the quadratic that fits the neighbourhood of every pixel.

    ``moments`` (3, n + 1) are the 1-D weights g, x g, x^2 g for x = 0..n; ``projection`` are the
    entries (1, 1), (0, 3), (3, 3) and (5, 5) of the inverse Gram matrix. The coefficients are those
    of y, x, y^2, x^2, xy. Borders repeat the last pixel. The constant cancels out of the squares,
    so the horizontal sums are float64.
    """
    height, width = image.shape
    n = moments.shape[1] - 1
    constant, linear = moments[0], moments[1]
    precise_constant, precise_square = constant.astype(np.float64), moments[2].astype(np.float64)
    sums = np.empty((3, width + 2 * n), np.float32)
    fit = np.empty((6, width))
    for y in range(height):
        _vertical_moments(image, y, moments, sums)
        _correlate_even(sums[0], precise_constant, fit[0])
        _correlate_odd(sums[0], linear, fit[1])
        _correlate_even(sums[1], constant, fit[2])
        _correlate_even(sums[0], precise_square, fit[3])
        _correlate_even(sums[2], constant, fit[4])
        _correlate_odd(sums[1], linear, fit[5])
        _project(fit, projection, out[y])


@kernel
def _project(fit, projection, out):
    ig11, ig03, ig33, ig55 = projection[0], projection[1], projection[2], projection[3]
    y, x, yy, xx, xy = out[0], out[1], out[2], out[3], out[4]
    for i in range(y.size):
        y[i] = fit[2, i] * ig11
    for i in range(y.size):
        x[i] = fit[1, i] * ig11
    for i in range(y.size):
        yy[i] = fit[0, i] * ig03 + fit[4, i] * ig33
    for i in range(y.size):
        xx[i] = fit[0, i] * ig03 + fit[3, i] * ig33
    for i in range(y.size):
        xy[i] = fit[5, i] * ig55


@kernel
def _vertical_moments(image, y, moments, sums):
    height, width = image.shape
    n = moments.shape[1] - 1
    constant, linear, square = (
        sums[0, n : n + width],
        sums[1, n : n + width],
        sums[2, n : n + width],
    )
    weight, row = moments[0, 0], image[y]
    for x in range(width):
        constant[x] = weight * row[x]
    linear[:] = 0
    square[:] = 0
    for k in range(1, n + 1):
        above, below = image[max(y - k, 0)], image[min(y + k, height - 1)]
        g, xg, xxg = moments[0, k], moments[1, k], moments[2, k]
        for x in range(width):
            constant[x] += g * (above[x] + below[x])
        for x in range(width):
            linear[x] += xg * (below[x] - above[x])
        for x in range(width):
            square[x] += xxg * (above[x] + below[x])
    for c in range(3):
        sums[c, :n] = sums[c, n]
        sums[c, n + width :] = sums[c, n + width - 1]


@kernel
def _correlate_even(padded, weights, out):
    n = weights.size - 1
    width = out.size
    weight, centre = weights[0], padded[n : n + width]
    for x in range(width):
        out[x] = np.float32(weight * centre[x])
    for k in range(1, n + 1):
        weight, left, right = (
            weights[k],
            padded[n - k : n - k + width],
            padded[n + k : n + k + width],
        )
        for x in range(width):
            out[x] += weight * (left[x] + right[x])


@kernel
def _correlate_odd(padded, weights, out):
    n = weights.size - 1
    width = out.size
    out[:] = 0
    for k in range(1, n + 1):
        weight, left, right = (
            weights[k],
            padded[n - k : n - k + width],
            padded[n + k : n + k + width],
        )
        for x in range(width):
            out[x] += weight * (right[x] - left[x])


@kernel
def update_matrices(first, second, flow, border, out):
    """Fill ``out`` (H, 5, W) with every pixel's normal equations g11, g12, g22, h1, h2; 1 is y.

    ``flow`` (2, H, W) is the present guess (dx, dy), ``border`` (H, W) the confidence in a pixel's
    expansion.
    """
    height, _, width = first.shape
    one, half, quarter = np.float32(1), np.float32(0.5), np.float32(0.25)
    for y in range(height):
        y1, x1, yy1, xx1, xy1 = first[y, 0], first[y, 1], first[y, 2], first[y, 3], first[y, 4]
        row = out[y]
        for x in range(width):
            dx, dy = flow[0, y, x], flow[1, y, x]
            to_x, to_y = np.float32(x) + dx, np.float32(y) + dy
            # NaN compares false: a lost guess counts as outside.
            if to_x >= 0 and to_x < width - 1 and to_y >= 0 and to_y < height - 1:
                left, top = int(to_x), int(to_y)
                u, v = to_x - np.float32(left), to_y - np.float32(top)
                w00, w01 = (one - u) * (one - v), u * (one - v)
                w10, w11 = (one - u) * v, u * v
                upper, lower = second[top], second[top + 1]
                ry = _bilinear(upper[0], lower[0], left, w00, w01, w10, w11)
                rx = _bilinear(upper[1], lower[1], left, w00, w01, w10, w11)
                a_yy = (yy1[x] + _bilinear(upper[2], lower[2], left, w00, w01, w10, w11)) * half
                a_xx = (xx1[x] + _bilinear(upper[3], lower[3], left, w00, w01, w10, w11)) * half
                a_xy = (xy1[x] + _bilinear(upper[4], lower[4], left, w00, w01, w10, w11)) * quarter
            else:
                ry, rx = np.float32(0), np.float32(0)
                a_yy, a_xx, a_xy = yy1[x], xx1[x], xy1[x] * half
            scale = border[y, x]
            b_y = ((y1[x] - ry) * half + (a_yy * dy + a_xy * dx)) * scale
            b_x = ((x1[x] - rx) * half + (a_xy * dy + a_xx * dx)) * scale
            a_yy, a_xx, a_xy = a_yy * scale, a_xx * scale, a_xy * scale
            row[0, x] = a_yy * a_yy + a_xy * a_xy
            row[1, x] = (a_yy + a_xx) * a_xy
            row[2, x] = a_xx * a_xx + a_xy * a_xy
            row[3, x] = a_yy * b_y + a_xy * b_x
            row[4, x] = a_xy * b_y + a_xx * b_x


@kernel
def _bilinear(upper, lower, left, w00, w01, w10, w11):
    return w00 * upper[left] + w01 * upper[left + 1] + w10 * lower[left] + w11 * lower[left + 1]


@kernel
def solve_box_window(matrices, radius, area, out):
    """Fill ``out`` (2, H, W) with the flow that solves the equations summed over a square.

    The sums over (2 ``radius`` + 1)^2 pixels are divided by ``area``; borders repeat the last
    pixel.
    """
    height, _, width = matrices.shape
    sums = np.zeros((5, width + 2 * radius + 1))
    # The first row as often as it repeats at the border, and once more: it is subtracted again at
    # once.
    _add_rows(matrices[0], np.float32(radius + 2), radius, sums)
    for y in range(1, radius):
        _add_rows(matrices[min(y, height - 1)], np.float32(1), radius, sums)
    for y in range(height):
        _slide_rows(
            matrices[max(y - radius - 1, 0)], matrices[min(y + radius, height - 1)], radius, sums
        )
        _solve_box_row(sums, radius, 1 / area, out[0, y], out[1, y])


@kernel
def _add_rows(entering, times, radius, sums):
    width = entering.shape[1]
    for c in range(5):
        row, total = entering[c], sums[c, radius + 1 : radius + 1 + width]
        for x in range(width):
            total[x] += times * row[x]


@kernel
def _slide_rows(leaving, entering, radius, sums):
    width = entering.shape[1]
    for c in range(5):
        old, new, total = leaving[c], entering[c], sums[c, radius + 1 : radius + 1 + width]
        for x in range(width):
            total[x] += new[x] - old[x]
        sums[c, : radius + 1] = total[0]
        sums[c, radius + 1 + width :] = total[width - 1]


@kernel
def _solve_box_row(sums, radius, scale, dx, dy):
    s11, s12, s22, s1, s2 = sums[0], sums[1], sums[2], sums[3], sums[4]
    span, first = 2 * radius + 1, radius + 1
    repeats = radius + 2
    g11, g12, g22 = s11[first] * repeats, s12[first] * repeats, s22[first] * repeats
    h1, h2 = s1[first] * repeats, s2[first] * repeats
    for x in range(first + 1, first + radius):
        g11 += s11[x]
        g12 += s12[x]
        g22 += s22[x]
        h1 += s1[x]
        h2 += s2[x]
    for x in range(dx.size):
        g11 += s11[x + span] - s11[x]
        g12 += s12[x + span] - s12[x]
        g22 += s22[x + span] - s22[x]
        h1 += s1[x + span] - s1[x]
        h2 += s2[x + span] - s2[x]
        dx[x], dy[x] = _solve(g11 * scale, g12 * scale, g22 * scale, h1 * scale, h2 * scale)


@kernel
def _solve(g11, g12, g22, h1, h2):
    # 1e-3 keeps the flow of a flat neighbourhood at zero instead of infinity.
    inverse = 1 / (g11 * g22 - g12 * g12 + 1e-3)
    return (g11 * h2 - g12 * h1) * inverse, (g22 * h1 - g12 * h2) * inverse


@kernel
def solve_gaussian_window(matrices, weights, out):
    """Fill ``out`` (2, H, W) with the flow that solves the equations averaged under a Gaussian.

    ``weights`` (m + 1,) are its 1-D weights from the centre outwards; borders repeat the last
    pixel.
    """
    height, _, width = matrices.shape
    m = weights.size - 1
    padded = np.empty((5, width + 2 * m), np.float32)
    sums = np.empty((5, width), np.float32)
    for y in range(height):
        _blur_rows(matrices, y, weights, padded)
        for c in range(5):
            _correlate_even(padded[c], weights, sums[c])
        dx, dy = out[0, y], out[1, y]
        for x in range(width):
            dx[x], dy[x] = _solve(
                np.float64(sums[0, x]),
                np.float64(sums[1, x]),
                np.float64(sums[2, x]),
                np.float64(sums[3, x]),
                np.float64(sums[4, x]),
            )


@kernel
def _blur_rows(matrices, y, weights, padded):
    height, _, width = matrices.shape
    m = weights.size - 1
    for c in range(5):
        total = padded[c, m : m + width]
        centre = matrices[y, c]
        weight = weights[0]
        for x in range(width):
            total[x] = weight * centre[x]
        for k in range(1, m + 1):
            above, below = matrices[max(y - k, 0), c], matrices[min(y + k, height - 1), c]
            weight = weights[k]
            for x in range(width):
                total[x] += weight * (above[x] + below[x])
        padded[c, :m] = total[0]
        padded[c, m + width :] = total[width - 1]
