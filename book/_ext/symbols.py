"""What the package offers by name, and what the chapters say of it: read from the package itself, never typed.

The reference (`api.py` beside this file) and the tests share it. A room is a package with a page of its own in
`book/api/`. Public is what has no underscore in a module of a room; of a package that lists `__all__`, that list.
"""

import ast
import functools
import importlib
import inspect
import pkgutil
import re
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "source"
PAGES = {  # page in book/api: the package whose modules it lists
    "paper": "handpose",
    "data": "handpose.data",
    "readers": "handpose.data.readers",
    "train": "handpose.train",
    "apply": "handpose.apply",
}
CELL = re.compile(r"^```\{code-cell\}.*?\n(.*?)^```", re.M | re.S)
HEAD = re.compile(r"\A(?:---\n.*?^---\n|(?::[^\n]*\n)+)", re.M | re.S)  # a cell's tags and metadata
CHAPTERS = re.compile(r"\b(Chapters?\s+)(\d+(?:(?:,|\s+and|,\s+and)\s+\d+)*)")


@dataclass(frozen=True)
class Entry:
    """One public name: where the reference has it, what it is, and the module that defines it."""

    name: str  # in full, such as handpose.crop.affine
    value: object
    kind: str  # "function", "class", "exception" or "data"
    home: str  # the module of its source
    comment: str = ""  # of a constant


@functools.cache
def comments(module) -> dict[str, str]:
    """The constants that a module assigns, each with the comment behind it or, marked ``#:``, above it."""
    text = inspect.getsource(module)
    lines, found = text.splitlines(), {}
    for node in ast.parse(text).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for name in (n.id for t in targets for n in ast.walk(t or ast.Pass()) if isinstance(n, ast.Name)):
            if name.isupper() and not name.startswith("_"):
                found[name] = comment_at(lines, node)
    return found


def comment_at(lines: list[str], node: ast.stmt) -> str:
    """The comment of an assignment in a source: behind it, else the lines above it that begin with ``#:``."""
    behind = re.search(r"#:? (.*)", lines[node.end_lineno - 1].encode()[node.end_col_offset :].decode())
    first = node.lineno - 1
    while first and lines[first - 1].startswith("#:"):
        first -= 1
    return behind[1] if behind else " ".join(line[2:].strip() for line in lines[first : node.lineno - 1])


def field_comments(cls: type) -> dict[str, str]:
    """What stands behind the fields of a dataclass: name -> comment."""
    lines = inspect.getsource(importlib.import_module(cls.__module__)).splitlines()
    tree = ast.parse("\n".join(lines))
    node = next(n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and n.name == cls.__name__)
    fields = [n for n in node.body if isinstance(n, ast.AnnAssign) and not n.target.id.startswith("_")]
    return {n.target.id: comment_at(lines, n) for n in fields}


