"""A gray image goes in; the places that can be found again in the next frame come out."""

from __future__ import annotations

from classicvid.keypoints.corners import corner_response, good_features
from classicvid.keypoints.grid import grid_points

__all__ = ["corner_response", "good_features", "grid_points"]
