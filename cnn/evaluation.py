"""A trained network and labelled videos go in, Scores of every clip and video come out."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from classicvid.checks import check_choice, check_whole
from classicvid.metrics import Scores
from cnn.clips import VIEWS, ClipPositions, ClipSource, clips_on, even_positions
from cnn.devices import choose_device, choose_precision, lowered
from cnn.models import Network


@dataclass(frozen=True)
class EvaluationConfig:
    """How to test.

    Parameters
    ----------
    clips_per_video : int
        Clips spread evenly over each video.
    views : {"centre", "four", "ten"}
        Crops of each clip, whose scores are averaged: the centre; two opposite corners and their
        mirror images; four corners, the centre and their mirror images. Only "centre" suits
        classes such as "moves left", which a mirror changes.
    batch_size : int
        Clips at a time.
    precision : {"auto", "float32", "bfloat16"}
        "auto" takes bfloat16 where the processor is fast at it.
    device : {"auto", "cpu", "cuda"}
        "auto" takes a GPU where there is one.
    """

    clips_per_video: int = 8
    views: Literal["centre", "four", "ten"] = "centre"
    batch_size: int = 64
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"

    def __post_init__(self) -> None:
        check_whole("clips_per_video", self.clips_per_video, low=1)
        check_whole("batch_size", self.batch_size, low=1)
        check_choice("views", self.views, tuple(VIEWS))


@dataclass(frozen=True)
class Evaluation:
    """Scores of the videos, and the speed at which they were found."""

    scores: Scores
    clips_per_second: float


def evaluation_defaults(name: str, *, size: str, **changes: Any) -> EvaluationConfig:
    """Return the protocol of a network, some of it changed.

    Parameters
    ----------
    name : str
        One of :data:`cnn.MODELS`.
    size : {"tiny", "paper"}
        "paper": as published. "tiny": 8 clips, centre crop.
    **changes
        Fields of :class:`EvaluationConfig`.

    Notes
    -----
    Karpathy et al. 2014 pass 20 random clips four times each, "with different crops and flips";
    ours are spread evenly, so that a score can be repeated, and the four are two opposite corners
    and their mirror images. Simonyan and Zisserman 2014 pass 25 frames with ten crops each, and
    Ballas et al. 2016 follow them. Krizhevsky et al. 2012 pass ten crops of an image; for AlexNet
    we take as many frames as the former. C3D and the residual networks pass 10 clips, centre
    crop. LRCN passes a clip every 8 frames, ten crops each; ours passes 20, about as many as the
    videos of UCF-101 have. For the others, whose papers test whole sequences, we take 10 clips.
    """
    check_choice("size", size, ("tiny", "paper"))
    check_choice("the name of a network", name, tuple(_PAPER))
    values = _PAPER[name] if size == "paper" else {}
    return EvaluationConfig(**{**values, **changes})


def score(model: Network, source: ClipSource, config: EvaluationConfig) -> Scores:
    """Scores of :func:`evaluate`, for those who do not ask for the speed."""
    return evaluate(model, source, config).scores


def evaluate(model: Network, source: ClipSource, config: EvaluationConfig) -> Evaluation:
    """Score every clip by the mean softmax of its views, every video by the mean of its clips.

    Parameters
    ----------
    model : Network
        From :func:`cnn.build_model`; moved to the device, and left in the mode it came in.
    source : ClipSource
        Test videos, as ``model.config.input`` wants them.
    config : EvaluationConfig
        How to test.

    Returns
    -------
    Evaluation
        Scores, and clips per second (reading, all views and the network together).

    Raises
    ------
    ValueError
        If the videos do not fit the network.
    """
    spec = model.config.input
    source.check_fits(spec)
    views = [
        even_positions(source, spec, clips_per_video=config.clips_per_video, view=view)
        for view in VIEWS[config.views]
    ]
    was_training = model.training
    began = time.perf_counter()
    clip_scores = np.mean(
        [_softmax(model.eval(), source, clips, config) for clips in views], axis=0
    )
    seconds = time.perf_counter() - began
    model.train(was_training)
    scores = Scores.from_clips(
        classes=source.classes,
        videos=source.names,
        labels=source.labels,
        clip_scores=clip_scores,
        clip_videos=views[0].videos,
    )
    return Evaluation(scores, len(clip_scores) / max(seconds, 1e-9))


@torch.inference_mode()
def _softmax(
    model: Network, source: ClipSource, positions: ClipPositions, config: EvaluationConfig
) -> NDArray[np.float32]:
    device = choose_device(config.device)
    precision = choose_precision(config.precision, device)
    model.to(device)
    parts = []
    for start in range(0, len(positions), config.batch_size):
        batch = positions[start : start + config.batch_size]
        clips = clips_on(device, source, model.config.input, batch)
        with lowered(precision, device):
            logits = model(clips)
        parts.append(logits.float().softmax(1).cpu().numpy())
    return np.concatenate(parts)


_KARPATHY: dict[str, Any] = {"clips_per_video": 20, "views": "four"}
_TWO_STREAM: dict[str, Any] = {"clips_per_video": 25, "views": "ten"}
_ALEXNET: dict[str, Any] = {"clips_per_video": 25, "views": "ten"}
_CENTRE: dict[str, Any] = {"clips_per_video": 10}
_LRCN: dict[str, Any] = {"clips_per_video": 20, "views": "ten"}
_PAPER: dict[str, dict[str, Any]] = {
    "alexnet": _ALEXNET,
    "alexnet-video": _ALEXNET,
    "single-frame": _KARPATHY,
    "multires": _KARPATHY,
    "fovea-only": _KARPATHY,
    "context-only": _KARPATHY,
    "early-fusion": _KARPATHY,
    "late-fusion": _KARPATHY,
    "slow-fusion": _KARPATHY,
    "spatial-stream": _TWO_STREAM,
    "temporal-stream": _TWO_STREAM,
    "temporal-stream-trajectories": _TWO_STREAM,
    "temporal-stream-bidirectional": _TWO_STREAM,
    "two-stream-conv": _TWO_STREAM,
    "two-stream-3d": _TWO_STREAM,
    "spatial-backbone": _TWO_STREAM,
    "temporal-backbone": _TWO_STREAM,
    "ji-3d": _CENTRE,
    "c3d": _CENTRE,
    "r3d-18": _CENTRE,
    "mc3-18": _CENTRE,
    "r2plus1d-18": _CENTRE,
    "cnn3d-lstm": _CENTRE,
    "lrcn": _LRCN,
    "lrcn-flow": _LRCN,
    "conv-pooling": _CENTRE,
    "deep-lstm": _CENTRE,
    "gru-rcn": _TWO_STREAM,
    "gru-rcn-stacked": _TWO_STREAM,
    "gru-rcn-bidirectional": _TWO_STREAM,
}
