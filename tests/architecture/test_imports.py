"""The source tree goes in; every import that breaks the rules of the three storeys comes out."""

from __future__ import annotations

import ast

import pytest

from tests.architecture.source_tree import (
    MODELS,
    STOREYS,
    Module,
    called_name,
    each_packaged,
    imports_of,
    planted,
    read_module,
    sources,
    within,
)

STAGES = ("flow_export", "features", "local_features", "clip_cache", "train", "evaluate", "report")
# Where an outside library may be imported: modules, and all below them.
DOORS = {
    "numba": ("classicvid.kernels",),
    "torch": ("cnn",),
    "torchvision": ("cnn",),
    "av": ("classicvid.video",),
    "ray": ("pipelines.runner",),
}
# What the two lower storeys never import: they are libraries, and do not talk.
SILENT = ("argparse", "jsonargparse", "click", "tqdm", "rich")


def closed_doors(module: Module) -> list[str]:
    return [
        f"line {line}: {name} may be imported only in {', '.join(DOORS[library])}"
        for line, name in imports_of(module)
        for library in DOORS
        if within(name, library) and not within(module.name, *DOORS[library])
    ]


def upward_imports(module: Module) -> list[str]:
    storey = STOREYS.index(module.name.split(".")[0])
    return [
        f"line {line}: {name} lies above {module.name}"
        for line, name in imports_of(module)
        if within(name, *STOREYS[storey + 1 :])
    ]


def talk(module: Module) -> list[str]:
    if module.name.split(".")[0] == "pipelines":
        return []
    loud = [
        f"line {node.lineno}: print belongs in pipelines"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and called_name(node) == "print"
    ]
    return loud + [
        f"line {line}: {name} belongs in pipelines"
        for line, name in imports_of(module)
        if within(name, *SILENT)
    ]


def neighbours(module: Module, floor: str, names: tuple[str, ...]) -> list[str]:
    """Imports of one of the ``names`` of a package by another."""
    parent, _, own = module.name.rpartition(".")
    if parent != floor or own not in names:
        return []
    others = [f"{floor}.{name}" for name in names if name != own]
    return [
        f"line {line}: {own} imports {name}"
        for line, name in imports_of(module)
        if within(name, *others)
    ]


@each_packaged
def test_libraries_are_imported_at_their_doors_only(path):
    assert closed_doors(read_module(path)) == []


@each_packaged
def test_every_import_goes_down(path):
    assert upward_imports(read_module(path)) == []


@each_packaged
def test_the_libraries_are_silent(path):
    assert talk(read_module(path)) == []


@each_packaged
def test_models_and_stages_do_not_know_one_another(path):
    module = read_module(path)
    assert neighbours(module, "cnn.models", MODELS) == []
    assert neighbours(module, "pipelines", STAGES) == []


def test_all_stages_exist():
    assert {f"{stage}.py" for stage in STAGES} <= {path.name for path in sources("pipelines")}
    assert len(MODELS) >= 2


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("import numba", "classicvid.image"),
        ("from numba import njit", "cnn.clips"),
        ("def late():\n    import torch.nn as nn", "pipelines.train"),
        ("import torch", "classicvid.metrics"),
        ("from torchvision.models import video", "pipelines.train"),
        ("import importlib\nimportlib.import_module('av')", "pipelines.features"),
        ("import av.container", "classicvid.videos"),
        ("import ray", "pipelines.cli"),
        ("__import__('ray')", "pipelines.runners"),
    ],
)
def test_a_closed_door_is_noticed(text, name):
    assert closed_doors(planted(text, name=name))


def test_an_open_door_is_open():
    assert closed_doors(planted("import numba", name="classicvid.kernels.flow")) == []
    assert closed_doors(planted("import torch", name="cnn", package=True)) == []
    assert closed_doors(planted("import averaging, rayon", name="cnn.clips")) == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("import cnn", "classicvid.image"),
        ("from cnn.clips import Clip", "classicvid.flow.farneback"),
        ("import pipelines.store", "classicvid.image"),
        ("from pipelines import store", "cnn.training"),
        (
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pipelines import store",
            "cnn.models.layers",
        ),
    ],
)
def test_an_import_upwards_is_noticed(text, name):
    assert upward_imports(planted(text, name=name))


@pytest.mark.parametrize(
    "text", ["def f():\n    print(1)", "import argparse", "from tqdm.auto import tqdm"]
)
def test_talk_is_noticed(text):
    assert talk(planted(text, name="cnn.training"))
    assert not talk(planted(text, name="pipelines.cli"))


@pytest.mark.parametrize(
    "text",
    [
        "from . import two",
        "from .two import net",
        "import cnn.models.two",
        "from cnn.models import two",
    ],
)
def test_a_model_that_knows_another_is_noticed(text):
    module = planted(text, name="cnn.models.one")
    assert neighbours(module, "cnn.models", ("one", "two"))
    assert not neighbours(planted("from . import layers", name=module.name), "cnn.models", ("one",))
