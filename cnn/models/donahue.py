"""Frames go in, class logits come out: a network for images whose features an LSTM reads in turn.

References
----------
Donahue, Hendricks, Rohrbach, Venugopalan, Guadarrama, Saenko, Darrell, Long-term recurrent
convolutional networks for visual recognition and description, CVPR 2015, section 4.
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
    by_frame,
    configure,
    convolution_stage,
    feature_count,
    initialise,
    open_forget_gates,
    response_norm,
)
from cnn.votes import vote

_MEAN = (128.68, 116.779, 103.939)  # red, green, blue, as in the released code


@dataclass(frozen=True)
class LrcnConfig:
    """Layers of LRCN-fc6; the defaults are those of the released network for RGB frames."""

    name: str
    size: str
    classes: int
    input: InputSpec = field(
        default_factory=lambda: InputSpec(frames=16, cache_size=(240, 320), crop=227, mean=_MEAN)
    )
    widths: tuple[int, ...] = (96, 384, 512, 512, 384)  # filters of the five convolutions
    kernels: tuple[int, ...] = (7, 5, 3, 3, 3)  # side in pixels
    strides: tuple[int, ...] = (2, 2, 1, 1, 1)  # pixels
    paddings: tuple[int, ...] = (0, 0, 1, 1, 1)  # pixels
    groups: tuple[int, ...] = (1, 2, 1, 2, 2)
    units: int = 4096  # of fc6
    cells: int = 256  # of the LSTM
    dropout_fc6: float = 0.9
    dropout: float = 0.5  # after the LSTM
    batch_norm: bool = False  # in place of local response normalisation

    def __post_init__(self) -> None:
        check_whole("classes", self.classes, low=1)


class Lrcn(nn.Module):
    """Convolutions and fc6 on every frame, an LSTM over the frames, a prediction at every step.

    In training the network returns the predictions of all steps (B, T, K), each of which bears
    the label of the clip; otherwise the logits (B, K) of their mean probability.

    Notes
    -----
    Pooling comes before local response normalisation, as in the released network, and rounds up
    as in Caffe. The paper starts from weights trained on ImageNet, ours are random; the biases of
    the LSTM's forget gates start at 1, which lets gradients through from the first step.
    """

    def __init__(self, config: LrcnConfig) -> None:
        super().__init__()
        self.config = config
        spec = config.input
        with torch.device("meta"):
            sketch = _tower(config)
        features = feature_count(sketch, (spec.channels, *spec.clip_shape[2:]), name=config.name)
        self.tower = _tower(config)
        self.fc6 = nn.Sequential(
            nn.Linear(features, config.units),
            nn.ReLU(inplace=True),
            nn.Dropout(config.dropout_fc6),
        )
        self.lstm = nn.LSTM(config.units, config.cells, batch_first=True)
        self.classifier = nn.Sequential(
            nn.Dropout(config.dropout), nn.Linear(config.cells, config.classes)
        )
        initialise(self)
        open_forget_gates(self.lstm)

    def forward(self, clips: Tensor) -> Tensor:
        """Return logits (B, K) of clips (B, C, T, H, W); in training (B, T, K)."""
        check_clips(clips, self.config.input)
        maps = by_frame(self.tower, clips)  # (B, T, 384, 6, 6)
        features = self.fc6(maps.flatten(2))  # (B, T, 4096)
        states, _ = self.lstm(features)  # (B, T, 256)
        predictions = self.classifier(states)  # (B, T, K)
        return predictions if self.training else vote(predictions)


def lrcn(*, classes: int, size: str = "tiny", **changes: Any) -> Lrcn:
    """Build LRCN-fc6: 16 frames of 227x227 (paper) or 56x56 (tiny).

    Parameters
    ----------
    classes : int
        Classes to tell apart, K.
    size : {"tiny", "paper"}
        The published layers, or the same topology narrow enough for two CPU cores.
    **changes
        Fields of :class:`LrcnConfig` to change.
    """
    return Lrcn(configure(_sized("lrcn", classes, size), changes))


def lrcn_flow(*, classes: int, size: str = "tiny", **changes: Any) -> Lrcn:
    """Build LRCN-fc6 on flow fields, with 1024 cells (paper).

    Parameters are those of :func:`lrcn`.

    Notes
    -----
    The paper's images of flow hold the displacements and their length; ours the displacements,
    of which the first convolution can make the length.
    """
    config = _sized("lrcn-flow", classes, size)
    mean = InputSpec().mean  # not subtracted: codes of no motion become 0
    spec = replace(config.input, modality="flow", normalisation="none", mean=mean)
    config = replace(config, input=spec, cells=1024 if size == "paper" else config.cells)
    return Lrcn(configure(config, changes))


def _sized(name: str, classes: int, size: str) -> LrcnConfig:
    check_choice("size", size, SIZES)
    if size == "paper":
        return LrcnConfig(name, size, classes)
    return LrcnConfig(
        name,
        size,
        classes,
        input=InputSpec(frames=16, cache_size=(64, 64), crop=56, normalisation="clip"),
        widths=(16, 32, 32, 32, 32),
        kernels=(7, 5, 3, 3, 3),
        strides=(2, 1, 1, 1, 1),
        paddings=(0, 2, 1, 1, 1),
        groups=(1, 1, 1, 1, 1),
        units=128,
        cells=128,
        dropout_fc6=0.1,
        dropout=0.1,
        batch_norm=True,
    )


def _tower(config: LrcnConfig) -> nn.Sequential:
    widths = (config.input.channels, *config.widths)
    tower = nn.Sequential()
    for i, kernel in enumerate(config.kernels):
        convolution = nn.Conv2d(
            widths[i],
            widths[i + 1],
            kernel,
            stride=config.strides[i],
            padding=config.paddings[i],
            groups=config.groups[i],
        )
        pool = nn.MaxPool2d(3, stride=2, ceil_mode=True) if i in (0, 1, 4) else None
        stage = convolution_stage(convolution, batch_norm=config.batch_norm, pool=pool)
        if i in (0, 1) and not config.batch_norm:
            stage.append(response_norm())
        tower.append(stage)
    return tower
