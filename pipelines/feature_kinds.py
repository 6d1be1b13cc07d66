"""The frames of a video go in; the local features of one kind come out, as they are found."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicvid.checks import check_choice, check_number, check_whole
from classicvid.image import to_gray
from classicvid.trajectories import DenseTrajectories, Trajectories
from pipelines.recipes import FeatureKind, FeaturesRecipe

Arrays = dict[str, NDArray[Any]]
Boxes = Mapping[int, NDArray[np.float32]]
Step = tuple[NDArray[np.uint8], Arrays]
"""A frame (H, W, 3), and the features that are complete with it."""

TRAJECTORY_KINDS: tuple[FeatureKind, ...] = ("trajectories", "improved-trajectories")
DESCRIPTORS: dict[FeatureKind, tuple[str, ...]] = {
    "trajectories": ("shape", "hog", "hof", "mbhx", "mbhy"),
    "improved-trajectories": ("shape", "hog", "hof", "mbhx", "mbhy"),
    "stip": ("hog", "hof"),
    "cuboids": ("gradients",),
}
"""Names of the arrays that describe a feature; the others say where it lies."""


@dataclass(frozen=True)
class FeatureHeader:
    """What a file of features says of itself.

    Parameters
    ----------
    kind : str
        One of ``FeatureKind``.
    source : str
        Name of the video's file.
    source_bytes : int
        Its size.
    width, height : int
        Size of the frames that were looked at, px.
    frames : int
        How many there were.
    fps : float or None
        Frames per second, where the video says.
    damaged_packets : int
        Parts of the video that could not be decoded.
    settings : dict
        What decides the contents, see :func:`feature_settings`.
    version : str
        That of classicvid.
    """

    kind: str
    source: str
    source_bytes: int
    width: int
    height: int
    frames: int
    fps: float | None
    damaged_packets: int
    settings: dict[str, Any]
    version: str

    def metadata(self) -> dict[str, str]:
        """Return the header as a safetensors file keeps it: text as it is, all else as JSON."""
        values = asdict(self).items()
        return {
            key: value if isinstance(value, str) else json.dumps(value) for key, value in values
        }

    @classmethod
    def parse(cls, metadata: Mapping[str, str]) -> FeatureHeader:
        """Read what :meth:`metadata` returned.

        Raises
        ------
        ValueError
            If something is absent or damaged.
        """
        values: dict[str, Any] = {}
        for item in fields(cls):
            if item.name not in metadata:
                message = f"its header lacks {item.name}"
                raise ValueError(message)
            text = metadata[item.name]
            values[item.name] = text if item.type == "str" else json.loads(text)
        for name in ("width", "height", "frames"):
            check_whole(name, values[name], low=1)
        if not isinstance(values["settings"], dict):
            message = "its header holds no settings"
            raise ValueError(message)
        return cls(**values)


def feature_settings(recipe: FeaturesRecipe) -> dict[str, Any]:
    """Return what decides the contents of a file, and not how or where it is made."""
    settings: dict[str, Any] = {"kind": recipe.kind}
    if recipe.kind in DESCRIPTORS:
        settings |= {"dtype": recipe.dtype, "short_side": recipe.short_side}
    if recipe.kind in TRAJECTORY_KINDS:
        settings |= asdict(recipe.trajectories)
    if recipe.kind == "improved-trajectories":
        settings["people"] = recipe.people
    else:
        settings.pop("matcher", None)
    return settings


def check_feature_recipe(recipe: FeaturesRecipe) -> None:
    """Refuse options that are out of range, or that do not go together, before any work.

    Raises
    ------
    ValueError, TypeError
        With what is wanted.
    """
    check_choice("kind", recipe.kind, (*DESCRIPTORS, "histograms"))
    check_choice("dtype", recipe.dtype, ("float16", "float32"))
    check_choice("format", recipe.format, ("safetensors", "idt", "idt.gz"))
    check_whole("short_side", recipe.short_side, low=0)
    check_whole("workers", recipe.workers, low=0)
    check_number("quality", recipe.trajectories.quality, low=0)
    if recipe.kind in TRAJECTORY_KINDS:
        make_extractor(recipe)
    for name, asked, kinds in (
        ("people", recipe.people, TRAJECTORY_KINDS[1:]),
        ("overlay", recipe.overlay, TRAJECTORY_KINDS),
        ("short_side", recipe.short_side, tuple(DESCRIPTORS)),
        ("format idt", recipe.format != "safetensors", TRAJECTORY_KINDS),
    ):
        if asked and recipe.kind not in kinds:
            message = f"--{name} needs --kind {' or '.join(kinds)}, got {recipe.kind}"
            raise ValueError(message)
    if recipe.format != "safetensors" and recipe.trajectories.length != 15:
        message = (
            "the rows of --format idt have trajectories of 15 steps, "
            f"got --trajectories.length {recipe.trajectories.length}; use --format safetensors"
        )
        raise ValueError(message)


def make_extractor(recipe: FeaturesRecipe) -> DenseTrajectories:
    """Build what finds trajectories of the recipe's kind."""
    options = asdict(recipe.trajectories)
    matcher = options.pop("matcher")
    if recipe.kind == "trajectories":
        return DenseTrajectories(**options)
    from classicvid.camera import CameraMotion  # noqa: PLC0415 - only where it is asked for

    return DenseTrajectories(camera=CameraMotion(matcher=matcher), **options)


