"""Frames go in, class logits come out: convolutional gated recurrent units on several levels.

A network for images makes maps of every frame; on five of its levels a recurrent unit, all of
whose products are convolutions, goes through the maps in time. Each level votes.

References
----------
Ballas, Yao, Pal, Courville, Delving deeper into convolutional networks for learning video
representations, ICLR 2016, sections 3 and 4.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_max_pool2d
from torchvision.models import vgg16

from classicvid.checks import check_choice, check_whole
from cnn.inputs import InputSpec, check_clips
from cnn.models.layers import SIZES, configure, image_tower, initialise
from cnn.votes import vote

_VGG_MEAN = (123.68, 116.779, 103.939)  # red, green, blue
_VGG_POOLS = (9, 16, 23, 30)  # where pool2 to pool5 stand in torchvision's list of layers
_VGG_FC7 = 5  # layers of torchvision's classifier up to fc7 and its ReLU


@dataclass(frozen=True)
class GruRcnConfig:
    """Layers of a recurrent convolutional network; the defaults are the published GRU-RCN."""

    name: str
    size: str
    classes: int
    input: InputSpec
    backbone: Literal["vgg-16", "small"] = "vgg-16"
    backbone_widths: tuple[int, ...] = ()  # filters of the small backbone's stages
    backbone_units: int = 4096  # of the fully connected layer(s) on the backbone
    widths: tuple[int, ...] = (64, 128, 256, 256, 512)  # maps of each level's hidden state
    kernel: int = 3  # side of the units' filters in pixels; 1 on the last level
    stacked: bool = False  # the gates see the level below too
    bidirectional: bool = False
    dropout: float = 0.7
    freeze_backbone: bool = False

    def __post_init__(self) -> None:
        check_whole("classes", self.classes, low=1)
        check_choice("backbone", self.backbone, ("vgg-16", "small"))
        check_whole("kernel", self.kernel, low=1)
        levels = len(self.backbone_widths) + 1 if self.backbone == "small" else 5
        if len(self.widths) != levels or self.kernel % 2 == 0:
            message = (
                f"{self.name} needs an odd kernel and {levels} widths, one a level, "
                f"got {self.kernel} and {self.widths}"
            )
            raise ValueError(message)


class GruRcn(nn.Module):
    """A backbone for images, one recurrent unit (or two) a level, one linear classifier a level.

    In training the network returns the five predictions (B, 5, K), since each classifier has its
    own likelihood; otherwise the logits (B, K) of their mean probability.

    Notes
    -----
    The paper takes VGG-16 trained on images and on UCF-101, and keeps its features fixed
    (``freeze_backbone=True``, once there are weights worth keeping). From random weights, as
    here, all of it is trained. The units have no biases, as in the equations.
    """

    def __init__(self, config: GruRcnConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = _BACKBONES[config.backbone](config)
        if config.freeze_backbone:
            self.backbone.requires_grad_(False)
        initialise(self.backbone)
        ways = 2 if config.bidirectional else 1
        self.recurrences = nn.ModuleList(
            Recurrence(config, self.backbone.channels) for _ in range(ways)
        )
        self.classifiers = nn.ModuleList(
            nn.Sequential(nn.Dropout(config.dropout), nn.Linear(ways * width, config.classes))
            for width in config.widths
        )

    def forward(self, clips: Tensor) -> Tensor:
        """Return logits (B, K) of clips (B, C, T, H, W); in training (B, 5, K)."""
        check_clips(clips, self.config.input)
        batch, time = clips.shape[0], clips.shape[2]
        # Time stands first from here on, so that a step of all clips is one block of memory.
        frames = clips.permute(2, 0, 1, 3, 4).flatten(0, 1)  # (B, C, T, H, W) -> (T * B, C, H, W)
        levels = [maps.unflatten(0, (time, batch)) for maps in self.backbone(frames)]
        ways = (levels, [maps.flip(0) for maps in levels])[: len(self.recurrences)]
        ends = [unit(maps) for unit, maps in zip(self.recurrences, ways, strict=True)]
        features = [torch.cat(level, 1) for level in zip(*ends, strict=True)]  # (B, ways * width)
        predictions = torch.stack(
            [part(level) for part, level in zip(self.classifiers, features, strict=True)], 1
        )
        return predictions if self.training else vote(predictions)


class Recurrence(nn.Module):
    """One recurrent unit a level, run through time in one direction."""

    def __init__(self, config: GruRcnConfig, channels: tuple[int, ...]) -> None:
        super().__init__()
        below = (0, *config.widths[:-1]) if config.stacked else (0,) * len(config.widths)
        kernels = (config.kernel,) * (len(config.widths) - 1) + (1,)
        self.units = nn.ModuleList(
            ConvGru(inputs, width, kernel=kernel, below=lower)
            for inputs, width, kernel, lower in zip(
                channels, config.widths, kernels, below, strict=True
            )
        )

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        """Return the mean (B, width) of each level's last state; maps are (T, B, C, H, W)."""
        ends: list[Tensor] = []
        states: Tensor | None = None
        for unit, maps in zip(self.units, levels, strict=True):
            states = unit(maps, None if unit.below is None else states)
            ends.append(states[-1].mean((2, 3)))
        return ends


