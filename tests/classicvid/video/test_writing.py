"""Frames go in; a video that this reader and OpenCV's read again comes out."""

from __future__ import annotations

import numpy as np
import pytest

from classicvid.video import probe, read_frames, write_video
from tests.classicvid.video.movies import indices_of, noise, numbered, opencv_frames, smooth_movie


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
