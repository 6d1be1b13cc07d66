"""Clips equal the decoded frames, and their flow the motion that the movie was made with."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from classicvid.flow import dequantise_flow
from classicvid.synthetic import render_motion
from classicvid.video import read_frames, write_video
from pipelines import clip_cache
from pipelines.clip_cache import ClipCacheRecipe
from pipelines.dataset import Video
from pipelines.run_folder import flow_bound, open_clips


@pytest.fixture
def movie(rng):
    return render_motion("right", size=96, frames=10, rng=rng)


@pytest.fixture
def video(tmp_path, movie):
    path = tmp_path / "right.mp4"
    write_video(path, movie.frames, fps=12.0)
    return Video(path, "right/clip")


def recipe_for(tmp_path, size):
    return ClipCacheRecipe(tmp_path / "clips", size, bound=flow_bound(size))


def test_frames_are_the_video_s_at_the_wanted_size(tmp_path, video):
    recipe = recipe_for(tmp_path, (48, 64))
    assert clip_cache.run(recipe, [video], workers=1) == {}
    frames = open_clips(recipe.folder, video.name, "rgb")
    wanted = [
        cv2.resize(frame, (64, 48), interpolation=cv2.INTER_AREA)
        for frame in read_frames(video.path)
    ]
    assert np.array_equal(frames, np.stack(wanted))


def test_flow_is_in_pixels_of_the_cached_size(tmp_path, video, movie):
    recipe = recipe_for(tmp_path, (48, 48))
    clip_cache.run(recipe, [video], workers=1)
    stored = open_clips(recipe.folder, video.name, "flow")
    assert stored.shape == (9, 48, 48, 2)
    flow = np.stack([dequantise_flow(field, bound=recipe.bound) for field in stored])
    truth = movie.flow(4)[0, 0, 0] / 2  # half the size, half the displacement
    assert np.median(flow[..., 0]) == pytest.approx(truth, abs=0.06)
    assert np.median(flow[..., 1]) == pytest.approx(0.0, abs=0.06)


def test_backward_flow_is_that_of_the_film_run_backwards(tmp_path, video, movie):
    recipe = replace(recipe_for(tmp_path, (48, 48)), backward=True)
    clip_cache.run(recipe, [video], workers=1)
    forward, backward = (
        dequantise_flow(np.array(open_clips(recipe.folder, video.name, way)), bound=recipe.bound)
        for way in ("flow", "backward")
    )
    assert forward.shape == backward.shape == (9, 48, 48, 2)
    truth = movie.flow(4)[0, 0, 0] / 2
    assert np.median(forward[..., 0]) == pytest.approx(truth, abs=0.06)
    assert np.median(backward[..., 0]) == pytest.approx(-truth, abs=0.06)


def test_backward_flow_is_added_where_it_is_missing(tmp_path, video):
    recipe = recipe_for(tmp_path, (32, 32))
    clip_cache.run(recipe, [video], workers=1)
    before = np.array(open_clips(recipe.folder, video.name, "flow"))
    both = replace(recipe, backward=True)
    assert recipe.is_cached(video)
    assert not both.is_cached(video)
    clip_cache.run(both, [video], workers=1)
    assert both.is_cached(video)
    np.testing.assert_array_equal(open_clips(recipe.folder, video.name, "flow"), before)


def test_one_frame_has_one_field_of_no_motion(tmp_path, movie):
    path = tmp_path / "still.mp4"
    write_video(path, movie.frames[:1], fps=12.0)
    recipe = recipe_for(tmp_path, (32, 32))
    assert clip_cache.run(recipe, [Video(path, "still")], workers=1) == {}
    assert open_clips(recipe.folder, "still", "rgb").shape == (1, 32, 32, 3)
    flow = open_clips(recipe.folder, "still", "flow")
    assert flow.shape == (1, 32, 32, 2)
    assert (flow == 128).all()


def test_goes_on_past_a_broken_video_and_skips_what_is_done(tmp_path, video):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a video")
    recipe = recipe_for(tmp_path, (32, 32))
    failures = clip_cache.run(recipe, [Video(broken, "broken"), video], workers=1)
    assert list(failures) == ["broken"]
    assert not (recipe.folder / "broken").exists()
    before = (recipe.folder / video.name / "rgb.npy").stat().st_mtime_ns
    clip_cache.run(recipe, [video], workers=1)
    assert (recipe.folder / video.name / "rgb.npy").stat().st_mtime_ns == before
