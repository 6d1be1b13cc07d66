"""Cached uint8 videos go in, normalised batches of clips (B, C, T, H, W) come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from classicvid.checks import check_number, check_whole
from cnn.inputs import InputSpec
from cnn.normalisation import normalise_clips

ZERO_MOTION = 128  # the code that quantise_flow gives to a displacement of 0

# Where the crop lies in the frame (0 top or left, 1 bottom or right), and whether it is mirrored.
VIEWS: dict[str, tuple[tuple[float, float, bool], ...]] = {
    "centre": ((0.5, 0.5, False),),
    "four": ((0.0, 0.0, False), (1.0, 1.0, False), (0.0, 0.0, True), (1.0, 1.0, True)),
    "ten": tuple(
        (top, left, mirrored)
        for mirrored in (False, True)
        for top, left in ((0.5, 0.5), (0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0))
    ),
}


@dataclass(frozen=True, eq=False)
class ClipSource:
    """Labelled videos, decoded once and kept at network resolution.

    Parameters
    ----------
    videos : sequence of ndarray, shape (T, H, W, 3) or (T - 1, H, W, 2), uint8
        RGB frames, or quantised flow fields (of all videos). Arrays may lie in memory or on disk
        (``np.memmap``), and may differ in T, H and W. A video of one frame has no flow field.
    labels : array, shape (N,), int
        Class of each video, 0 <= label < K.
    names : sequence of str
        Name of each video, each once.
    classes : sequence of str
        Names of the K classes.
    bound : float
        Flow only: the displacement in pixels per frame step that code 255 stands for.
    companions : sequence of ndarray, shape (T - 1, H, W, 2), uint8, optional
        A second array of each video: the flow beside frames, for networks that see both, or the
        flow from each frame to the one before it beside the flow to the one after.

    Raises
    ------
    ValueError
        If lengths or shapes disagree, or a label is out of range.
    TypeError
        If an array is not uint8.
    """

    videos: Sequence[NDArray[np.uint8]]
    labels: NDArray[np.int64]
    names: Sequence[str]
    classes: Sequence[str]
    bound: float = 20.0
    companions: Sequence[NDArray[np.uint8]] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", np.asarray(self.labels, np.int64))
        if not len(self.videos) == len(self.labels) == len(self.names) > 0:
            message = (
                f"{len(self.videos)} videos need as many labels and names (at least one), "
                f"got {len(self.labels)} and {len(self.names)}"
            )
            raise ValueError(message)
        if self.labels.min() < 0 or self.labels.max() >= len(self.classes):
            worst = self.labels[(self.labels < 0) | (self.labels >= len(self.classes))][0]
            message = f"labels must be from 0 to {len(self.classes) - 1}, got {worst}"
            raise ValueError(message)
        check_number("bound", self.bound, low=0.0, exclusive=True)
        for name, video in zip(self.names, self.videos, strict=True):
            _check_video(name, video, channels=self.videos[0].shape[-1])
        if self.companions is not None:
            self._check_companions(self.companions)

    @classmethod
    def load(
        cls,
        paths: Sequence[str | Path],
        labels: ArrayLike,
        *,
        names: Sequence[str],
        classes: Sequence[str],
        bound: float = 20.0,
    ) -> ClipSource:
        """Map .npy files, one a video, into memory: only what a batch needs is read."""
        videos = [np.load(path, mmap_mode="r", allow_pickle=False) for path in paths]
        return cls(videos, np.asarray(labels), names, classes, bound)

    @property
    def arrays(self) -> tuple[str, ...]:
        """What there is of each video: "rgb", "flow", or with its companion the pair of them."""
        if self.videos[0].shape[-1] == 3:
            return ("rgb",) if self.companions is None else ("rgb", "flow")
        return ("flow",) if self.companions is None else ("flow", "backward")

    def select(self, rows: ArrayLike) -> ClipSource:
        """Return the videos of these rows, in this order."""
        chosen = [int(row) for row in np.asarray(rows)]
        return ClipSource(
            [self.videos[row] for row in chosen],
            self.labels[chosen],
            [self.names[row] for row in chosen],
            self.classes,
            self.bound,
            None if self.companions is None else [self.companions[row] for row in chosen],
        )

    def check_fits(self, spec: InputSpec) -> None:
        """Check that clips as ``spec`` wants them can be cut from every video.

        Raises
        ------
        ValueError
            If the network wants other arrays or a video is smaller than the crop.
        """
        if self.arrays != spec.arrays:
            wanted, found = (" and ".join(arrays) for arrays in (spec.arrays, self.arrays))
            message = f"the network wants {wanted}, the videos hold {found}"
            raise ValueError(message)
        for name, video in zip(self.names, self.videos, strict=True):
            height, width = spec.clip_shape[2:]
            if video.shape[1] < height or video.shape[2] < width:
                crop = f"{height}x{width}" if spec.crop_width else f"{height}"
                message = (
                    f"video {name} is {video.shape[1]}x{video.shape[2]}, smaller than the crop of "
                    f"{crop}: cache it at {spec.cache_size[0]}x{spec.cache_size[1]}"
                )
                raise ValueError(message)

    def _check_companions(self, companions: Sequence[NDArray[np.uint8]]) -> None:
        if len(companions) != len(self.videos):
            message = f"{len(self.videos)} videos need as many companions, got {len(companions)}"
            raise ValueError(message)
        for name, video, flow in zip(self.names, self.videos, companions, strict=True):
            _check_video(f"{name}'s companion", flow, channels=2)
            if flow.shape[1:3] != video.shape[1:3]:
                message = f"video {name} is {video.shape[1:3]}, its companion {flow.shape[1:3]}"
                raise ValueError(message)


@dataclass(frozen=True, eq=False)
class ClipPositions:
    """Where M clips lie: one row a clip in each array.

    Parameters
    ----------
    videos : ndarray, shape (M,), int64
        Row of the video in its source.
    starts : ndarray, shape (M,), int64
        First frame (flow: field).
    tops, lefts : ndarray, shape (M,), float64
        Place of the crop, from 0 (at the top, at the left) to 1.
    mirrored : ndarray, shape (M,), bool
        Whether the clip is flipped left to right.
    """

    videos: NDArray[np.int64]
    starts: NDArray[np.int64]
    tops: NDArray[np.float64]
    lefts: NDArray[np.float64]
    mirrored: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, rows: slice) -> ClipPositions:
        return ClipPositions(
            self.videos[rows],
            self.starts[rows],
            self.tops[rows],
            self.lefts[rows],
            self.mirrored[rows],
        )


def random_positions(
    source: ClipSource,
    videos: NDArray[np.int64],
    spec: InputSpec,
    *,
    rng: np.random.Generator,
    flip: bool = False,
) -> ClipPositions:
    """Draw one clip from each of these videos, for training.

    Parameters
    ----------
    source : ClipSource
        The videos.
    videos : ndarray, shape (M,), int64
        Rows of ``source``; a row may come several times.
    spec : InputSpec
        What the network wants.
    rng : Generator
        Draws start, crop and flip; the number of draws depends on M alone.
    flip : bool
        Mirror half of the clips. Leave it off where left and right are part of the class, such
        as "moves left": the label would be wrong.

    Returns
    -------
    ClipPositions
        M clips.
    """
    free = np.array([max(len(source.videos[row]) - spec.span, 0) for row in videos])
    draws = rng.random((4, len(videos)))
    return ClipPositions(
        np.asarray(videos, np.int64),
        (draws[0] * (free + 1)).astype(np.int64),
        draws[1],
        draws[2],
        (draws[3] < 0.5) & flip,
    )


def even_positions(
    source: ClipSource,
    spec: InputSpec,
    *,
    clips_per_video: int,
    view: tuple[float, float, bool] = VIEWS["centre"][0],
) -> ClipPositions:
    """Spread clips evenly over the length of every video, for testing.

    Parameters
    ----------
    source : ClipSource
        The videos.
    spec : InputSpec
        What the network wants.
    clips_per_video : int
        Clips of each video; of a video with fewer starts some come twice.
    view : tuple of float, float, bool
        Place of the crop and whether it is mirrored, from :data:`VIEWS`.

    Returns
    -------
    ClipPositions
        N * clips_per_video clips, those of one video side by side in the order of time.
    """
    check_whole("clips_per_video", clips_per_video, low=1)
    free = np.array([max(len(video) - spec.span, 0) for video in source.videos])
    single = np.array([0.5])
    shares = np.linspace(0.0, 1.0, clips_per_video) if clips_per_video > 1 else single
    starts = np.rint(free[:, None] * shares).astype(np.int64).ravel()
    top, left, mirrored = view
    return ClipPositions(
        np.repeat(np.arange(len(free)), clips_per_video),
        starts,
        np.full(len(starts), top),
        np.full(len(starts), left),
        np.full(len(starts), mirrored),
    )


def read_clips(source: ClipSource, spec: InputSpec, positions: ClipPositions) -> NDArray[np.uint8]:
    """Cut clips out of their videos, all frames of a clip by the same crop and flip.

    A video shorter than a clip holds its last frame (flow: repeats its last field) to the end;
    a video without any flow field does not move.

    Returns
    -------
    ndarray, shape (M, T, H, W, C), uint8
        Raw codes: :func:`cnn.normalisation.normalise_clips` gives them units.
    """
    channels, frames, height, width = spec.clip_shape
    out = np.empty((len(positions), frames, height, width, channels), np.uint8)
    for i, row in enumerate(positions.videos):
        start, step = positions.starts[i], spec.frame_step
        video = _window(source.videos[row], positions, i, size=(height, width))
        if source.companions is None:
            _copy_frames(video, start=start, step=step, out=out[i])
            continue
        companion = _window(source.companions[row], positions, i, size=(height, width))
        if spec.modality == "both":
            _copy_frames(video, start=start, step=step, out=out[i, ..., :3])
            _copy_frames(companion, start=start, step=step, out=out[i, ..., 3:])
        else:
            half = frames // 2
            middle = start + half * step
            _copy_frames(video, start=middle, step=step, out=out[i, :half])
            _copy_past(companion, start=middle - 1, step=step, out=out[i, half:])
    return out


def clips_on(
    device: torch.device, source: ClipSource, spec: InputSpec, positions: ClipPositions
) -> Tensor:
    """Cut clips, move their codes to a device and normalise them there: (B, C, T, H, W)."""
    codes = torch.from_numpy(read_clips(source, spec, positions)).to(device)
    mirrored = torch.from_numpy(positions.mirrored).to(device)
    return normalise_clips(codes, mirrored, spec, bound=source.bound)


def _check_video(name: str, video: NDArray[np.uint8], *, channels: int) -> None:
    least = 1 if channels == 3 else 0
    if (
        video.ndim != 4
        or channels not in (2, 3)
        or video.shape[3] != channels
        or len(video) < least
        or min(video.shape[1:3]) < 1
    ):
        message = (
            f"video {name} must be (T, H, W, 3) frames or (T - 1, H, W, 2) flow, "
            f"as all others, got {video.shape}"
        )
        raise ValueError(message)
    if video.dtype != np.uint8:
        message = f"video {name} must be uint8, got {video.dtype}"
        raise TypeError(message)


def _window(
    video: NDArray[np.uint8], positions: ClipPositions, index: int, *, size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Return the crop of a video that belongs to one clip, mirrored where the clip is."""
    top = round(positions.tops[index] * (video.shape[1] - size[0]))
    left = round(positions.lefts[index] * (video.shape[2] - size[1]))
    window = video[:, top : top + size[0], left : left + size[1]]
    return window[:, :, ::-1] if positions.mirrored[index] else window


def _copy_past(window: NDArray[np.uint8], *, start: int, step: int, out: NDArray[np.uint8]) -> None:
    """Copy fields ``start``, ``start - step``, ...: each leads on from where the one before led."""
    if len(window) == 0:
        out[:] = ZERO_MOTION
        return
    out[:] = window[np.clip(start - step * np.arange(len(out)), 0, len(window) - 1)]


def _copy_frames(
    window: NDArray[np.uint8], *, start: int, step: int, out: NDArray[np.uint8]
) -> None:
    count = len(out)
    if len(window) == 0:
        out[:] = ZERO_MOTION
        return
    taken = window[start : start + (count - 1) * step + 1 : step]
    out[: len(taken)] = taken
    out[len(taken) :] = window[-1]
