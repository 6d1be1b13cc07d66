"""RGB frames go in, a video file that browsers play, or a lossless one, comes out."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any, Literal, NamedTuple

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from numpy.typing import NDArray

from classicvid.checks import check_choice, check_frame, check_number, check_whole


class _Codec(NamedTuple):
    encoder: str
    pixel_format: str
    suffixes: tuple[str, ...]
    even_sizes: bool


_CODECS = {
    "h264": _Codec("libx264", "yuv420p", (".mp4", ".m4v", ".mov", ".mkv"), even_sizes=True),
    "ffv1": _Codec("ffv1", "bgr0", (".mkv", ".avi"), even_sizes=False),
}
_WITH_INDEX_IN_FRONT = (".mp4", ".m4v", ".mov")
_BT601 = 6  # SMPTE 170M in the numbering of ITU-T H.273


def write_video(
    path: str | os.PathLike[str],
    frames: Iterable[Any],
    *,
    fps: float = 25.0,
    quality: int = 23,
    codec: Literal["h264", "ffv1"] = "h264",
    threads: int = 1,
) -> None:
    """Write frames into a video file, replacing one that is there.

    Parameters
    ----------
    path : str or path
        The file, in a folder that exists: .mp4, .m4v, .mov or .mkv for "h264", .mkv or .avi for
        "ffv1".
    frames : array or iterable
        Frames of one shape: an array (T, H, W, 3), uint8, RGB, or anything that yields (H, W, 3).
        One frame is held at a time.
    fps : float
        Frames per second, 0.01 to 1000, kept as a fraction with a denominator of at most 1001.
    quality : int
        Constant rate factor of H.264, 1 to 51, lower is better and larger. Unused by "ffv1".
    codec : {"h264", "ffv1"}
        "h264" (8 bits, 4:2:0) plays in every browser; "ffv1" keeps every pixel as it is.
    threads : int
        Threads of the encoder; 0 lets FFmpeg choose. The bytes written depend on their number.

    Raises
    ------
    FileNotFoundError
        If the folder of ``path`` does not exist.
    ValueError
        If there is no frame, a frame is not (H, W, 3) or of another shape than the first, the
        suffix does not suit the codec, or a number is out of range.
    TypeError
        If a frame is not uint8.

    Notes
    -----
    - H.264 in 4:2:0 has even sides: an odd one is padded by repeating its last row or column, so
      that an odd video reads back one pixel larger.
    - RGB becomes YUV by BT.601 in limited range and the file says so, which browsers, OpenCV and
      ``iter_frames`` read alike.
    - The file is written under a temporary name in the same folder and renamed at its end: what
      stands under ``path`` is complete, and stays as it was if anything fails.
    """
    target = _check_target(Path(path), check_choice("codec", codec, tuple(_CODECS)))
    rate = Fraction(check_number("fps", fps, low=0.01, high=1000.0)).limit_denominator(1001)
    quality = check_whole("quality", quality, low=1, high=51)
    threads = check_whole("threads", threads, low=0)
    images = _checked_frames(frames)
    first = next(images, None)
    if first is None:
        message = "frames holds no frame; give at least one (H, W, 3) uint8"
        raise ValueError(message)
    temporary = target.with_name(f".{uuid.uuid4().hex[:12]}{target.suffix}")
    try:
        with av.open(str(temporary), "w", options=_container_options(target)) as container:
            stream = _add_stream(container, _CODECS[codec], rate, first.shape, quality, threads)
            _encode(container, stream, chain([first], images))
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _check_target(path: Path, codec: str) -> Path:
    suffixes = _CODECS[codec].suffixes
    if path.suffix.lower() not in suffixes:
        message = f"path must end in {' or '.join(suffixes)} for codec {codec!r}, got {path.name!r}"
        raise ValueError(message)
    if not path.parent.is_dir():
        message = f"{path.parent} is no folder; make it before writing {path.name}"
        raise FileNotFoundError(message)
    # Absolute, as FFmpeg reads a name such as "a:b.mp4" as a protocol.
    return path.absolute()


def _checked_frames(frames: Iterable[Any]) -> Iterator[NDArray[np.uint8]]:
    shape = None
    for index, frame in enumerate(frames):
        image = check_frame(f"frames[{index}]", frame)
        shape = shape or image.shape
        if image.shape != shape:
            message = (
                f"frames[{index}] must be {shape} as frames[0] is, got {image.shape}; resize it"
            )
            raise ValueError(message)
        yield image


def _container_options(path: Path) -> dict[str, str]:
    return {"movflags": "+faststart"} if path.suffix.lower() in _WITH_INDEX_IN_FRONT else {}


def _add_stream(
    container: av.container.OutputContainer,
    codec: _Codec,
    rate: Fraction,
    shape: tuple[int, ...],
    quality: int,
    threads: int,
) -> av.VideoStream:
    options = {}
    if codec.encoder == "libx264":
        # x264's macroblock tree reads past narrow frames where it has AVX-512: with it, the same
        # frames give other bytes each time.
        options = {"crf": str(quality), "x264-params": "mbtree=0"}
    stream = container.add_stream(codec.encoder, rate=rate, options=options)
    assert isinstance(stream, av.VideoStream)
    stream.height, stream.width = shape[:2]
    if codec.even_sizes:
        stream.height, stream.width = shape[0] + shape[0] % 2, shape[1] + shape[1] % 2
        stream.codec_context.colorspace = _BT601
        stream.codec_context.color_range = ColorRange.MPEG
    stream.pix_fmt = codec.pixel_format
    stream.codec_context.thread_count = threads
    return stream


def _encode(
    container: av.container.OutputContainer,
    stream: av.VideoStream,
    images: Iterator[NDArray[np.uint8]],
) -> None:
    reformatter = VideoReformatter()
    for index, image in enumerate(images):
        padded = _pad(image, stream.height, stream.width)
        frame = reformatter.reformat(
            av.VideoFrame.from_ndarray(padded, format="rgb24"),
            format=stream.pix_fmt,
            dst_colorspace=Colorspace.ITU601,
            dst_color_range=ColorRange.MPEG,
            threads=1,
        )
        frame.pts = index
        frame.time_base = 1 / stream.codec_context.framerate
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def _pad(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    rows, columns = height - image.shape[0], width - image.shape[1]
    return (
        np.pad(image, ((0, rows), (0, columns), (0, 0)), mode="edge") if rows or columns else image
    )
