"""The source tree goes in; every breach of the rules that keep its three storeys comes out."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
STOREYS = ("classicvid", "cnn", "pipelines")  # from the ground up
STAGES = ("flow_export", "features", "clip_cache", "train", "evaluate", "report")
MOST_FILE_LINES, MOST_FUNCTION_LINES = 400, 80

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
# What runs code that a file brings along.
UNSAFE_IMPORTS = ("pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal")
UNSAFE_CALLS = (
    "eval",
    "exec",
    "os.system",
    "os.popen",
    "torch.load",
    "torch.save",
    "yaml.load",
    "yaml.full_load",
    "yaml.unsafe_load",
    "subprocess.getoutput",
    "subprocess.getstatusoutput",
)
VAGUE_NAMES = ("utils", "util", "common", "helpers", "helper", "misc", "tools")
HEAVY = ("torch", "torchvision", "numba", "ray", "cv2", "sklearn", "av", "scipy", "matplotlib")


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
each_file = pytest.mark.parametrize("path", PACKAGED + OTHERS, ids=identify)


def planted(text: str, *, name: str, package: bool = False) -> Module:
    """Return a module that breaks a rule, to see that the rule notices."""
    path = ROOT / name.replace(".", "/")
    path = path / "__init__.py" if package else path.with_suffix(".py")
    return Module(name, path, text, ast.parse(text))


# What is imported


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


MODELS = tuple(
    path.stem for path in sources("cnn/models") if path.stem not in ("__init__", "layers")
)


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


# What is run


def unsafe(module: Module) -> list[str]:
    found = [
        f"line {line}: {name} can run code from a file"
        for line, name in imports_of(module)
        if within(name, *UNSAFE_IMPORTS)
    ]
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Call):
            continue
        options = {item.arg: item.value for item in node.keywords}
        name = called_name(node)
        if name in UNSAFE_CALLS:
            found.append(f"line {node.lineno}: {name} is not allowed")
        if "shell" in options and not is_constant(options["shell"], False):
            found.append(f"line {node.lineno}: {name} must do without a shell")
        if name in ("np.load", "numpy.load") and "allow_pickle" not in options:
            found.append(f"line {node.lineno}: {name} must say allow_pickle=False")
        if "allow_pickle" in options and not is_constant(options["allow_pickle"], False):
            found.append(f"line {node.lineno}: {name} must say allow_pickle=False")
    return found


def is_constant(node: ast.expr, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


@each_packaged
def test_no_file_can_bring_code_along(path):
    assert unsafe(read_module(path)) == []


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "from joblib import load",
        "eval('1')",
        "exec(text)",
        "import os\nos.system('ls')",
        "subprocess.run('ls', shell=True)",
        "subprocess.run('ls', shell=flag)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "numpy.load(path, allow_pickle=flag)",
        "np.save(path, array, allow_pickle=True)",
        "torch.load(path)",
        "yaml.load(text, Loader=yaml.Loader)",
    ],
)
def test_unsafe_calls_are_noticed(text):
    assert unsafe(planted(text, name="pipelines.store"))


def test_safe_calls_are_not_noticed():
    text = "model.eval()\nnp.load(path, allow_pickle=False)\nyaml.safe_load(text)\nre.compile('a')"
    assert unsafe(planted(text, name="cnn.training")) == []


# How it is written


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


# What is public


def public_names(module: Module) -> list[str]:
    """Names in ``__all__``, or else all that an ``__init__`` imports under a public name."""
    for node in module.tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            return list(ast.literal_eval(node.value))
    if module.path.name != "__init__.py":
        return []
    return [
        alias.asname or alias.name
        for node in module.tree.body
        if isinstance(node, ast.ImportFrom) and node.module != "__future__"
        for alias in node.names
        if not (alias.asname or alias.name).startswith("_")
    ]


def find_definition(module: Module, name: str) -> ast.AST | Module | None:
    """Follow a name through the imports to what defines it; None where it is outside or absent."""
    for node in module.tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name == name:
            return node
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                return node
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return follow(module, node, alias.name)
    return find_module(f"{module.name}.{name}")


def follow(module: Module, node: ast.ImportFrom, name: str) -> ast.AST | Module | None:
    package = module.name.split(".")
    if module.path.name != "__init__.py":
        package = package[:-1]
    above = package[: len(package) - node.level + 1] if node.level else []
    start = ".".join([*above, *([node.module] if node.module else [])])
    source = find_module(start)
    return None if source is None else find_definition(source, name)


def find_module(name: str) -> Module | None:
    place = ROOT / name.replace(".", "/")
    for path in (place.with_suffix(".py"), place / "__init__.py"):
        if path.is_file():
            return read_module(path)
    return None


def undocumented(module: Module) -> list[str]:
    faults = []
    for name in public_names(module):
        found = find_definition(module, name)
        if found is None:
            faults.append(f"{name} is public but defined nowhere")
        elif isinstance(found, (ast.FunctionDef, ast.ClassDef)) and not ast.get_docstring(found):
            faults.append(f"{name} has no docstring")
    return faults


@each_packaged
def test_every_public_name_is_defined_and_documented(path):
    assert undocumented(read_module(path)) == []


def test_the_storeys_have_public_names():
    for storey in ("classicvid", "cnn"):
        assert public_names(read_module(ROOT / storey / "__init__.py"))


def test_an_undocumented_name_is_noticed():
    text = "from pipelines.store import nothing\ndef bare(): 1\n"
    text += "__all__ = ['bare', 'absent', 'nothing']"
    faults = undocumented(planted(text, name="cnn.planted"))
    assert [fault.split()[0] for fault in faults] == ["bare", "absent", "nothing"]


# The command line


def run_python(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_command_line_loads_nothing_heavy():
    code = "import sys, json, pipelines.cli; print(json.dumps(sorted(sys.modules)))"
    done = run_python("-c", code)
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert "pipelines.cli" in loaded
    assert [name for name in loaded if name in HEAVY] == []


def test_help_works_and_loads_nothing_heavy():
    code = (
        "import sys, json\nfrom pipelines.cli import main\n"
        "try:\n    code = main(['--help'])\nexcept SystemExit as stop:\n    code = stop.code\n"
        "print(json.dumps([code, sorted(sys.modules)]))"
    )
    done = run_python("-c", code)
    assert done.returncode == 0, done.stderr
    *text, last = done.stdout.splitlines()
    code, loaded = json.loads(last)
    assert code in (0, None)
    assert "classicvid" in "\n".join(text)
    for command in ("demo", "flow", "compare"):
        assert command in "\n".join(text)
    assert [name for name in loaded if name in HEAVY] == []


def test_the_installed_command_answers():
    command = Path(sys.executable).with_name("classicvid")
    if not command.exists():
        pytest.skip("classicvid is not installed beside this Python")
    done = subprocess.run(
        [command, "--help"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage: classicvid" in done.stdout
