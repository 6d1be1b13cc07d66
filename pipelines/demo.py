"""Renders the two sample sets and compares methods on both: where motion tells, and where not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipelines import compare
from pipelines.compare import Comparison
from pipelines.recipes import CompareRecipe, DemoRecipe
from pipelines.sample_sets import KINDS, Kind, write_sample_set

TEST_VIDEOS_PER_CLASS = 12
SAMPLE_SETS = {
    "motion": "only motion tells the class; the textures are random",
    "appearance": "one frame tells the class; the motion is random",
}


@dataclass(frozen=True, eq=False)
class Demo:
    """The comparison of each sample set, by its kind."""

    comparisons: dict[Kind, Comparison]


def run(recipe: DemoRecipe) -> Demo:
    """Render ``<runs>/demo/data/<kind>`` and compare into ``<runs>/demo/<kind>``."""
    root = Path(recipe.runs) / "demo"
    found: dict[Kind, Comparison] = {}
    for kind in KINDS:
        data = write_sample_set(
            root / "data" / kind,
            kind,
            train=recipe.videos_per_class,
            test=TEST_VIDEOS_PER_CLASS,
            seed=recipe.seed,
            workers=recipe.workers,
        )
        options = CompareRecipe(
            protocol="split",
            seed=recipe.seed,
            workers=recipe.workers,
            runs=str(root),
            run=kind,
            overwrite=recipe.overwrite,
        )
        found[kind] = compare.run(data, options)
    return Demo(found)
