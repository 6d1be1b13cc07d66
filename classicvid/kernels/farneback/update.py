"""Two expansions and a guess of the flow go in; each pixel's normal equations come out."""

from __future__ import annotations

from classicvid.kernels.farneback.layout import PLANES
from classicvid.kernels.jit import inlined, spliced
from classicvid.kernels.simd import (
    LANES,
    absolute,
    all_lanes,
    any_lane,
    first_lane,
    floor,
    gather,
    highest,
    lane_numbers,
    load,
    lowest,
    maximum,
    minimum,
    permute,
    select,
    splat,
    to_floats,
    to_integers,
)

# Rows of the second expansion that the pixels of one vector may need before each pixel is fetched
# by itself.
MOST_ROWS = 32


@inlined
def equations(expansions, x, y, dx, dy, confidence):
    """Return g11, g12, g22, h1, h2 (1 is y) of ``LANES`` pixels from x on, for the flow dx, dy.

    Farnebäck 2003, equations 9 to 11: the second expansion is read where the flow points to.
    """
    stride = expansions.stride
    to_x, to_y = to_floats(lane_numbers() + x) + dx, dy + y
    left, top = floor(to_x), floor(to_y)
    # NaN compares false: a lost guess counts as outside.
    inside = (left >= 0) & (left < expansions.width - 1)
    inside = inside & (top >= 0) & (top < expansions.height - 1)
    ry, rx, ryy, rxx, rxy = _interpolate(expansions, to_x, to_y, left, top)
    at = PLANES * y * stride + x
    yy, xx = load(expansions.first, at + 2 * stride), load(expansions.first, at + 3 * stride)
    xy = load(expansions.first, at + 4 * stride)
    if not all_lanes(inside):
        # A pixel without a partner: nothing to compare with, and its own curvature alone.
        ry, rx = select(inside, ry, 0.0), select(inside, rx, 0.0)
        ryy, rxx, rxy = select(inside, ryy, yy), select(inside, rxx, xx), select(inside, rxy, xy)
    a_yy, a_xx, a_xy = (yy + ryy) * 0.5, (xx + rxx) * 0.5, (xy + rxy) * 0.25
    b_y = (load(expansions.first, at) - ry) * 0.5
    b_x = (load(expansions.first, at + stride) - rx) * 0.5
    b_y = (b_y + (a_yy * dy + a_xy * dx)) * confidence
    b_x = (b_x + (a_xy * dy + a_xx * dx)) * confidence
    a_yy, a_xx, a_xy = a_yy * confidence, a_xx * confidence, a_xy * confidence
    mixed = a_xy * a_xy
    return (
        a_yy * a_yy + mixed,
        (a_yy + a_xx) * a_xy,
        a_xx * a_xx + mixed,
        a_yy * b_y + a_xy * b_x,
        a_xy * b_y + a_xx * b_x,
    )


@spliced
def _interpolate(expansions, to_x, to_y, left, top):
    """Return the second expansion's five coefficients at (to_x, to_y), bilinearly interpolated.

    Where that lies outside, what comes out has no meaning.
    """
    left = to_integers(minimum(maximum(left, 0.0), splat(max(expansions.width - 2, 0))))
    top = to_integers(minimum(maximum(top, 0.0), splat(max(expansions.height - 2, 0))))
    shift = left - lane_numbers()
    column, row = int(first_lane(shift)), int(first_lane(top))
    column, row = column - any_lane(shift < column), row - any_lane(top < row)
    # Nearly always, the pixels' ways differ by less than one row and one column.
    if column >= 0 and all_lanes((((shift - column) | (top - row)) & -2) == 0):
        columns, rows = 2 + any_lane(shift != column), 2 + any_lane(top != row)
        return _weigh_neighbours(expansions, to_x, to_y, column, row, columns, rows)
    return _pick_neighbours(expansions, to_x, to_y, left, top)


