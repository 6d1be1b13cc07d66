"""Frames of a video go in; the points in space and time at which something happens come out."""

from __future__ import annotations

from classicvid.interest_points.cuboids import detect_cuboids, iter_cuboids
from classicvid.interest_points.points import SpaceTimePoints, join_points
from classicvid.interest_points.stip import detect_stip, iter_stip

__all__ = [
    "SpaceTimePoints",
    "detect_cuboids",
    "detect_stip",
    "iter_cuboids",
    "iter_stip",
    "join_points",
]
