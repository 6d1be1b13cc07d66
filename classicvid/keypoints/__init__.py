"""A gray image goes in; the places that can be found again in the next frame come out."""

from __future__ import annotations

from classicvid.keypoints.corners import corner_response, good_features
from classicvid.keypoints.fast import fast_features
from classicvid.keypoints.gaussian_differences import difference_of_gaussian_features
from classicvid.keypoints.grid import grid_points

__all__ = [
    "corner_response",
    "difference_of_gaussian_features",
    "fast_features",
    "good_features",
    "grid_points",
]
