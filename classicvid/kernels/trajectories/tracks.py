"""The heads of tracks and their displacements go in; tracks that are one step longer come out."""

from __future__ import annotations

import numpy as np

from classicvid.kernels.jit import kernel

# Numbers that are measured of a track.
MEASURES = 8


@kernel
def drift(flow, shape, heads, out):
    """Fill ``out`` (N, 2) with the flow at the pixel nearest to each of the heads (N, 2).

    ``flow`` (H' , W', 2) holds frames of ``shape`` (H, W); heads outside take the nearest pixel's.
    """
    for i in range(heads.shape[0]):
        x = min(max(int(np.rint(heads[i, 0])), 0), shape[1] - 1)
        y = min(max(int(np.rint(heads[i, 1])), 0), shape[0] - 1)
        out[i, 0] = flow[y, x, 0]
        out[i, 1] = flow[y, x, 1]


@kernel
def extend(moves, steps, shape, tracks, ended):
    """Move the heads; return how many tracks go on, and how many have ended at their full length.

    Parameters
    ----------
    moves : array (N, 2), float32
        Displacement of each head; one that would leave the frame, or is NaN, ends its track.
    steps : array (N, 2), float32
        What is noted as the track's displacement: the same, or without the camera's motion.
    shape : (int, int)
        Height and width of the frame.
    tracks : tuple
        ``heads`` (tracks, 2) and ``slots`` (tracks,) of the living in the order of their birth,
        followed by the free slots; by slot, ``ages`` (tracks,), ``paths`` (tracks, L + 1, 2) and
        ``moved`` (tracks, L, 2).
    ended : array (N,), int64
        The slots of those that have ended with L steps; they count as free.
    """
    heads, slots, ages, paths, moved = tracks
    height, width = shape
    count = moves.shape[0]
    free = np.empty(count, np.int64)
    living = done = freed = 0
    for i in range(count):
        slot = slots[i]
        x, y = heads[i, 0] + moves[i, 0], heads[i, 1] + moves[i, 1]
        goes_on = x > 0 and x < width and y > 0 and y < height
        if goes_on:
            age = ages[slot]
            moved[slot, age, 0] = steps[i, 0]
            moved[slot, age, 1] = steps[i, 1]
            paths[slot, age + 1, 0] = x
            paths[slot, age + 1, 1] = y
            ages[slot] = age + 1
            if age + 1 == moved.shape[1]:
                ended[done] = slot
                done += 1
                goes_on = False
        if goes_on:
            heads[living, 0] = x
            heads[living, 1] = y
            slots[living] = slot
            living += 1
        else:
            free[freed] = slot
            freed += 1
    slots[living:count] = free[:freed]
    return living, done


@kernel
def measure(paths, steps, scales, out):
    """Measure paths (N, L + 1, 2) and steps (N, L, 2), in pixels of their scales (N,).

    ``out`` (N, `MEASURES`), float64, in pixels of the full frame: mean x and y, their standard
    deviations, the length of the path and of its longest part, and the same of the steps.
    """
    points = paths.shape[1]
    for i in range(paths.shape[0]):
        for axis in range(2):
            total = 0.0
            for k in range(points):
                total += paths[i, k, axis]
            mean, squares = total / points, 0.0
            for k in range(points):
                squares += (paths[i, k, axis] - mean) ** 2
            out[i, axis] = mean * scales[i]
            out[i, 2 + axis] = np.sqrt(squares / points) * scales[i]
        length, longest, own_length, own_longest = 0.0, 0.0, 0.0, 0.0
        for k in range(points - 1):
            dx = np.float64(paths[i, k + 1, 0]) - paths[i, k, 0]
            dy = np.float64(paths[i, k + 1, 1]) - paths[i, k, 1]
            distance = np.sqrt(dx * dx + dy * dy) * scales[i]
            length, longest = length + distance, max(longest, distance)
            dx, dy = np.float64(steps[i, k, 0]), np.float64(steps[i, k, 1])
            distance = np.sqrt(dx * dx + dy * dy) * scales[i]
            own_length, own_longest = own_length + distance, max(own_longest, distance)
        out[i, 4] = length
        out[i, 5] = longest
        out[i, 6] = own_length
        out[i, 7] = own_longest
