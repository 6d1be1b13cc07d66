"""Frames go in, class logits come out: grey levels, gradients and flow, each convolved in time.

References
----------
Ji, Xu, Yang, Yu, 3D convolutional neural networks for human action recognition, IEEE TPAMI 2013,
sections 2.2 and 4.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from classicvid.checks import check_choice, check_whole
from classicvid.flow import FarnebackFlow
from cnn.inputs import InputSpec, check_clips
from cnn.models.layers import SIZES, Subsampling, configure, feature_count, initialise, to_luminance

Extent: TypeAlias = tuple[int, int, int]  # frames, rows, columns


@dataclass(frozen=True)
class JiConfig:
    """Layers of the network; the defaults are the published ones for KTH."""

    name: str
    size: str
    classes: int
    input: InputSpec = field(
        default_factory=lambda: InputSpec(frames=9, cache_size=(60, 80), crop=60, crop_width=80)
    )
    sets: tuple[int, int] = (2, 6)  # sets of maps of a kind in C2, and in C4
    kernels: tuple[Extent, Extent] = ((3, 7, 9), (3, 7, 7))  # of C2 and C4
    subsampling: tuple[int, int] = (3, 3)  # pixels, in S3 and S5
    hidden: int = 128  # units of C6
    dropout: float = 0.0  # of these
    batch_norm: bool = False  # before the hyperbolic tangents of C2 and C4
    winsize: int = 9  # averaging window of the flow, px

    def __post_init__(self) -> None:
        check_whole("classes", self.classes, low=1)
        if self.input.modality != "rgb" or self.input.frames < 6:
            message = (
                f"{self.name} needs 6 rgb frames or more, "
                f"got {self.input.frames} of {self.input.modality}"
            )
            raise ValueError(message)


class JiNet(nn.Module):
    """Five kinds of maps, apart from one another up to the layer that joins all of them.

    H1 makes 43 maps of 9 frames. C2 convolves each kind in space and time by two filters (two
    sets of maps), S3 subsamples, C4 convolves each set by three filters, S5 subsamples, and C6
    joins all that is left of every frame into 128 units.

    Notes
    -----
    Each kind has its own filters, which is how the paper's 295,458 parameters for its network on
    TRECVID come about, with a bias a connection of C6 (one a unit does the same) and none in the
    last layer; ours there has 285,605. The paper does not print how it subsamples, but two
    parameters a map: as in LeNet-5, a coefficient and a bias. Its auxiliary outputs, which it
    regularises with, are left out.

    Flow is Farnebäck's, computed on the processor and taken as given: no gradient goes through.
    """

    def __init__(self, config: JiConfig) -> None:
        super().__init__()
        self.config = config
        self.hardwired = Hardwired(config.input, winsize=config.winsize)
        spec = config.input
        lengths = (spec.frames,) * 3 + (spec.frames - 1,) * 2
        with torch.device("meta"):
            sketches = [_branch(config, length) for length in lengths]
        shape = spec.clip_shape[2:]
        features = sum(
            feature_count(sketch, (1, length, *shape), name=config.name)
            for sketch, length in zip(sketches, lengths, strict=True)
        )
        self.branches = nn.ModuleList(_branch(config, length) for length in lengths)
        # Filters as large as the maps: a connected layer over all maps and places.
        self.joined = nn.Sequential(
            nn.Linear(features, config.hidden), nn.Tanh(), nn.Dropout(config.dropout)
        )
        self.classifier = nn.Linear(config.hidden, config.classes)
        initialise(self)

    def forward(self, clips: Tensor) -> Tensor:
        """Return logits (B, K) of clips (B, 3, T, H, W)."""
        check_clips(clips, self.config.input)
        kinds = self.hardwired(clips)
        maps = [
            branch(kind).flatten(1) for branch, kind in zip(self.branches, kinds, strict=True)
        ]  # (B, 6 * 5 * 4 * 6) of frames and gradients, (B, 6 * 4 * 4 * 6) of flow
        return self.classifier(self.joined(torch.cat(maps, 1)))  # (B, K)


class Hardwired(nn.Module):
    """H1: what the authors know to matter, with nothing to learn."""

    def __init__(self, spec: InputSpec, *, winsize: int) -> None:
        super().__init__()
        self.spec, self.winsize = spec, winsize

    def forward(self, clips: Tensor) -> tuple[Tensor, ...]:
        """Return grey, d/dx, d/dy (B, 1, T, H, W), and flow dx, dy (B, 1, T - 1, H, W), px."""
        grey = to_luminance(clips.float())
        wide = nn.functional.pad(grey, (1, 1, 1, 1, 0, 0), mode="replicate")
        across = (wide[..., 1:-1, 2:] - wide[..., 1:-1, :-2]) / 2
        down = (wide[..., 2:, 1:-1] - wide[..., :-2, 1:-1]) / 2
        flow = self._flow(grey[:, 0])
        return grey, across, down, flow[..., 0].unsqueeze(1), flow[..., 1].unsqueeze(1)

    @torch.no_grad()
    def _flow(self, grey: Tensor) -> Tensor:
        """Flow (B, T - 1, H, W, 2) between the neighbouring frames of grey clips (B, T, H, W)."""
        if self.spec.normalisation == "constant":
            levels = grey * self.spec.scale + sum(self.spec.mean) / len(self.spec.mean)
        else:
            levels = 128.0 + 40.0 * grey  # the clip has mean 0 and deviation 1
        frames = np.ascontiguousarray(levels.clamp(0.0, 255.0).cpu().numpy(), np.float32)
        solver = FarnebackFlow(winsize=self.winsize)
        clips, steps, height, width = frames.shape
        flow = np.empty((clips, steps - 1, height, width, 2), np.float32)
        for clip, found in zip(frames, flow, strict=True):
            solver.feed(clip[0])
            for t, frame in enumerate(clip[1:]):
                found[t] = solver.feed(frame)
        return torch.from_numpy(flow).to(grey.device)


def ji_3d(*, classes: int, size: str = "tiny", **changes: Any) -> JiNet:
    """Build the 3-D network of Ji et al.: 9 frames of 60x80 (paper) or 56x56 (tiny).

    Parameters
    ----------
    classes : int
        Classes to tell apart, K.
    size : {"tiny", "paper"}
        The published layers, which are small, or the same topology on a square picture.
    **changes
        Fields of :class:`JiConfig` to change.
    """
    check_choice("size", size, SIZES)
    config = JiConfig("ji-3d", size, classes)
    if size == "tiny":
        config = JiConfig(
            "ji-3d",
            size,
            classes,
            input=InputSpec(frames=9, cache_size=(64, 64), crop=56, normalisation="clip"),
            sets=(4, 12),
            kernels=((3, 7, 7), (3, 6, 6)),
            subsampling=(3, 3),
            batch_norm=True,
        )
    return JiNet(configure(config, changes))


def _branch(config: JiConfig, length: int) -> nn.Sequential:
    """C2, S3, C4 and S5 of one kind of maps: (B, 1, T, H, W) -> (B, sets, T - 4, H', W')."""
    channels, branch = 1, nn.Sequential()
    for sets, kernel, side in zip(config.sets, config.kernels, config.subsampling, strict=True):
        length -= kernel[0] - 1
        branch.append(nn.Conv3d(channels, sets, kernel, groups=channels))
        if config.batch_norm:
            branch.append(nn.BatchNorm3d(sets))
        branch.append(nn.Tanh())
        branch.append(nn.Flatten(1, 2))  # every moment of a set has its own coefficient and bias
        branch.append(Subsampling(sets * length, side))
        branch.append(nn.Unflatten(1, (sets, length)))
        channels = sets
    return branch
