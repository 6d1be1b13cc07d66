"""Tracks on frames: where and when they are drawn, how they fade, and how many frames come out."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.overlay import HEAD, SMALLEST_SIDE, TRACK, draw_frame, draw_tracks

LENGTH = 3
GRAY = 90


def movie(count: int, ended: dict[int, np.ndarray] | None = None, shape=(480, 500)):
    """Yield gray frames, with the tracks that end in each."""
    nothing = np.zeros((0, LENGTH + 1, 2), np.float32)
    for number in range(count):
        points = np.asarray((ended or {}).get(number, nothing), np.float32)
        yield np.full((*shape, 3), GRAY, np.uint8), {"points": points}


def colour_of(frame: np.ndarray, x: int, y: int) -> str:
    pixel = frame[y, x].astype(int)
    if (pixel == GRAY).all():
        return "background"
    distances = [np.abs(pixel - colour).sum() for colour in (TRACK, HEAD)]
    return ("track", "head")[int(np.argmin(distances))]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 20])
def test_as_many_frames_come_out_as_go_in(count):
    frames = list(draw_tracks(movie(count), length=LENGTH))
    assert len(frames) == count
    assert all((frame == GRAY).all() for frame in frames)


@pytest.mark.parametrize("end", [3, 6, 9])
def test_a_track_is_drawn_while_it_lives(end):
    xs = np.array([100, 140, 180, 220])
    track = np.stack([xs, np.full(4, 50)], axis=1)[None]
    frames = list(draw_tracks(movie(10, {end: track}), length=LENGTH))
    for number, frame in enumerate(frames):
        age = number - (end - LENGTH)
        if not 0 <= age <= LENGTH:
            assert (frame == GRAY).all()
            continue
        assert colour_of(frame, xs[age], 50) == "head"
        drawn = [colour_of(frame, x, 50) for x in (120, 160, 200)]
        assert drawn == ["track"] * age + ["background"] * (LENGTH - age)


def test_the_oldest_step_is_the_faintest():
    track = np.array([[[50, 50], [150, 50], [250, 50], [350, 50]]], np.float32)
    frame = draw_frame(np.zeros((480, 500, 3), np.uint8), [track])
    green = frame[50, [100, 200, 300], 1].astype(int)
    assert 0 < green[0] < green[1] < green[2] <= TRACK[1]


def test_a_small_video_is_enlarged_and_its_tracks_with_it():
    track = np.array([[[10, 20], [20, 20], [30, 20], [40, 20]]], np.float32)
    frame = draw_frame(np.full((60, 80, 3), GRAY, np.uint8), [track])
    assert frame.shape == (480, 640, 3)
    assert min(frame.shape[:2]) == SMALLEST_SIDE
    # The centre of pixel (40, 20) of eightfold size.
    assert colour_of(frame, 323, 163) == "head"
    assert colour_of(frame, 203, 163) == "track"


def test_lines_are_antialiased_and_wider_on_larger_frames():
    track = np.array([[[50, 40], [350, 93]]], np.float32)
    widths = []
    for height in (480, 1440):
        frame = draw_frame(np.zeros((height, height, 3), np.uint8), [track])
        column = frame[:, 200, 1]
        assert len(np.unique(column)) > 2
        widths.append(int((column > 0).sum()))
    assert widths[1] > widths[0] + 1


def test_points_outside_the_frame_are_no_fault():
    track = np.array([[[-40, 20], [700, 20], [30, -90], [40, 2000]]], np.float32)
    assert draw_frame(np.zeros((480, 500, 3), np.uint8), [track]).shape == (480, 500, 3)