@spliced
def _weigh_neighbours(expansions, to_x, to_y, column, row, columns, rows):
    """Add up two or three neighbours a row, each weighted by its nearness to every pixel."""
    second, stride = expansions.second, expansions.stride
    ry, rx, ryy, rxx, rxy = splat(0.0), splat(0.0), splat(0.0), splat(0.0), splat(0.0)
    behind_x, behind_y = to_x - to_floats(lane_numbers() + column), to_y - row
    near, middle, far = _tent(behind_x), _tent(behind_x - 1.0), _tent(behind_x - 2.0)
    at = PLANES * row * stride + column
    for _ in range(rows):
        weight = _tent(behind_y)
        behind_y = behind_y - 1.0
        left, right = weight * near, weight * middle
        y, x, yy, xx, xy = at, at + stride, at + 2 * stride, at + 3 * stride, at + 4 * stride
        ry = ry + left * load(second, y) + right * load(second, y + 1)
        rx = rx + left * load(second, x) + right * load(second, x + 1)
        ryy = ryy + left * load(second, yy) + right * load(second, yy + 1)
        rxx = rxx + left * load(second, xx) + right * load(second, xx + 1)
        rxy = rxy + left * load(second, xy) + right * load(second, xy + 1)
        if columns == 3:
            right = weight * far
            ry, rx = ry + right * load(second, y + 2), rx + right * load(second, x + 2)
            ryy, rxx = ryy + right * load(second, yy + 2), rxx + right * load(second, xx + 2)
            rxy = rxy + right * load(second, xy + 2)
        at += PLANES * stride
    return ry, rx, ryy, rxx, rxy


@inlined
def _tent(distance):
    """Return a neighbour's weight: 1 at the pixel, 0 from a distance of one pixel on."""
    return maximum(1.0 - absolute(distance), 0.0)


@spliced
def _pick_neighbours(expansions, to_x, to_y, left, top):
    """Fetch each pixel's neighbours from all over the rows that any pixel needs."""
    second, stride = expansions.second, expansions.stride
    u, v = to_x - to_floats(left), to_y - to_floats(top)
    ry, rx, ryy, rxx, rxy = splat(0.0), splat(0.0), splat(0.0), splat(0.0), splat(0.0)
    start, row = int(lowest(left)), int(lowest(top))
    end = int(highest(top)) + 2
    if int(highest(left)) - start + 2 <= 2 * LANES and end - row <= MOST_ROWS:
        place, at = left - start, PLANES * row * stride + start
        for y in range(row, end):
            # Pixels that lie between two other rows weigh nothing.
            weight = select(top == y, 1.0 - v, select(top == y - 1, v, 0.0))
            of_left, of_right = (1.0 - u) * weight, u * weight
            ry = _add_row(second, at, place, of_left, of_right, ry)
            rx = _add_row(second, at + stride, place, of_left, of_right, rx)
            ryy = _add_row(second, at + 2 * stride, place, of_left, of_right, ryy)
            rxx = _add_row(second, at + 3 * stride, place, of_left, of_right, rxx)
            rxy = _add_row(second, at + 4 * stride, place, of_left, of_right, rxy)
            at += PLANES * stride
    else:
        index = top * (PLANES * stride) + left
        ry = _fetch(second, 0, PLANES * stride, index, u, v)
        rx = _fetch(second, stride, PLANES * stride, index, u, v)
        ryy = _fetch(second, 2 * stride, PLANES * stride, index, u, v)
        rxx = _fetch(second, 3 * stride, PLANES * stride, index, u, v)
        rxy = _fetch(second, 4 * stride, PLANES * stride, index, u, v)
    return ry, rx, ryy, rxx, rxy


@inlined
def _add_row(second, at, place, of_left, of_right, total):
    near, far = load(second, at), load(second, at + LANES)
    total = total + of_left * permute(near, far, place)
    return total + of_right * permute(near, far, place + 1)


@inlined
def _fetch(second, at, row, index, u, v):
    upper = (1.0 - u) * gather(second, at, index) + u * gather(second, at + 1, index)
    lower = (1.0 - u) * gather(second, at + row, index) + u * gather(second, at + row + 1, index)
    return (1.0 - v) * upper + v * lower
