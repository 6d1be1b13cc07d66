"""The name of a network and its options go in, a torch module ready to train comes out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch

from classicvid.checks import check_choice
from cnn.inputs import InputSpec
from cnn.models.baccouche import BaccoucheConfig, BaccoucheNet, cnn3d_lstm
from cnn.models.backbones import (
    BackboneConfig,
    BackboneNet,
    spatial_backbone,
    temporal_backbone,
)
from cnn.models.ballas import (
    GruRcn,
    GruRcnConfig,
    gru_rcn,
    gru_rcn_bidirectional,
    gru_rcn_stacked,
)
from cnn.models.donahue import Lrcn, LrcnConfig, lrcn, lrcn_flow
from cnn.models.ji import JiConfig, JiNet, ji_3d
from cnn.models.karpathy import (
    FusionConfig,
    FusionNet,
    context_only,
    early_fusion,
    fovea_only,
    late_fusion,
    multires,
    single_frame,
    slow_fusion,
)
from cnn.models.krizhevsky import AlexNet, AlexNetConfig, alexnet, alexnet_video
from cnn.models.layers import SIZES
from cnn.models.ng import SnippetsConfig, SnippetsNet, conv_pooling, deep_lstm
from cnn.models.resnet3d import ResNet3d, ResNet3dConfig, mc3_18, r2plus1d_18, r3d_18
from cnn.models.stream_fusion import (
    StreamFusionConfig,
    StreamFusionNet,
    two_stream_3d,
    two_stream_conv,
)
from cnn.models.tran import C3D, C3DConfig, c3d
from cnn.models.two_stream import (
    StreamConfig,
    StreamNet,
    bidirectional_stream,
    spatial_stream,
    temporal_stream,
    trajectory_stream,
)

__all__ = [
    "C3D",
    "MODELS",
    "SIZES",
    "AlexNet",
    "AlexNetConfig",
    "BaccoucheConfig",
    "BaccoucheNet",
    "BackboneConfig",
    "BackboneNet",
    "C3DConfig",
    "FusionConfig",
    "FusionNet",
    "GruRcn",
    "GruRcnConfig",
    "InputSpec",
    "JiConfig",
    "JiNet",
    "Lrcn",
    "LrcnConfig",
    "Network",
    "ResNet3d",
    "ResNet3dConfig",
    "SnippetsConfig",
    "SnippetsNet",
    "StreamConfig",
    "StreamFusionConfig",
    "StreamFusionNet",
    "StreamNet",
    "build_model",
    "input_spec",
]

Network: TypeAlias = (
    AlexNet
    | FusionNet
    | StreamNet
    | StreamFusionNet
    | BackboneNet
    | JiNet
    | C3D
    | ResNet3d
    | BaccoucheNet
    | Lrcn
    | SnippetsNet
    | GruRcn
)

MODELS: dict[str, Callable[..., Network]] = {
    "alexnet": alexnet,
    "alexnet-video": alexnet_video,
    "single-frame": single_frame,
    "multires": multires,
    "fovea-only": fovea_only,
    "context-only": context_only,
    "early-fusion": early_fusion,
    "late-fusion": late_fusion,
    "slow-fusion": slow_fusion,
    "spatial-stream": spatial_stream,
    "temporal-stream": temporal_stream,
    "temporal-stream-trajectories": trajectory_stream,
    "temporal-stream-bidirectional": bidirectional_stream,
    "two-stream-conv": two_stream_conv,
    "two-stream-3d": two_stream_3d,
    "spatial-backbone": spatial_backbone,
    "temporal-backbone": temporal_backbone,
    "ji-3d": ji_3d,
    "c3d": c3d,
    "r3d-18": r3d_18,
    "mc3-18": mc3_18,
    "r2plus1d-18": r2plus1d_18,
    "cnn3d-lstm": cnn3d_lstm,
    "lrcn": lrcn,
    "lrcn-flow": lrcn_flow,
    "conv-pooling": conv_pooling,
    "deep-lstm": deep_lstm,
    "gru-rcn": gru_rcn,
    "gru-rcn-stacked": gru_rcn_stacked,
    "gru-rcn-bidirectional": gru_rcn_bidirectional,
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
        :class:`InputSpec`) says, and returns logits (B, K); in training mode one row a
        prediction, (B, P, K), where the network makes several of a clip.

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
