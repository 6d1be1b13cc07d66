"""Damaged, hostile and endless files go in; what they hold, or one clear line, comes out."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from classicvid.video import iter_frames, probe, read_frames, write_video
from tests.classicvid.video.movies import indices_of, noise, numbered, smooth_movie


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


def _resident_bytes():
    pages = Path("/proc/self/statm")
    if not pages.exists():
        return 0
    return int(pages.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
