"""The name of a network and its options go in, a torch module ready to train comes out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch

from classicvid.checks import check_choice
from cnn.models.karpathy import FusionConfig, FusionNet, single_frame, slow_fusion
from cnn.models.layers import SIZES, InputSpec
from cnn.models.two_stream import StreamConfig, StreamNet, spatial_stream, temporal_stream

__all__ = [
    "MODELS",
    "SIZES",
    "FusionConfig",
    "FusionNet",
    "InputSpec",
    "Network",
    "StreamConfig",
    "StreamNet",
    "build_model",
    "input_spec",
]

Network: TypeAlias = FusionNet | StreamNet

MODELS: dict[str, Callable[..., Network]] = {
    "single-frame": single_frame,
    "slow-fusion": slow_fusion,
    "spatial-stream": spatial_stream,
    "temporal-stream": temporal_stream,
}


def build_model(
    name: str, *, classes: int, size: str = "tiny", seed: int = 0, **config: Any
) -> Network:
    """Build a network with random weights.

    Parameters
    ----------
    name : str
        One of :data:`MODELS`.
    classes : int
        Classes to tell apart, K.
    size : {"tiny", "paper"}
        "paper": the layers exactly as published. "tiny": the same topology, narrow, on small
        frames and with batch normalisation; trains on two CPU cores in seconds.
    seed : int
        Where the random weights start; the caller's random state is left alone.
    **config
        Fields of the network's configuration to change, such as ``dropout=0.9``,
        ``widths=(16, 32, 64, 64, 64)`` or ``input={"crop": 48}``.

    Returns
    -------
    Network
        A torch module that takes clips (B, C, T, H, W) float32 as its ``config.input`` (an
        :class:`InputSpec`) says, and returns logits (B, K).

    Raises
    ------
    ValueError
        If the name, the size or an option is unknown, or the input is too small.
    """
    check_choice("the name of a network", name, tuple(MODELS))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return MODELS[name](classes=classes, size=size, **config)


def input_spec(name: str, *, size: str = "tiny") -> InputSpec:
    """Tell what a network wants to be fed, without making its weights.

    Parameters are those of :func:`build_model`.
    """
    check_choice("the name of a network", name, tuple(MODELS))
    with torch.device("meta"):
        return MODELS[name](classes=2, size=size).config.input