def trajectory_steps(
    frames: Iterable[NDArray[np.uint8]], recipe: FeaturesRecipe, people: Boxes | None = None
) -> Iterator[Step]:
    """Yield each frame with the trajectories that end in it, one array a column.

    Parameters
    ----------
    frames : iterable of arrays, shape (H, W, 3), uint8
    recipe : FeaturesRecipe
        Its kind is "trajectories" or "improved-trajectories".
    people : mapping of arrays, shape (B, 4), float32, optional
        Boxes by the number of the frame, from 0.
    """
    extractor = make_extractor(recipe)
    for number, frame in enumerate(frames):
        boxes = None if people is None else people.get(number)
        yield frame, as_arrays(extractor.feed(to_gray(frame), people=boxes))


def point_steps(frames: Iterable[NDArray[np.uint8]], recipe: FeaturesRecipe) -> Iterator[Arrays]:
    """Yield the space-time interest points of a video part by part, one array a column."""
    from classicvid.interest_points import iter_cuboids, iter_stip  # noqa: PLC0415 - as above

    detectors: dict[str, Callable[..., Any]] = {"stip": iter_stip, "cuboids": iter_cuboids}
    for points in detectors[recipe.kind](frames):
        places = {"xyt": points.xyt, "scale": points.scale, "response": points.response}
        yield places | {name: points.descriptors[name] for name in DESCRIPTORS[recipe.kind]}


def as_arrays(trajectories: Trajectories) -> Arrays:
    """Return the columns of a table of trajectories by name."""
    return {item.name: getattr(trajectories, item.name) for item in fields(trajectories)}


def feature_positions(arrays: Mapping[str, NDArray[Any]], header: FeatureHeader) -> NDArray[Any]:
    """Return where features lie in their video, shape (N, 3), float32: x, y, t from 0 to 1.

    Parameters
    ----------
    arrays : mapping of arrays
        ``mean``, ``end_frame`` and ``points`` of trajectories, or ``xyt`` of interest points.
    header : FeatureHeader
        That of their file.
    """
    if "xyt" in arrays:
        places = arrays["xyt"] + np.float32(0.5)
    else:
        middle = arrays["end_frame"] - (arrays["points"].shape[1] - 1) / 2
        places = np.column_stack([arrays["mean"], middle])
    shares = places / [header.width, header.height, header.frames]
    return np.clip(shares, 0, 0.999).astype(np.float32)
