"""The source tree goes in; every file and function that breaks the style comes out."""

from __future__ import annotations

import ast
import re

import pytest

from tests.architecture.source_tree import (
    OTHERS,
    PACKAGED,
    Module,
    each_packaged,
    identify,
    planted,
    read_module,
    sources,
)

MOST_FILE_LINES, MOST_FUNCTION_LINES = 400, 80


VAGUE_NAMES = ("utils", "util", "common", "helpers", "helper", "misc", "tools")
each_file = pytest.mark.parametrize("path", PACKAGED + OTHERS, ids=identify)


def long_functions(module: Module) -> list[str]:
    """Functions whose body, without docstring, is too long; classes are no bodies."""
    found = []
    for node in ast.walk(module.tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            lines = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
            if lines > MOST_FUNCTION_LINES:
                found.append(f"{node.name} has {lines} lines")
    return found


def opening_faults(module: Module) -> list[str]:
    """What is wrong with the sentence that opens a file."""
    docstring = ast.get_docstring(module.tree)
    if docstring is None:
        return ["there is no docstring"]
    opening = " ".join(docstring.split("\n\n")[0].split())
    faults = []
    if len(opening.split()) < 4 or not opening[0].isalnum():
        faults.append(f"{opening!r} is no sentence")
    if not opening.endswith(".") or re.search(r"(?<!\bal)\. ", opening):
        faults.append(f"{opening!r} is not one sentence that ends with a full stop")
    return faults


def name_faults(module: Module) -> list[str]:
    own = module.name.split(".")[-1]
    defined = [
        node.name for node in module.tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))
    ]
    faults = [f"{own} defines {own}, which hides the module"] if own in defined else []
    if own.strip("_") in VAGUE_NAMES:
        faults.append(f"{own} names no noun; put its parts where they belong")
    return faults


@each_packaged
def test_no_file_is_too_long(path):
    assert len(read_module(path).text.splitlines()) <= MOST_FILE_LINES


@each_file
def test_no_function_is_too_long(path):
    assert long_functions(read_module(path)) == []


@each_file
def test_a_file_opens_with_one_sentence(path):
    assert opening_faults(read_module(path)) == []


@each_file
def test_a_module_is_named_after_one_noun_and_hides_nothing(path):
    assert name_faults(read_module(path)) == []


def test_folders_of_tests_are_no_packages():
    assert [path for path in sources("tests") if path.name == "__init__.py"] == []


def test_faults_of_style_are_noticed():
    lines = "\n".join(["    a = 1"] * (MOST_FUNCTION_LINES + 1))
    assert long_functions(
        planted(f"def f():\n    '''Text.\n\n    More.\n    '''\n{lines}", name="cnn.a")
    )
    assert not long_functions(planted("def f():\n    '''" + "\n" * 90 + "'''", name="cnn.a"))
    for text in (
        "a = 1",
        "'''cnn'''",
        "'''A file of many things'''",
        "'''One thing. Two things.'''",
    ):
        assert opening_faults(planted(text, name="cnn.a"))
    assert not opening_faults(
        planted("'''A clip goes in,\nscores come out.\n\nMore.'''", name="cnn.a")
    )
    assert name_faults(planted("def report():\n    pass", name="pipelines.report"))
    assert name_faults(planted("", name="cnn.utils"))
    assert name_faults(planted("", name="cnn._helpers", package=True))
