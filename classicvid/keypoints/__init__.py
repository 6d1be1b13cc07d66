"""A gray image goes in; the places that can be found again in the next frame come out."""

from __future__ import annotations

from classicvid.keypoints.corners import corner_response, good_features

__all__ = ["corner_response", "good_features"]
