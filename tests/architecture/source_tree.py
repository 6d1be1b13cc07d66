"""The source tree goes in; its modules, with their text and syntax, come out."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
STOREYS = ("classicvid", "cnn", "pipelines")  # from the ground up


class Module(NamedTuple):
    """A source file: its dotted name, its path, its text and its syntax tree."""

    name: str
    path: Path
    text: str
    tree: ast.Module


def sources(folder: str) -> list[Path]:
    return sorted(path for path in (ROOT / folder).rglob("*.py") if "__pycache__" not in path.parts)


@cache
def read_module(path: Path) -> Module:
    parts = path.relative_to(ROOT).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    text = path.read_text("utf-8")
    return Module(name, path, text, ast.parse(text, filename=str(path)))


def identify(path: Path) -> str:
    return str(path.relative_to(ROOT))


PACKAGED = [path for storey in STOREYS for path in sources(storey)]
OTHERS = [path for folder in ("benchmarks", "tests", "tools") for path in sources(folder)]
each_packaged = pytest.mark.parametrize("path", PACKAGED, ids=identify)


def planted(text: str, *, name: str, package: bool = False) -> Module:
    """Return a module that breaks a rule, to see that the rule notices."""
    path = ROOT / name.replace(".", "/")
    path = path / "__init__.py" if package else path.with_suffix(".py")
    return Module(name, path, text, ast.parse(text))


def imports_of(module: Module) -> Iterator[tuple[int, str]]:
    """Yield line and dotted name of all that a module imports, wherever and however it does."""
    package = module.name.split(".")
    if module.path.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            start = ".".join([*above, *([node.module] if node.module else [])])
            yield node.lineno, start
            yield from ((node.lineno, f"{start}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and node.args:
            argument = node.args[0]
            named = isinstance(argument, ast.Constant) and isinstance(argument.value, str)
            if named and called_name(node).split(".")[-1] in ("import_module", "__import__"):
                yield node.lineno, argument.value


def called_name(call: ast.Call) -> str:
    """Return the dotted name that is called, empty where it has none."""
    parts, node = [], call.func
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join(reversed([*parts, node.id])) if isinstance(node, ast.Name) else ""


def within(name: str, *places: str) -> bool:
    return any(name == place or name.startswith(f"{place}.") for place in places)


MODELS = tuple(
    path.stem for path in sources("cnn/models") if path.stem not in ("__init__", "layers")
)
