"""A range, a size or a number of threads goes in; those frames of a video come out."""

from __future__ import annotations

import av
import cv2
import numpy as np
import pytest

from classicvid.video import iter_frames, read_frames, write_video
from tests.classicvid.video.movies import indices_of, noise, numbered, smooth_movie


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
