"""Gray frames, flow and tracks go in; tracks one step longer, and what moved around them, come out.

A histogram of a cell is 32 numbers: 8 orientations each of the gradient (HOG), of the gradients of
the flow's dx and dy (MBHx, MBHy) and of the flow (HOF). The ninth bin of HOF, pixels at rest, is
kept beside them.
"""

from classicvid.kernels.trajectories.tracks import MEASURES, drift, extend, measure
from classicvid.kernels.trajectories.tubes import REST, TUBE, describe_tubes
from classicvid.kernels.trajectories.votes import rooms

__all__ = [
    "MEASURES",
    "REST",
    "TUBE",
    "describe_tubes",
    "drift",
    "extend",
    "measure",
    "rooms",
]
