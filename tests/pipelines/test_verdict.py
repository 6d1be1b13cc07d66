"""The verdict names motion where it pays, one frame where that does, and doubt where it is due."""

from __future__ import annotations

import numpy as np
import pytest

from classicvid.metrics import Scores
from pipelines.verdict import judge

CLASSES = ("a", "b", "c", "d")
VIDEOS = tuple(f"video{n:03d}" for n in range(80))
LABELS = np.arange(80) % 4
GROUPS = {name: name for name in VIDEOS}


def scores_with(rate: float, seed: int) -> Scores:
    """Scores that name the right class for exactly ``rate`` of the videos."""
    rng = np.random.default_rng(seed)
    right = np.zeros(80, bool)
    right[rng.permutation(80)[: round(80 * rate)]] = True
    named = np.where(right, LABELS, (LABELS + 1 + rng.integers(0, 3, 80)) % 4)
    return Scores.from_videos(
        classes=CLASSES, videos=VIDEOS, labels=LABELS, scores=np.eye(4, dtype=np.float32)[named]
    )


@pytest.mark.parametrize(
    ("still", "moving", "answer", "opening"),
    [
        (0.25, 0.95, "yes", "This data needs motion"),
        (1.0, 1.0, "no", "One frame is enough"),
        (0.95, 0.6, "no", "One frame is enough"),
        (0.70, 0.75, "unsure", "Not decided"),
        (0.25, 0.25, "unsure", "Nothing beats chance"),
    ],
)
def test_answers(still, moving, answer, opening):
    scores = {"single-frame": scores_with(still, 1), "slow-fusion": scores_with(moving, 2)}
    verdict = judge(scores, GROUPS)
    assert verdict.needs_motion == answer
    assert verdict.sentence.startswith(opening)
    assert verdict.difference == pytest.approx(moving - still)
    assert verdict.low <= verdict.difference <= verdict.high
    assert verdict.chance == 0.25


def test_takes_the_best_of_each_side():
    scores = {
        "feature-histograms": scores_with(0.9, 1),
        "single-frame": scores_with(0.3, 2),
        "spatial-stream": scores_with(0.4, 3),
        "temporal-stream": scores_with(0.8, 4),
    }
    verdict = judge(scores, GROUPS)
    assert (verdict.appearance_method, verdict.motion_method) == (
        "spatial-stream",
        "feature-histograms",
    )


def test_one_side_alone_decides_nothing():
    verdict = judge({"slow-fusion": scores_with(0.9, 1)}, GROUPS)
    assert verdict.needs_motion == "unknown"
    assert "one frame at a time" in verdict.sentence


def test_few_groups_widen_the_interval():
    scores = {"single-frame": scores_with(0.5, 1), "slow-fusion": scores_with(0.7, 2)}
    alone = judge(scores, GROUPS)
    # Videos of a group that win or lose together are one observation, not many.
    gains = scores["slow-fusion"].hits.astype(int) - scores["single-frame"].hits
    together = dict(zip(VIDEOS, [f"gain {gain}" for gain in gains], strict=True))
    grouped = judge(scores, together)
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)
