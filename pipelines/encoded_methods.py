"""The name of a method of encoded features goes in; its features, words and kernel come out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipelines.recipes import FeatureKind, FeaturesRecipe


@dataclass(frozen=True)
class Encoding:
    """How a method turns the local features of a video into one vector.

    Parameters
    ----------
    features : str
        Kind of the local features.
    channels : dict of str to tuple of str
        By name, the descriptors that are joined and share one codebook or mixture.
    encoder : {"words", "fisher"}
        Histogram of visual words under a chi-square kernel, or Fisher vector under a linear one.
    pyramid : bool
        Describe the cells of the paper's six grids in space and time too, each grid a channel.
    components : int, optional
        Principal components that descriptors are reduced to before they are told as words.
    """

    features: FeatureKind
    channels: dict[str, tuple[str, ...]]
    encoder: Literal["words", "fisher"]
    pyramid: bool = False
    components: int | None = None


_TRAJECTORY = {
    "shape": ("shape",),
    "hog": ("hog",),
    "hof": ("hof",),
    # One descriptor of 192 numbers, as the papers count it.
    "mbh": ("mbhx", "mbhy"),
}

ENCODINGS: dict[str, Encoding] = {
    "cuboids-bof": Encoding("cuboids", {"gradients": ("gradients",)}, "words", components=100),
    "stip-bof": Encoding("stip", {"hog_hof": ("hog", "hof")}, "words"),
    "trajectories-bof": Encoding("trajectories", _TRAJECTORY, "words", pyramid=True),
    "trajectories-fisher": Encoding("improved-trajectories", _TRAJECTORY, "fisher"),
}


@dataclass(frozen=True)
class Budget:
    """How much is learnt from how many training descriptors.

    Parameters
    ----------
    words : int
        Visual words of a codebook.
    restarts : int
        Clusterings of which the best is kept.
    word_sample : int
        Descriptors that a codebook is learnt from.
    components : int
        Components of a mixture.
    mixture_sample : int
        Descriptors that a mixture is learnt from.
    short_side : int
        Frames whose shorter side is longer are reduced to it, px; 0 keeps their size.
    """

    words: int
    restarts: int
    word_sample: int
    components: int
    mixture_sample: int
    short_side: int


# Wang et al., CVPR 2011 and BMVC 2009; Wang and Schmid, ICCV 2013. The small ones are for hundreds
# of short videos, on one core a fold.
BUDGETS: dict[str, Budget] = {
    "paper": Budget(4000, 8, 100_000, 256, 256_000, 0),
    "tiny": Budget(500, 1, 30_000, 64, 50_000, 240),
}


def extraction_recipe(kind: FeatureKind, *, size: str, workers: int) -> FeaturesRecipe:
    """Return how the features of a kind are found for a comparison of a size."""
    return FeaturesRecipe(kind=kind, short_side=BUDGETS[size].short_side, workers=workers)