class ConvGru(nn.Module):
    """A gated recurrent unit whose products are convolutions, over maps in time.

    With * for a convolution that keeps the size of the map and o for the elementwise product:

    z = sigmoid(W_z * x + U_z * h),  r = sigmoid(W_r * x + U_r * h),
    c = tanh(W * x + U * (r o h)),   h' = (1 - z) o h + z o c.

    What depends on the input alone, W_z, W_r and W, is one convolution over all steps at once;
    what depends on the state is two a step, and none in the first, where h = 0. Maps lie in memory
    with their channels last, as convolutions on a processor like them.

    Parameters
    ----------
    channels, width : int
        Maps of the input and of the state.
    kernel : int
        Side of the filters in pixels, odd.
    below : int
        Maps of the state one level below, which z and r see too; 0 for none.
    """

    def __init__(self, channels: int, width: int, *, kernel: int = 3, below: int = 0) -> None:
        super().__init__()
        pad = kernel // 2
        self.inputs = nn.Conv2d(channels, 3 * width, kernel, padding=pad, bias=False)  # z, r, c
        self.gates = nn.Conv2d(width, 2 * width, kernel, padding=pad, bias=False)  # z, r
        self.candidate = nn.Conv2d(width, width, kernel, padding=pad, bias=False)
        self.below = nn.Conv2d(below, 2 * width, kernel, padding=pad, bias=False) if below else None
        for weights in self.parameters():
            nn.init.xavier_uniform_(weights)

    def forward(self, maps: Tensor, lower: Tensor | None = None) -> Tensor:
        """Run through the maps of all steps.

        Parameters
        ----------
        maps : Tensor, shape (T, B, channels, H, W)
            Input of each step.
        lower : Tensor, shape (T, B, below, H', W'), optional
            States of the level below, brought to H x W by maximum pooling.

        Returns
        -------
        Tensor, shape (T, B, width, H, W)
            State after each step.
        """
        steps, width = len(maps), self.candidate.out_channels
        flat = maps.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        inputs = self.inputs(flat)  # (T * B, 3 * width, H, W)
        drives, candidates = inputs.split((2 * width, width), 1)
        if lower is not None and self.below is not None:
            pooled = adaptive_max_pool2d(lower.flatten(0, 1), maps.shape[-2:])
            drives = drives + self.below(pooled)
        drives, candidates = (part.unflatten(0, (steps, -1)) for part in (drives, candidates))
        state = torch.sigmoid(drives[0, :, :width]) * torch.tanh(candidates[0])
        states = [state]
        for drive, candidate in zip(drives[1:], candidates[1:], strict=True):
            z, r = self.gates(state).add_(drive).sigmoid_().chunk(2, 1)
            proposal = self.candidate(r * state).add_(candidate).tanh_()
            state = torch.lerp(state, proposal, z)  # (1 - z) o h + z o c
            states.append(state)
        return torch.stack(states)


