"""Sizes go in, layers come out: the parts that several networks share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

Config = TypeVar("Config")

SIZES = ("tiny", "paper")


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
            values[name] = _as_tuple(value)
    return replace(default, **values)  # type: ignore[type-var]


def _as_tuple(value: Any) -> Any:
    """Return a list, and lists in it, as tuples."""
    return tuple(_as_tuple(part) for part in value) if isinstance(value, list) else value


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


def by_frame(tower: nn.Module, clips: Tensor) -> Tensor:
    """Apply a tower of images to every frame: (B, C, T, H, W) -> (B, T, ...)."""
    frames = clips.transpose(1, 2).flatten(0, 1)  # (B, C, T, H, W) -> (B * T, C, H, W)
    return tower(frames).unflatten(0, (clips.shape[0], clips.shape[2]))


def image_tower(
    widths: Sequence[int], kernels: Sequence[int], *, batch_norm: bool = True
) -> nn.Sequential:
    """Stages of convolution, batch normalisation, ReLU and 2x2 pooling that rounds up.

    The backbone of the tiny networks that look at one frame at a time. The first convolution has
    stride 2 and no pooling after it, so that each stage halves the image once.

    Parameters
    ----------
    widths : sequence of int
        Channels of the image, then filters of each stage.
    kernels : sequence of int
        Side of each stage's filters, pixels.
    batch_norm : bool
        Normalise after each convolution.
    """
    tower = nn.Sequential()
    for i, kernel in enumerate(kernels):
        convolution = nn.Conv2d(
            widths[i], widths[i + 1], kernel, stride=1 if i else 2, padding=kernel // 2
        )
        pool = nn.MaxPool2d(2, ceil_mode=True) if i else None
        tower.append(convolution_stage(convolution, batch_norm=batch_norm, pool=pool))
    return tower


def to_luminance(clips: Tensor) -> Tensor:
    """Weigh red, green and blue as Rec. 601 does: (B, 3, T, H, W) -> (B, 1, T, H, W)."""
    weights = clips.new_tensor([0.299, 0.587, 0.114])
    return (clips * weights.view(1, 3, 1, 1, 1)).sum(1, keepdim=True)


class Subsampling(nn.Module):
    """Mean over non-overlapping windows, times a coefficient, plus a bias, tanh, map by map.

    Parameters
    ----------
    maps : int
        Maps, each with its own coefficient and bias.
    side : int
        Side of the window in pixels; time is left alone.

    References
    ----------
    LeCun, Bottou, Bengio, Haffner, Gradient-based learning applied to document recognition,
    Proceedings of the IEEE 1998, section II.B.
    """

    def __init__(self, maps: int, side: int) -> None:
        super().__init__()
        self.side = side
        self.coefficient = nn.Parameter(torch.ones(maps))
        self.bias = nn.Parameter(torch.zeros(maps))

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps (B, maps, ..., H / side, W / side) of maps (B, maps, ..., H, W)."""
        shape = maps.shape
        flat = maps.flatten(0, -3)[:, None]  # one image a map and moment
        means = nn.functional.avg_pool2d(flat, self.side)
        means = means.view(*shape[:-2], *means.shape[-2:])
        per_map = (1, -1, *[1] * (means.ndim - 2))
        return torch.tanh(means * self.coefficient.view(per_map) + self.bias.view(per_map))


def open_forget_gates(lstm: nn.LSTM) -> None:
    """Draw an LSTM's weights orthogonal, and set the biases of its forget gates to 1.

    References
    ----------
    Gers, Schmidhuber, Cummins, Learning to forget, Neural Computation 2000. Jozefowicz, Zaremba,
    Sutskever, An empirical exploration of recurrent network architectures, ICML 2015.
    """
    for name, values in lstm.named_parameters():
        if name.startswith("weight"):
            nn.init.orthogonal_(values)
        else:
            nn.init.zeros_(values)
            if name.startswith("bias_ih"):
                cells = lstm.hidden_size
                nn.init.ones_(values.data[cells : 2 * cells])  # input, forget, cell, output