def public(module) -> list[Entry]:
    """The public names of a module in the order of its source, or of its ``__all__``; constants last."""
    constants = comments(module)
    own = [name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
    entries = []
    for name in getattr(module, "__all__", [*own, *(name for name in constants if name not in own)]):
        value = getattr(module, name)
        if name.startswith("_") or inspect.ismodule(value):
            continue
        kind, home, comment = "data", module.__name__, constants.get(name, "")
        if inspect.isfunction(inspect.unwrap(value)) or inspect.isclass(value):  # cached ones are wrapped
            failing = inspect.isclass(value) and issubclass(value, BaseException)
            kind = "exception" if failing else "class" if inspect.isclass(value) else "function"
            home = value.__module__
        elif name not in constants:  # a package's own list may offer a constant of one of its modules
            parts = [v for v in vars(module).values() if inspect.ismodule(v) and v.__name__.startswith("handpose.")]
            for part in parts:
                if name in comments(part):
                    home, comment = part.__name__, comments(part)[name]
        entries.append(Entry(f"{module.__name__}.{name}", value, kind, home, comment))
    return sorted(entries, key=lambda entry: entry.kind == "data")


def modules_of(package: str) -> list:
    """A room's own modules: itself, its files, and packages below it that list what they offer."""
    room = importlib.import_module(package)
    found = [] if package == "handpose" else [room]  # what handpose itself offers stands in its modules
    for part in pkgutil.iter_modules(room.__path__, package + "."):
        if part.name.rpartition(".")[2].startswith("_") or part.name in PAGES.values():
            continue
        if part.ispkg and package == "handpose":
            continue  # a room
        module = importlib.import_module(part.name)
        if not part.ispkg or hasattr(module, "__all__"):
            found.append(module)
    return found


@functools.cache
def reference() -> dict[str, dict[str, list[Entry]]]:
    """Page -> module -> entries. What a room offers itself is not repeated where it is defined."""
    seen, pages = set(), {}
    for page, package in PAGES.items():
        pages[page] = {}
        for module in modules_of(package):
            entries = [e for e in public(module) if e.kind == "data" or id(e.value) not in seen]
            seen |= {id(e.value) for e in entries if e.kind != "data"}
            if entries:
                pages[page][module.__name__] = entries
    return pages


def entries() -> list[Entry]:
    """All of the reference."""
    return [entry for page in reference().values() for found in page.values() for entry in found]


def modules() -> dict[str, object]:
    """The reference's modules by the last part of their names, under which chapters and docstrings use them."""
    return {name.rpartition(".")[2]: importlib.import_module(name) for page in reference().values() for name in page}


def along(dotted: str, names: dict[str, object]) -> list[object]:
    """What a dotted name such as ``metrics.pck`` passes on its way, beginning with one of the names."""
    first, *rest = dotted.split(".")
    found = [names[first]] if first in names else []
    for part in rest if found else ():
        if not hasattr(found[-1], part):
            break
        found.append(getattr(found[-1], part))
    return found


def telling(symbols: dict[str, object]) -> dict[str, object]:
    """The names that can be nothing else when they stand alone: ``PoseLoss``, ``unit_length``, but not ``read``."""
    alone: dict[str, list[object]] = {}
    for name, value in symbols.items():
        last = name.split(".")[-1]
        if not last.islower() or "_" in last:
            alone.setdefault(last, []).append(value)
    return {name: values[0] for name, values in alone.items() if all(v is values[0] for v in values)}


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def _brought(module: str, name: str) -> object:
    """What ``from module import name`` gives."""
    found = importlib.import_module(module)
    return getattr(found, name) if hasattr(found, name) else importlib.import_module(f"{module}.{name}")


def used(text: str) -> list[object]:
    """What the cells of a chapter use of the package."""
    tree = ast.parse("\n".join(HEAD.sub("", cell) for cell in CELL.findall(text)))
    names: dict[str, object] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {a.name: importlib.import_module(a.name) for a in node.names if a.name == "handpose"}
        elif isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] == "handpose":
            names |= {a.asname or a.name: _brought(node.module, a.name) for a in node.names}
    places = {_dotted(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute | ast.Name)}
    return [value for place in places for value in along(place, names)]


def named(text: str, names: dict[str, object]) -> list[object]:
    """What a chapter names in backticks, beginning with one of the names: `metrics.pck`, or `PoseLoss` alone."""
    spans = re.findall(r"`([^`\n]+)`", CELL.sub("", text))
    return [value for span in spans for value in along(re.match(r"[\w.]*", span)[0], names)]


def chapters() -> dict[int, Path]:
    """The chapters' sources by number."""
    return {int(path.name[:2]): path for path in sorted(SOURCE.glob("[0-9]*.md"))}


def chapters_of(text: str | None) -> set[int]:
    """The chapters that a docstring names: "Chapter 4", "Chapters 5 and 12"."""
    return {int(number) for found in CHAPTERS.finditer(text or "") for number in re.findall(r"\d+", found[2])}
