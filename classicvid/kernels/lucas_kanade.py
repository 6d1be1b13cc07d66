"""Pyramid levels (float32, C order) and points go in; each of Lucas-Kanade's stages fills ``out``.

Levels carry a border as wide as the window on every side, so that a window may hang over the edge
of the image.
"""

from __future__ import annotations

import numpy as np

from classicvid.kernels.jit import kernel, kernel_any_order

# Bilinear weights have 14 fractional bits, interpolated gray levels 5: whole numbers below 2^24,
# which float32 holds exactly.
WEIGHT_ONE = 16384
GRAY_ONE = 32
FLT_EPSILON = 1.1920929e-07


@kernel
def halve(image, whole, out):
    """Fill ``out`` ((H + 1) // 2, (W + 1) // 2) with every second pixel after a binomial blur.

    Borders reflect at the centre of the last pixel. ``whole`` rounds to whole gray levels, as 8-bit
    images have them.
    """
    height, width = image.shape
    blurred = np.empty(width + 4, np.float32)
    six, four, share = np.float32(6), np.float32(4), np.float32(1 / 256)
    for y in range(out.shape[0]):
        a, b, c = (
            image[_reflect(2 * y - 2, height)],
            image[_reflect(2 * y - 1, height)],
            image[2 * y],
        )
        d, e = image[_reflect(2 * y + 1, height)], image[_reflect(2 * y + 2, height)]
        centre = blurred[2 : 2 + width]
        for x in range(width):
            centre[x] = (a[x] + e[x]) + four * (b[x] + d[x]) + six * c[x]
        for i in range(1, 3):
            blurred[2 - i] = centre[_reflect(-i, width)]
            blurred[1 + width + i] = centre[_reflect(width - 1 + i, width)]
        row = out[y]
        for x in range(row.size):
            i = 2 * x
            total = (blurred[i] + blurred[i + 4]) + four * (blurred[i + 1] + blurred[i + 3])
            row[x] = (total + six * blurred[i + 2]) * share
        if whole:
            for x in range(row.size):
                row[x] = np.floor(row[x] + np.float32(0.5))


@kernel
def _reflect(index, length):
    if length == 1:
        return 0
    while index < 0 or index >= length:
        index = -index if index < 0 else 2 * length - 2 - index
    return index


@kernel
def pad_reflected(image, border_x, border_y, out):
    """Fill ``out`` (H + 2 border_y, W + 2 border_x) with ``image``, mirrored at its last pixels."""
    height, width = image.shape
    for y in range(out.shape[0]):
        row, source = out[y], image[_reflect(y - border_y, height)]
        row[border_x : border_x + width] = source
        for i in range(border_x):
            row[i] = source[_reflect(i - border_x, width)]
            row[border_x + width + i] = source[_reflect(width + i, width)]


@kernel
def scharr_gradients(image, border_x, border_y, out_x, out_y):
    """Fill the inside of padded ``out_x``, ``out_y`` with 32 times Scharr's derivatives.

    The border of ``out_x`` and ``out_y`` is left as it is: zero.
    """
    height, width = image.shape
    smooth, slope = np.empty(width + 2, np.float32), np.empty(width + 2, np.float32)
    three, ten = np.float32(3), np.float32(10)
    for y in range(height):
        above, row, below = image[_reflect(y - 1, height)], image[y], image[_reflect(y + 1, height)]
        smooth_inside, slope_inside = smooth[1 : 1 + width], slope[1 : 1 + width]
        for x in range(width):
            smooth_inside[x] = three * (above[x] + below[x]) + ten * row[x]
        for x in range(width):
            slope_inside[x] = below[x] - above[x]
        _mirror_ends(smooth)
        _mirror_ends(slope)
        gx = out_x[y + border_y, border_x : border_x + width]
        gy = out_y[y + border_y, border_x : border_x + width]
        smooth_right, slope_right = smooth[2:], slope[2:]
        for x in range(width):
            gx[x] = smooth_right[x] - smooth[x]
        for x in range(width):
            gy[x] = three * (slope[x] + slope_right[x]) + ten * slope_inside[x]


