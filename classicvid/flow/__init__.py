"""Gray frames go in; dense flow, tracked points, flow images and .flo files come out."""

from __future__ import annotations

from classicvid.flow.farneback import FarnebackFlow, farneback_flow
from classicvid.flow.files import read_flo, write_flo
from classicvid.flow.images import colour_wheel, dequantise_flow, flow_to_colour, quantise_flow
from classicvid.flow.lucas_kanade import lucas_kanade_flow, lucas_kanade_grid_flow
from classicvid.flow.quality import angular_error, end_point_error
from classicvid.flow.tracker import LucasKanadeTracker, TrackedPoints

__all__ = [
    "FarnebackFlow",
    "LucasKanadeTracker",
    "TrackedPoints",
    "angular_error",
    "colour_wheel",
    "dequantise_flow",
    "end_point_error",
    "farneback_flow",
    "flow_to_colour",
    "lucas_kanade_flow",
    "lucas_kanade_grid_flow",
    "quantise_flow",
    "read_flo",
    "write_flo",
]
