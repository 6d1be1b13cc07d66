"""Places go in; gray levels of a scene that is known everywhere, between pixels too, come out."""

from __future__ import annotations

import numpy as np


def texture(x, y):
    """Gray levels at any place: waves of many directions, two gradients everywhere."""
    waves = np.random.default_rng(7).normal(0, 0.25, (24, 3))
    total = sum(np.sin(a * x + b * y + 25 * c) for a, b, c in waves)
    return np.clip(128 + 14 * total, 0, 255).astype(np.float32)
