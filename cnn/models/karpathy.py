"""Clips of frames go in, class logits come out: the fusion networks of Karpathy et al. 2014.

One network, which convolves in time as well as in space. The variants differ only in how far
each layer reaches in time, and in what part of the picture is looked at:

- single frame: nowhere;
- early fusion: over all 10 frames in the first layer;
- slow fusion: over a little in each of three layers;
- late fusion: nowhere, on two frames 15 apart, which first meet in a fully connected layer;
- multiresolution: the centre of the frame (fovea) and the whole of it at half the size (context),
  by a tower of convolutions each.

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

VIEWS = ("frame", "fovea", "context")


@dataclass(frozen=True)
class FusionConfig:
    """Layers of a fusion network; the defaults are the published single-frame network."""

    name: str
    size: str
    classes: int
    input: InputSpec = field(default_factory=InputSpec)
    views: tuple[str, ...] = ("frame",)  # what each tower looks at, of VIEWS
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
        for view in self.views:
            check_choice("a view", view, VIEWS)
        if not self.views or len(set(self.views)) < len(self.views):
            message = f"views must be one or more of {', '.join(VIEWS)}, each once, got none"
            if self.views:
                message = message.replace("none", ", ".join(self.views))
            raise ValueError(message)


class FusionNet(nn.Module):
    """A tower of convolutions over each view of the clip, and a classifier on what they leave.

    Notes
    -----
    The paper does not print its padding. We take the first convolution without and the others
    with 'same' padding, and pooling that rounds up, which gives the 7x7x256 that the paper
    states for 170x170, and for 89x89 without the last pooling.

    It does not say either whether fovea and context share weights; ours do not, since they see
    things at two scales. The frames of late fusion do: one tower goes over both, with filters
    that reach over one frame. Halving the frame for the context is an average over 2x2 pixels.
    """

    def __init__(self, config: FusionConfig) -> None:
        super().__init__()
        self.config = config
        with torch.device("meta"):
            sketch = nn.ModuleDict({view: Tower(config) for view in config.views})
        channels, frames, *sides = config.input.clip_shape
        features = 0
        for view, tower in sketch.items():
            seen = sides if view == "frame" else [side // 2 for side in sides]
            features += feature_count(tower, (channels, frames, *seen), name=config.name)
        self.towers = nn.ModuleDict({view: Tower(config) for view in config.views})
        self.classifier = classifier(
            features, hidden=config.hidden, classes=config.classes, dropout=config.dropout
        )
        initialise(self)

    def forward(self, clips: Tensor) -> Tensor:
        """Return logits (B, K) of clips (B, C, T, H, W)."""
        check_clips(clips, self.config.input)
        # (B, 256, T', 7, 7) a view: T' is 1 once time is fused, 2 in late fusion
        maps = [tower(look(clips, view)) for view, tower in self.towers.items()]
        features = torch.cat([part.flatten(1) for part in maps], 1)  # (B, views * 256 * T' * 49)
        return self.classifier(features)  # (B, K)


class Tower(nn.Module):
    """C(96,11,3)-N-P-C(256,5,1)-N-P-C(384,3,1)-C(384,3,1)-C(256,3,1)-P in the paper's notation.

    A filter that reaches E frames in time and moves S frames is a convolution of temporal extent
    E and stride S without padding: all temporal columns share their weights. Fovea and context,
    which are half as wide, leave out the last pooling.
    """

    def __init__(self, config: FusionConfig) -> None:
        super().__init__()
        widths = (config.input.channels, *config.widths)
        pooled = (0, 1, 4) if config.views == ("frame",) else (0, 1)
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
                pool=nn.MaxPool3d((1, 2, 2), ceil_mode=True) if i in pooled else None,
            )
            self.stages.append(stage)

    def forward(self, clips: Tensor) -> Tensor:
        """Return feature maps (B, width, T', H', W') of clips (B, C, T, H, W)."""
        return self.stages(clips)


def look(clips: Tensor, view: str) -> Tensor:
    """Return what a view shows of clips (B, C, T, H, W): all, or (B, C, T, H // 2, W // 2)."""
    if view == "context":
        return nn.functional.avg_pool3d(clips, (1, 2, 2))
    if view == "fovea":
        height, width = clips.shape[-2] // 2, clips.shape[-1] // 2
        top, left = (clips.shape[-2] - height) // 2, (clips.shape[-1] - width) // 2
        return clips[..., top : top + height, left : left + width]
    return clips


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


def early_fusion(*, classes: int, size: str = "tiny", **changes: Any) -> FusionNet:
    """Build the early-fusion network: filters of the first layer reach over all 10 frames.

    Parameters are those of :func:`single_frame`.
    """
    config = _sized("early-fusion", classes, size)
    spec = replace(config.input, frames=10)
    return FusionNet(
        configure(replace(config, input=spec, temporal_extents=(10, 1, 1, 1, 1)), changes)
    )


def late_fusion(*, classes: int, size: str = "tiny", **changes: Any) -> FusionNet:
    """Build the late-fusion network: one tower on two frames 15 apart, joined by the classifier.

    Parameters are those of :func:`single_frame`.

    Notes
    -----
    The two frames meet only after the last pooling, by fully connected layers. On our moving
    textures, where early and slow fusion find all 7 classes, the tiny network gets a third of the
    videos right with frames 15 apart, and fewer with frames 1, 2 or 4 apart.
    """
    config = _sized("late-fusion", classes, size)
    spec = replace(config.input, frames=2, frame_step=15)
    return FusionNet(configure(replace(config, input=spec), changes))


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


def multires(*, classes: int, size: str = "tiny", **changes: Any) -> FusionNet:
    """Build the single-frame network of two resolutions: fovea and context of 89x89 each.

    Parameters are those of :func:`single_frame`.

    Notes
    -----
    Two halves of 89 make the 178x178 that the paper states for this network; its crop of 170x170
    does not fit.
    """
    return _halved("multires", ("fovea", "context"), classes, size, changes)


def fovea_only(*, classes: int, size: str = "tiny", **changes: Any) -> FusionNet:
    """Build the network that sees the centre of the frame alone.

    Parameters are those of :func:`single_frame`.
    """
    return _halved("fovea-only", ("fovea",), classes, size, changes)


def context_only(*, classes: int, size: str = "tiny", **changes: Any) -> FusionNet:
    """Build the network that sees the frame at half its size alone.

    Parameters are those of :func:`single_frame`.
    """
    return _halved("context-only", ("context",), classes, size, changes)


def _halved(
    name: str, views: tuple[str, ...], classes: int, size: str, changes: dict[str, Any]
) -> FusionNet:
    config = replace(_sized(name, classes, size), views=views)
    if size == "paper":
        config = replace(config, input=replace(config.input, crop=178))
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
