"""The public names of every module go in; those that nothing defines or documents come out."""

from __future__ import annotations

import ast

from tests.architecture.source_tree import (
    ROOT,
    Module,
    each_packaged,
    planted,
    read_module,
)


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