class VggBackbone(nn.Module):
    """VGG-16: its maps after pool2, pool3, pool4 and pool5, and fc7 as a map of one pixel."""

    def __init__(self, config: GruRcnConfig) -> None:
        super().__init__()
        net = vgg16(weights=None, init_weights=False)
        self.features = net.features
        self.connected = net.classifier[:_VGG_FC7]
        self.channels: tuple[int, ...] = (128, 256, 512, 512, config.backbone_units)
        height, width = (side // 32 for side in config.input.clip_shape[2:])
        self.connected[0] = nn.Linear(512 * height * width, config.backbone_units)
        self.connected[3] = nn.Linear(config.backbone_units, config.backbone_units)

    def forward(self, frames: Tensor) -> list[Tensor]:
        """Return five maps of frames (N, 3, H, W), each half as wide as the one before."""
        levels, maps = [], frames
        for number, layer in enumerate(self.features):
            maps = layer(maps)
            if number in _VGG_POOLS:
                levels.append(maps)
        units = self.connected(maps.flatten(1))  # (N, 512 * 7 * 7) -> (N, 4096)
        return [*levels, units[..., None, None]]


class SmallBackbone(nn.Module):
    """A few stages of convolution and pooling, each of which is a level, and connected units."""

    def __init__(self, config: GruRcnConfig) -> None:
        super().__init__()
        widths = (config.input.channels, *config.backbone_widths)
        self.stages = image_tower(widths, (5, *[3] * (len(config.backbone_widths) - 1)))
        height, width = config.input.clip_shape[2:]
        for _ in config.backbone_widths:
            height, width = (height + 1) // 2, (width + 1) // 2
        self.connected = nn.Sequential(
            nn.Linear(widths[-1] * height * width, config.backbone_units), nn.ReLU(inplace=True)
        )
        self.channels: tuple[int, ...] = (*config.backbone_widths, config.backbone_units)

    def forward(self, frames: Tensor) -> list[Tensor]:
        """Return the maps of each stage of frames (N, C, H, W), and the units as a map."""
        levels, maps = [], frames
        for stage in self.stages:
            maps = stage(maps)
            levels.append(maps)
        return [*levels, self.connected(maps.flatten(1))[..., None, None]]


_BACKBONES: dict[str, type[VggBackbone] | type[SmallBackbone]] = {
    "vgg-16": VggBackbone,
    "small": SmallBackbone,
}


def gru_rcn(*, classes: int, size: str = "tiny", **changes: Any) -> GruRcn:
    """Build GRU-RCN: 10 frames of 224x224 through VGG-16 (paper), of 56x56 (tiny).

    Parameters
    ----------
    classes : int
        Classes to tell apart, K.
    size : {"tiny", "paper"}
        The published layers, or the same topology narrow enough for two CPU cores.
    **changes
        Fields of :class:`GruRcnConfig` to change.
    """
    return GruRcn(configure(_sized("gru-rcn", classes, size), changes))


def gru_rcn_stacked(*, classes: int, size: str = "tiny", **changes: Any) -> GruRcn:
    """Build GRU-RCN with gates that also see the state of the level below at the same step.

    Parameters are those of :func:`gru_rcn`.
    """
    config = replace(_sized("gru-rcn-stacked", classes, size), stacked=True)
    return GruRcn(configure(config, changes))


def gru_rcn_bidirectional(*, classes: int, size: str = "tiny", **changes: Any) -> GruRcn:
    """Build GRU-RCN with a second set of units that goes through the frames backwards.

    Parameters are those of :func:`gru_rcn`.
    """
    config = replace(_sized("gru-rcn-bidirectional", classes, size), bidirectional=True)
    return GruRcn(configure(config, changes))


def _sized(name: str, classes: int, size: str) -> GruRcnConfig:
    check_choice("size", size, SIZES)
    if size == "paper":
        spec = InputSpec(frames=10, cache_size=(256, 340), crop=224, mean=_VGG_MEAN)
        return GruRcnConfig(name, size, classes, spec)
    return GruRcnConfig(
        name,
        size,
        classes,
        InputSpec(frames=10, cache_size=(64, 64), crop=56, normalisation="clip"),
        backbone="small",
        backbone_widths=(16, 32, 32, 64),
        backbone_units=64,
        widths=(16, 16, 32, 32, 64),
        dropout=0.0,
    )