@kernel
def _mirror_ends(padded):
    width = padded.size - 2
    padded[0] = padded[1 + _reflect(-1, width)]
    padded[width + 1] = padded[1 + _reflect(width, width)]


@kernel
def track_level(
    previous,
    next,
    gradient_x,
    gradient_y,
    shape,
    window,
    points,
    guesses,
    status,
    error,
    finest,
    limits,
):
    """Refine ``guesses`` (N, 2), where ``points`` (N, 2) of one level went.

    ``previous``, ``next`` and the gradients are padded levels of an image of ``shape`` (H, W);
    ``window`` is (height, width) in pixels; ``limits`` holds the greatest number of iterations, the
    squared step that ends them, and the smallest eigenvalue. ``status`` (N,) and ``error`` (N,)
    change only where ``finest``.
    """
    patch = np.empty((3, window[0] * window[1]), np.float32)
    for i in range(points.shape[0]):
        kept, x, y, residual = _track_point(
            previous,
            next,
            gradient_x,
            gradient_y,
            shape,
            window,
            points[i],
            guesses[i],
            finest,
            limits,
            patch,
        )
        guesses[i, 0], guesses[i, 1] = x, y
        if finest:
            status[i], error[i] = kept, residual


@kernel
def _track_point(
    previous, next, gradient_x, gradient_y, shape, window, point, guess, finest, limits, patch
):
    half_x, half_y = np.float32((window[1] - 1) * 0.5), np.float32((window[0] - 1) * 0.5)
    x, y, lost = guess[0], guess[1], np.float32(0)
    from_x, from_y = point[0] - half_x, point[1] - half_y
    if not _overlaps(from_x, from_y, shape, window):
        return False, x, y, lost
    _cut_patch(previous, gradient_x, gradient_y, from_x, from_y, window, patch)
    a11, a12, a22 = _structure(patch)
    determinant = a11 * a22 - a12 * a12
    spread = np.sqrt((a11 - a22) * (a11 - a22) + np.float32(4) * a12 * a12)
    min_eigenvalue = (a22 + a11 - spread) / np.float32(2 * window[0] * window[1])
    if not (min_eigenvalue >= limits[2] and determinant >= np.float32(FLT_EPSILON)):
        return False, x, y, lost
    structure = a11, a12, a22, np.float32(1) / determinant
    kept, x, y = _step_to_match(next, shape, window, patch, structure, x, y, limits)
    if not (kept and finest):
        return kept, x, y, lost
    to_x, to_y = x - half_x, y - half_y
    if not _overlaps(to_x, to_y, shape, window):
        return False, x, y, lost
    return True, x, y, _mean_difference(next, to_x, to_y, window, patch)


@kernel
def _step_to_match(image, shape, window, patch, structure, x, y, limits):
    half_x, half_y = np.float32((window[1] - 1) * 0.5), np.float32((window[0] - 1) * 0.5)
    a11, a12, a22, inverse = structure
    to_x, to_y = x - half_x, y - half_y
    before_x, before_y = np.float32(0), np.float32(0)
    for step in range(int(limits[0])):
        if not _overlaps(to_x, to_y, shape, window):
            return False, x, y
        b1, b2 = _mismatch(image, to_x, to_y, window, patch)
        # Solved in this order of rounding, small windows follow OpenCV's to the last bit.
        dx, dy = (a12 * b2 - a22 * b1) * inverse, (a12 * b1 - a11 * b2) * inverse
        to_x, to_y = to_x + dx, to_y + dy
        x, y = to_x + half_x, to_y + half_y
        if np.float64(dx) * dx + np.float64(dy) * dy <= limits[1]:
            break
        if step > 0 and abs(dx + before_x) < 0.01 and abs(dy + before_y) < 0.01:
            # It swings between two places: the middle is taken.
            return True, x - dx * np.float32(0.5), y - dy * np.float32(0.5)
        before_x, before_y = dx, dy
    return True, x, y


