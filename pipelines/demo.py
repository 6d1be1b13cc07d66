"""The name of a sample set goes in; its videos are rendered and methods compared on them."""

from __future__ import annotations

from pathlib import Path

from pipelines import compare
from pipelines.compare import Comparison
from pipelines.recipes import CompareRecipe, DemoRecipe
from pipelines.sample_sets import Kind, write_sample_set

TEST_VIDEOS_PER_CLASS = 12
SAMPLE_SETS: dict[Kind, str] = {
    "motion": "only motion tells the class; the textures are random",
    "appearance": "one frame tells the class; the motion is random",
}


def run(kind: Kind, recipe: DemoRecipe) -> Comparison:
    """Render ``<runs>/demo/data/<kind>`` and compare into ``<runs>/demo/<kind>``."""
    root = Path(recipe.runs) / "demo"
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
    return compare.run(data, options)
