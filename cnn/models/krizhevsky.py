"""Frames or chunks of video go in, class logits come out: AlexNet, and its extension in time.

References
----------
Krizhevsky, Sutskever, Hinton, ImageNet classification with deep convolutional neural networks,
NIPS 2012, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from classicvid.checks import check_choice, check_whole
from cnn.inputs import InputSpec, check_clips
from cnn.models.layers import (
    SIZES,
    classifier,
    configure,
    convolution_stage,
    feature_count,
    initialise,
    response_norm,
)

IMAGENET_MEAN = (123.68, 116.779, 103.939)  # red, green, blue


@dataclass(frozen=True)
class AlexNetConfig:
    """Layers of AlexNet; the defaults are the published ones."""

    name: str
    size: str
    classes: int
    input: InputSpec = field(
        default_factory=lambda: InputSpec(cache_size=(256, 256), crop=227, mean=IMAGENET_MEAN)
    )
    widths: tuple[int, ...] = (96, 256, 384, 384, 256)  # filters of the five convolutions
    kernels: tuple[int, ...] = (11, 5, 3, 3, 3)  # side in pixels
    strides: tuple[int, ...] = (4, 1, 1, 1, 1)  # pixels
    paddings: tuple[int, ...] = (0, 2, 1, 1, 1)  # pixels
    groups: tuple[int, ...] = (1, 2, 1, 2, 2)  # the two halves that lay on two GPUs
    temporal_extent: int = 1  # frames that a filter of the first convolution sees
    temporal_stride: int = 1  # frames from one of its responses to the next
    hidden: tuple[int, ...] = (4096, 4096)  # units of the fully connected layers
    dropout: float = 0.5
    batch_norm: bool = False  # in place of local response normalisation

    def __post_init__(self) -> None:
        check_whole("classes", self.classes, low=1)
        check_whole("temporal_stride", self.temporal_stride, low=1)
        check_whole("temporal_extent", self.temporal_extent, low=1, high=self.input.frames)


class AlexNet(nn.Module):
    """Five convolutions, the first of which may reach into time, and three connected layers.

    Notes
    -----
    The lecture extends the filters of the first convolution only: 11x11 becomes 11x11xT. With
    T = 15, the length of the chunk, one response remains and the rest is AlexNet. With a smaller
    T several remain; the other convolutions look at each with the same weights, and the first
    fully connected layer joins them. The lecture does not say what follows.
    """

    def __init__(self, config: AlexNetConfig) -> None:
        super().__init__()
        self.config = config
        with torch.device("meta"):
            sketch = _tower(config)
        features = feature_count(sketch, config.input.clip_shape, name=config.name)
        self.tower = _tower(config)
        self.classifier = classifier(
            features, hidden=config.hidden, classes=config.classes, dropout=config.dropout
        )
        initialise(self)

    def forward(self, clips: Tensor) -> Tensor:
        """Return logits (B, K) of clips (B, C, T, H, W)."""
        check_clips(clips, self.config.input)
        features = self.tower(clips)  # (B, 256, T', 6, 6)
        return self.classifier(features.flatten(1))  # (B, 256 * T' * 36) -> (B, K)


def alexnet(*, classes: int, size: str = "tiny", **changes: Any) -> AlexNet:
    """Build AlexNet on one frame: 227x227 (paper), 56x56 (tiny).

    Parameters
    ----------
    classes : int
        Classes to tell apart, K.
    size : {"tiny", "paper"}
        The published layers, or the same topology narrow enough for two CPU cores.
    **changes
        Fields of :class:`AlexNetConfig` to change.
    """
    return AlexNet(configure(_sized("alexnet", classes, size), changes))


def alexnet_video(*, classes: int, size: str = "tiny", **changes: Any) -> AlexNet:
    """Build AlexNet on a chunk of 15 frames, whose first filters reach over T = 15 of them.

    Parameters are those of :func:`alexnet`; ``temporal_extent`` is T, which the lecture lets run
    from 2 to 15.
    """
    config = _sized("alexnet-video", classes, size)
    spec = replace(config.input, frames=15)
    return AlexNet(configure(replace(config, input=spec, temporal_extent=15), changes))


def _sized(name: str, classes: int, size: str) -> AlexNetConfig:
    check_choice("size", size, SIZES)
    if size == "paper":
        return AlexNetConfig(name, size, classes)
    return AlexNetConfig(
        name,
        size,
        classes,
        input=InputSpec(cache_size=(64, 64), crop=56, normalisation="clip"),
        widths=(16, 32, 64, 64, 64),
        kernels=(7, 5, 3, 3, 3),
        strides=(2, 1, 1, 1, 1),
        hidden=(128, 128),
        dropout=0.2,
        batch_norm=True,
    )


def _tower(config: AlexNetConfig) -> nn.Sequential:
    widths = (config.input.channels, *config.widths)
    tower = nn.Sequential()
    for i, (kernel, stride, pad) in enumerate(
        zip(config.kernels, config.strides, config.paddings, strict=True)
    ):
        first = i == 0
        convolution = nn.Conv3d(
            widths[i],
            widths[i + 1],
            (config.temporal_extent if first else 1, kernel, kernel),
            stride=(config.temporal_stride if first else 1, stride, stride),
            padding=(0, pad, pad),
            groups=config.groups[i],
        )
        stage = convolution_stage(
            convolution,
            batch_norm=config.batch_norm,
            response=response_norm() if i in (0, 1) else None,
            pool=nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2)) if i in (0, 1, 4) else None,
        )
        tower.append(stage)
    return tower
