"""Frames of a video go in; histograms of the whole and a bounded sample of local ones come out."""

from __future__ import annotations

from classicvid.descriptors.colour import ColourStatistics
from classicvid.descriptors.description import LOCAL_CHANNELS, describe_frames
from classicvid.descriptors.grid_histograms import FlowEstimator, GridHistograms, video_histograms
from classicvid.descriptors.local import LocalSample
from classicvid.descriptors.patches import patch_hogs
from classicvid.descriptors.textons import texton_responses

__all__ = [
    "LOCAL_CHANNELS",
    "ColourStatistics",
    "FlowEstimator",
    "GridHistograms",
    "LocalSample",
    "describe_frames",
    "patch_hogs",
    "texton_responses",
    "video_histograms",
]
