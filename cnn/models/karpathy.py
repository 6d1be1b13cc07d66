"""Clips of frames go in, class logits come out: the fusion networks of Karpathy et al. 2014.

One network, which convolves in time as well as in space. The variants differ only in how far
each layer reaches in time: single frame (nowhere), slow fusion (a little in each of three
layers). A temporal extent of 10 in the first layer would be early fusion; two frames 15 apart
with extent 1 throughout meet first in the fully connected layer, which is late fusion.

References
----------
Karpathy, Toderici, Shetty, Leung, Sukthankar, Fei-Fei, Large-scale video classification with
convolutional neural networks, CVPR 2014, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from classicvid.checks import check_choice, check_whole
from cnn.models.layers import (
    SIZES,
    InputSpec,
    check_clips,
    classifier,
    configure,
    convolution_stage,
    feature_count,
    initialise,
    response_norm,
)


@dataclass(frozen=True)
class FusionConfig:
    """Layers of a fusion network; the defaults are the published single-frame network."""

    name: str
    size: str
    classes: int
    input: InputSpec = field(default_factory=InputSpec)
    widths: tuple[int, ...] = (96, 256, 384, 384, 256)  # filters of the five convolutions
    kernels: tuple[int, ...] = (11, 5, 3, 3, 3)  # side in pixels
    strides: tuple[int, ...] = (3, 1, 1, 1, 1)  # pixels
    temporal_extents: tuple[int, ...] = (1, 1, 1, 1, 1)  # frames or responses that a filter sees
    temporal_strides: tuple[int, ...] = (1, 1, 1, 1, 1)
    hidden: tuple[int, ...] = (4096, 4096)  # units of the fully connected layers
    dropout: float = 0.5
    batch_norm: bool = False  # in place of local response normalisation

    def __post_init__(self) -> None:
        check_whole("classes", self.classes, low=1)


class FusionNet(nn.Module):
    """A tower of convolutions over the clip, and a classifier on what it leaves.

    Notes
    -----
    The paper does not print its padding. We take the first convolution without and the others
    with 'same' padding, and pooling that rounds up, which gives the 7x7x256 that the paper
    states for 170x170 (and for 89x89 without the last pooling).
    """

    def __init__(self, config: FusionConfig) -> None:
        super().__init__()
        self.config = config
        with torch.device("meta"):
            sketch = Tower(config)
        features = feature_count(sketch, config.input.clip_shape, name=config.name)
        self.tower = Tower(config)
        self.classifier = classifier(
            features, hidden=config.hidden, classes=config.classes, dropout=config.dropout
        )
        initialise(self)

    def forward(self, clips: Tensor) -> Tensor:
        """Return logits (B, K) of clips (B, C, T, H, W)."""
        check_clips(clips, self.config.input)
        features = self.tower(clips)  # (B, 256, T', 7, 7): T' is 1 once time is fused
        return self.classifier(features.flatten(1))  # (B, 256 * T' * 7 * 7) -> (B, K)


class Tower(nn.Module):
    """C(96,11,3)-N-P-C(256,5,1)-N-P-C(384,3,1)-C(384,3,1)-C(256,3,1)-P in the paper's notation.

    A filter that reaches E frames in time and moves S frames is a convolution of temporal extent
    E and stride S without padding: all temporal columns share their weights.
    """

    def __init__(self, config: FusionConfig) -> None:
        super().__init__()
        widths = (config.input.channels, *config.widths)
        self.stages = nn.Sequential()
        for i, kernel in enumerate(config.kernels):
            convolution = nn.Conv3d(
                widths[i],
                widths[i + 1],
                (config.temporal_extents[i], kernel, kernel),
                stride=(config.temporal_strides[i], config.strides[i], config.strides[i]),
                padding=(0, 0, 0) if i == 0 else (0, kernel // 2, kernel // 2),
            )
            stage = convolution_stage(
                convolution,
                batch_norm=config.batch_norm,
                response=response_norm(beta=0.5) if i in (0, 1) else None,
                pool=nn.MaxPool3d((1, 2, 2), ceil_mode=True) if i in (0, 1, 4) else None,
            )
            self.stages.append(stage)

    def forward(self, clips: Tensor) -> Tensor:
        """Return feature maps (B, width, T', H', W') of clips (B, C, T, H, W)."""
        return self.stages(clips)


def single_frame(*, classes: int, size: str = "tiny", **changes: Any) -> FusionNet:
    """Build the single-frame network: 170x170 (paper), 56x56 (tiny).

    Parameters
    ----------
    classes : int
        Classes to tell apart, K.
    size : {"tiny", "paper"}
        The published layers, or the same topology narrow enough for two CPU cores.
    **changes
        Fields of :class:`FusionConfig` to change.
    """
    return FusionNet(configure(_sized("single-frame", classes, size), changes))


def slow_fusion(*, classes: int, size: str = "tiny", **changes: Any) -> FusionNet:
    """Build the slow-fusion network: 10 frames become 4, 2 and 1 responses in time.

    Parameters are those of :func:`single_frame`.
    """
    config = _sized("slow-fusion", classes, size)
    spec = replace(config.input, frames=10)
    config = replace(
        config, input=spec, temporal_extents=(4, 2, 2, 1, 1), temporal_strides=(2, 2, 2, 1, 1)
    )
    return FusionNet(configure(config, changes))


def _sized(name: str, classes: int, size: str) -> FusionConfig:
    check_choice("size", size, SIZES)
    if size == "paper":
        return FusionConfig(name, size, classes)
    return FusionConfig(
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
