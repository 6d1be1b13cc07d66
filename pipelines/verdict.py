"""Scores of several methods go in; does the data need motion, and how sure are we, comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from classicvid.metrics import Scores, paired_difference, wilson_interval
from pipelines.recipes import METHODS

# Motion that adds less than this share of the videos, at the upper end of the interval, is not
# worth a second stream's cost.
NEGLIGIBLE = 0.05


@dataclass(frozen=True)
class Verdict:
    """Whether motion pays on a data set.

    Parameters
    ----------
    sentence : str
        The answer in one sentence, with the figures behind it.
    needs_motion : {"yes", "no", "unsure", "unknown"}
        ``unsure`` where the interval holds both answers, ``unknown`` where a side was not run.
    appearance_method, motion_method : str or None
        The best method that sees single frames only, and the best that sees motion.
    difference, low, high : float or None
        By how much motion wins in Video Hit@1, -1 to 1, and the 95 % bootstrap interval over
        groups.
    chance : float
        Video Hit@1 of always naming the most frequent class.
    """

    sentence: str
    needs_motion: Literal["yes", "no", "unsure", "unknown"]
    appearance_method: str | None
    motion_method: str | None
    difference: float | None
    low: float | None
    high: float | None
    chance: float


def judge(scores: Mapping[str, Scores], groups: Mapping[str, str], *, seed: int = 0) -> Verdict:
    """Hold the best method that sees motion against the best that sees single frames.

    Parameters
    ----------
    scores : mapping of str to Scores
        By method, on the same videos.
    groups : mapping of str to str
        Group of each video.
    seed : int
        Where the random numbers of the bootstrap start.
    """
    first = next(iter(scores.values()))
    chance = float(np.bincount(first.labels).max() / len(first.labels))
    still = _best(scores, [name for name in scores if METHODS[name].sees == "appearance"])
    moving = _best(scores, [name for name in scores if METHODS[name].sees != "appearance"])
    if still is None or moving is None:
        lacking = "that sees one frame at a time" if still is None else "that sees motion"
        sentence = f"Not decided: no method {lacking} was run."
        return Verdict(sentence, "unknown", still, moving, None, None, None, chance)
    difference, low, high = paired_difference(
        scores[moving],
        scores[still],
        groups=[groups[video] for video in scores[moving].videos],
        seed=seed,
    )
    answer = _answer(low, high)
    evidence = (
        f"{moving} gets {_percent(scores[moving])} of the videos right and {still}, which sees one "
        f"frame at a time, {_percent(scores[still])}; motion adds {100 * difference:.1f} points "
        f"(95 % interval {100 * low:.1f} to {100 * high:.1f})."
    )
    if not any(_beats(part, chance) for part in (scores[moving], scores[still])):
        answer = "unsure"
        opening = f"Nothing beats chance ({100 * chance:.1f} %)"
    else:
        opening = {
            "yes": "This data needs motion",
            "no": "One frame is enough",
            "unsure": "Not decided, more videos would tell",
        }[answer]
    return Verdict(f"{opening}: {evidence}", answer, still, moving, difference, low, high, chance)


def _answer(low: float, high: float) -> Literal["yes", "no", "unsure"]:
    if low > 0:
        return "yes"
    return "no" if high <= NEGLIGIBLE else "unsure"


def _best(scores: Mapping[str, Scores], names: Sequence[str]) -> str | None:
    return max(names, key=lambda name: scores[name].video_hit_at(1), default=None)


def _percent(scores: Scores) -> str:
    return f"{100 * scores.video_hit_at(1):.1f} %"


def _beats(scores: Scores, chance: float) -> bool:
    low, _ = wilson_interval(int(scores.hits.sum()), len(scores.hits))
    return low > chance
