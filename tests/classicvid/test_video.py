"""Video reading and writing against OpenCV's reader, against arithmetic, and on damaged files."""

from __future__ import annotations

import os
import tracemalloc
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from classicvid.video import iter_frames, probe, read_frames, write_video

LARGE = ("bigbuckbunny.mp4", "cockatoo.mp4", "demo_skeleton.mp4")
PLAIN = (
    "bikes.mp4",
    "bt709_full_range.mp4",
    "carphone_pristine.mp4",
    "demo.mp4",
    "exercise.avi",
    "flipping_a_pancake.mkv",
    "h265_video.mp4",
    "imageio_issue245.gif",
    "nasa_13013.mp4",
    "realshort.mp4",
    "unordered.mov",
    "v_ApplyEyeMakeup_g01_c01.avi",
    "v_BaseballPitch_g01_c01.avi",
    "video_0.mov",
    "video_90.mov",
    "video_180.mov",
    "video_270.mov",
    "yanki.3gp",
    "yanki.avi",
    "yanki.flv",
    "yanki.gif",
    "yanki.mkv",
    "yanki.mov",
    "yanki.mp4",
    "yanki.mpeg",
    "yanki.mpg",
    "yanki.ogv",
    "yanki.swf",
    "yanki.webm",
)


def noise(rng, frames, height, width):
    return rng.integers(0, 256, (frames, height, width, 3), dtype=np.uint8)


def numbered(frames, height=48, width=64):
    """Frames whose brightness tells their index, 4 gray levels apart."""
    levels = 20 + 4 * np.arange(frames, dtype=np.uint8)
    return np.broadcast_to(levels[:, None, None, None], (frames, height, width, 3))


def indices_of(frames):
    return np.round((frames.mean(axis=(1, 2, 3)) - 20) / 4).astype(int).tolist()


def smooth_movie(frames=12, height=96, width=128):
    """A soft texture that drifts, so that lossy coding and resizing change little."""
    y, x = np.mgrid[:height, :width]
    waves = [
        [np.sin((x + 2 * t) / 9 + c) + np.cos((y - t) / (7 + c)) for c in range(3)]
        for t in range(frames)
    ]
    return (127 + 50 * np.array(waves)).astype(np.uint8).transpose(0, 2, 3, 1)


def bgr0(frames):
    """One packed plane a frame, for ``encode``."""
    return [[np.dstack([frame[..., ::-1], 0 * frame[..., :1]])] for frame in frames]


