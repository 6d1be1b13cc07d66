"""Frames or stacked flow fields go in, class logits come out, by any image network of torchvision.

References
----------
Wang et al., Temporal segment networks, ECCV 2016, section 3.2 (cross-modality initialisation).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torchvision
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from classicvid.checks import check_choice, check_whole
from cnn.inputs import InputSpec, check_clips
from cnn.models.layers import SIZES, configure, stacked

# Mean of ImageNet as torchvision's networks were trained, and the mean of its three deviations.
IMAGENET_MEAN, IMAGENET_DEVIATION = (123.675, 116.28, 103.53), 57.57


@dataclass(frozen=True)
class BackboneConfig:
    """An image network of torchvision as a stream."""

    name: str
    size: str
    classes: int
    input: InputSpec
    backbone: str = "resnet50"  # a name of torchvision.models.list_models(torchvision.models)
    pretrained: str = ""  # the file of weights that training started from, for the record

    def __post_init__(self) -> None:
        check_whole("classes", self.classes, low=1)
        known = tuple(torchvision.models.list_models(module=torchvision.models))
        check_choice("backbone", self.backbone, known)


class BackboneNet(nn.Module):
    """An image network on the frames or flow fields of a clip, stacked as channels.

    Notes
    -----
    Weights start as torchvision starts them. Frames are divided by the mean of the three
    deviations that torchvision divides the colours by, which lie within 2 % of it.
    """

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        self.config = config
        spec = config.input
        channels = spec.channels * spec.frames
        with torch.device("meta"):
            sketch = _image_network(config.backbone, channels, config.classes)
        _check_runs(sketch, (channels, *spec.clip_shape[2:]), config)
        self.backbone = _image_network(config.backbone, channels, config.classes)

    def forward(self, clips: Tensor) -> Tensor:
        """Return logits (B, K) of clips (B, C, T, H, W)."""
        check_clips(clips, self.config.input)
        return self.backbone(stacked(clips))  # (B, T * C, H, W) -> (B, K)

    @torch.no_grad()
    def start_from(self, path: str | Path) -> None:
        """Start from the weights of the same network trained on images.

        The layer that names the classes is left as it is where their number differs. A first
        layer of other than three channels is fed the mean of the RGB filters in each of them
        (cross-modality initialisation).

        Parameters
        ----------
        path : path
            A safetensors file with the names and shapes of torchvision's weights, as
            ``safetensors.torch.save_file(network.state_dict(), path)`` writes them.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If it is damaged, or of another network.
        """
        found = _read_weights(Path(path))
        first, last = _end_layers(self.backbone)
        weights = self.backbone.state_dict()
        for name, own in weights.items():
            given = found.get(name)
            if given is not None and given.shape != own.shape and name == f"{first}.weight":
                given = mean_filters(given, channels=own.shape[1])
            if given is not None and given.shape == own.shape:
                own.copy_(given)
            elif not name.startswith(f"{last}.") and not name.endswith("num_batches_tracked"):
                shape = "nothing" if given is None else tuple(given.shape)
                message = (
                    f"{path} does not fit {self.config.backbone}: {name} must be "
                    f"{tuple(own.shape)}, got {shape}"
                )
                raise ValueError(message)


def mean_filters(filters: Tensor, *, channels: int) -> Tensor:
    """Spread filters of RGB images over another number of channels, each getting their mean.

    Parameters
    ----------
    filters : Tensor, shape (D, 3, H, W)
        Of a first convolution.
    channels : int
        Such as 20 for L = 10 flow fields.

    Returns
    -------
    Tensor, shape (D, channels, H, W)
        The same filter in every channel.
    """
    return filters.mean(1, keepdim=True).expand(-1, channels, -1, -1).contiguous()


def spatial_backbone(
    *, classes: int, size: str = "tiny", weights: str | Path | None = None, **changes: Any
) -> BackboneNet:
    """Build a spatial stream of an image network: ResNet-50 (paper), ShuffleNet (tiny).

    Parameters
    ----------
    classes : int
        Classes to tell apart, K.
    size : {"tiny", "paper"}
        224x224 pixels, or 56x56.
    weights : path, optional
        Weights of the same network to start from, see :meth:`BackboneNet.start_from`.
    **changes
        Fields of :class:`BackboneConfig` to change, such as ``backbone="vgg16"``.
    """
    check_choice("size", size, SIZES)
    if size == "paper":
        spec = InputSpec(
            cache_size=(256, 340), crop=224, mean=IMAGENET_MEAN, scale=IMAGENET_DEVIATION
        )
    else:
        spec = InputSpec(cache_size=(64, 64), crop=56, normalisation="clip")
    return _build("spatial-backbone", spec, classes, size, weights, changes)


def temporal_backbone(
    *, classes: int, size: str = "tiny", weights: str | Path | None = None, **changes: Any
) -> BackboneNet:
    """Build a temporal stream of an image network, on L = 10 flow fields as 20 channels.

    Parameters are those of :func:`spatial_backbone`; weights trained on RGB images will do.
    """
    check_choice("size", size, SIZES)
    if size == "paper":
        spec = InputSpec("flow", 10, cache_size=(256, 340), crop=224, normalisation="field")
    else:
        spec = InputSpec("flow", 10, cache_size=(64, 64), crop=56, normalisation="none")
    return _build("temporal-backbone", spec, classes, size, weights, changes)


def _build(
    name: str,
    spec: InputSpec,
    classes: int,
    size: str,
    weights: str | Path | None,
    changes: dict[str, Any],
) -> BackboneNet:
    backbone = "resnet50" if size == "paper" else "shufflenet_v2_x0_5"
    record = "" if weights is None else str(weights)
    config = BackboneConfig(name, size, classes, spec, backbone, record)
    network = BackboneNet(configure(config, changes))
    if weights is not None:
        network.start_from(weights)
    return network


def _image_network(backbone: str, channels: int, classes: int) -> nn.Module:
    """Make torchvision's network with random weights, for images of this many channels."""
    options: dict[str, Any] = {"weights": None, "num_classes": classes}
    if backbone in ("googlenet", "inception_v3"):  # their second heads are for training only
        options |= {"aux_logits": False, "init_weights": False}
    network = torchvision.models.get_model(backbone, **options)
    if channels != 3:
        name, _ = _end_layers(network)
        old = network.get_submodule(name)
        new = nn.Conv2d(
            channels,
            old.out_channels,
            old.kernel_size,
            stride=old.stride,
            padding=old.padding,
            bias=old.bias is not None,
        )
        nn.init.kaiming_normal_(new.weight, mode="fan_out", nonlinearity="relu")
        parent, _, child = name.rpartition(".")
        setattr(network.get_submodule(parent), child, new)
    return network


def _end_layers(network: nn.Module) -> tuple[str, str]:
    """Names of the first convolution, which sees the image, and of the layer of the classes."""
    layers = {
        name: layer
        for name, layer in network.named_modules()
        if isinstance(layer, (nn.Conv2d, nn.Linear))
    }
    return next(iter(layers)), list(layers)[-1]


def _check_runs(sketch: nn.Module, shape: tuple[int, ...], config: BackboneConfig) -> None:
    try:
        sketch.eval()(torch.empty(2, *shape, device="meta"))
    except (RuntimeError, AssertionError) as error:
        message = (
            f"{config.backbone} does not take images of {shape[1]}x{shape[2]} pixels: "
            "choose another crop or backbone"
        )
        raise ValueError(message) from error


def _read_weights(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        message = f"{path} is absent: name a safetensors file of torchvision's weights"
        raise FileNotFoundError(message)
    try:
        return load_file(path)
    except SafetensorError as error:
        message = f"{path} is no safetensors file ({error}): convert the weights with save_file"
        raise ValueError(message) from error
