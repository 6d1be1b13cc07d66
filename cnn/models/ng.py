"""Frames of a long clip go in, class logits come out: pooling over time, or five layers of LSTM.

References
----------
Ng, Hausknecht, Vijayanarasimhan, Vinyals, Monga, Toderici, Beyond short snippets: deep networks
for video classification, CVPR 2015, sections 3.1 and 3.2.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torchvision.models import googlenet

from classicvid.checks import check_choice, check_whole
from cnn.inputs import InputSpec, check_clips
from cnn.models.layers import (
    SIZES,
    by_frame,
    classifier,
    configure,
    image_tower,
    initialise,
    open_forget_gates,
)
from cnn.votes import vote

_IMAGENET_MEAN = (123.68, 116.779, 103.939)  # red, green, blue
_KERNELS = (5, 3, 3, 3)  # of the small backbone


@dataclass(frozen=True)
class SnippetsConfig:
    """Layers of a network for long clips; the defaults are those of the published LSTM."""

    name: str
    size: str
    classes: int
    input: InputSpec
    backbone: Literal["googlenet", "small"] = "googlenet"
    backbone_widths: tuple[int, ...] = ()  # filters of the small backbone's stages
    backbone_units: int = 0  # of a connected layer before the LSTM; 0: the mean over the picture
    head: Literal["pooling", "lstm"] = "lstm"
    layers: int = 5  # of the LSTM
    cells: int = 512  # of each
    hidden: tuple[int, ...] = ()  # fully connected layers after the pooling
    dropout: float = 0.5

    def __post_init__(self) -> None:
        check_whole("classes", self.classes, low=1)
        check_whole("layers", self.layers, low=1)
        check_choice("backbone", self.backbone, ("googlenet", "small"))
        check_choice("head", self.head, ("pooling", "lstm"))
        if self.backbone == "small" and len(self.backbone_widths) != len(_KERNELS):
            message = (
                f"backbone_widths must be {len(_KERNELS)} numbers of filters, "
                f"got {self.backbone_widths}"
            )
            raise ValueError(message)


class SnippetsNet(nn.Module):
    """A network for images on every frame, and what joins its frames: a maximum, or an LSTM.

    The pooling network takes the largest response over all frames of each filter and place of the
    last convolution. It does not see the order of the frames. The LSTM predicts at every frame;
    predictions count in proportion to the time gone by, from 0 at the first frame to 1 at the
    last. In training it returns them all (B, T, K), otherwise the logits of their mean.

    Notes
    -----
    The paper takes AlexNet or GoogLeNet; the latter, which did better, is torchvision's, with
    batch normalisation. After the pooling come GoogLeNet's own mean over the picture and its
    linear layer. The tiny LSTM reads a connected layer instead, as that on AlexNet does: a mean
    over the picture forgets where things are, and so how they move.

    The paper's networks see one frame a second of Sports-1M, and grow from 1 to 30 to 120 frames
    in training; we build the one with 30, at every 30th frame.
    """

    vote_weights: Tensor

    def __init__(self, config: SnippetsConfig) -> None:
        super().__init__()
        self.config = config
        self.tower, features = _BACKBONES[config.backbone](config)
        if config.head == "lstm":
            self.reduction, features = _reduction(config, features)
            self.lstm = nn.LSTM(
                features,
                config.cells,
                config.layers,
                batch_first=True,
                dropout=config.dropout if config.layers > 1 else 0.0,
            )
            features = config.cells
            weights = torch.linspace(0.0, 1.0, config.input.frames)
            if config.input.frames == 1:
                weights = torch.ones(1)
            self.register_buffer("vote_weights", weights, persistent=False)
        self.classifier = classifier(
            features, hidden=config.hidden, classes=config.classes, dropout=config.dropout
        )
        initialise(self)
        if config.head == "lstm":
            open_forget_gates(self.lstm)

    def forward(self, clips: Tensor) -> Tensor:
        """Return logits (B, K) of clips (B, C, T, H, W); the LSTM in training (B, T, K)."""
        check_clips(clips, self.config.input)
        maps = by_frame(self.tower, clips)  # (B, T, 1024, 7, 7)
        if self.config.head == "pooling":
            features = maps.amax(1).mean((2, 3))  # (B, 1024, 7, 7) -> (B, 1024)
            return self.classifier(features)
        features = self.reduction(maps.flatten(0, 1)).unflatten(0, maps.shape[:2])  # (B, T, 1024)
        states, _ = self.lstm(features)  # (B, T, 512)
        predictions = self.classifier(states)  # (B, T, K)
        return predictions if self.training else vote(predictions, weights=self.vote_weights)


def conv_pooling(*, classes: int, size: str = "tiny", **changes: Any) -> SnippetsNet:
    """Build the network that pools the last convolution over all frames.

    Parameters
    ----------
    classes : int
        Classes to tell apart, K.
    size : {"tiny", "paper"}
        The published layers, or the same topology narrow enough for two CPU cores.
    **changes
        Fields of :class:`SnippetsConfig` to change.
    """
    config = replace(_sized("conv-pooling", classes, size), head="pooling")
    return SnippetsNet(configure(config, changes))


def deep_lstm(*, classes: int, size: str = "tiny", **changes: Any) -> SnippetsNet:
    """Build the network with five layers of LSTM: of 512 cells (paper), of 64 (tiny).

    Parameters are those of :func:`conv_pooling`.
    """
    return SnippetsNet(configure(_sized("deep-lstm", classes, size), changes))


def _sized(name: str, classes: int, size: str) -> SnippetsConfig:
    check_choice("size", size, SIZES)
    if size == "paper":
        spec = InputSpec(
            frames=30, frame_step=30, cache_size=(256, 256), crop=220, mean=_IMAGENET_MEAN
        )
        return SnippetsConfig(name, size, classes, replace(spec, scale=58.0))
    return SnippetsConfig(
        name,
        size,
        classes,
        InputSpec(frames=12, cache_size=(64, 64), crop=56, normalisation="clip"),
        backbone="small",
        backbone_widths=(16, 32, 32, 64),
        backbone_units=128,
        cells=64,
        dropout=0.1,
    )


def _google(_config: SnippetsConfig) -> tuple[nn.Module, int]:
    """Build GoogLeNet up to its last convolutions, and count its features."""
    net = googlenet(weights=None, aux_logits=False, init_weights=False, transform_input=False)
    layers = [layer for name, layer in net.named_children() if name.startswith(_GOOGLE_LAYERS)]
    return nn.Sequential(*layers), 1024


def _small(config: SnippetsConfig) -> tuple[nn.Module, int]:
    """Build the tiny networks' backbone, and count its features."""
    widths = (config.input.channels, *config.backbone_widths)
    return image_tower(widths, _KERNELS), widths[-1]


def _reduction(config: SnippetsConfig, maps: int) -> tuple[nn.Module, int]:
    """Build what makes features of one frame's maps, and count them."""
    if not config.backbone_units:
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), maps
    height, width = config.input.clip_shape[2:]
    for _ in _KERNELS:
        height, width = (height + 1) // 2, (width + 1) // 2
    connected = nn.Linear(maps * height * width, config.backbone_units)
    return nn.Sequential(nn.Flatten(), connected, nn.ReLU(inplace=True)), config.backbone_units


_GOOGLE_LAYERS = ("conv", "maxpool", "inception")
_BACKBONES = {"googlenet": _google, "small": _small}