def encode(path, planes, *, pixel_format, codec="ffv1", times=None, matrix=None, tags=()):
    """Write the planes of each frame losslessly with PyAV, without the code under test."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = planes[0][0].shape[:2]
        stream.pix_fmt = pixel_format
        stream.codec_context.time_base = Fraction(1, 1000)
        for name, value in dict(tags).items():
            setattr(stream.codec_context, name, value)
        if matrix is not None:
            stream.set_display_matrix(matrix)
        for index, frame_planes in enumerate(planes):
            frame = av.VideoFrame(stream.width, stream.height, pixel_format)
            for plane, values in zip(frame.planes, frame_planes, strict=True):
                rows = np.zeros((plane.height, plane.line_size), np.uint8)
                packed = np.ascontiguousarray(values).view(np.uint8).reshape(plane.height, -1)
                rows[:, : packed.shape[1]] = packed
                plane.update(rows.tobytes())
            frame.pts = 40 * index if times is None else times[index]
            frame.time_base = Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def opencv_frames(path):
    capture = cv2.VideoCapture(str(path))
    while True:
        there, frame = capture.read()
        if not there:
            return
        yield frame[..., ::-1]


def assert_same_as_opencv(path):
    with iter_frames(path) as stream:
        pairs = zip(stream, opencv_frames(path), strict=True)
        assert max(cv2.absdiff(frame, expected).max() for frame, expected in pairs) <= 2
        assert stream.damaged == stream.concealed == 0


@pytest.mark.parametrize("name", PLAIN)
def test_every_frame_is_opencvs(shared_data, name):
    assert_same_as_opencv(shared_data / "corpus" / "good" / name)


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_every_frame_of_a_large_video_is_opencvs(shared_data, name):
    assert_same_as_opencv(shared_data / "corpus" / "good" / name)


def test_lists_of_real_videos_are_complete(shared_data):
    ten_bits_and_av1 = {"h264_10bits.mp4", "h265_10bits.mp4", "av1_video.mkv"}
    present = {path.name for path in (shared_data / "corpus" / "good").iterdir()}
    assert present == {*PLAIN, *LARGE, *ten_bits_and_av1}


def test_av1_yields_all_frames_of_its_five_seconds(shared_data):
    path = shared_data / "corpus" / "good" / "av1_video.mkv"
    with iter_frames(path, size=(36, 64)) as stream:
        assert sum(1 for _ in stream) == 5 * 25
    assert stream.info.codec == "av1"


@pytest.mark.parametrize("name", ["h264_10bits.mp4", "h265_10bits.mp4"])
def test_real_ten_bit_video_is_near_opencvs(shared_data, name):
    path = shared_data / "corpus" / "good" / name
    frames, expected = read_frames(path), np.array(list(opencv_frames(path)))
    assert frames.shape == expected.shape
    # OpenCV interpolates the chroma with another kernel: luma agrees to the rounding.
    gray, expected_gray = (
        [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(int) for frame in movie]
        for movie in (frames, expected)
    )
    assert np.abs(np.array(gray) - expected_gray).mean() < 1.0
    assert probe(path).pixel_format == "yuv420p10le"


@pytest.mark.parametrize(
    ("name", "rotation", "size"),
    [
        ("video_0.mov", 0, (320, 568)),
        ("video_90.mov", 90, (568, 320)),
        ("video_180.mov", 180, (320, 568)),
        ("video_270.mov", 270, (568, 320)),
    ],
)
def test_rotation_of_real_phone_videos(shared_data, name, rotation, size):
    info = probe(shared_data / "corpus" / "good" / name)
    assert (info.rotation, info.mirrored, (info.height, info.width)) == (rotation, False, size)


@pytest.mark.parametrize(
    ("a", "b", "c", "d", "turned", "rotation", "mirrored"),
    [
        (1, 0, 0, 1, lambda image: image, 0, False),
        (0, 1, -1, 0, lambda image: np.rot90(image, -1), 90, False),
        (-1, 0, 0, -1, lambda image: np.rot90(image, 2), 180, False),
        (0, -1, 1, 0, np.rot90, 270, False),
        (-1, 0, 0, 1, lambda image: image[:, ::-1], 0, True),
        (0, -1, -1, 0, lambda image: np.rot90(image)[:, ::-1], 270, True),
        (1, 0, 0, -1, lambda image: image[::-1], 180, True),
        (0, 1, 1, 0, lambda image: image.swapaxes(0, 1), 90, True),
    ],
)
def test_display_matrix(tmp_path, rng, a, b, c, d, turned, rotation, mirrored):
    stored = noise(rng, 2, 6, 10)
    one = 1 << 16
    path = encode(
        tmp_path / "turned.mov",
        [[frame] for frame in stored],
        codec="png",
        pixel_format="rgb24",
        matrix=[a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30],
    )
    frames = read_frames(path)
    np.testing.assert_array_equal(frames, [turned(frame) for frame in stored])
    info = probe(path)
    assert (info.rotation, info.mirrored) == (rotation, mirrored)
    assert (info.height, info.width) == frames.shape[1:3]
    assert read_frames(path, size=(7, 21)).shape == (2, 7, 21, 3)
    assert read_frames(path, short_side=3).shape[1:3] == tuple(n // 2 for n in frames.shape[1:3])


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize(
    ("colorspace", "red", "blue"), [(1, 0.2126, 0.0722), (6, 0.299, 0.114), (2, 0.299, 0.114)]
)
def test_colour_follows_the_matrix_and_range_of_the_file(
    tmp_path, rng, bits, full_range, colorspace, red, blue
):
    luma = rng.integers(60, 190, (16, 16))
    chroma_blue, chroma_red = rng.integers(90, 166, (2, 16, 16))
    dtype, pixel_format = (np.uint8, "yuv444p") if bits == 8 else (np.uint16, "yuv444p10le")
    planes = [[(p << (bits - 8)).astype(dtype) for p in (luma, chroma_blue, chroma_red)]]
    path = encode(
        tmp_path / "colour.mkv",
        planes,
        pixel_format=pixel_format,
        tags={"colorspace": colorspace, "color_range": 2 if full_range else 1},
    )
    # ITU-R BT.601 and BT.709: Y = Kr R + Kg G + Kb B, with 219 and 224 steps in limited range.
    y = luma.astype(float) if full_range else (luma - 16) * 255 / 219
    scale = 1.0 if full_range else 255 / 224
    r = y + 2 * (1 - red) * (chroma_red - 128) * scale
    b = y + 2 * (1 - blue) * (chroma_blue - 128) * scale
    g = (y - red * r - blue * b) / (1 - red - blue)
    expected = np.clip(np.dstack([r, g, b]), 0, 255)
    assert np.abs(read_frames(path)[0] - expected).max() <= 3


def test_alpha_is_dropped(tmp_path, rng):
    opaque = noise(rng, 3, 9, 14)
    alpha = rng.integers(0, 256, (3, 9, 14, 1), dtype=np.uint8)
    planes = [[np.dstack([f[..., ::-1], a])] for f, a in zip(opaque, alpha, strict=True)]
    path = encode(tmp_path / "alpha.mkv", planes, pixel_format="bgra")
    assert probe(path).pixel_format == "bgra"
    np.testing.assert_array_equal(read_frames(path), opaque)


def test_still_picture_is_a_video_of_one_frame(tmp_path, rng):
    image = noise(rng, 1, 11, 7)[0]
    cv2.imwrite(str(tmp_path / "still.png"), image[..., ::-1])
    np.testing.assert_array_equal(read_frames(tmp_path / "still.png"), image[None])


def test_variable_frame_rate_gives_each_frame_once(tmp_path, rng):
    frames = noise(rng, 6, 8, 8)
    path = encode(
        tmp_path / "vfr.mkv", bgr0(frames), pixel_format="bgr0", times=[0, 10, 500, 510, 515, 4000]
    )
    np.testing.assert_array_equal(read_frames(path), frames)


@pytest.mark.parametrize("size", [(48, 64), (47, 63), (1, 1), (3, 2), (241, 17)])
def test_lossless_round_trip(tmp_path, rng, size):
    frames = noise(rng, 4, *size)
    write_video(tmp_path / "a.mkv", frames, codec="ffv1", fps=12.5)
    np.testing.assert_array_equal(read_frames(tmp_path / "a.mkv"), frames)
    info = probe(tmp_path / "a.mkv")
    assert (info.height, info.width, info.fps, info.codec) == (*size, 12.5, "ffv1")


def test_h264_round_trip_is_close_here_and_in_opencv(tmp_path):
    movie = smooth_movie()
    path = tmp_path / "a.mp4"
    write_video(path, iter(movie), fps=29.97, quality=12)
    frames = read_frames(path)
    assert np.abs(frames.astype(int) - movie).mean() < 3
    assert np.abs(np.array(list(opencv_frames(path))).astype(int) - movie).mean() < 3
    info = probe(path)
    assert (info.codec, info.pixel_format, info.approximate_frames) == ("h264", "yuv420p", 12)
    assert info.fps == pytest.approx(29.97, rel=1e-4)
    assert info.duration_seconds == pytest.approx(12 / 29.97, rel=1e-3)


def test_h264_is_laid_out_for_browsers_and_reproducible(tmp_path):
    for name in ("a.mp4", "b.mp4"):
        write_video(tmp_path / name, smooth_movie())
    data = (tmp_path / "a.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert data == (tmp_path / "b.mp4").read_bytes()


def test_lower_quality_number_is_nearer_and_larger(tmp_path):
    movie = smooth_movie()
    sizes, errors = [], []
    for quality in (5, 45):
        path = tmp_path / f"{quality}.mp4"
        write_video(path, movie, quality=quality)
        sizes.append(path.stat().st_size)
        errors.append(np.abs(read_frames(path).astype(int) - movie).mean())
    assert sizes[0] > 2 * sizes[1]
    assert errors[0] < errors[1]


def test_odd_sizes_are_padded_by_repetition_in_h264(tmp_path):
    movie = smooth_movie(height=45, width=63)
    write_video(tmp_path / "odd.mp4", movie, quality=1)
    frames = read_frames(tmp_path / "odd.mp4").astype(int)
    assert frames.shape == (12, 46, 64, 3)
    padded = np.pad(movie, ((0, 0), (0, 1), (0, 1), (0, 0)), mode="edge")
    # With cropping or black padding the last row and column would be far off.
    assert np.abs(frames - padded)[:, -1].mean() < 6
    assert np.abs(frames - padded)[:, :, -1].mean() < 6


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.m4v", "h264"), ("a.mov", "h264"), ("a.mkv", "h264"), ("A.MP4", "h264"), ("a.avi", "ffv1")],
)
def test_every_promised_suffix_can_be_written(tmp_path, name, codec):
    write_video(tmp_path / name, numbered(5), codec=codec)
    assert probe(tmp_path / name).codec == codec
    assert indices_of(read_frames(tmp_path / name)) == list(range(5))


@pytest.mark.parametrize(
    ("start", "stop", "step"),
    [(0, None, 1), (0, 1, 1), (7, None, 1), (3, 11, 4), (0, 40, 7), (39, None, 1), (5, 5, 1)],
)
def test_ranges_are_those_of_a_slice(tmp_path, start, stop, step):
    write_video(tmp_path / "a.mp4", numbered(40))
    frames = read_frames(tmp_path / "a.mp4", start=start, stop=stop, step=step)
    assert indices_of(frames) == list(range(40))[start:stop:step]


@pytest.mark.parametrize(("start", "stop"), [(4, None), (100, 200), (3, 2)])
def test_range_past_the_end_is_empty(tmp_path, start, stop):
    write_video(tmp_path / "a.mp4", numbered(4, height=10, width=12))
    frames = read_frames(tmp_path / "a.mp4", start=start, stop=stop, short_side=5)
    assert frames.shape == (0, 5, 6, 3)
    assert frames.dtype == np.uint8


def test_reading_stops_decoding_at_stop(tmp_path):
    write_video(tmp_path / "a.mp4", numbered(50))
    with iter_frames(tmp_path / "a.mp4", start=2, stop=9) as stream:
        assert len(list(stream)) == 7
        assert stream.frames == 9


@pytest.mark.parametrize("size", [(24, 32), (45, 64), (48, 61), (96, 128)])
def test_resize_keeps_gray_levels(tmp_path, size):
    levels = np.arange(0, 256, 15)
    movie = np.broadcast_to(levels[:, None, None, None], (18, 48, 64, 3)).astype(np.uint8)
    write_video(tmp_path / "a.mp4", movie, quality=1)
    frames = read_frames(tmp_path / "a.mp4", size=size).astype(int)
    assert np.abs(frames - levels[:, None, None, None]).max() <= 1


@pytest.mark.parametrize("size", [(30, 40), (100, 100), (59, 83), (1, 1)])
def test_shrinking_averages_areas(tmp_path, size):
    movie = smooth_movie(frames=1, height=120, width=160)
    write_video(tmp_path / "a.mkv", movie, codec="ffv1")
    frames = read_frames(tmp_path / "a.mkv", size=size)
    expected = cv2.resize(movie[0], size[::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(frames[0].astype(int) - expected.reshape(*size, 3)).max() <= 2


def test_enlarging_is_bilinear(tmp_path):
    movie = smooth_movie(frames=1, height=40, width=50)
    write_video(tmp_path / "a.mkv", movie, codec="ffv1")
    frames = read_frames(tmp_path / "a.mkv", size=(100, 90))
    expected = cv2.resize(movie[0], (90, 100), interpolation=cv2.INTER_LINEAR)
    assert np.abs(frames[0].astype(int) - expected).max() <= 2


@pytest.mark.parametrize(
    ("size", "short_side", "expected"),
    [((120, 160), 60, (60, 80)), ((160, 120), 60, (80, 60)), ((50, 33), 66, (100, 66))],
)
def test_short_side_keeps_the_aspect(tmp_path, rng, size, short_side, expected):
    write_video(tmp_path / "a.mkv", noise(rng, 2, *size), codec="ffv1")
    with iter_frames(tmp_path / "a.mkv", short_side=short_side) as stream:
        assert stream.size == expected
        assert {frame.shape for frame in stream} == {(*expected, 3)}


def test_frames_are_arrays_of_their_own(tmp_path, rng):
    movie = noise(rng, 5, 20, 31)
    write_video(tmp_path / "a.mkv", movie, codec="ffv1")
    with iter_frames(tmp_path / "a.mkv") as stream:
        for frame, expected in zip(stream, movie, strict=True):
            assert frame.flags.c_contiguous
            assert frame.flags.owndata
            np.testing.assert_array_equal(frame, expected)
            frame[:] = 0


def test_threads_change_nothing(tmp_path):
    write_video(tmp_path / "a.mp4", smooth_movie(frames=30))
    np.testing.assert_array_equal(
        read_frames(tmp_path / "a.mp4", threads=1), read_frames(tmp_path / "a.mp4", threads=3)
    )


def test_a_change_of_resolution_is_resized_to_the_first_frame(tmp_path):
    for name, movie in (
        ("first", numbered(3, height=48, width=64)),
        ("second", numbered(6, height=96, width=96)[3:]),
    ):
        write_video(tmp_path / f"{name}.mp4", movie, quality=1)
        with (
            av.open(str(tmp_path / f"{name}.mp4")) as source,
            av.open(str(tmp_path / f"{name}.h264"), "w") as bare,
        ):
            stream = bare.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(video=0):
                if packet.size:
                    packet.stream = stream
                    bare.mux(packet)
    both = tmp_path / "both.h264"
    both.write_bytes(
        (tmp_path / "first.h264").read_bytes() + (tmp_path / "second.h264").read_bytes()
    )
    frames = read_frames(both)
    assert frames.shape == (6, 48, 64, 3)
    assert indices_of(frames) == list(range(6))


@pytest.mark.parametrize(
    ("name", "frames", "concealed"),
    [("truncated_baseball.avi", 46, 1), ("truncated_pancake.mkv", 210, 0)],
)
def test_truncated_files_give_what_they_hold(shared_data, capfd, name, frames, concealed):
    with iter_frames(shared_data / "corpus" / "broken" / name) as stream:
        assert sum(1 for _ in stream) == frames
    assert (stream.frames, stream.concealed) == (frames, concealed)
    assert capfd.readouterr().err == ""


def test_a_damaged_packet_is_skipped_and_counted(shared_data, capfd):
    with iter_frames(shared_data / "corpus" / "broken" / "corrupted.mp4") as stream:
        assert sum(1 for _ in stream) == 49
    assert stream.damaged == 1
    assert capfd.readouterr().err == ""


def test_flipped_bytes_lose_only_some_frames(tmp_path, rng, capfd):
    movie = noise(rng, 60, 32, 48)
    whole, broken = tmp_path / "whole.mp4", tmp_path / "broken.mp4"
    write_video(whole, movie, quality=30)
    data = bytearray(whole.read_bytes())
    middle = len(data) // 2
    for at in range(middle, middle + 3000):
        data[at] ^= 0xFF
    broken.write_bytes(data)
    with iter_frames(broken) as stream:
        frames = np.array(list(stream))
    assert stream.damaged > 0
    assert 30 <= len(frames) < 60
    assert stream.frames == len(frames)
    # The frames before the damage are untouched.
    np.testing.assert_array_equal(frames[:15], read_frames(whole, stop=15))
    assert capfd.readouterr().err == ""


class FlakyContainer:
    """An open file that fails ``failures`` times in a row to give the packet after its fifth."""

    def __init__(self, path, failures):
        self._container = av.open(str(path))
        self._packets = None
        self._given = 0
        self._failures = failures

    def __getattr__(self, name):
        return getattr(self._container, name)

    def demux(self, stream):
        self._packets = self._packets or self._container.demux(stream)
        while True:
            if self._given == 5 and self._failures > 0:
                self._failures -= 1
                raise av.error.InvalidDataError(1, "unreadable sector")
            packet = next(self._packets, None)
            if packet is None:
                return
            self._given += 1
            yield packet


@pytest.mark.parametrize(("failures", "frames"), [(1, 12), (3, 12), (10**9, 5)])
def test_failed_reads_are_tried_again_but_not_for_ever(tmp_path, monkeypatch, failures, frames):
    write_video(tmp_path / "a.mkv", numbered(12), codec="ffv1")
    monkeypatch.setattr(
        "classicvid.video.reader.open_container", lambda path: FlakyContainer(path, failures)
    )
    with iter_frames(tmp_path / "a.mkv") as stream:
        assert indices_of(np.array(list(stream))) == list(range(frames))
        assert stream.damaged == 1


def test_memory_does_not_grow_with_length(tmp_path):
    frame_bytes = 120 * 160 * 3
    path = tmp_path / "long.mp4"
    moving = smooth_movie(frames=16, height=120, width=160)
    tracemalloc.start()
    write_video(path, (moving[index % 16] for index in range(1500)), quality=40)
    with iter_frames(path) as stream:
        next(stream)
        resident = _resident_bytes()
        assert sum(1 for _ in stream) == 1499
        growth = _resident_bytes() - resident
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * frame_bytes
    assert growth < 300 * frame_bytes


def test_files_are_closed_after_the_end_and_on_leaving(tmp_path):
    descriptors = Path("/proc/self/fd")
    if not descriptors.is_dir():
        pytest.skip("needs /proc/self/fd to count open files")
    write_video(tmp_path / "a.mp4", numbered(9))
    before = len(list(descriptors.iterdir()))
    to_the_end = iter_frames(tmp_path / "a.mp4")
    assert len(list(to_the_end)) == 9
    with iter_frames(tmp_path / "a.mp4") as left_early:
        next(left_early)
    assert len(list(descriptors.iterdir())) == before
    assert list(left_early) == []
    left_early.close()


@pytest.mark.parametrize("name", ["m4a", "mkv", "mp3", "ogg", "wav", "webm"])
def test_audio_only_is_a_clear_error(shared_data, name):
    path = shared_data / "corpus" / "audio_only" / f"yanki.{name}"
    with pytest.raises(ValueError, match=r"yanki\.\w+ has no video stream, only audio"):
        iter_frames(path)


def test_a_cover_picture_is_no_video(shared_data, tmp_path, rng):
    picture = cv2.imencode(".png", noise(rng, 1, 16, 16)[0])[1].tobytes()
    body = b"\0image/png\0\x03\0" + picture
    tag = b"APIC" + len(body).to_bytes(4, "big") + b"\0\0" + body
    length = bytes((len(tag) >> shift) & 0x7F for shift in (21, 14, 7, 0))
    song = (shared_data / "corpus" / "audio_only" / "yanki.mp3").read_bytes()
    path = tmp_path / "song.mp3"
    path.write_bytes(b"ID3\x03\0\0" + length + tag + song)
    with pytest.raises(ValueError, match="no video stream, only audio and a cover picture"):
        probe(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"this is no video at all\n" * 40, "cannot be read as a video"),
        (np.random.default_rng(5).bytes(20000), "cannot be read as a video"),
    ],
)
@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv"])
def test_what_is_no_video_is_one_clear_line(tmp_path, capfd, content, message, suffix):
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(content)
    for read in (probe, iter_frames, read_frames):
        with pytest.raises(ValueError, match=message) as caught:
            read(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_a_file_without_its_index_is_a_clear_error(shared_data):
    with pytest.raises(ValueError, match="cannot be read as a video"):
        probe(shared_data / "corpus" / "broken" / "truncated_bikes.mp4")


def test_a_stream_without_a_good_packet_is_a_clear_error(tmp_path):
    path = tmp_path / "hollow.mp4"
    write_video(path, smooth_movie(frames=3))
    data = bytearray(path.read_bytes())
    begin = data.index(b"mdat") + 4
    data[begin:] = b"\xff" * (len(data) - begin)
    path.write_bytes(data)
    with pytest.raises(ValueError, match="yields no frame: 3 damaged packets"):
        iter_frames(path)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.mp4 does not exist"):
        probe(tmp_path / "none.mp4")
    with pytest.raises(ValueError, match="is a folder"):
        probe(tmp_path)


def test_names_that_ffmpeg_would_take_for_protocols(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_video("pipe:0 ü.mp4", numbered(2))
    assert len(read_frames("pipe:0 ü.mp4")) == 2


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"start": -1}, ValueError),
        ({"step": 0}, ValueError),
        ({"stop": 2.5}, TypeError),
        ({"short_side": 0}, ValueError),
        ({"size": (0, 4)}, ValueError),
        ({"size": 4}, ValueError),
        ({"size": (4, 4), "short_side": 4}, ValueError),
        ({"threads": -1}, ValueError),
    ],
)
def test_reader_checks_its_arguments_before_opening(arguments, error):
    with pytest.raises(error, match=next(iter(arguments))):
        iter_frames("none.mp4", **arguments)


@pytest.mark.parametrize(
    ("frames", "error", "message"),
    [
        ([], ValueError, "no frame"),
        (np.zeros((3, 8, 8), np.uint8), ValueError, r"frames\[0\] must be an RGB frame"),
        (np.zeros((3, 8, 8, 3), np.float32), TypeError, r"frames\[0\] must be uint8"),
        (
            [np.zeros((8, 8, 3), np.uint8), np.zeros((8, 9, 3), np.uint8)],
            ValueError,
            r"frames\[1\] must be \(8, 8, 3\)",
        ),
    ],
)
def test_writer_refuses_bad_frames_and_leaves_nothing(tmp_path, frames, error, message):
    with pytest.raises(error, match=message):
        write_video(tmp_path / "a.mp4", frames)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_keeps_the_old_file(tmp_path):
    def failing():
        yield from numbered(5)
        message = "camera unplugged"
        raise RuntimeError(message)

    write_video(tmp_path / "a.mp4", numbered(3))
    before = (tmp_path / "a.mp4").read_bytes()
    with pytest.raises(RuntimeError, match="camera unplugged"):
        write_video(tmp_path / "a.mp4", failing())
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
    assert (tmp_path / "a.mp4").read_bytes() == before


@pytest.mark.parametrize(
    ("name", "arguments", "error", "message"),
    [
        ("a.webm", {}, ValueError, "path must end in .mp4"),
        ("a.mp4", {"codec": "ffv1"}, ValueError, "path must end in .mkv"),
        ("a.mp4", {"codec": "mp4v"}, ValueError, "codec must be one of"),
        ("a.mp4", {"fps": 0}, ValueError, "fps"),
        ("a.mp4", {"quality": 52}, ValueError, "quality"),
        ("missing/a.mp4", {}, FileNotFoundError, "missing is no folder"),
    ],
)
def test_writer_checks_its_arguments(tmp_path, name, arguments, error, message):
    with pytest.raises(error, match=message):
        write_video(tmp_path / name, numbered(2), **arguments)


def _resident_bytes():
    pages = Path("/proc/self/statm")
    if not pages.exists():
        return 0
    return int(pages.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
