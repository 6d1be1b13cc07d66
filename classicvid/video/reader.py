"""A video file goes in, upright RGB frames come out, one at a time or all at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from classicvid.checks import check_size, check_whole
from classicvid.video.container import VideoInfo, describe, open_container, video_stream
from classicvid.video.orientation import orientation_of

# Full chroma keeps a resize from darkening by two levels; at the stored size it changes nothing.
_RESAMPLING = Interpolation.AREA | Interpolation.FULL_CHR_H_INT
# A demultiplexer that fails this often without giving a packet in between is at its end.
_READ_ERRORS_IN_A_ROW = 8


def probe(path: str | os.PathLike[str]) -> VideoInfo:
    """Return what a video file says of itself, after decoding its first frame.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is no video, holds no video stream, or yields no frame.
    """
    with iter_frames(path) as stream:
        return stream.info


def iter_frames(
    path: str | os.PathLike[str],
    *,
    start: int = 0,
    stop: int | None = None,
    step: int = 1,
    short_side: int | None = None,
    size: tuple[int, int] | None = None,
    threads: int = 1,
) -> FrameStream:
    """Open a video and return an iterator over its upright RGB frames.

    Parameters
    ----------
    path : str or path
        A file in any container and codec that FFmpeg decodes.
    start, stop, step : int
        Frames ``start, start + step, ...`` below ``stop``, counted from 0 in the order of
        presentation over the frames that decode. ``stop=None`` reads to the end. A range past the
        end is empty.
    short_side : int, optional
        Pixels of the shorter side after a resize that keeps the aspect ratio.
    size : (int, int), optional
        Exact (height, width) in pixels after a resize. Neither given: frames keep their size.
    threads : int
        Threads of this reader; 0 lets FFmpeg choose. Keep 1 where many readers run at once.

    Returns
    -------
    FrameStream
        Iterator of frames, shape (H, W, 3), uint8, RGB, each an array of its own; also a context
        manager.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is no video, holds no video stream (the cover picture of a song is none), or
        yields no frame; if an argument is out of range.

    Notes
    -----
    - Each decoded frame comes once, whatever its time stamp: nothing is repeated or dropped to even
      out a variable frame rate.
    - Ranges are counted by decoding from the first frame on, as seeking is unreliable in many
      containers; frames outside the range are not converted. One frame is held at a time.
    - The display matrix (rotation, mirror image) is applied, to the nearest right angle. The aspect
      ratio of pixels is not: frames have the pixels that are stored.
    - A frame whose size differs from the first frame's is resized to it.
    - YUV becomes RGB by the matrix and range that the file states; where it states none, by BT.601
      in limited range, as FFmpeg and OpenCV do. More than 8 bits are rounded to 8; no tone mapping.
    - Alpha is dropped, not composited, as in OpenCV.
    - Shrinking averages areas, enlarging interpolates; it is one step with the conversion.
    - A packet that cannot be read or decoded is skipped and counted in ``damaged``; a frame that
      the decoder could mend is delivered and counted in ``concealed``.
    """
    wanted = slice(
        check_whole("start", start, low=0),
        sys.maxsize if stop is None else check_whole("stop", stop, low=0),
        check_whole("step", step, low=1),
    )
    if short_side is not None and size is not None:
        message = f"give short_side or size, not both, got short_side={short_side} and size={size}"
        raise ValueError(message)
    return FrameStream(
        Path(path),
        wanted=wanted,
        short_side=None if short_side is None else check_whole("short_side", short_side, low=1),
        size=None if size is None else check_size("size", size),
        threads=check_whole("threads", threads, low=0),
    )


def read_frames(
    path: str | os.PathLike[str],
    *,
    start: int = 0,
    stop: int | None = None,
    step: int = 1,
    short_side: int | None = None,
    size: tuple[int, int] | None = None,
    threads: int = 1,
) -> NDArray[np.uint8]:
    """Return the frames of a video, shape (T, H, W, 3), uint8, RGB; T = 0 for a range past the end.

    Parameters, errors and notes are those of ``iter_frames``, which holds one frame at a time.
    """
    with iter_frames(
        path, start=start, stop=stop, step=step, short_side=short_side, size=size, threads=threads
    ) as stream:
        return np.fromiter(stream, dtype=np.dtype((np.uint8, (*stream.size, 3))))


class FrameStream:
    """Frames of an open video, made by ``iter_frames``; closes itself after its last frame.

    Attributes
    ----------
    info : VideoInfo
        What the file says of itself.
    size : (int, int)
        (height, width) in pixels of the frames that come out.
    frames : int
        Frames decoded so far. The first is decoded on opening; those outside the range count.
    concealed : int
        Of these, how many the decoder marked as damaged in part.
    damaged : int
        Packets skipped so far because they could not be decoded; a run of packets that could not be
        read counts once.
    """

    info: VideoInfo
    size: tuple[int, int]

    def __init__(
        self,
        path: Path,
        *,
        wanted: slice,
        short_side: int | None,
        size: tuple[int, int] | None,
        threads: int,
    ) -> None:
        self.frames = 0
        self.concealed = 0
        self.damaged = 0
        self._threads = threads
        self._reformatter = VideoReformatter()
        self._container = open_container(path)
        try:
            self._stream = video_stream(self._container, path)
            self._stream.thread_count = threads
            self._stream.thread_type = "AUTO"
            decoded = self._decode()
            first = next(decoded, None)
            if first is None:
                message = f"{path} yields no frame: {self.damaged} damaged packets and no good one"
                raise ValueError(message)
            self.info = describe(path, self._container, self._stream, first)
            self.size = size or _scaled_size(self.info.height, self.info.width, short_side)
        except BaseException:
            self._container.close()
            raise
        self._wanted = islice(chain([first], decoded), wanted.start, wanted.stop, wanted.step)

    def __iter__(self) -> FrameStream:
        return self

    def __next__(self) -> NDArray[np.uint8]:
        """Return the next frame, shape (H, W, 3), uint8, RGB."""
        frame = next(self._wanted, None)
        if frame is None:
            self.close()
            raise StopIteration
        return self._convert(frame)

    def __enter__(self) -> FrameStream:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; iteration ends here."""
        self._wanted = islice((), 0)
        self._container.close()

    def _decode(self) -> Iterator[av.VideoFrame]:
        for packet in self._packets():
            try:
                frames = self._stream.decode(packet)
            except av.FFmpegError:
                self.damaged += 1
                continue
            for frame in frames:
                self.frames += 1
                self.concealed += frame.is_corrupt
                yield frame

    def _packets(self) -> Iterator[av.Packet | None]:
        """Yield the packets of the stream, and last the empty packet that flushes the decoder."""
        errors_in_a_row = 0
        while errors_in_a_row < _READ_ERRORS_IN_A_ROW:
            try:
                for packet in self._container.demux(self._stream):
                    errors_in_a_row = 0
                    yield packet
            except av.FFmpegError:
                self.damaged += errors_in_a_row == 0
                errors_in_a_row += 1
            else:
                return
        yield None

    def _convert(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        orientation = orientation_of(frame)
        height, width = orientation.size(*self.size)
        try:
            image: Any = self._reformatter.reformat(
                frame,
                width=width,
                height=height,
                format="rgb24",
                interpolation=_RESAMPLING,
                threads=self._threads,
            ).to_ndarray()
        except av.FFmpegError as error:
            message = f"{self.info.path}: {frame.format.name} cannot become RGB: {error.strerror}"
            raise ValueError(message) from error
        # A view of FFmpeg's padded buffer: copied even where nothing is turned.
        return np.array(orientation.apply(image), order="C")


def _scaled_size(height: int, width: int, short_side: int | None) -> tuple[int, int]:
    scale = 1.0 if short_side is None else short_side / min(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))
