"""Parts shared by the networks: what a network wants to be fed, and its recurring layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor, nn

from classicvid.checks import check_choice, check_number, check_whole

Config = TypeVar("Config")

SIZES = ("tiny", "paper")

_STACKINGS = ("fields", "trajectories", "both-ways")
_NORMALISATIONS = {
    "rgb": ("constant", "clip"),
    "flow": ("field", "none"),
    "both": ("constant+field", "constant+none", "clip+field", "clip+none"),
}


@dataclass(frozen=True)
class InputSpec:
    """What a network wants to be fed, so that a pipeline knows what to cache.

    Parameters
    ----------
    modality : {"rgb", "flow", "both"}
        Frames, optical flow fields between neighbouring frames, or frames with the field from each
        to the next beside them, in five channels.
    frames : int
        Frames of a clip (flow: fields).
    frame_step : int
        Distance between two frames of a clip, in frames of the video.
    cache_size : tuple of int
        (height, width) in pixels to which every video is resized once, before training.
    crop : int
        Side in pixels of the square cut from a cached frame.
    normalisation : {"constant", "clip", "field", "none", "constant+field", ...}
        Frames: subtract ``mean`` ("constant"), or the mean of the clip, then divide by its
        standard deviation ("clip": brightness and contrast of a video carry no meaning, hue
        stays). Flow: subtract from each field its mean vector ("field", which removes the
        camera's translation), or leave the displacements as they are ("none"). Both: one of the
        frames', a plus sign, one of the flow's.
    mean : tuple of float
        Grey level(s) from 0 to 255 to subtract, one for all channels or one a channel.
    scale : float
        What to divide by: grey levels, or pixels per frame step for flow.
    stacking : {"fields", "trajectories", "both-ways"}
        Flow: each field at the pixel itself; each field where the fields before it have carried
        the pixel; or half of the fields forwards from the middle frame of the clip and half of
        them backwards (Simonyan and Zisserman 2014, section 3.1).
    """

    modality: Literal["rgb", "flow", "both"] = "rgb"
    frames: int = 1
    frame_step: int = 1
    cache_size: tuple[int, int] = (200, 200)
    crop: int = 170
    normalisation: str = "constant"
    mean: tuple[float, ...] = (117.0,)
    scale: float = 1.0
    stacking: Literal["fields", "trajectories", "both-ways"] = "fields"

    def __post_init__(self) -> None:
        check_choice("modality", self.modality, tuple(_NORMALISATIONS))
        for name in ("frames", "frame_step", "crop"):
            check_whole(name, getattr(self, name), low=1)
        check_whole("crop", self.crop, low=1, high=min(self.cache_size))
        kinds = _NORMALISATIONS[self.modality]
        check_choice(f"normalisation of {self.modality}", self.normalisation, kinds)
        check_number("scale", self.scale, low=0.0, exclusive=True)
        if len(self.mean) not in (1, 3):
            message = f"mean must hold 1 or 3 grey levels, got {len(self.mean)}"
            raise ValueError(message)
        stackings = _STACKINGS if self.modality == "flow" else _STACKINGS[:1]
        check_choice(f"stacking of {self.modality}", self.stacking, stackings)
        if self.stacking == "both-ways" and self.frames % 2:
            message = f"frames must be even to be stacked both ways, got {self.frames}"
            raise ValueError(message)

    @property
    def channels(self) -> int:
        """Channels of one frame (3), of one flow field (2), or of both (5)."""
        return {"rgb": 3, "flow": 2, "both": 5}[self.modality]

    @property
    def arrays(self) -> tuple[str, ...]:
        """What has to be cached of each video: "rgb", "flow", "backward" (flow, to the past)."""
        if self.modality == "both":
            return "rgb", "flow"
        return ("flow", "backward") if self.stacking == "both-ways" else (self.modality,)

    @property
    def span(self) -> int:
        """Frames of the video from the first to the last frame of a clip, both counted."""
        return (self.frames - 1) * self.frame_step + 1

    @property
    def clip_shape(self) -> tuple[int, int, int, int]:
        """(C, T, H, W) of one clip."""
        return self.channels, self.frames, self.crop, self.crop


def configure(default: Config, changes: Mapping[str, Any]) -> Config:
    """Return a configuration with some fields changed, as read from Python, YAML or JSON.

    A mapping changes fields of a nested configuration, and lists become tuples.

    Raises
    ------
    ValueError
        If a field does not exist.
    """
    known = [field.name for field in fields(default)]  # type: ignore[arg-type]
    for name in changes:
        if name not in known:
            message = f"unknown option {name!r}, choose from {', '.join(known)}"
            raise ValueError(message)
    values: dict[str, Any] = {}
    for name, value in changes.items():
        current = getattr(default, name)
        if is_dataclass(current) and isinstance(value, Mapping):
            values[name] = configure(current, value)
        else:
            values[name] = tuple(value) if isinstance(value, list) else value
    return replace(default, **values)  # type: ignore[type-var]


def response_norm(
    *, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 2.0
) -> nn.Module:
    """Local response normalisation across channels, x / (k + alpha * sum of x²)^beta.

    Parameters
    ----------
    size : int
        Neighbouring channels in the sum.
    alpha, beta, k : float
        Constants as printed.

    Notes
    -----
    The papers print the sum itself; PyTorch and Caffe divide ``alpha`` by ``size``, so we
    multiply by it. The released CNN-M models agree: alpha 5e-4 in Caffe's convention.

    References
    ----------
    Krizhevsky, Sutskever, Hinton, ImageNet classification with deep convolutional neural
    networks, NIPS 2012, section 3.3.
    """
    return nn.LocalResponseNorm(size, alpha=alpha * size, beta=beta, k=k)


def convolution_stage(
    convolution: nn.Conv2d | nn.Conv3d,
    *,
    batch_norm: bool = False,
    response: nn.Module | None = None,
    pool: nn.Module | None = None,
) -> nn.Sequential:
    """Convolution, ReLU, local response normalisation and pooling, in the published order.

    Batch normalisation, where asked for, stands between convolution and ReLU in place of the
    local response normalisation.
    """
    parts: list[nn.Module] = [convolution]
    if batch_norm:
        norm = nn.BatchNorm3d if isinstance(convolution, nn.Conv3d) else nn.BatchNorm2d
        parts.append(norm(convolution.out_channels))
    parts.append(nn.ReLU(inplace=True))
    if response is not None and not batch_norm:
        parts.append(response)
    if pool is not None:
        parts.append(pool)
    return nn.Sequential(*parts)


def stream_tower(
    channels: int,
    *,
    widths: Sequence[int],
    kernels: Sequence[int],
    strides: Sequence[int],
    paddings: Sequence[int],
    response_norms: Sequence[int] = (),
    batch_norm: bool = False,
    last_pool: bool = True,
) -> nn.Sequential:
    """Stages of CNN-M on images: pooling of 3x3 and stride 2 after the first two and the last.

    Pooling rounds up as in Caffe, in which the published networks were trained. Sequences hold
    one entry a stage, ``response_norms`` the stages with local response normalisation.
    """
    tower = nn.Sequential()
    pooled = (0, 1, len(widths) - 1) if last_pool else (0, 1)
    for i, width in enumerate(widths):
        convolution = nn.Conv2d(channels, width, kernels[i], stride=strides[i], padding=paddings[i])
        stage = convolution_stage(
            convolution,
            batch_norm=batch_norm,
            response=response_norm() if i in response_norms else None,
            pool=nn.MaxPool2d(3, stride=2, ceil_mode=True) if i in pooled else None,
        )
        tower.append(stage)
        channels = width
    return tower


def stacked(clips: Tensor) -> Tensor:
    """Stack the frames or fields of clips as channels: (B, C, T, H, W) -> (B, T * C, H, W).

    Time is outer: channels 2k-1 and 2k are dx and dy of field k.
    """
    return clips.transpose(1, 2).flatten(1, 2)


def classifier(
    features: int, *, hidden: Sequence[int], classes: int, dropout: float
) -> nn.Sequential:
    """Fully connected layers with ReLU and dropout, then one linear unit a class."""
    parts: list[nn.Module] = []
    for width in hidden:
        parts += [nn.Linear(features, width), nn.ReLU(inplace=True), nn.Dropout(dropout)]
        features = width
    return nn.Sequential(*parts, nn.Linear(features, classes))


def feature_count(tower: nn.Module, shape: Sequence[int], *, name: str) -> int:
    """Features that a tower, built on the meta device, leaves of one sample of this shape.

    Raises
    ------
    ValueError
        If the input is too small for the tower.
    """
    try:
        return tower(torch.empty(2, *shape, device="meta")).flatten(1).shape[1]
    except RuntimeError as error:
        message = f"a clip {tuple(shape)} is too small for {name}: use more frames or a larger crop"
        raise ValueError(message) from error


def initialise(network: nn.Module) -> None:
    """Draw weights after He et al. 2015 (ReLU gain, fan in), small in the last layer; no biases.

    Notes
    -----
    The papers from 2014 do not print their initialisation; this one trains at every width, and
    starts where all classes are about equally likely.
    """
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Conv3d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    last = [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
    nn.init.normal_(last.weight, std=0.01)


def check_clips(clips: Tensor, spec: InputSpec) -> None:
    """Check the shape of a batch at the door of a network.

    Raises
    ------
    ValueError
        If the clips are not (B, C, T, H, W) as ``spec`` wants them.
    """
    if clips.ndim != 5 or tuple(clips.shape[1:]) != spec.clip_shape:
        wanted = ", ".join(str(length) for length in spec.clip_shape)
        message = f"clips must be (B, {wanted}), got {tuple(clips.shape)}"
        raise ValueError(message)
