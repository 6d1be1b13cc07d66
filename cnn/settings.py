"""The name of a network goes in, how to train it comes out: published settings and fast ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from classicvid.checks import check_choice, check_number, check_whole


@dataclass(frozen=True)
class TrainingConfig:
    """How to train; the defaults suit the tiny networks, :func:`training_defaults` all.

    Parameters
    ----------
    steps, epochs : int, float, optional
        How long: give exactly one. An epoch shows one clip of every video (where ``balanced``,
        of every class as many as the largest class has).
    batch_size : int
        Clips of a step, of all processes together.
    optimiser : {"adam", "sgd"}
        Adam with decoupled weight decay, or stochastic gradient descent with ``momentum``.
    learning_rate : float
        The highest of the schedule.
    momentum, weight_decay : float
        As usual; ``momentum`` is also Adam's first decay rate.
    schedule : {"one-cycle", "steps", "constant"}
        "one-cycle" rises over the first quarter and falls to zero, both along a cosine; "steps"
        divides by 10 at each of ``milestones``.
    milestones : tuple of float
        Shares of the whole training, from 0 to 1.
    label_smoothing : float
        Probability taken from the true class and spread over all.
    gradient_clip : float, optional
        Longest gradient allowed, as Euclidean norm over all weights.
    balanced : bool
        Show all classes equally often.
    flip : bool
        Mirror half of the clips. Off by default: with classes such as "moves left" a mirrored
        clip would bear a wrong label.
    seed : int
        Order of videos, clips, crops and dropout are functions of the seed and the step.
    precision : {"auto", "float32", "bfloat16"}
        "auto" takes bfloat16 where the processor is fast at it.
    device : {"auto", "cpu", "cuda"}
        "auto" takes a GPU where there is one.
    log_every, save_every : int
        Steps between two lines of the log, and between two savings of the state (0: only at the
        end).
    """

    steps: int | None = None
    epochs: float | None = None
    batch_size: int = 32
    optimiser: Literal["adam", "sgd"] = "adam"
    learning_rate: float = 3e-3
    momentum: float = 0.9
    weight_decay: float = 1e-2
    schedule: Literal["one-cycle", "steps", "constant"] = "one-cycle"
    milestones: tuple[float, ...] = ()
    label_smoothing: float = 0.0
    gradient_clip: float | None = None
    balanced: bool = True
    flip: bool = False
    seed: int = 0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    log_every: int = 10
    save_every: int = 0

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.epochs is None):
            message = f"give either steps or epochs, got {self.steps} and {self.epochs}"
            raise ValueError(message)
        check_whole("batch_size", self.batch_size, low=1)
        check_whole("log_every", self.log_every, low=1)
        check_whole("save_every", self.save_every, low=0)
        check_whole("seed", self.seed, low=0)
        check_choice("optimiser", self.optimiser, ("adam", "sgd"))
        check_choice("schedule", self.schedule, tuple(_SCHEDULES))
        check_number("learning_rate", self.learning_rate, low=0.0, exclusive=True)
        check_number("label_smoothing", self.label_smoothing, low=0.0, high=1.0)
        if self.steps is not None:
            check_whole("steps", self.steps, low=0)
        if self.epochs is not None:
            check_number("epochs", self.epochs, low=0.0)


def training_defaults(name: str, *, size: str, **changes: Any) -> TrainingConfig:
    """Return the settings that suit a network, some of them changed.

    Parameters
    ----------
    name : str
        One of :data:`cnn.MODELS`.
    size : {"tiny", "paper"}
        "paper": as published. "tiny": seconds on two CPU cores.
    **changes
        Fields of :class:`TrainingConfig`; ``steps`` takes the place of ``epochs`` and vice versa.

    Notes
    -----
    Karpathy et al. 2014 lower the learning rate by hand and print no length; we step it at 5/8
    and 7/8 of 50 epochs. Simonyan and Zisserman 2014 train from scratch for 80,000 steps, with
    steps at 50,000 and 70,000; they print no weight decay, AlexNet's is taken. Both flip half of
    the clips, which is left to ``flip=True``; the jitter of colours in the latter is left out.
    Feichtenhofer et al. 2016 lower the learning rate by tenths and print no length; ours is that
    of Karpathy et al. AlexNet's settings are those of Caffe's for ImageNet.

    C3D is trained as on UCF-101 from scratch, with the weight decay of the released solver (its
    schedule on Sports-1M halves the rate every 150,000 of 1.9 million steps); the residual
    networks as on Kinetics; LRCN as released. Ballas et al. 2016 print batch and optimiser, but
    no learning rate; Ji et al., Baccouche et al. and Ng et al. nothing that one could repeat, so
    that ours are made up.
    """
    check_choice("size", size, ("tiny", "paper"))
    check_choice("the name of a network", name, tuple(_PAPER))
    values = dict(_PAPER[name] if size == "paper" else _TINY[name])
    if "epochs" in changes or "steps" in changes:
        values.pop("steps", None)
        values.pop("epochs", None)
    return TrainingConfig(**{**values, **changes})


def step_count(config: TrainingConfig, labels: NDArray[np.int64]) -> int:
    """Count the steps of a training on videos with these labels, shape (N,)."""
    if config.epochs is None:
        return config.steps or 0
    return math.ceil(config.epochs * round_length(labels, config) / config.batch_size)


def round_length(labels: NDArray[np.int64], config: TrainingConfig) -> int:
    """Count the clips of one epoch: one of each video, or equally many of each class."""
    _, counts = np.unique(labels, return_counts=True)
    return int(counts.max()) * len(counts) if config.balanced else int(counts.sum())


def learning_rate_at(config: TrainingConfig, step: int, steps: int) -> float:
    """Return the learning rate of a step, counted from 0, of a training of ``steps`` steps."""
    return config.learning_rate * _SCHEDULES[config.schedule](step / max(steps, 1), config)


def _one_cycle(share: float, _: TrainingConfig) -> float:
    rise = 0.25
    if share < rise:
        return 0.04 + 0.96 * (1.0 - math.cos(math.pi * share / rise)) / 2.0
    return (1.0 + math.cos(math.pi * (share - rise) / (1.0 - rise))) / 2.0


def _steps(share: float, config: TrainingConfig) -> float:
    return 0.1 ** sum(share >= milestone for milestone in config.milestones)


_SCHEDULES: dict[str, Callable[[float, TrainingConfig], float]] = {
    "one-cycle": _one_cycle,
    "steps": _steps,
    "constant": lambda _, __: 1.0,
}

_KARPATHY: dict[str, Any] = {
    "epochs": 50,
    "batch_size": 32,
    "optimiser": "sgd",
    "learning_rate": 1e-3,
    "weight_decay": 5e-4,
    "schedule": "steps",
    "milestones": (0.625, 0.875),
}
_TWO_STREAM: dict[str, Any] = {
    "steps": 80_000,
    "batch_size": 256,
    "optimiser": "sgd",
    "learning_rate": 1e-2,
    "weight_decay": 5e-4,
    "schedule": "steps",
    "milestones": (0.625, 0.875),
}
_ALEXNET: dict[str, Any] = {
    "steps": 450_000,
    "batch_size": 128,
    "optimiser": "sgd",
    "learning_rate": 1e-2,
    "weight_decay": 5e-4,
    "schedule": "steps",
    "milestones": (100 / 450, 200 / 450, 300 / 450, 400 / 450),
}
_STREAM_FUSION: dict[str, Any] = {
    "epochs": 50,
    "batch_size": 96,
    "optimiser": "sgd",
    "learning_rate": 1e-3,
    "weight_decay": 5e-4,
    "schedule": "steps",
    "milestones": (0.625, 0.875),
}
_C3D: dict[str, Any] = {
    "epochs": 16,
    "batch_size": 30,
    "optimiser": "sgd",
    "learning_rate": 3e-3,
    "weight_decay": 5e-3,
    "schedule": "steps",
    "milestones": (0.25, 0.5, 0.75),
}
_RESIDUAL: dict[str, Any] = {
    "epochs": 45,
    "batch_size": 32,
    "optimiser": "sgd",
    "learning_rate": 1e-2,
    "weight_decay": 1e-4,
    "schedule": "steps",
    "milestones": (10 / 45, 20 / 45, 30 / 45, 40 / 45),
}
_LRCN: dict[str, Any] = {
    "steps": 30_000,
    "batch_size": 24,
    "optimiser": "sgd",
    "learning_rate": 1e-3,
    "weight_decay": 5e-3,
    "schedule": "steps",
    "milestones": (1 / 3, 2 / 3),
    "gradient_clip": 5.0,
}
_LRCN_FLOW = {**_LRCN, "steps": 70_000, "milestones": (2 / 7, 4 / 7, 6 / 7), "gradient_clip": 15.0}
_GRU_RCN: dict[str, Any] = {
    "epochs": 50,
    "batch_size": 64,
    "learning_rate": 1e-4,
    "weight_decay": 0.0,
    "gradient_clip": 5.0,
}
# Networks whose papers print no settings.
_UNPRINTED: dict[str, Any] = {"epochs": 50, "learning_rate": 1e-3, "gradient_clip": 5.0}
_PAPER = {
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
    "two-stream-conv": _STREAM_FUSION,
    "two-stream-3d": _STREAM_FUSION,
    "spatial-backbone": _TWO_STREAM,
    "temporal-backbone": _TWO_STREAM,
    "ji-3d": _UNPRINTED,
    "c3d": _C3D,
    "r3d-18": _RESIDUAL,
    "mc3-18": _RESIDUAL,
    "r2plus1d-18": _RESIDUAL,
    "cnn3d-lstm": _UNPRINTED,
    "lrcn": _LRCN,
    "lrcn-flow": _LRCN_FLOW,
    "conv-pooling": _UNPRINTED,
    "deep-lstm": _UNPRINTED,
    "gru-rcn": _GRU_RCN,
    "gru-rcn-stacked": _GRU_RCN,
    "gru-rcn-bidirectional": _GRU_RCN,
}
_TINY_LSTM: dict[str, Any] = {"steps": 300, "learning_rate": 2e-3, "gradient_clip": 1.0}
_TINY_GRU: dict[str, Any] = {
    "steps": 300,
    "batch_size": 16,
    "learning_rate": 6e-3,
    "gradient_clip": 1.0,
}
_TINY: dict[str, dict[str, Any]] = {
    "alexnet": {"steps": 400, "batch_size": 64},
    "alexnet-video": {"steps": 400},
    "single-frame": {"steps": 400, "batch_size": 64},
    "multires": {"steps": 400, "batch_size": 64},
    "fovea-only": {"steps": 400, "batch_size": 64},
    "context-only": {"steps": 400, "batch_size": 64},
    "early-fusion": {"steps": 400},
    "late-fusion": {"steps": 400, "batch_size": 64},
    "slow-fusion": {"steps": 140},
    "spatial-stream": {"steps": 400},
    "temporal-stream": {"steps": 200},
    "temporal-stream-trajectories": {"steps": 200},
    "temporal-stream-bidirectional": {"steps": 200},
    "two-stream-conv": {"steps": 200},
    "two-stream-3d": {"steps": 150},
    "spatial-backbone": {"steps": 200},
    "temporal-backbone": {"steps": 200},
    "ji-3d": {"steps": 80},
    "c3d": {"steps": 120},
    "r3d-18": {"steps": 160},
    "mc3-18": {"steps": 160},
    "r2plus1d-18": {"steps": 160, "learning_rate": 6e-3},
    "cnn3d-lstm": {"steps": 120, "batch_size": 16, "learning_rate": 2e-3, "gradient_clip": 1.0},
    "lrcn": _TINY_LSTM,
    "lrcn-flow": {"steps": 150, "gradient_clip": 1.0},
    "conv-pooling": {"steps": 100},
    "deep-lstm": _TINY_LSTM,
    "gru-rcn": _TINY_GRU,
    "gru-rcn-stacked": _TINY_GRU,
    "gru-rcn-bidirectional": _TINY_GRU,
}
