"""A fold and the rows of its videos go in; their feature histograms, by channel, come out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from classicvid.descriptors import LOCAL_CHANNELS
from classicvid.model_choice import Choice
from pipelines.run_folder import FoldTask
from pipelines.store import read_arrays, read_json, write_json

if TYPE_CHECKING:
    from classicvid.encodings import Codebook

GRID_CHANNELS = ("hog", "hof", "mbhx", "mbhy")
COLOUR_CHANNELS = ("hue_saturation", "colour_moments")
# Sum to 1 each; the grids' are roots already.
_DISTRIBUTIONS = ("hue_saturation", *LOCAL_CHANNELS)
# What the choice of a model is among: everything; how things move and where their edges are; the
# same with what the moving things look like; all but the colours.
SUBSETS = (
    (*GRID_CHANNELS, *COLOUR_CHANNELS, *LOCAL_CHANNELS),
    GRID_CHANNELS,
    (*GRID_CHANNELS, "cuboids"),
    (*GRID_CHANNELS, *LOCAL_CHANNELS),
)
# By the size of the networks beside it; all channels together have 20,000 numbers at most.
_WORDS = {"tiny": 128, "paper": 512}
_SAMPLES = {"cuboids": 5_000}  # their descriptors are long
_MOST_SAMPLES = 20_000
# Columns, rows and spans of time of the cells that have a histogram of their own.
_GRIDS = ((1, 1, 1), (2, 2, 1), (1, 1, 2))


def learn_codebooks(task: FoldTask) -> dict[str, Codebook]:
    """Learn the words of every channel from a sample of the training videos.

    A channel that no training video has a descriptor of is left out.
    """
    from classicvid.encodings import Codebook, DescriptorSample  # noqa: PLC0415 - half a second

    seed = task.recipe.seed
    samples = {
        name: DescriptorSample(_SAMPLES.get(name, _MOST_SAMPLES), seed=seed)
        for name in LOCAL_CHANNELS
    }
    for arrays in _read(task, task.fold.train):
        for name, sample in samples.items():
            sample.add(arrays[name])
    words = _WORDS[task.recipe.size]
    return {
        name: Codebook(words, assignment="soft", restarts=1, max_iterations=30, seed=seed).fit(
            sample.descriptors
        )
        for name, sample in samples.items()
        if sample.seen
    }


def save_choice(folder: Path, choice: Choice, books: Mapping[str, Codebook]) -> None:
    """Write ``choice.json`` and the codebooks of the chosen channels into a model's folder."""
    for name in choice.channels:
        if name in books:
            books[name].save(folder / "codebooks" / name)
    write_json(folder / "choice.json", asdict(choice))


def load_choice(folder: Path) -> tuple[tuple[str, ...], dict[str, Codebook]]:
    """Read the names of the chosen channels, and the codebooks of those that have one."""
    from classicvid.encodings import Codebook  # noqa: PLC0415

    names = tuple(str(name) for name in read_json(folder / "choice.json")["channels"])
    places = {name: folder / "codebooks" / name for name in names if name in LOCAL_CHANNELS}
    return names, {name: Codebook.load(place) for name, place in places.items()}


def histogram_subsets(channels: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """Return the subsets of channels to choose among, as far as they are there, each once."""
    there = set(channels)
    found = (tuple(name for name in subset if name in there) for subset in SUBSETS)
    return tuple(dict.fromkeys(found))


def feature_channels(
    task: FoldTask,
    rows: NDArray[np.int64],
    books: Mapping[str, Codebook],
    *,
    names: tuple[str, ...] = SUBSETS[0],
) -> dict[str, NDArray[np.float32]]:
    """Return the vectors of the videos at ``rows``, shape (N, D), by channel.

    Histograms are distributions, of which the roots are given; local descriptors are counted by the
    words they are like, in the cells of a pyramid in space and time.

    Parameters
    ----------
    task : FoldTask
        The fold.
    rows : array, shape (N,), int64
        Videos, at least one.
    books : mapping of Codebook
        By channel; a channel of local descriptors that has none is left out.
    names : tuple of str, optional
        Channels that are wanted; by default all.
    """
    from classicvid.encodings import SpatioTemporalPyramid  # noqa: PLC0415

    pyramid = SpatioTemporalPyramid(_GRIDS)
    vectors: dict[str, list[NDArray[Any]]] = {
        name: [] for name in names if name in books or name not in LOCAL_CHANNELS
    }
    for arrays in _read(task, rows):
        for name, column in vectors.items():
            vector = arrays[name]
            if name in books:
                places = arrays[f"{name}_positions"]
                vector = books[name].encode(vector, positions=places, pyramid=pyramid)
            column.append(np.sqrt(vector) if name in _DISTRIBUTIONS else vector)
    return {name: np.stack(column) for name, column in vectors.items()}


def _read(task: FoldTask, rows: NDArray[np.int64]) -> Iterator[dict[str, NDArray[Any]]]:
    for name in task.names(rows):
        yield read_arrays(task.run.features(name))
