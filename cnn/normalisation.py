"""Raw codes of clips go in, what a network is fed comes out: units, means and stacked flow."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cnn.inputs import InputSpec


def normalise_clips(
    codes: Tensor, mirrored: Tensor, spec: InputSpec, *, bound: float = 20.0
) -> Tensor:
    """Turn raw codes into what the network is fed, on the device where they lie.

    Parameters
    ----------
    codes : Tensor, shape (B, T, H, W, C), uint8
        From :func:`cnn.clips.read_clips`.
    mirrored : Tensor, shape (B,), bool
        Clips that were flipped: their dx changes sign after dequantisation.
    spec : InputSpec
        How to normalise.
    bound : float
        Flow only: displacement of code 255, in pixels per frame step.

    Returns
    -------
    Tensor, shape (B, C, T, H, W), float32
        Normalised clips.
    """
    values = codes.to(torch.float32)
    kinds = spec.normalisation.split("+")
    if spec.modality != "flow":
        _normalise_frames(values[..., :3], kinds[0], spec.mean)
    if spec.modality != "rgb":
        fields = values[..., -2:]
        fields.mul_(2.0 * bound / 255.0).sub_(bound)
        fields[..., 0] *= torch.where(mirrored, -1.0, 1.0).view(-1, 1, 1, 1)
        _normalise_fields(fields, kinds[-1], spec.stacking)
    values /= spec.scale
    # The channels stay last in memory, which convolutions on a CPU like better.
    return values.permute(0, 4, 1, 2, 3)  # (B, T, H, W, C) -> (B, C, T, H, W)


def along_trajectories(fields: Tensor) -> Tensor:
    """Read each field where the fields before it have carried the pixel of the first frame.

    Parameters
    ----------
    fields : Tensor, shape (B, L, H, W, 2), float32
        dx and dy in pixels, of L frames in turn.

    Returns
    -------
    Tensor, shape (B, L, H, W, 2), float32
        At (u, v) the displacements d_k(p_k), where p_1 = (u, v) and p_(k+1) = p_k + d_k(p_k):
        bilinear between pixels, of the nearest pixel outside.

    References
    ----------
    Simonyan, Zisserman, Two-stream convolutional networks for action recognition in videos, NIPS
    2014, equation 2.

    Notes
    -----
    Trajectories are followed within the crop that the network sees, so that the same code serves
    every view; the paper does not say whether it follows them outside.
    """
    height, width = fields.shape[2:4]
    y, x = torch.meshgrid(
        torch.arange(height, device=fields.device, dtype=fields.dtype),
        torch.arange(width, device=fields.device, dtype=fields.dtype),
        indexing="ij",
    )
    places = torch.stack((x, y), -1).expand(len(fields), -1, -1, -1)  # (B, H, W, 2)
    # grid_sample counts from -1 at the first pixel's centre to 1 at the last one's.
    reach = fields.new_tensor([max(width - 1, 1) / 2, max(height - 1, 1) / 2])
    read = []
    for field in fields.unbind(1):
        found = nn.functional.grid_sample(
            field.permute(0, 3, 1, 2),
            places / reach - 1.0,
            padding_mode="border",
            align_corners=True,
        ).permute(0, 2, 3, 1)  # (B, 2, H, W) -> (B, H, W, 2)
        read.append(found)
        places = places + found
    return torch.stack(read, 1)


def _normalise_frames(frames: Tensor, kind: str, mean: tuple[float, ...]) -> None:
    """Normalise frames (B, T, H, W, 3) in place."""
    if kind == "constant":
        frames -= torch.tensor(mean, device=frames.device)
        return
    per_clip = (-1, 1, 1, 1, 1)
    frames -= frames.flatten(1).mean(1).view(per_clip)
    # Standard deviation: the norm of what is left; std() itself takes five times as long.
    spread = torch.linalg.vector_norm(frames.flatten(1), dim=1) / frames[0].numel() ** 0.5
    frames /= (spread + 1.0).view(per_clip)  # one grey level: a flat clip stays flat


def _normalise_fields(fields: Tensor, kind: str, stacking: str) -> None:
    """Stack and normalise fields (B, T, H, W, 2) in place."""
    # The mean is that of the field itself, and pixels are carried by the whole motion.
    means = fields.mean((2, 3), keepdim=True)
    if stacking == "trajectories":
        fields.copy_(along_trajectories(fields))
    if kind == "field":
        fields -= means
