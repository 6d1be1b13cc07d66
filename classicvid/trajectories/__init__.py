"""The gray frames of a video go in; described tracks of points, dense and finished, come out."""

from classicvid.trajectories.dense import DenseTrajectories
from classicvid.trajectories.table import Trajectories

__all__ = ["DenseTrajectories", "Trajectories"]
