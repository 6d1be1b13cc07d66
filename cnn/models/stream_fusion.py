"""Frames and flow go in, class logits come out: two streams that are fused inside the network.

A spatial tower sees a frame, a temporal tower the stack of flow fields around it; their feature
maps after the last convolution are fused pixel by pixel, and the rest of the network sees what
comes out. Over several chunks of the video, fusion and pooling reach into time.

References
----------
Feichtenhofer, Pinz, Zisserman, Convolutional two-stream network fusion for video action
recognition, CVPR 2016, sections 3.1 to 3.4.
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

OPERATORS = ("sum", "max", "concat", "conv", "conv3d")
IMAGENET_MEAN = (123.68, 116.779, 103.939)  # red, green, blue
_VGG16 = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


@dataclass(frozen=True)
class StreamFusionConfig:
    """Layers of two fused streams; the defaults are two towers of the published CNN-M-2048."""

    name: str
    size: str
    classes: int
    input: InputSpec
    operator: str = "conv"  # how the towers' feature maps are fused, of OPERATORS
    flow_fields: int = 10  # L, stacked for each chunk
    chunks: int = 1  # T, places in the clip that the towers look at
    chunk_step: int = 1  # frames from one chunk to the next
    keep_temporal: bool = False  # a classifier of its own on the temporal tower, averaged in
    base: str = "cnn-m"  # or "vgg-16", whose layers are fixed
    widths: tuple[int, ...] = (96, 256, 512, 512, 512)  # filters of the convolutions of CNN-M
    kernels: tuple[int, ...] = (7, 5, 3, 3, 3)  # side in pixels
    strides: tuple[int, ...] = (2, 2, 1, 1, 1)  # pixels
    paddings: tuple[int, ...] = (0, 1, 1, 1, 1)  # pixels
    hidden: tuple[int, ...] = (4096, 2048)  # units of the fully connected layers
    dropout: float = 0.85
    batch_norm: bool = False  # in place of local response normalisation

    def __post_init__(self) -> None:
        for name in ("classes", "flow_fields", "chunks", "chunk_step"):
            check_whole(name, getattr(self, name), low=1)
        check_choice("operator", self.operator, OPERATORS)
        check_choice("base", self.base, ("cnn-m", "vgg-16"))
        span = self.flow_fields + (self.chunks - 1) * self.chunk_step
        if self.input.modality != "both" or self.input.frames != span:
            message = (
                f"{self.chunks} chunks of {self.flow_fields} fields, {self.chunk_step} frames "
                f"apart, need input of both frames and flow and of {span} frames, "
                f"got {self.input.modality} and {self.input.frames}"
            )
            raise ValueError(message)

    @property
    def fused_width(self) -> int:
        """Channels of the feature maps after fusion."""
        width = _VGG16[-1][-1] if self.base == "vgg-16" else self.widths[-1]
        return 2 * width if self.operator == "concat" else width


class StreamFusionNet(nn.Module):
    """Two towers, fused after the ReLU of their last convolution, and one classifier or two.

    Where the temporal tower keeps a classifier of its own, both are trained, each by its own
    loss: in training mode the network returns the logits of both, (B, 2, K).

    Notes
    -----
    The frame of a chunk is the middle one of its flow fields. The paper draws the distance of the
    chunks anew for every clip, from 1 to 10 frames; here it is fixed. It starts from streams that
    were trained alone and trains the layers from the fusion on; here all start and train together.
    Bilinear fusion, which the paper classifies by a support vector machine, is left out.

    A convolution of 1x1 from 2D to D channels, as the text has it, holds 524,800 weights with D =
    512; table 1 prints 0.27 million more for it than for the sum, as if it were half as large.
    """

    def __init__(self, config: StreamFusionConfig) -> None:
        super().__init__()
        self.config = config
        with torch.device("meta"):
            sketch = nn.Sequential(_tower(config, 3), _pool(config, chunks=None))
        features = feature_count(sketch, (3, *config.input.clip_shape[2:]), name=config.name)
        fused = 2 * features if config.operator == "concat" else features
        self.spatial = _tower(config, 3)
        self.temporal = _tower(config, 2 * config.flow_fields)
        self.fusion = Fusion(config.operator, config.fused_width)
        self.pool = _pool(config, chunks=config.chunks)
        self.classifier = _classifier(config, fused)
        self.temporal_classifier = _classifier(config, features) if config.keep_temporal else None
        initialise(self)
        nn.init.normal_(list(self.classifier.parameters())[-2], std=0.01)  # one head of two
        self.fusion.start_as_identity()

    def forward(self, clips: Tensor) -> Tensor:
        """Return logits (B, K) of clips (B, 5, T, H, W), (B, 2, K) of two heads in training."""
        config = self.config
        check_clips(clips, config.input)
        starts = range(0, config.chunks * config.chunk_step, config.chunk_step)
        length = config.flow_fields
        frames = torch.stack([clips[:, :3, first + length // 2] for first in starts], 1)
        fields = torch.stack([stacked(clips[:, 3:, first : first + length]) for first in starts], 1)
        # (B, chunks, 3 or 20, H, W) -> (B * chunks, ...) -> (B, 512, chunks, H', W')
        spatial = _over_time(self.spatial(frames.flatten(0, 1)), config.chunks)
        temporal = _over_time(self.temporal(fields.flatten(0, 1)), config.chunks)
        fused = self.pool(self.fusion(spatial, temporal))  # (B, 512, 1, 7, 7)
        logits = self.classifier(fused.flatten(1))
        if self.temporal_classifier is None:
            return logits
        kept = self.temporal_classifier(self.pool(temporal).flatten(1))
        heads = torch.stack((logits, kept), 1)  # (B, 2, K)
        return heads if self.training else heads.mean(1)


class Fusion(nn.Module):
    """Fuse the feature maps of two towers, (B, D, T, H, W) each, pixel by pixel.

    Parameters
    ----------
    operator : {"sum", "max", "concat", "conv", "conv3d"}
        Of equal channels: their sum or maximum; all 2D channels; D learned combinations of them,
        of one pixel, or of 3x3x3 pixels and chunks followed by a ReLU.
    width : int
        Channels that come out.
    """

    def __init__(self, operator: str, width: int) -> None:
        super().__init__()
        self.operator = operator
        self.convolution = None
        if operator in ("conv", "conv3d"):
            side = 3 if operator == "conv3d" else 1
            self.convolution = nn.Conv3d(2 * width, width, side, padding=side // 2)

    def forward(self, spatial: Tensor, temporal: Tensor) -> Tensor:
        """Return fused maps (B, width, T, H, W)."""
        if self.operator == "sum":
            return spatial + temporal
        if self.operator == "max":
            return torch.maximum(spatial, temporal)
        both = torch.cat((spatial, temporal), 1)  # (B, 2D, T, H, W)
        if self.convolution is None:
            return both
        fused = self.convolution(both)
        return fused.relu() if self.operator == "conv3d" else fused

    @torch.no_grad()
    def start_as_identity(self) -> None:
        """Let training start from a sum: of each channel of both towers, a little blurred in 3-D.

        Notes
        -----
        The authors' code weights the towers 0.25 (spatial) and 0.75 (temporal) in 3-D, with a
        Gaussian of deviation 1 that sums to 1.
        """
        if self.convolution is None:
            return
        weight = self.convolution.weight  # (D, 2D, 3, 3, 3) or (D, 2D, 1, 1, 1)
        axis = torch.arange(weight.shape[2], device=weight.device) - weight.shape[2] // 2
        bell = torch.exp(-(axis.float() ** 2) / 2.0)
        blur = bell[:, None, None] * bell[:, None] * bell
        shares = (0.25, 0.75) if self.operator == "conv3d" else (1.0, 1.0)
        identity = torch.eye(weight.shape[0], device=weight.device)
        streams = torch.cat([share * identity for share in shares], 1)  # (D, 2D)
        weight.copy_(streams[:, :, None, None, None] * (blur / blur.sum()))


def two_stream_conv(*, classes: int, size: str = "tiny", **changes: Any) -> StreamFusionNet:
    """Build two CNN-M streams fused by a convolution after the last ReLU: one frame, 10 fields.

    Parameters
    ----------
    classes : int
        Classes to tell apart, K.
    size : {"tiny", "paper"}
        The published layers, or the same topology narrow enough for two CPU cores.
    **changes
        Fields of :class:`StreamFusionConfig` to change, such as ``operator="max"``.
    """
    check_choice("size", size, SIZES)
    if size == "paper":
        config = StreamFusionConfig("two-stream-conv", size, classes, input=_paper_input(10))
    else:
        config = StreamFusionConfig(
            "two-stream-conv", size, classes, input=_tiny_input(10), **_TINY
        )
    return StreamFusionNet(configure(config, changes))


def two_stream_3d(*, classes: int, size: str = "tiny", **changes: Any) -> StreamFusionNet:
    """Build the final network of the paper: VGG-16 streams, 3-D convolution and 3-D pooling.

    Parameters are those of :func:`two_stream_conv`.

    Notes
    -----
    The tiny network stands on two narrow CNN-M streams, and looks at 3 chunks in place of 5.
    """
    check_choice("size", size, SIZES)
    values: dict[str, Any] = {"operator": "conv3d", "keep_temporal": True}
    if size == "paper":
        values |= {"input": _paper_input(30), "chunks": 5, "chunk_step": 5}
        values |= {"base": "vgg-16", "hidden": (4096, 4096)}
    else:
        values |= {"input": _tiny_input(18), "chunks": 3, "chunk_step": 4, **_TINY}
    config = StreamFusionConfig("two-stream-3d", size, classes, **values)
    return StreamFusionNet(configure(config, changes))


_TINY: dict[str, Any] = {
    "widths": (16, 32, 64, 64, 64),
    "strides": (2, 1, 1, 1, 1),
    "hidden": (128, 64),
    "dropout": 0.2,
    "batch_norm": True,
}


def _paper_input(frames: int) -> InputSpec:
    return InputSpec(
        "both",
        frames,
        cache_size=(256, 340),
        crop=224,
        normalisation="constant+none",
        mean=IMAGENET_MEAN,
    )


def _tiny_input(frames: int) -> InputSpec:
    return InputSpec("both", frames, cache_size=(64, 64), crop=56, normalisation="clip+none")


def _tower(config: StreamFusionConfig, channels: int) -> nn.Sequential:
    if config.base == "vgg-16":
        return _vgg16(channels)
    return stream_tower(
        channels,
        widths=config.widths,
        kernels=config.kernels,
        strides=config.strides,
        paddings=config.paddings,
        response_norms=(0, 1) if channels == 3 else (0,),
        batch_norm=config.batch_norm,
        last_pool=False,
    )


def _vgg16(channels: int) -> nn.Sequential:
    """Convolutions of VGG-16 (Simonyan and Zisserman 2015, table 1, D), up to ReLU5_3."""
    parts: list[nn.Module] = []
    for block in _VGG16:
        if parts:
            parts.append(nn.MaxPool2d(2))
        for width in block:
            parts += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
            channels = width
    return nn.Sequential(*parts)


def _pool(config: StreamFusionConfig, *, chunks: int | None) -> nn.Module:
    """Pooling of the base network, over all chunks too; without ``chunks``, of one image."""
    side = 2 if config.base == "vgg-16" else 3
    if chunks is None:
        return nn.MaxPool2d(side, stride=2, ceil_mode=True)
    return nn.MaxPool3d((chunks, side, side), stride=(2, 2, 2), ceil_mode=True)


def _classifier(config: StreamFusionConfig, features: int) -> nn.Sequential:
    return classifier(
        features, hidden=config.hidden, classes=config.classes, dropout=config.dropout
    )


def _over_time(maps: Tensor, chunks: int) -> Tensor:
    """Bring the chunks of a clip side by side: (B * chunks, D, H, W) -> (B, D, chunks, H, W)."""
    return maps.unflatten(0, (-1, chunks)).transpose(1, 2)