@kernel
def _overlaps(x, y, shape, window):
    # NaN compares false: a point that got lost stays lost.
    return -window[1] <= x and x < shape[1] and -window[0] <= y and y < shape[0]


@kernel
def _bilinear_weights(x, y):
    left, top = int(np.floor(x)), int(np.floor(y))
    u, v = x - np.float32(left), y - np.float32(top)
    one, unit = np.float32(1), np.float32(WEIGHT_ONE)
    w00 = np.rint((one - u) * (one - v) * unit)
    w01 = np.rint(u * (one - v) * unit)
    w10 = np.rint((one - u) * v * unit)
    return left, top, w00, w01, w10, unit - w00 - w01 - w10


@kernel
def _cut_patch(image, gradient_x, gradient_y, x, y, window, patch):
    gray_share, gradient_share = np.float32(GRAY_ONE / WEIGHT_ONE), np.float32(1 / WEIGHT_ONE)
    _cut_plane(image, x, y, window, gray_share, patch[0])
    _cut_plane(gradient_x, x, y, window, gradient_share, patch[1])
    _cut_plane(gradient_y, x, y, window, gradient_share, patch[2])


@kernel
def _cut_plane(image, x, y, window, share, out):
    height, width = window
    left, top, w00, w01, w10, w11 = _bilinear_weights(x, y)
    left, top = left + width, top + height
    half = np.float32(0.5)
    for i in range(height):
        upper, lower = image[top + i, left:], image[top + i + 1, left:]
        upper_right, lower_right = upper[1:], lower[1:]
        row = out[i * width : (i + 1) * width]
        for j in range(width):
            value = w00 * upper[j] + w01 * upper_right[j] + w10 * lower[j] + w11 * lower_right[j]
            row[j] = np.floor(value * share + half)


@kernel_any_order
def _structure(patch):
    gx, gy = patch[1], patch[2]
    a11, a12, a22 = np.float32(0), np.float32(0), np.float32(0)
    for i in range(gx.size):
        a11 += gx[i] * gx[i]
        a12 += gx[i] * gy[i]
        a22 += gy[i] * gy[i]
    scale = np.float32(1 / 2**20)
    return a11 * scale, a12 * scale, a22 * scale


@kernel_any_order
def _mismatch(image, x, y, window, patch):
    height, width = window
    left, top, w00, w01, w10, w11 = _bilinear_weights(x, y)
    left, top = left + width, top + height
    b1, b2 = np.float32(0), np.float32(0)
    scale, half = np.float32(GRAY_ONE / WEIGHT_ONE), np.float32(0.5)
    for i in range(height):
        upper, lower = image[top + i, left:], image[top + i + 1, left:]
        upper_right, lower_right = upper[1:], lower[1:]
        start = i * width
        gray, gx, gy = patch[0, start:], patch[1, start:], patch[2, start:]
        for j in range(width):
            value = w00 * upper[j] + w01 * upper_right[j] + w10 * lower[j] + w11 * lower_right[j]
            difference = np.floor(value * scale + half) - gray[j]
            b1 += difference * gx[j]
            b2 += difference * gy[j]
    share = np.float32(1 / 2**20)
    return b1 * share, b2 * share


@kernel_any_order
def _mean_difference(image, x, y, window, patch):
    height, width = window
    left, top, w00, w01, w10, w11 = _bilinear_weights(x, y)
    left, top = left + width, top + height
    total = np.float32(0)
    scale, half = np.float32(GRAY_ONE / WEIGHT_ONE), np.float32(0.5)
    for i in range(height):
        upper, lower = image[top + i, left:], image[top + i + 1, left:]
        upper_right, lower_right = upper[1:], lower[1:]
        gray = patch[0, i * width :]
        for j in range(width):
            value = w00 * upper[j] + w01 * upper_right[j] + w10 * lower[j] + w11 * lower_right[j]
            total += abs(np.floor(value * scale + half) - gray[j])
    return total / np.float32(GRAY_ONE * height * width)
