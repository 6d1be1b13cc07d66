"""Files of local features go in; one vector a video comes out, by what training videos taught."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicvid.encodings import (
    Codebook,
    DescriptorSample,
    FisherVector,
    SpatioTemporalPyramid,
)
from classicvid.encodings.projection import learn_projection
from pipelines.array_files import ArrayFile
from pipelines.encoded_methods import BUDGETS, ENCODINGS
from pipelines.feature_kinds import FeatureHeader, feature_positions
from pipelines.store import read_arrays, write_arrays

MOST_FEATURES = 100_000
"""Of a video with more features than this, so many are drawn at random: memory is bounded."""

ROWS_A_WORD, ROWS_A_COMPONENT = 25, 100
"""With fewer training descriptors than this for each, there are fewer words or components."""

PROJECTION = "projection.safetensors"


class VideoEncoder:
    """The encoders of all channels of a method.

    Parameters
    ----------
    method : str
        A name in ``ENCODINGS``.
    size : {"tiny", "paper"}
        How many words or components are learnt, and from how many descriptors.
    seed : int
        Where all random numbers start.
    """

    def __init__(self, method: str, *, size: str, seed: int) -> None:
        self.encoding = ENCODINGS[method]
        self.budget = BUDGETS[size]
        self.seed = seed
        self.pyramid = SpatioTemporalPyramid() if self.encoding.pyramid else None
        self.encoders: dict[str, Codebook | FisherVector] = {}
        self.projections: dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]] = {}

    def fit(self, files: Sequence[Path]) -> VideoEncoder:
        """Learn from the features of training videos; a channel's sample is held at a time.

        Without any feature at all, every video of them gets the same vector.
        """
        for name, arrays in self.encoding.channels.items():
            rows = self._sample(files, arrays)
            if self.encoding.components is not None:
                self.projections[name] = learn_projection(
                    rows, components=self.encoding.components, whiten=False
                )
            self.encoders[name] = self._new_encoder(len(rows)).fit(self._project(name, rows))
        return self

    def encode(self, file: Path) -> NDArray[np.float32]:
        """Describe a video by the vectors of all channels, joined.

        Each ends in a number of its own, 1 where the video has no feature and else 0: no motion is
        something that a video can be told by. Without that number its vector would be zero, and a
        machine that has seen one such video would move its threshold for all others.

        Raises
        ------
        ValueError
            If the file is damaged or holds other features.
        """
        source = ArrayFile(file)
        places = self._read_places(source) if self.pyramid else None
        vectors: list[NDArray[np.float32]] = []
        for name, arrays in self.encoding.channels.items():
            rows = self._project(name, self._read_rows(source, arrays))
            whole = self.encoders[name].encode(rows, positions=places, pyramid=self.pyramid)
            nothing = np.array([len(rows) == 0], np.float32)
            for part in np.split(whole, np.cumsum(self._widths(name))[:-1]):
                vectors += [part, nothing]
        return np.concatenate(vectors)

    @property
    def widths(self) -> list[int]:
        """Widths of the channels of the kernel: those of each encoder's grids."""
        return [width + 1 for name in self.encoders for width in self._widths(name)]

    def _widths(self, name: str) -> list[int]:
        encoder = self.encoders[name]
        if isinstance(encoder, Codebook):
            return encoder.channels(self.pyramid)
        return [encoder.means_.size * 2]

    def save(self, folder: Path) -> None:
        """Write a folder for each channel, with its encoder and, where it has one, projection."""
        for name, encoder in self.encoders.items():
            encoder.save(folder / name)
            if name in self.projections:
                centre, directions = self.projections[name]
                arrays = {"centre": centre, "directions": directions}
                write_arrays(folder / name / PROJECTION, arrays)

    def load(self, folder: Path) -> VideoEncoder:
        """Read what :meth:`save` wrote.

        Raises
        ------
        OSError, ValueError
            If a file is absent or damaged.
        """
        kind: Any = Codebook if self.encoding.encoder == "words" else FisherVector
        for name in self.encoding.channels:
            self.encoders[name] = kind.load(folder / name)
            if self.encoding.components is not None:
                arrays = read_arrays(folder / name / PROJECTION)
                self.projections[name] = arrays["centre"], arrays["directions"]
        return self

    def _new_encoder(self, rows: int) -> Codebook | FisherVector:
        budget = self.budget
        if self.encoding.encoder == "words":
            words = max(min(budget.words, rows // ROWS_A_WORD), 1)
            return Codebook(words, restarts=budget.restarts, seed=self.seed)
        return FisherVector(
            max(min(budget.components, rows // ROWS_A_COMPONENT), 1), seed=self.seed
        )

    def _sample(self, files: Sequence[Path], arrays: Sequence[str]) -> NDArray[np.float32]:
        """Draw descriptors of all files, shape (N, D), N at least 1."""
        words = self.encoding.encoder == "words"
        size = self.budget.word_sample if words else self.budget.mixture_sample
        sample = DescriptorSample(size, seed=self.seed)
        width = 0
        for file in files:
            for rows in _rows(ArrayFile(file), arrays):
                sample.add(rows)
                width = rows.shape[1]
        if sample.seen == 0:
            return np.zeros((1, width or 1), np.float32)
        return sample.descriptors

    def _read_rows(self, source: ArrayFile, arrays: Sequence[str]) -> NDArray[np.float32]:
        """Read descriptors, shape (N, D), N at most ``MOST_FEATURES``."""
        sample = DescriptorSample(MOST_FEATURES, seed=self.seed)
        for rows in _rows(source, arrays):
            sample.add(rows)
        return sample.descriptors

    def _read_places(self, source: ArrayFile) -> NDArray[np.float32]:
        """Read where these descriptors lie, shape (N, 3)."""
        header = FeatureHeader.parse(source.metadata)
        names = ["xyt"] if "xyt" in source.rows else ["mean", "end_frame", "points"]
        # A sample of one size and seed draws the same rows of all arrays.
        sample = DescriptorSample(MOST_FEATURES, seed=self.seed)
        sample.add(np.zeros((0, 3), np.float32))
        for columns in source.chunks(*names):
            sample.add(feature_positions(dict(zip(names, columns, strict=True)), header))
        return sample.descriptors

    def _project(self, name: str, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        if name not in self.projections:
            return rows
        centre, directions = self.projections[name]
        return np.asarray((rows - centre) @ directions.T, np.float32)


def _rows(source: ArrayFile, arrays: Sequence[str]) -> Iterator[NDArray[np.float32]]:
    """Yield descriptors, the named arrays side by side; at least once, perhaps without a row."""
    for columns in source.chunks(*arrays):
        yield np.hstack(columns).astype(np.float32)
    if source.rows[arrays[0]] == 0:
        yield np.hstack([source.read(name) for name in arrays]).astype(np.float32)
