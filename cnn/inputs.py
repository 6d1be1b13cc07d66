"""What a network wants to be fed goes in; the shape and arrays of its clips come out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from classicvid.checks import check_choice, check_number, check_whole

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
    crop_width : int
        Width in pixels of what is cut, where it is no square: ``crop`` is its height then. 0: a
        square.
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
    crop_width: int = 0
    normalisation: str = "constant"
    mean: tuple[float, ...] = (117.0,)
    scale: float = 1.0
    stacking: Literal["fields", "trajectories", "both-ways"] = "fields"

    def __post_init__(self) -> None:
        check_choice("modality", self.modality, tuple(_NORMALISATIONS))
        for name in ("frames", "frame_step", "crop"):
            check_whole(name, getattr(self, name), low=1)
        if self.crop_width:
            check_whole("crop", self.crop, low=1, high=self.cache_size[0])
            check_whole("crop_width", self.crop_width, low=1, high=self.cache_size[1])
        else:
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
        return self.channels, self.frames, self.crop, self.crop_width or self.crop


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
