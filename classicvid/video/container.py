"""A path goes in, FFmpeg's open file, its video stream and what they say of themselves come out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
from av.stream import Disposition

from classicvid.video.orientation import orientation_of


@dataclass(frozen=True)
class VideoInfo:
    """What a video file says of itself in its header and its first frame.

    Attributes
    ----------
    path : Path
        The file.
    height, width : int
        Pixels of an upright frame before any resize.
    fps : float or None
        Frames per second, the average where the rate varies; None where the file does not say.
    duration_seconds : float or None
        Length that the header states; None where it does not say.
    approximate_frames : int or None
        Number of frames that the header states or lets guess: good for a progress bar, often wrong.
    codec, pixel_format : str
        FFmpeg's names, such as "h264" and "yuv420p10le".
    rotation : int
        Degrees clockwise, 0, 90, 180 or 270, by which the stored picture is turned.
    mirrored : bool
        Whether the turned picture is then mirrored left to right.
    """

    path: Path
    height: int
    width: int
    fps: float | None
    duration_seconds: float | None
    approximate_frames: int | None
    codec: str
    pixel_format: str
    rotation: int
    mirrored: bool


def open_container(path: Path) -> av.container.InputContainer:
    """Open a file with FFmpeg, or raise in one line why that cannot be."""
    if path.is_dir():
        message = f"{path} is a folder, not a video file; name one file in it"
        raise ValueError(message)
    if not path.exists():
        message = f"{path} does not exist; check the path"
        raise FileNotFoundError(message)
    if path.stat().st_size == 0:
        message = f"{path} is empty (0 bytes); copy or download it again"
        raise ValueError(message)
    try:
        # Absolute, as FFmpeg reads a name such as "a:b.mp4" as a protocol.
        return av.open(str(path.absolute()), metadata_errors="replace")
    except av.FFmpegError as error:
        message = f"{path} cannot be read as a video: {error.strerror}"
        raise ValueError(message) from error


def video_stream(container: av.container.InputContainer, path: Path) -> av.VideoStream:
    """Return the first stream that is a video, not a cover picture."""
    pictures = [s for s in container.streams.video if s.disposition & Disposition.attached_pic]
    streams = [s for s in container.streams.video if s not in pictures]
    if not streams:
        held = {s.type for s in container.streams if s not in pictures}
        names = sorted(held) + ["a cover picture"] * bool(pictures)
        message = f"{path} has no video stream, only {' and '.join(names) or 'an empty container'}"
        raise ValueError(message)
    if streams[0].codec_context is None:
        message = (
            f"{path} has a video stream that no decoder of this FFmpeg knows; convert it to H.264"
        )
        raise ValueError(message)
    return streams[0]


def describe(
    path: Path, container: av.container.InputContainer, stream: av.VideoStream, first: av.VideoFrame
) -> VideoInfo:
    """Return what the header and the first decoded frame say."""
    orientation = orientation_of(first)
    height, width = orientation.size(first.height, first.width)
    rate = stream.average_rate or stream.guessed_rate
    seconds = None
    if stream.duration is not None and stream.time_base is not None:
        seconds = float(stream.duration * stream.time_base)
    elif container.duration is not None:
        seconds = container.duration / av.time_base
    guess = round(seconds * rate) if seconds is not None and rate else None
    return VideoInfo(
        path=path,
        height=height,
        width=width,
        fps=float(rate) if rate else None,
        duration_seconds=seconds,
        approximate_frames=stream.frames or guess,
        codec=stream.codec_context.codec.canonical_name,
        pixel_format=first.format.name,
        rotation=orientation.rotation,
        mirrored=orientation.mirrored,
    )
