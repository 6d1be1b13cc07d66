"""Scores are means of softmax over views and clips, row by row."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import cnn
from cnn.clips import VIEWS, clips_on, even_positions


def test_scores_are_mean_softmax_over_views_and_clips(striped):
    model = cnn.build_model("single-frame", classes=2).eval()
    config = cnn.EvaluationConfig(
        clips_per_video=3, views="four", batch_size=7, device="cpu", precision="float32"
    )
    scores = cnn.score(model, striped, config)
    wanted = np.zeros((36, 2))
    for view in VIEWS["four"]:
        positions = even_positions(striped, model.config.input, clips_per_video=3, view=view)
        clips = clips_on(torch.device("cpu"), striped, model.config.input, positions)
        with torch.no_grad():
            wanted += model(clips).softmax(1).numpy() / 4
    np.testing.assert_allclose(scores.clip_scores, wanted, atol=1e-5)
    np.testing.assert_allclose(scores.video_scores, wanted.reshape(12, 3, 2).mean(1), atol=1e-5)
    np.testing.assert_array_equal(scores.labels, striped.labels)
    assert scores.videos == tuple(striped.names)
    assert scores.classes == ("rows", "columns")


@pytest.mark.parametrize("name", tuple(cnn.MODELS))
def test_every_network_scores_a_one_frame_video(name):
    model = cnn.build_model(name, classes=2)
    first, *more = model.config.input.arrays
    least = {"rgb": (3, 1), "flow": (2, 0), "backward": (2, 0)}
    videos, *companions = (
        [
            np.full((length, 64, 64, least[kind][0]), 128, np.uint8)
            for length in (least[kind][1], 30)
        ]
        for kind in (first, *more)
    )
    source = cnn.ClipSource(videos, [0, 1], ("short", "long"), ("a", "b"), 20.0, *companions)
    found = cnn.evaluate(model, source, cnn.EvaluationConfig(clips_per_video=2, device="cpu"))
    np.testing.assert_allclose(found.scores.video_scores.sum(1), 1.0, rtol=1e-5)
    np.testing.assert_array_equal(found.scores.clip_videos, [0, 0, 1, 1])
    assert found.clips_per_second > 0
    assert model.training  # left as it came


def test_batch_size_does_not_change_scores(striped):
    model = cnn.build_model("spatial-stream", classes=2)
    first, second = (
        cnn.score(
            model,
            striped,
            cnn.EvaluationConfig(batch_size=size, device="cpu", precision="float32"),
        )
        for size in (1, 50)
    )
    np.testing.assert_allclose(first.clip_scores, second.clip_scores, atol=1e-5)


def test_paper_protocols_are_the_published_ones():
    fusion = cnn.evaluation_defaults("slow-fusion", size="paper")
    assert (fusion.clips_per_video, len(VIEWS[fusion.views])) == (20, 4)
    stream = cnn.evaluation_defaults("temporal-stream", size="paper", batch_size=5)
    assert (stream.clips_per_video, len(VIEWS[stream.views]), stream.batch_size) == (25, 10, 5)
    for name in cnn.MODELS:
        assert cnn.evaluation_defaults(name, size="tiny").views == "centre"


def test_wrong_settings_are_refused(striped):
    with pytest.raises(ValueError, match="views must be one of centre, four, ten, got 'all'"):
        cnn.EvaluationConfig(views="all")
    with pytest.raises(ValueError, match="clips_per_video must be at least 1, got 0"):
        cnn.EvaluationConfig(clips_per_video=0)
    model = cnn.build_model("temporal-stream", classes=2)
    with pytest.raises(ValueError, match="the network wants flow"):
        cnn.score(model, striped, cnn.EvaluationConfig(device="cpu"))
