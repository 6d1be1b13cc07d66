"""Single frames or stacked flow fields go in, class logits come out: the two streams of 2014.

Both streams are the network CNN-M-2048 of Chatfield et al.; they differ in the channels of the
first layer and in the second normalisation, which the temporal stream leaves out.

References
----------
Simonyan, Zisserman, Two-stream convolutional networks for action recognition in videos, NIPS
2014, sections 3 and 5. Chatfield, Simonyan, Vedaldi, Zisserman, Return of the devil in the
details, BMVC 2014, table 1 (CNN-M-2048).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from classicvid.checks import check_choice, check_whole
from cnn.inputs import InputSpec, check_clips
from cnn.models.layers import (
    SIZES,
    classifier,
    configure,
    feature_count,
    initialise,
    stacked,
    stream_tower,
)

IMAGENET_MEAN = (123.68, 116.779, 103.939)  # red, green, blue


@dataclass(frozen=True)
class StreamConfig:
    """Layers of one stream; the defaults are the published CNN-M-2048 of the spatial stream."""

    name: str
    size: str
    classes: int
    input: InputSpec
    widths: tuple[int, ...] = (96, 256, 512, 512, 512)  # filters of the five convolutions
    kernels: tuple[int, ...] = (7, 5, 3, 3, 3)  # side in pixels
    strides: tuple[int, ...] = (2, 2, 1, 1, 1)  # pixels
    paddings: tuple[int, ...] = (0, 1, 1, 1, 1)  # pixels
    response_norms: tuple[int, ...] = (0, 1)  # stages with local response normalisation
    hidden: tuple[int, ...] = (4096, 2048)  # units of full6 and full7
    dropout: float = 0.5
    batch_norm: bool = False  # in every stage, in place of local response normalisation

    def __post_init__(self) -> None:
        check_whole("classes", self.classes, low=1)


class StreamNet(nn.Module):
    """CNN-M-2048 on the frames or flow fields of a clip, stacked as channels.

    Notes
    -----
    Pooling is 3x3 with stride 2 as the text says (the figure prints 2x2), and rounds up as in
    Caffe, in which the networks were trained.
    """

    def __init__(self, config: StreamConfig) -> None:
        super().__init__()
        self.config = config
        spec = config.input
        with torch.device("meta"):
            sketch = _tower(config)
        shape = (spec.channels * spec.frames, *spec.clip_shape[2:])
        features = feature_count(sketch, shape, name=config.name)
        self.tower = _tower(config)
        self.classifier = classifier(
            features, hidden=config.hidden, classes=config.classes, dropout=config.dropout
        )
        initialise(self)

    def forward(self, clips: Tensor) -> Tensor:
        """Return logits (B, K) of clips (B, C, T, H, W)."""
        check_clips(clips, self.config.input)
        features = self.tower(stacked(clips))  # (B, T * C, H, W) -> (B, 512, 6, 6)
        return self.classifier(features.flatten(1))  # (B, 512 * 6 * 6) -> (B, K)


def spatial_stream(*, classes: int, size: str = "tiny", **changes: Any) -> StreamNet:
    """Build the spatial stream: one frame, 224x224 (paper) or 56x56 (tiny).

    Parameters
    ----------
    classes : int
        Classes to tell apart, K.
    size : {"tiny", "paper"}
        The published layers, or the same topology narrow enough for two CPU cores.
    **changes
        Fields of :class:`StreamConfig` to change.
    """
    check_choice("size", size, SIZES)
    if size == "paper":
        spec = InputSpec(cache_size=(256, 340), crop=224, mean=IMAGENET_MEAN)
        config = StreamConfig("spatial-stream", size, classes, input=spec)
    else:
        spec = InputSpec(cache_size=(64, 64), crop=56, normalisation="clip")
        config = StreamConfig("spatial-stream", size, classes, input=spec, **_TINY)
    return StreamNet(configure(config, changes))


def temporal_stream(*, classes: int, size: str = "tiny", **changes: Any) -> StreamNet:
    """Build the temporal stream: L = 10 flow fields as 20 channels.

    Parameters are those of :func:`spatial_stream`.

    Notes
    -----
    The published network subtracts the mean vector of each field, which compensates a moving
    camera. The tiny one does not: where the class is the translation of the whole picture,
    nothing would be left of it (``input={"normalisation": "field"}`` turns it on).
    """
    return _temporal("temporal-stream", "fields", classes, size, changes)


def trajectory_stream(*, classes: int, size: str = "tiny", **changes: Any) -> StreamNet:
    """Build the temporal stream on flow that is read along the trajectories of the pixels.

    Parameters are those of :func:`spatial_stream`, notes those of :func:`temporal_stream`.
    """
    return _temporal("temporal-stream-trajectories", "trajectories", classes, size, changes)


def bidirectional_stream(*, classes: int, size: str = "tiny", **changes: Any) -> StreamNet:
    """Build the temporal stream on 5 fields forwards and 5 backwards from the middle frame.

    Parameters are those of :func:`spatial_stream`, notes those of :func:`temporal_stream`.
    """
    return _temporal("temporal-stream-bidirectional", "both-ways", classes, size, changes)


def _temporal(
    name: str, stacking: Any, classes: int, size: str, changes: dict[str, Any]
) -> StreamNet:
    check_choice("size", size, SIZES)
    if size == "paper":
        spec = InputSpec(
            "flow",
            10,
            cache_size=(256, 340),
            crop=224,
            normalisation="field",
            stacking=stacking,
        )
        config = StreamConfig(name, size, classes, input=spec, response_norms=(0,), dropout=0.9)
    else:
        spec = InputSpec(
            "flow", 10, cache_size=(64, 64), crop=56, normalisation="none", stacking=stacking
        )
        config = StreamConfig(name, size, classes, input=spec, **_TINY)
    return StreamNet(configure(config, changes))


_TINY: dict[str, Any] = {
    "widths": (16, 32, 64, 64, 64),
    "strides": (2, 1, 1, 1, 1),
    "hidden": (128, 64),
    "dropout": 0.2,
    "batch_norm": True,
}


def _tower(config: StreamConfig) -> nn.Sequential:
    return stream_tower(
        config.input.channels * config.input.frames,
        widths=config.widths,
        kernels=config.kernels,
        strides=config.strides,
        paddings=config.paddings,
        response_norms=config.response_norms,
        batch_norm=config.batch_norm,
    )
