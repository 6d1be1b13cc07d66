"""Clips of sixteen frames go in, class logits come out: C3D, 3x3x3 convolutions throughout.

References
----------
Tran, Bourdev, Fergus, Torresani, Paluri, Learning spatiotemporal features with 3D convolutional
networks, ICCV 2015, figure 3.
"""

from __future__ import annotations

from dataclasses import dataclass, field
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
)


@dataclass(frozen=True)
class C3DConfig:
    """Layers of C3D; the defaults are the published ones."""

    name: str
    size: str
    classes: int
    input: InputSpec = field(
        default_factory=lambda: InputSpec(frames=16, cache_size=(128, 171), crop=112)
    )
    # Filters of conv1a, conv2a, conv3a, conv3b, conv4a, conv4b, conv5a and conv5b.
    widths: tuple[int, ...] = (64, 128, 256, 256, 512, 512, 512, 512)
    pooled: tuple[int, ...] = (0, 1, 3, 5, 7)  # convolutions that a pooling follows
    pool_rounds_up: bool = True  # 7x7 becomes 4x4 in pool5; False: 3x3
    hidden: tuple[int, ...] = (4096, 4096)  # units of fc6 and fc7
    dropout: float = 0.5
    batch_norm: bool = False  # after every convolution

    def __post_init__(self) -> None:
        check_whole("classes", self.classes, low=1)


class C3D(nn.Module):
    """Eight 3x3x3 convolutions, five poolings of which the first leaves time alone, three layers.

    Notes
    -----
    fc6 sees 8192 features in the released Caffe network, whose poolings round up: pool5 makes
    512 maps of 4x4 out of 7x7. Networks that round down have 3x3 maps, 4608 features and
    14.7 million parameters fewer; ``pool_rounds_up=False`` builds them. The paper prints neither.

    The released solver starts from Gaussian weights of deviation 0.01 and biases of 1, and
    subtracts the mean clip of Sports-1M. Ours starts as all networks here do, and subtracts a
    constant.
    """

    def __init__(self, config: C3DConfig) -> None:
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
        features = self.tower(clips)  # (B, 512, 1, 4, 4)
        return self.classifier(features.flatten(1))  # (B, 8192) -> (B, K)


def c3d(*, classes: int, size: str = "tiny", **changes: Any) -> C3D:
    """Build C3D: 16 frames of 112x112 (paper) or 56x56 (tiny).

    Parameters
    ----------
    classes : int
        Classes to tell apart, K.
    size : {"tiny", "paper"}
        The published layers, or the same topology narrow enough for two CPU cores.
    **changes
        Fields of :class:`C3DConfig` to change.
    """
    check_choice("size", size, SIZES)
    config = C3DConfig("c3d", size, classes)
    if size == "tiny":
        config = C3DConfig(
            "c3d",
            size,
            classes,
            input=InputSpec(frames=16, cache_size=(64, 64), crop=56, normalisation="clip"),
            widths=(8, 16, 32, 32, 64, 64, 64, 64),
            hidden=(128, 128),
            dropout=0.2,
            batch_norm=True,
        )
    return C3D(configure(config, changes))


def _tower(config: C3DConfig) -> nn.Sequential:
    widths = (config.input.channels, *config.widths)
    tower = nn.Sequential()
    for i in range(len(config.widths)):
        extent = (1, 2, 2) if i == config.pooled[0] else (2, 2, 2)
        pool = nn.MaxPool3d(extent, ceil_mode=config.pool_rounds_up)
        tower.append(
            convolution_stage(
                nn.Conv3d(widths[i], widths[i + 1], 3, padding=1),
                batch_norm=config.batch_norm,
                pool=pool if i in config.pooled else None,
            )
        )
    return tower
