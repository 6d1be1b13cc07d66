"""Every option of every recipe is looked up in its docstring; names of methods are parsed."""

from __future__ import annotations

import inspect
import re
from dataclasses import FrozenInstanceError, fields, is_dataclass
from typing import Literal, get_args, get_origin, get_type_hints

import pytest
import yaml

from pipelines import recipes
from pipelines.recipes import METHODS, CompareRecipe, FlowExportRecipe, parse_methods, plain

RECIPES = [
    value
    for _, value in inspect.getmembers(recipes, is_dataclass)
    if value.__module__ == recipes.__name__
]
OPTIONS = [
    pytest.param(recipe, field, id=f"{recipe.__name__}.{field.name}")
    for recipe in RECIPES
    for field in fields(recipe)
]
UNITS = re.compile(
    r"\bpx\b|\bScale\b|\blevels\b|\bIterations\b|\bquality, 1 to 100\b|\bprocesses\b|\bNumber\b"
    r"|\bSteps\b|\bvideos\b|\brandom numbers start\b"
)


def documented(recipe) -> dict[str, str]:
    """Return the type and the description of each parameter, in the order of the docstring."""
    section = inspect.getdoc(recipe).split("Parameters\n----------\n")[1]
    parts = re.split(r"^(\w+) : ", section, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.__name__)
def test_the_docstring_lists_the_fields_in_their_order(recipe):
    assert list(documented(recipe)) == [field.name for field in fields(recipe)]


@pytest.mark.parametrize(("recipe", "field"), OPTIONS)
def test_each_option_says_what_it_means_and_in_which_unit(recipe, field):
    kind, _, text = documented(recipe)[field.name].partition("\n")
    assert len(text.split()) >= 3
    assert text.strip().endswith(".")
    if field.type in ("int", "float"):
        assert kind == field.type
        assert UNITS.search(text), text


@pytest.mark.parametrize(("recipe", "field"), OPTIONS)
def test_the_choices_in_the_docstring_are_those_of_the_type(recipe, field):
    kind = documented(recipe)[field.name].partition("\n")[0]
    annotation = get_type_hints(recipe)[field.name]
    if get_origin(annotation) is Literal:
        assert re.findall(r'"([^"]+)"', kind) == list(get_args(annotation))
    else:
        assert '"' not in kind


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.__name__)
def test_recipes_are_frozen(recipe):
    made = METHODS["two-stream"] if recipe is recipes.Method else recipe()
    with pytest.raises(FrozenInstanceError):
        setattr(made, fields(made)[0].name, None)


def test_recipes_are_written_as_plain_values():
    for recipe in (CompareRecipe(), FlowExportRecipe()):
        assert yaml.safe_load(yaml.safe_dump(plain(recipe))) == plain(recipe)
    assert plain(FlowExportRecipe())["flow"]["winsize"] == 15


@pytest.mark.parametrize("name", METHODS)
def test_a_fusion_joins_methods_that_exist_and_are_trained(name):
    method = METHODS[name]
    assert (method.kind == "fusion") == bool(method.members)
    assert len(set(method.members)) == len(method.members) != 1
    for member in method.members:
        assert METHODS[member].kind != "fusion"
        assert list(METHODS).index(member) < list(METHODS).index(name)
    assert len(method.weights) in (0, len(method.members))
    seen = {METHODS[member].sees for member in method.members} or {method.sees}
    assert method.sees == (seen.pop() if len(seen) == 1 else "both")


def test_every_network_has_a_row():
    import cnn  # noqa: PLC0415 - seconds, which the other tests here need not wait for

    networks = {name for name, method in METHODS.items() if method.kind == "network"}
    assert networks == set(cnn.MODELS)


def test_one_frame_and_motion_can_be_compared_by_default():
    seen = {METHODS[name].sees for name in parse_methods(CompareRecipe().methods)}
    assert "appearance" in seen
    assert seen & {"motion", "both"}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("two-stream", ("two-stream",)),
        (" two-stream , single-frame,", ("single-frame", "two-stream")),
        ("slow-fusion,slow-fusion", ("slow-fusion",)),
        (",".join(reversed(METHODS)), tuple(METHODS)),
    ],
)
def test_methods_come_once_each_in_the_order_of_the_table(names, expected):
    assert parse_methods(names) == expected


@pytest.mark.parametrize(
    ("names", "got"),
    [("", "none"), (" , ", "none"), ("two-stream,Two-Stream", "'Two-Stream'"), ("all", "'all'")],
)
def test_unknown_methods_are_named_beside_the_known(names, got):
    with pytest.raises(ValueError, match=rf"among feature-histograms, .*; got {got}$"):
        parse_methods(names)
