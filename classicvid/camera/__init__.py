"""The frames of a video go in; how the camera moved, and frames without that motion, come out."""

from classicvid.camera.motion import CameraMotion
from classicvid.camera.people import read_people
from classicvid.camera.warp import warp_to_previous

__all__ = ["CameraMotion", "read_people", "warp_to_previous"]
