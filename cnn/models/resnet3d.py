"""Clips go in, class logits come out: residual networks of 18 layers in space and time.

R3D convolves in time everywhere, MC3 in the first of four stages only, and R(2+1)D in all, but
apart from space. The blocks are torchvision's, under torchvision's names: its weights fit.

References
----------
Tran, Wang, Torresani, Ray, LeCun, Paluri, A closer look at spatiotemporal convolutions for action
recognition, CVPR 2018, sections 3 and 4.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torchvision.models.video.resnet import (
    BasicBlock,
    Conv2Plus1D,
    Conv3DNoTemporal,
    Conv3DSimple,
)

from classicvid.checks import check_choice, check_whole
from cnn.inputs import InputSpec, check_clips
from cnn.models.layers import SIZES, configure, feature_count

CONVOLUTIONS = {"3d": Conv3DSimple, "2d": Conv3DNoTemporal, "2+1d": Conv2Plus1D}

# Kinetics' mean colour, and the mean of its three deviations: grey levels.
KINETICS_MEAN, KINETICS_DEVIATION = (110.201, 100.640, 95.997), 56.651


@dataclass(frozen=True)
class ResNet3dConfig:
    """Layers of a residual network; the defaults are the published R3D-18."""

    name: str
    size: str
    classes: int
    input: InputSpec
    convolution: Literal["3d", "2+1d"] = "3d"  # of the stem, and of the stages in time
    temporal_stages: int = 4  # the first stages, which convolve in time
    stem: tuple[int, int] = (45, 64)  # filters in space (2+1d only), filters in all
    widths: tuple[int, int, int, int] = (64, 128, 256, 512)  # filters of the four stages
    blocks: tuple[int, int, int, int] = (2, 2, 2, 2)  # of two convolutions each
    dropout: float = 0.0  # before the last layer

    def __post_init__(self) -> None:
        check_whole("classes", self.classes, low=1)
        check_choice("convolution", self.convolution, ("3d", "2+1d"))
        check_whole("temporal_stages", self.temporal_stages, low=0, high=4)


class ResNet3d(nn.Module):
    """A stem, four stages of residual blocks, the mean over space and time, one linear layer.

    Notes
    -----
    As in torchvision, both convolutions of an R(2+1)D block have as many filters in space as keep
    the parameters of the block's first 3x3x3 convolution; the authors' own code counts them for
    each convolution. Batch normalisation has torch's epsilon of 1e-5 in place of 1e-3.

    torchvision divides each colour by its own deviation; we divide all by their mean, which
    differs by less than 3 %.
    """

    def __init__(self, config: ResNet3dConfig) -> None:
        super().__init__()
        self.config = config
        with torch.device("meta"):
            feature_count(_stem(config), config.input.clip_shape, name=config.name)
        self.stem = _stem(config)
        stages = _stages(config)
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.dropout = nn.Dropout(config.dropout)
        self.fc = nn.Linear(config.widths[-1], config.classes)
        self._initialise()

    def forward(self, clips: Tensor) -> Tensor:
        """Return logits (B, K) of clips (B, C, T, H, W)."""
        check_clips(clips, self.config.input)
        maps = self.stem(clips)  # (B, 64, T, H / 2, W / 2)
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            maps = stage(maps)
        features = maps.mean((2, 3, 4))  # (B, 512, T / 8, H / 16, W / 16) -> (B, 512)
        return self.fc(self.dropout(features))

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        nn.init.normal_(self.fc.weight, std=0.01)
        nn.init.zeros_(self.fc.bias)


def r3d_18(*, classes: int, size: str = "tiny", **changes: Any) -> ResNet3d:
    """Build R3D-18, 3x3x3 convolutions throughout: 16 frames of 112x112 (paper), 56x56 (tiny).

    Parameters
    ----------
    classes : int
        Classes to tell apart, K.
    size : {"tiny", "paper"}
        The published layers, or the same topology narrow enough for two CPU cores.
    **changes
        Fields of :class:`ResNet3dConfig` to change.
    """
    return ResNet3d(configure(_sized("r3d-18", classes, size), changes))


def mc3_18(*, classes: int, size: str = "tiny", **changes: Any) -> ResNet3d:
    """Build MC3-18, which convolves in time in the stem and the first stage only.

    Parameters are those of :func:`r3d_18`.
    """
    config = replace(_sized("mc3-18", classes, size), temporal_stages=1)
    return ResNet3d(configure(config, changes))


def r2plus1d_18(*, classes: int, size: str = "tiny", **changes: Any) -> ResNet3d:
    """Build R(2+1)D-18: convolutions in space, then in time, with a ReLU between.

    Parameters are those of :func:`r3d_18`.
    """
    config = replace(_sized("r2plus1d-18", classes, size), convolution="2+1d")
    return ResNet3d(configure(config, changes))


def _sized(name: str, classes: int, size: str) -> ResNet3dConfig:
    check_choice("size", size, SIZES)
    if size == "paper":
        spec = InputSpec(
            frames=16,
            cache_size=(128, 171),
            crop=112,
            mean=KINETICS_MEAN,
            scale=KINETICS_DEVIATION,
        )
        return ResNet3dConfig(name, size, classes, spec)
    spec = InputSpec(frames=12, cache_size=(64, 64), crop=56, normalisation="clip")
    return ResNet3dConfig(name, size, classes, spec, stem=(12, 8), widths=(8, 16, 32, 64))


def _stem(config: ResNet3dConfig) -> nn.Sequential:
    channels, (middle, width) = config.input.channels, config.stem
    if config.convolution == "3d":
        convolutions = [_stem_convolution(channels, width, (3, 7, 7))]
    else:
        convolutions = [
            _stem_convolution(channels, middle, (1, 7, 7)),
            _stem_convolution(middle, width, (3, 1, 1)),
        ]
    stem = nn.Sequential()
    for convolution in convolutions:
        stem.extend([convolution, nn.BatchNorm3d(convolution.out_channels), nn.ReLU(inplace=True)])
    return stem


def _stem_convolution(channels: int, width: int, kernel: tuple[int, int, int]) -> nn.Conv3d:
    return nn.Conv3d(
        channels,
        width,
        kernel,
        stride=(1, 2, 2) if kernel[1] > 1 else 1,
        padding=(kernel[0] // 2, kernel[1] // 2, kernel[2] // 2),
        bias=False,
    )


def _stages(config: ResNet3dConfig) -> list[nn.Sequential]:
    stages, channels = [], config.stem[1]
    for number, (width, blocks) in enumerate(zip(config.widths, config.blocks, strict=True)):
        kind = config.convolution if number < config.temporal_stages else "2d"
        builder, stride = CONVOLUTIONS[kind], 2 if number else 1
        shortcut = None
        if stride != 1 or channels != width:
            shortcut = nn.Sequential(
                nn.Conv3d(channels, width, 1, builder.get_downsample_stride(stride), bias=False),
                nn.BatchNorm3d(width),
            )
        stage = nn.Sequential(BasicBlock(channels, width, builder, stride, shortcut))
        stage.extend(BasicBlock(width, width, builder) for _ in range(blocks - 1))
        stages.append(stage)
        channels = width
    return stages
