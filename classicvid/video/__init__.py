"""Video files go in and RGB frames come out, or the other way round; only here is FFmpeg known."""

from classicvid.video.reader import FrameStream, VideoInfo, iter_frames, probe, read_frames
from classicvid.video.writer import write_video

__all__ = ["FrameStream", "VideoInfo", "iter_frames", "probe", "read_frames", "write_video"]
