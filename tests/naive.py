"""Slow, obvious twins of the kernels, in plain numpy: tests hold the fast code against these."""

from __future__ import annotations

import numpy as np


def resample(image, row_taps, row_weights, column_taps, column_weights):
    """Sample an image by two dense matrices made from taps and weights."""
    rows = np.zeros((len(row_taps), image.shape[0]))
    columns = np.zeros((len(column_taps), image.shape[1]))
    for matrix, taps, weights in (
        (rows, row_taps, row_weights),
        (columns, column_taps, column_weights),
    ):
        for i in range(len(taps)):
            for tap, weight in zip(taps[i], weights[i], strict=True):
                matrix[i, tap] += weight
    return rows @ image @ columns.T


def expand_polynomials(image, n, sigma):
    """Fit y, x, y^2, x^2, xy to every neighbourhood by weighted least squares, (H, 5, W)."""
    height, width = image.shape
    padded = np.pad(image.astype(np.float64), n, mode="edge")
    y, x = np.mgrid[-n : n + 1, -n : n + 1]
    basis = np.stack([np.ones_like(x), x, y, x**2, y**2, x * y], axis=-1).reshape(-1, 6)
    root = np.exp(-(x**2 + y**2) / (4 * sigma**2)).reshape(-1, 1)
    out = np.empty((height, 5, width))
    for i in range(height):
        for j in range(width):
            values = padded[i : i + 2 * n + 1, j : j + 2 * n + 1].reshape(-1, 1)
            fit = np.linalg.lstsq(basis * root, values * root, rcond=None)[0].ravel()
            out[i, :, j] = fit[[2, 1, 4, 3, 5]]
    return out


def update_matrices(first, second, flow, border):
    """Return every pixel's normal equations g11, g12, g22, h1, h2, (H, 5, W), of two expansions."""
    height, _, width = first.shape
    out = np.empty((height, 5, width))
    for i in range(height):
        for j in range(width):
            dx, dy = (float(part) for part in flow[:, i, j])
            left, top = int(np.floor(j + dx)), int(np.floor(i + dy))
            there = np.zeros(5)
            there[2:] = first[i, 2:, j]
            if 0 <= left < width - 1 and 0 <= top < height - 1:
                u, v = j + dx - left, i + dy - top
                upper = (1 - u) * second[top, :, left] + u * second[top, :, left + 1]
                lower = (1 - u) * second[top + 1, :, left] + u * second[top + 1, :, left + 1]
                there = (1 - v) * upper + v * lower
            yy, xx, xy = (first[i, 2:, j] + there[2:]) / 2
            a = np.array([[yy, xy / 2], [xy / 2, xx]])
            b = (first[i, :2, j] - there[:2]) / 2 + a @ [dy, dx]
            a, b = a * border[i, j], b * border[i, j]
            g, h = a.T @ a, a.T @ b
            out[i, :, j] = g[0, 0], g[0, 1], g[1, 1], h[0], h[1]
    return out


def solve_window(matrices, weights):
    """Average normal equations (H, 5, W) under a separable window; return the flow (2, H, W)."""
    height, _, width = matrices.shape
    m = len(weights) // 2
    padded = np.pad(matrices.astype(np.float64), ((m, m), (0, 0), (m, m)), mode="edge")
    window = np.outer(weights, weights)
    flow = np.empty((2, height, width))
    for i in range(height):
        for j in range(width):
            block = padded[i : i + 2 * m + 1, :, j : j + 2 * m + 1]
            g11, g12, g22, h1, h2 = np.einsum("ycx,yx->c", block, window)
            determinant = g11 * g22 - g12 * g12 + 1e-3
            flow[:, i, j] = (
                (g11 * h2 - g12 * h1) / determinant,
                (g22 * h1 - g12 * h2) / determinant,
            )
    return flow


def bilinear(image, x, y):
    """Sample an image at (x, y) of any shape; outside, it is mirrored at its last pixels."""
    rows, columns = (
        _mirror(np.floor(part).astype(int), n)
        for part, n in ((y, image.shape[0]), (x, image.shape[1]))
    )
    below = _mirror(np.floor(y).astype(int) + 1, image.shape[0])
    right = _mirror(np.floor(x).astype(int) + 1, image.shape[1])
    u, v = x - np.floor(x), y - np.floor(y)
    upper = (1 - u) * image[rows, columns] + u * image[rows, right]
    return (1 - v) * upper + v * ((1 - u) * image[below, columns] + u * image[below, right])


def _mirror(index, length):
    if length == 1:
        return np.zeros_like(index)
    index = np.abs(index) % (2 * length - 2)
    return np.minimum(index, 2 * length - 2 - index)


