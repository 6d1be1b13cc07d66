"""Points go in, frame by frame; the strongest of every second or so of video come out together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from classicvid.interest_points.maxima import strongest
from classicvid.interest_points.points import SpaceTimePoints, join_points

# A stream does not say how many frames a second has: this is the usual number.
STRETCH = 25


def in_stretches(found: Iterable[SpaceTimePoints], most: int) -> Iterator[SpaceTimePoints]:
    """Yield the points of `STRETCH` frames at a time, at most ``most`` each (0: all).

    ``found`` are points in the order of their frames. Its first value has no points; it is yielded
    if no other has.
    """
    stretch: list[SpaceTimePoints] = []
    ends = STRETCH
    for points in found:
        if len(points) and points.xyt[0, 2] >= ends:
            yield _strongest_of(stretch, most)
            stretch = stretch[:1]
            ends = (int(points.xyt[0, 2]) // STRETCH + 1) * STRETCH
        stretch.append(points)
    yield _strongest_of(stretch, most)


def _strongest_of(stretch: list[SpaceTimePoints], most: int) -> SpaceTimePoints:
    points = join_points(stretch)
    if most == 0 or len(points) <= most:
        return points
    return points.select(strongest(points.response, most))
