"""Local descriptors of a video go in; one vector that describes the whole set comes out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from classicvid.encodings.pyramid import SpatioTemporalPyramid
from classicvid.encodings.storage import read_model, write_model

# Squares of what is larger, summed over a row, leave the range of float32.
_LARGEST = 1e15


class SetEncoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator, ABC):
    """What the encoders have in common: a set's vector is the normalised sum of its rows' shares.

    An encoder learns by ``fit`` what its descriptors look like. ``transform`` gives the share of
    every single descriptor, ``encode`` the vector of a set: the shares summed within each cell of
    a pyramid, and normalised.

    Notes
    -----
    Options are checked when ``fit`` is called, and a seed is called ``seed``: in all else the
    encoders follow the conventions of scikit-learn.
    """

    # Arrays that are learnt: attributes that end in an underscore, saved without it.
    _learnt: ClassVar[tuple[str, ...]] = ()
    n_features_in_: int

    def fit(self, X: ArrayLike, y: Any = None) -> Self:  # noqa: ARG002
        """Learn from a sample of descriptors.

        Parameters
        ----------
        X : array, shape (N, D), real and finite
            At least one descriptor.
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            If an option of the encoder or the array is not as described.
        """
        self._check_options()
        self._learn(self._check_rows(X, fit=True))
        return self

    def encode(
        self,
        descriptors: ArrayLike,
        *,
        positions: ArrayLike | None = None,
        pyramid: SpatioTemporalPyramid | None = None,
    ) -> NDArray[np.float32]:
        """Describe a set of descriptors by one vector.

        Parameters
        ----------
        descriptors : array, shape (N, D), real and finite
            Those of a video; N may be 0.
        positions : array, shape (N, 3), real, 0 to 1, optional
            Where they lie, as shares of width, height and duration (x, y, t); needed by a pyramid.
        pyramid : SpatioTemporalPyramid, optional
            Every cell of its grids is described by itself; by default the whole video only.

        Returns
        -------
        vector : array, shape (M * S,), float32
            The S numbers of every cell, M cells in the order of the pyramid. A cell without
            descriptors is zero, and so is the vector of an empty set.

        Raises
        ------
        TypeError, ValueError
            If the encoder is not fitted, the arrays are not as described, or do not fit one
            another; scikit-learn's ``NotFittedError`` is a ValueError.
        """
        check_is_fitted(self)
        rows = self._check_rows(descriptors, least=0)
        if pyramid is None:
            sums = np.zeros((1, self._n_features_out))
            if len(rows):
                sums[0] = self._sum(rows)
            return self._normalise(sums).ravel()
        cells = pyramid.cells(positions, count=len(rows))
        sums = np.zeros((pyramid.n_cells, self._n_features_out))
        # Descriptors that share all their cells are summed once, for however many grids there are.
        blocks, block_of = np.unique(cells, axis=0, return_inverse=True)
        for block, own in enumerate(blocks):
            sums[own] += self._sum(rows[block_of.ravel() == block])
        grids = np.split(sums, np.cumsum(pyramid.grid_cells)[:-1])
        return np.concatenate([self._normalise(grid).ravel() for grid in grids])

    def save(self, folder: str | Path) -> None:
        """Write ``model.safetensors`` and ``config.json`` into a folder, made where absent.

        Raises
        ------
        ValueError
            If the encoder is not fitted.
        """
        check_is_fitted(self)
        tensors = {name: getattr(self, f"{name}_") for name in self._learnt}
        tensors = {name: array for name, array in tensors.items() if array is not None}
        config = {
            "encoder": type(self).__name__,
            "options": self.get_params(),
            "features": self.n_features_in_,
        }
        write_model(Path(folder), tensors, config)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read what :meth:`save` wrote.

        Raises
        ------
        FileNotFoundError
            If one of the two files is absent.
        ValueError
            If one is damaged, they do not fit one another, or another encoder wrote them.
        """

        def build(config: dict[str, Any], tensors: dict[str, NDArray[np.float32]]) -> Any:
            encoder = cls(**config["options"])
            encoder._check_options()
            encoder.n_features_in_ = config["features"]
            for name in cls._learnt:
                setattr(encoder, f"{name}_", tensors.get(name))
            encoder._check_learnt(tensors)
            return encoder

        encoder: Self = read_model(Path(folder), cls.__name__, build)
        return encoder

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]  # which is also what all else becomes
        return tags

    def _check_rows(
        self, rows: ArrayLike, *, least: int = 1, fit: bool = False
    ) -> NDArray[np.float32]:
        with np.errstate(over="ignore"):  # too large for float32 becomes infinite, and is refused
            array: NDArray[np.float32] = validate_data(
                self, rows, dtype=np.float32, order="C", reset=fit, ensure_min_samples=least
            )
        if max(array.max(initial=0), -array.min(initial=0)) > _LARGEST:
            message = (
                f"descriptors must be at most {_LARGEST:g} in size; divide them by their scale"
            )
            raise ValueError(message)
        return array

    @abstractmethod
    def _learn(self, rows: NDArray[np.float32]) -> None:
        """Set the learnt arrays from rows (N, D), at least one."""

    @property
    @abstractmethod
    def _n_features_out(self) -> int:
        """S, how many numbers describe one cell."""

    @abstractmethod
    def _sum(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Sum the shares of rows (N, D), at least one; shape (S,)."""

    @abstractmethod
    def _normalise(self, sums: NDArray[np.float64]) -> NDArray[np.float32]:
        """Normalise the sums of the cells of one grid, shape (M, S)."""

    @abstractmethod
    def _check_options(self) -> None:
        """Refuse options that are not as described."""

    @abstractmethod
    def _check_learnt(self, tensors: dict[str, NDArray[np.float32]]) -> None:
        """Refuse arrays that do not fit one another and ``n_features_in_``."""


def normalise_signed(sums: NDArray[np.float64], power: float) -> NDArray[np.float32]:
    """Raise each number's size to a power, then give each row (M, S) Euclidean length 1."""
    roots = np.sign(sums) * np.abs(sums) ** power
    lengths = np.linalg.norm(roots, axis=1, keepdims=True)
    return (roots / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def check_flag(name: str, value: Any) -> bool:
    """Return a truth value."""
    if not isinstance(value, (bool, np.bool_)):
        message = f"{name} must be True or False, got {value!r}"
        raise TypeError(message)
    return bool(value)
