"""Grey frames go in, class logits come out: a 3-D network, whose windows an LSTM reads in turn.

References
----------
Baccouche, Mamalet, Wolf, Garcia, Baskurt, Sequential deep learning for human action recognition,
Human Behavior Understanding 2011, sections 3 and 4.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from classicvid.checks import check_choice, check_whole
from cnn.inputs import InputSpec, check_clips
from cnn.models.layers import (
    SIZES,
    Subsampling,
    configure,
    feature_count,
    initialise,
    open_forget_gates,
    to_luminance,
)
from cnn.votes import vote

Extent: TypeAlias = tuple[int, int, int]  # frames, rows, columns


@dataclass(frozen=True)
class BaccoucheConfig:
    """Layers of the 3-D network and the LSTM; the defaults are the published ones for KTH."""

    name: str
    size: str
    classes: int
    input: InputSpec = field(
        default_factory=lambda: InputSpec(frames=25, cache_size=(54, 34), crop=54, crop_width=34)
    )
    widths: tuple[int, int, int] = (7, 35, 5)  # maps of C1, C2 and C3
    groups: int = 7  # of C2: each map of C1 is looked at by five of C2
    kernels: tuple[Extent, Extent, Extent] = ((5, 7, 7), (3, 5, 5), (3, 3, 3))
    subsampling: int = 2  # pixels
    cells: int = 50
    dropout: float = 0.0
    batch_norm: bool = False  # before each rectification

    def __post_init__(self) -> None:
        check_whole("classes", self.classes, low=1)


class BaccoucheNet(nn.Module):
    """Three convolutions in space and time, the absolute value of their responses, and an LSTM.

    The convolutions reach over 9 frames in all. They go over the sequence without padding, so
    that every window of 9 frames gets its features, and no layer is computed twice for two
    windows. In training the network returns the predictions after all windows (B, P, K),
    otherwise the logits (B, K) of their mean probability.

    Notes
    -----
    The authors train the convolutions first, on single windows, with two layers of 50 and 6 units
    that are dropped afterwards; we train all at once, through the LSTM. They cut out the person;
    we take the frame. They print 17,169 parameters for the convolutions with the dropped layers,
    and 120 features a window; ours has the features, and 15,552 parameters, so that one of the
    connections must differ. Their cells see their own state (peepholes), torch's do not.

    Where a layer does not say how it subsamples, we do as LeNet-5: the mean, a coefficient, a
    bias, and the hyperbolic tangent.
    """

    def __init__(self, config: BaccoucheConfig) -> None:
        super().__init__()
        self.config = config
        with torch.device("meta"):
            sketch = _tower(config)
        first = sum(kernel[0] - 1 for kernel in config.kernels) + 1
        if config.input.frames < first:
            message = f"{config.name} needs {first} frames or more, got {config.input.frames}"
            raise ValueError(message)
        shape = (1, first, *config.input.clip_shape[2:])
        features = feature_count(sketch, shape, name=config.name)
        self.tower = _tower(config)
        self.lstm = nn.LSTM(features, config.cells, batch_first=True)
        self.classifier = nn.Sequential(
            nn.Dropout(config.dropout), nn.Linear(config.cells, config.classes)
        )
        initialise(self)
        open_forget_gates(self.lstm)

    def forward(self, clips: Tensor) -> Tensor:
        """Return logits (B, K) of clips (B, C, T, H, W); in training (B, T - 8, K)."""
        check_clips(clips, self.config.input)
        maps = self.tower(to_luminance(clips))  # (B, 5, T - 8, 8, 3)
        features = maps.transpose(1, 2).flatten(2)  # (B, T - 8, 120)
        states, _ = self.lstm(features)  # (B, T - 8, 50)
        predictions = self.classifier(states)  # (B, T - 8, K)
        return predictions if self.training else vote(predictions)


class Rectification(nn.Module):
    """The absolute value, which makes a response of a filter and of its negative the same."""

    def forward(self, maps: Tensor) -> Tensor:
        """Return the absolute values of maps of any shape."""
        return maps.abs()


def cnn3d_lstm(*, classes: int, size: str = "tiny", **changes: Any) -> BaccoucheNet:
    """Build the 3-D network with an LSTM: frames of 54x34 (paper) or 56x56 (tiny).

    Parameters
    ----------
    classes : int
        Classes to tell apart, K.
    size : {"tiny", "paper"}
        The published layers, which are small, or the same topology, wider, on any picture.
    **changes
        Fields of :class:`BaccoucheConfig` to change.
    """
    check_choice("size", size, SIZES)
    config = BaccoucheConfig("cnn3d-lstm", size, classes)
    if size == "tiny":
        config = BaccoucheConfig(
            "cnn3d-lstm",
            size,
            classes,
            input=InputSpec(frames=16, cache_size=(64, 64), crop=56, normalisation="clip"),
            widths=(12, 36, 16),
            groups=12,
            cells=64,
            dropout=0.1,
            batch_norm=True,
        )
    return BaccoucheNet(configure(config, changes))


def _tower(config: BaccoucheConfig) -> nn.Sequential:
    widths, tower = (1, *config.widths), nn.Sequential()
    for i, kernel in enumerate(config.kernels):
        groups = config.groups if i == 1 else 1
        tower.append(nn.Conv3d(widths[i], widths[i + 1], kernel, groups=groups))
        if config.batch_norm:
            tower.append(nn.BatchNorm3d(widths[i + 1]))
        if i < 2:
            tower.append(Rectification())
            tower.append(Subsampling(widths[i + 1], config.subsampling))
    return tower
