"""The shape of the repository: short modules and functions, imports that run one way, a root that shows the paper."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LINES, FUNCTION, ENTRIES = 250, 60, 20  # of a module, of a function, at the root of the repository

#: The paper, one module an idea, and what loads and writes for it.
PAPER = {
    *("skeleton", "crop", "scoremap", "attention", "posenet", "cpm", "detector", "gesturenet", "losses", "metrics"),
    *("arrays", "networks", "confidence", "tiles", "pretrained", "files", "devices"),
}
ROOMS = {"data", "train", "apply", "study", "book", "cli"}
#: Who may import whom: only what stands at the same height or below. Rooms of one height do not import each other
#: both ways.
HEIGHT = dict.fromkeys(PAPER, 0) | {"data": 1, "train": 2, "pipeline": 3, "apply": 4, "study": 4, "book": 4, "cli": 5}
HEIGHT["__main__"] = 6

#: Long for a reason.
LONG = {"handpose/data/catalogue.py": "a table of data sets, an entry each"}
#: Imports upwards inside a function, made when it is called, and why.
UPWARDS = {
    ("handpose.pipeline", "handpose.apply.onnx_runtime"): "HandPose.from_onnx: ONNX Runtime need not be installed",
    ("handpose.pipeline", "handpose.apply.prepared"): "HandPose.from_pretrained: the networks in ONNX Runtime",
}


def modules(root: Path) -> dict[str, Path]:
    """The package's modules by their dotted names."""
    found = {}
    for path in sorted((root / "handpose").rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def too_long(root: Path) -> Iterator[str]:
    """Modules and functions over their limits."""
    for path in modules(root).values():
        name, text = path.relative_to(root).as_posix(), path.read_text("utf-8")
        if (lines := len(text.splitlines())) > LINES and name not in LONG:
            yield f"{name}: {lines} lines"
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = node.end_lineno - node.lineno + 1
                if lines > FUNCTION:
                    yield f"{name}: {node.name} has {lines} lines"


def imports(tree: ast.AST, package: str, names: set[str], late: bool = False) -> Iterator[tuple[str, bool]]:
    """The package's modules that a piece of code imports, and whether only when a function is called.

    Args:
        tree: the code.
        package: the dotted name that "." means in it.
        names: of all modules, which tell a module from what is in one.
    """
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue  # never run
        found = []
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            found = [f"{source}.{a.name}" if f"{source}.{a.name}" in names else source for a in node.names]
        yield from ((name, late) for name in found if name in names)
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from imports(node, package, names, late or inside)


def room_of(name: str) -> str:
    """The room of a module, or at the package's root its own name; "" for the package itself."""
    return (name.split(".") + [""])[1]


def all_imports(root: Path) -> set[tuple[str, str, bool]]:
    """(importer, imported, only when called); the package itself is the front door and counts on neither side."""
    found, names = set(), modules(root)
    for name, path in names.items():
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        for other, late in imports(ast.parse(path.read_text("utf-8")), package, set(names)):
            if room_of(name) and room_of(other):
                found.add((name, other, late))
    return found


def upwards(root: Path) -> Iterator[str]:
    """Imports against the order, but those that are named."""
    pairs = all_imports(root)
    sideways = {(room_of(a), room_of(b)) for a, b, _ in pairs if room_of(a) != room_of(b)}
    for name, other, late in sorted(pairs):
        here, target = room_of(name), room_of(other)
        if HEIGHT[here] < HEIGHT[target] and not (late and (name, other) in UPWARDS):
            yield f"{name} imports {other}{'' if late else ' at once'}, though it is lower"
        if HEIGHT[here] == HEIGHT[target] == HEIGHT["book"] and {(here, target), (target, here)} <= sideways:
            yield f"{name} imports {other}, and {target} imports {here}"


def test_modules_and_functions_are_short_and_imports_run_one_way():
    assert [*too_long(ROOT), *upwards(ROOT)] == []


def test_exemptions_are_needed():
    assert all(len((ROOT / name).read_text("utf-8").splitlines()) > LINES for name in LONG)
    used = {(name, other) for name, other, _ in all_imports(ROOT)}
    assert set(UPWARDS) <= used


def test_the_packages_root_shows_the_paper():
    shown = {path.name.removesuffix(".py") for path in (ROOT / "handpose").iterdir() if path.name != "__pycache__"}
    assert shown - {"py.typed"} == PAPER | ROOMS | {"pipeline", "weights", "__init__", "__main__"}


def test_few_entries_at_the_repositorys_root():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode or not listed.stdout:
        pytest.skip("not a clone of the repository")
    top = {name.split("/")[0] for name in listed.stdout.split("\0") if name}
    assert len(top) <= ENTRIES, sorted(top)


def test_what_is_too_long_or_imports_upwards_is_found(tmp_path):
    """The rules above, on a package that breaks each."""

    def write(name: str, text: str) -> None:
        path = tmp_path / "handpose" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    write("__init__.py", "from handpose.pipeline import x")
    write("data/__init__.py", "x = 1\n" * (LINES + 1))
    write("data/reader.py", "from . import other\nfrom ..train import loop\nfrom handpose import crop")
    write("data/other.py", "def long():\n" + "    x = 1\n" * FUNCTION)
    write("train/loop.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import handpose.pipeline")
    write("crop.py", "def f():\n    import handpose.data.other\n")
    write("pipeline.py", "def f():\n    from handpose.apply import onnx_runtime\n")
    write("apply/onnx_runtime.py", "from handpose.book.figures import x")
    write("book/figures.py", "import handpose.crop, handpose.apply.onnx_runtime")
    assert list(too_long(tmp_path)) == [
        "handpose/data/__init__.py: 251 lines",
        "handpose/data/other.py: long has 61 lines",
    ]
    assert list(upwards(tmp_path)) == [
        "handpose.apply.onnx_runtime imports handpose.book.figures, and book imports apply",
        "handpose.book.figures imports handpose.apply.onnx_runtime, and apply imports book",
        "handpose.crop imports handpose.data.other, though it is lower",
        "handpose.data.reader imports handpose.train.loop at once, though it is lower",
    ]
