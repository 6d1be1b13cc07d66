"""Two gray frames, or a stream of them, go in; Farnebäck's motion of every pixel comes out."""

from classicvid.flow.farneback.estimator import FarnebackFlow, farneback_flow

__all__ = ["FarnebackFlow", "farneback_flow"]
