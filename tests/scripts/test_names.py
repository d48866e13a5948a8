"""Scripts and tools, most of which no test runs whole, ask the package only for what it has."""

import ast
import importlib
import types

import pytest

from tests.conftest import ROOT

FILES = [f for folder in ("data_scripts", "tools", "benchmarks") for f in sorted((ROOT / folder).rglob("*.py"))]


def imported(module: str, name: str):
    """What `from module import name` gives, or None."""
    try:
        return getattr(importlib.import_module(module), name, None) or importlib.import_module(f"{module}.{name}")
    except ModuleNotFoundError:
        return None


def missing(source: str) -> list[str]:
    """Names of the package that a program uses and that are not there."""
    tree, found = ast.parse(source), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "handpose":
            for alias in node.names:
                found[alias.asname or alias.name] = imported(node.module, alias.name)
    absent = [name for name, value in found.items() if value is None]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            holder = found.get(node.value.id)
            if isinstance(holder, types.ModuleType) and not hasattr(holder, node.attr):
                absent.append(f"{node.value.id}.{node.attr}")
    return absent


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.relative_to(ROOT).as_posix())
def test_what_is_asked_of_the_package_is_there(file):
    assert missing(file.read_text()) == []


def test_what_is_not_there_is_seen():
    assert missing("from handpose import detector, nothing\ndetector.nms\ndetector.letterbox") == [
        "nothing",
        "detector.letterbox",
    ]
