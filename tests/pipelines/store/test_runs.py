"""The recipe of a run goes in; a run of the same settings goes on, any other is refused."""

from __future__ import annotations

import uuid

import pytest

from pipelines import store
from pipelines.store import (
    keep_recipe,
    read_yaml,
)
from tests.pipelines.store.traces import contents, leftover_of, names_in

RECIPE = {"seed": 0, "folds": (1, 2), "flow": {"winsize": 15}, "bound": 20.0}


def test_a_recipe_is_stored_once_and_recognised(tmp_path):
    run = tmp_path / "runs" / "mine"
    keep_recipe(run, RECIPE, overwrite=False)
    (run / "result").write_text("1")
    keep_recipe(run, RECIPE, overwrite=False)
    assert read_yaml(run / "recipe.yaml") == {**RECIPE, "folds": [1, 2]}
    assert (run / "result").read_text() == "1"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 1}, "seed: 0 then, 1 now"),
        ({"flow": {"winsize": 9}}, "flow: .*15.* then, .*9.* now"),
        ({"new": True}, "new: None then, True now"),
    ],
)
def test_a_run_of_other_settings_is_refused_and_kept(tmp_path, change, words):
    keep_recipe(tmp_path / "run", RECIPE, overwrite=False)
    (tmp_path / "run" / "result").write_text("1")
    before = contents(tmp_path)
    with pytest.raises(ValueError, match=words):
        keep_recipe(tmp_path / "run", {**RECIPE, **change}, overwrite=False)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("stored", ["", "[1]", "1: 2\nseed: 0", "text"])
def test_a_recipe_that_is_no_recipe_counts_as_changed(tmp_path, stored):
    (tmp_path / "recipe.yaml").write_text(stored)
    with pytest.raises(ValueError, match="was made with other settings"):
        keep_recipe(tmp_path, RECIPE, overwrite=False)


def test_overwriting_starts_a_run_again(tmp_path):
    run = tmp_path / "run"
    keep_recipe(run, RECIPE, overwrite=False)
    (run / "deep").mkdir()
    (run / "deep" / "result").write_text("1")
    (tmp_path / "mine").write_text("1")
    (run / "link").symlink_to(tmp_path)
    keep_recipe(run, {"seed": 1}, overwrite=True)
    assert read_yaml(run / "recipe.yaml") == {"seed": 1}
    assert names_in(run) == ["recipe.yaml"]
    assert (tmp_path / "mine").read_text() == "1"


def test_overwriting_takes_a_damaged_recipe_for_a_run(tmp_path):
    (tmp_path / "recipe.yaml").write_text("a: [")
    keep_recipe(tmp_path, RECIPE, overwrite=True)
    assert read_yaml(tmp_path / "recipe.yaml")["seed"] == 0


def test_overwriting_a_run_that_is_a_link_keeps_the_link(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "disk")
    keep_recipe(tmp_path / "run", RECIPE, overwrite=False)
    (tmp_path / "disk" / "result").write_text("1")
    keep_recipe(tmp_path / "run", {"seed": 1}, overwrite=True)
    assert (tmp_path / "run").is_symlink()
    assert names_in(tmp_path / "disk") == ["recipe.yaml"]


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("held", ["thesis.tex", "videos/a.mp4", ".git/config", "recipes.yaml"])
def test_a_folder_that_is_no_run_is_never_touched(tmp_path, overwrite, held):
    home = tmp_path / "home"
    (home / held).parent.mkdir(parents=True, exist_ok=True)
    (home / held).write_text("years of work")
    with pytest.raises(ValueError, match=r"home holds .* but no recipe\.yaml, so it is no run"):
        keep_recipe(home, RECIPE, overwrite=overwrite)
    assert contents(home) == {held: "years of work"}


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_in_the_place_of_the_run_is_kept(tmp_path, overwrite):
    (tmp_path / "run").write_text("mine")
    with pytest.raises(ValueError, match="run is a file"):
        keep_recipe(tmp_path / "run", RECIPE, overwrite=overwrite)
    assert contents(tmp_path) == {"run": "mine"}


@pytest.mark.parametrize("overwrite", [False, True])
def test_an_empty_folder_becomes_a_run(tmp_path, overwrite):
    keep_recipe(tmp_path, RECIPE, overwrite=overwrite)
    assert names_in(tmp_path) == ["recipe.yaml"]


def test_a_run_killed_before_it_had_a_recipe_does_not_stand_in_the_way(tmp_path, dead_process):
    leftover_of(tmp_path / "recipe.yaml", dead_process).write_text("seed")
    keep_recipe(tmp_path, RECIPE, overwrite=False)
    assert names_in(tmp_path) == ["recipe.yaml"]


def test_a_run_whose_emptying_was_broken_off_is_still_a_run(tmp_path, monkeypatch):
    keep_recipe(tmp_path, RECIPE, overwrite=False)
    for name in ("a", "z", uuid.uuid4().hex):
        (tmp_path / name).mkdir()

    def fail(*_, **__):
        raise PermissionError

    monkeypatch.setattr(store.shutil, "rmtree", fail)
    with pytest.raises(PermissionError):
        keep_recipe(tmp_path, {"seed": 1}, overwrite=True)
    assert read_yaml(tmp_path / "recipe.yaml")["seed"] == 0
