"""Local descriptors of videos go in; one vector a video, and kernels between these, come out.

The encoders are estimators of scikit-learn, which takes most of a second to import: so this package
is imported by itself, ``from classicvid.encodings import Codebook``, and not by ``classicvid``.
"""

from __future__ import annotations

from classicvid.encodings.chi_square import (
    chi_square_distance,
    chi_square_kernel,
    chi_square_scale,
)
from classicvid.encodings.codebook import Codebook
from classicvid.encodings.encoder import SetEncoder
from classicvid.encodings.fisher import FisherVector
from classicvid.encodings.pyramid import PAPER_GRIDS, SpatioTemporalPyramid
from classicvid.encodings.sample import DescriptorSample
from classicvid.encodings.vlad import VLAD

# In the order of the arrow: sample, encoders, pyramid, kernel.
__all__ = [  # noqa: RUF022
    "DescriptorSample",
    "SetEncoder",
    "Codebook",
    "FisherVector",
    "VLAD",
    "PAPER_GRIDS",
    "SpatioTemporalPyramid",
    "chi_square_distance",
    "chi_square_kernel",
    "chi_square_scale",
]