def halve(image, whole):
    """Blur with the 5 x 5 binomial kernel and keep every second pixel."""
    taps = np.array([1, 4, 6, 4, 1]) / 16
    padded = np.pad(image.astype(np.float64), 2, mode="reflect")
    height, width = image.shape
    out = np.empty(((height + 1) // 2, (width + 1) // 2))
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = taps @ padded[2 * i : 2 * i + 5, 2 * j : 2 * j + 5] @ taps
    return np.floor(out + 0.5) if whole else out


def scharr_gradients(image):
    """Return Scharr's derivatives (x, y) per pixel of an image mirrored at its border."""
    padded = np.pad(image.astype(np.float64), 1, mode="reflect")
    smooth = np.array([3, 10, 3]) / 16
    height, width = image.shape
    gradients = np.empty((2, height, width))
    for i in range(height):
        for j in range(width):
            block = padded[i : i + 3, j : j + 3]
            gradients[:, i, j] = (
                smooth @ (block[:, 2] - block[:, 0]) / 2,
                smooth @ (block[2] - block[0]) / 2,
            )
    return gradients


def track_point(previous, next, point, win_size, steps=30):
    """Follow one point well inside two images by Newton steps; return its place."""
    gradients = scharr_gradients(previous)
    reach = [np.arange(side) - (side - 1) / 2 for side in win_size]
    x, y = np.meshgrid(*reach)
    patch = bilinear(previous, x + point[0], y + point[1])
    gx, gy = (bilinear(part, x + point[0], y + point[1]) for part in gradients)
    structure = np.array([[(gx * gx).sum(), (gx * gy).sum()], [(gx * gy).sum(), (gy * gy).sum()]])
    place = np.array(point, np.float64)
    for _ in range(steps):
        difference = patch - bilinear(next, x + place[0], y + place[1])
        place += np.linalg.solve(structure, [(difference * gx).sum(), (difference * gy).sum()])
    return place


def corner_response(image, block_size, harris_k=None):
    """Return the smaller eigenvalue, or Harris's measure, of summed gradient products."""
    height, width = image.shape
    padded = np.pad(image.astype(np.float64), 1, mode="reflect")
    scale = 1 / (4 * block_size * (255 if image.dtype == np.uint8 else 1))
    slope, smooth = np.array([-1, 0, 1]), np.array([1, 2, 1])
    gradients = np.empty((2, height, width))
    for i in range(height):
        for j in range(width):
            block = padded[i : i + 3, j : j + 3] * scale
            gradients[:, i, j] = smooth @ block @ slope, slope @ block @ smooth
    out = np.empty((height, width))
    reach = np.arange(block_size) - block_size // 2
    for i in range(height):
        for j in range(width):
            place = np.ix_([0, 1], _mirror(i + reach, height), _mirror(j + reach, width))
            vectors = gradients[place].reshape(2, -1)
            structure = vectors @ vectors.T
            out[i, j] = np.linalg.eigvalsh(structure)[0]
            if harris_k is not None:
                out[i, j] = np.linalg.det(structure) - harris_k * np.trace(structure) ** 2
    return out


def local_maxima(response, threshold, allowed):
    """List the flat indices of inner pixels above the threshold that no neighbour exceeds."""
    height, width = response.shape
    return [
        i * width + j
        for i in range(1, height - 1)
        for j in range(1, width - 1)
        if allowed[i, j]
        and response[i, j] > threshold
        and response[i, j] == response[i - 1 : i + 2, j - 1 : j + 2].max()
    ]


def keep_apart(points, min_distance):
    """Keep each point that is not nearer than ``min_distance`` to one kept before."""
    kept = []
    for point in points:
        if all(np.hypot(*(np.subtract(point, other))) >= min_distance for other in kept):
            kept.append(point)
    return kept


def vote_gradients(plane, grid, bins):
    """Histograms (G, G, bins) of the central differences of a plane, pixel by pixel."""
    height, width = plane.shape
    plane = plane.astype(np.float64)
    out = np.zeros((grid, grid, bins))
    for y in range(height):
        for x in range(width):
            dx = plane[y, x + 1] - plane[y, x - 1] if 0 < x < width - 1 else 0.0
            dy = plane[y + 1, x] - plane[y - 1, x] if 0 < y < height - 1 else 0.0
            out[y * grid // height, x * grid // width] += _share_vote(dx, dy, bins)
    return out


def vote_flow(flow, min_flow, grid, bins):
    """Histograms (G, G, bins + 1) of a flow field, vectors at rest counted in the last bin."""
    height, width, _ = flow.shape
    out = np.zeros((grid, grid, bins + 1))
    for y in range(height):
        for x in range(width):
            dx, dy = (float(part) for part in flow[y, x])
            cell = out[y * grid // height, x * grid // width]
            if np.hypot(dx, dy) <= min_flow:
                cell[bins] += 1
            else:
                cell[:bins] += _share_vote(dx, dy, bins)
    return out


def _share_vote(dx, dy, bins):
    position = np.degrees(np.arctan2(dy, dx)) % 360 / (360 / bins)
    distance = np.abs(np.arange(bins) - position)
    distance = np.minimum(distance, bins - distance)
    return np.hypot(dx, dy) * np.maximum(1 - distance, 0)


def describe_histograms(histograms, cell_pixels, parts):
    """Root distributions of all times from the histograms (T, G, G, bins) of every frame."""
    out = []
    for pieces in [1, parts] if parts > 1 else [1]:
        # Every frame is repeated so often that the pieces hold a whole number of them.
        for piece in np.split(np.repeat(histograms, pieces, axis=0), pieces):
            weights = piece.mean(axis=0) + 0.05 / 256 * cell_pixels[:, :, None]
            out += [weights / weights.sum(), weights.sum(axis=(0, 1)) / weights.sum()]
    return np.sqrt(np.concatenate([part.ravel() for part in out]))


def framed(array, value, margin=4096):
    """Return a row filled with ``value``, and a copy of the array that lies in its middle."""
    filling = np.array(value).astype(array.dtype)
    whole = np.full(array.size + 2 * margin, filling, array.dtype)
    inside = whole[margin : margin + array.size].reshape(array.shape)
    inside[...] = array
    return whole, inside


def assert_frame_untouched(whole, inside):
    """Check that nothing was written before or after an array that `framed` returned."""
    margin = (whole.size - inside.size) // 2
    for side in (whole[:margin], whole[margin + inside.size :]):
        np.testing.assert_array_equal(side, np.full_like(side, side[0]))


def patch_histograms(gray, flow, head, patch, min_flow):
    """Return the roots of the cells' histograms around a head: hog, mbhx, mbhy and hof."""
    shares = {}
    for name, plane in {"hog": gray, "mbhx": flow[..., 0], "mbhy": flow[..., 1]}.items():
        padded = np.pad(plane.astype(np.float64), 1, mode="reflect")
        dx, dy = padded[1:-1, 2:] - padded[1:-1, :-2], padded[2:, 1:-1] - padded[:-2, 1:-1]
        shares[name] = _votes_of_pixels(dx, dy, -1.0)[..., :8]
    shares["hof"] = _votes_of_pixels(*np.moveaxis(flow.astype(np.float64), 2, 0), min_flow)
    x, y = (
        min(max(round(float(place)) - patch // 2, 0), max(length - patch, 0))
        for place, length in zip(head, gray.shape[::-1], strict=True)
    )
    side, histograms = patch // 2, {}
    for name, votes in shares.items():
        cells = [
            votes[y + j * side : y + (j + 1) * side, x + i * side : x + (i + 1) * side]
            for i in range(2)
            for j in range(2)
        ]
        sums = np.array([cell.sum(axis=(0, 1)) for cell in cells]) + 0.05
        histograms[name] = np.sqrt(sums / sums.sum()).ravel()
    return histograms


def _votes_of_pixels(dx, dy, min_flow):
    votes = np.zeros((*dx.shape, 9))
    for i in range(dx.shape[0]):
        for j in range(dx.shape[1]):
            length = np.hypot(dx[i, j], dy[i, j])
            if length <= min_flow:
                votes[i, j, 8] = 1
                continue
            place = np.arctan2(dy[i, j], dx[i, j]) % (2 * np.pi) * 8 / (2 * np.pi)
            low = int(place)
            votes[i, j, low % 8] += length * (1 - (place - low))
            votes[i, j, (low + 1) % 8] += length * (place - low)
    return votes


def whole_window(image, place, window):
    """Gray levels (in 32nds) and derivatives of a window (height, width), in whole numbers.

    Its upper left pixel lies at ``place`` (x, y). Scharr's derivatives are zero outside the image,
    whose gray levels are reflected there.
    """
    height, width = window
    x, y = int(np.floor(place[0])), int(np.floor(place[1]))
    u, v = np.float32(place) - np.float32([x, y])
    one, scale = np.float32(1), np.float32(2**14)
    w = [
        int(np.rint((one - u) * (one - v) * scale)),
        int(np.rint(u * (one - v) * scale)),
        int(np.rint((one - u) * v * scale)),
    ]
    w.append(2**14 - sum(w))

    def level(column, row):
        row, column = (
            _mirror(index, side) for index, side in zip((row, column), image.shape, strict=True)
        )
        return int(image[row, column])

    def slope(column, row, dx, dy):
        if not (0 <= row < image.shape[0] and 0 <= column < image.shape[1]):
            return 0
        return sum(
            weight
            * (
                level(column + dx + k * dy, row + dy + k * dx)
                - level(column - dx + k * dy, row - dy + k * dx)
            )
            for k, weight in ((-1, 3), (0, 10), (1, 3))
        )

    def between(value, column, row, bits):
        corners = [value(column + k % 2, row + k // 2) for k in range(4)]
        return (sum(a * b for a, b in zip(w, corners, strict=True)) + 2 ** (bits - 1)) >> bits

    planes = np.zeros((3, height, width), int)
    for i in range(height):
        for j in range(width):
            at = x + j, y + i
            planes[0, i, j] = between(level, *at, 9)
            planes[1, i, j] = between(lambda c, r: slope(c, r, 1, 0), *at, 14)
            planes[2, i, j] = between(lambda c, r: slope(c, r, 0, 1), *at, 14)
    return planes
