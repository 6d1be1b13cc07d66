"""The source tree goes in; every call that could run code from a file comes out."""

from __future__ import annotations

import ast

import pytest

from tests.architecture.source_tree import (
    Module,
    called_name,
    each_packaged,
    imports_of,
    planted,
    read_module,
    within,
)

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
