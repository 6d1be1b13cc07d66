"""Scores of the members of a fusion go in; the scores of the fusion come out."""

from __future__ import annotations

from collections.abc import Sequence

from classicvid.metrics import Scores
from classicvid.score_fusion import ScoreFusion
from pipelines.recipes import METHODS
from pipelines.run_folder import TRAINING_SCORES, RunFolder


def fitted_members(name: str) -> tuple[str, ...]:
    """Return the methods whose scores of their training videos a fusion has to be fitted to."""
    method = METHODS[name]
    return method.members if method.fusion == "svm" else ()


def fuse(folder: RunFolder, name: str, parts: Sequence[Scores], *, folds: int) -> Scores:
    """Bring the members' scores together, as the fusion's row in ``METHODS`` says.

    Parameters
    ----------
    folder : RunFolder
        Holds the members' scores of each fold, and for a support vector machine those of the
        fold's training videos.
    name : str
        A fusion.
    parts : sequence of Scores
        The members' scores over all folds, in the order of ``METHODS[name].members``.
    folds : int
        Number of folds.
    """
    method = METHODS[name]
    if method.fusion == "average":
        return Scores.average(parts, weights=method.weights or None)
    tested = []
    for number in range(1, folds + 1):
        places = [folder.fold(member, number) for member in method.members]
        machine = ScoreFusion().fit([Scores.load(place / TRAINING_SCORES) for place in places])
        tested.append(machine.predict([Scores.load(place / "scores.npz") for place in places]))
    return Scores.concatenate(tested)
