"""Every public function and class is named in some chapter, and its docstring says in which.

Public is what has no underscore in a module of `handpose/`, or in a package's `__all__`: what lies in the files of
`handpose.data` is reached by its two packages. Errors are left out, for they say themselves what was wrong. A chapter
names a symbol by using it in a cell, or in `backticks`: with its module, or alone where the name can be nothing else.
A class, and what `handpose` itself offers, names its chapter; a function may leave that to its module.
"""

import ast
import importlib
import inspect
import re
import sys

from tests.conftest import ROOT

EXEMPT = {  # modules that no chapter teaches
    "checkpoint": "what training.Run writes",
    "checks": "behind `handpose data check`, which Chapter 11 shows",
    "capture": "frames of videos and cameras",
    "config": "TOML into dataclasses; what can be set stands in the files",
    "datasets": "behind `handpose data`, which Chapter 11 shows",
    "devices": "picks a processor",
    "display": "a window, where one can be opened",
    "distributed": "glue to PyTorch; Chapter 13 says what it computes",
    "doctor": "for bug reports",
    "exercises": "behind `make class`",
    "export": "ONNX files; a command",
    "figures": "draws the book's own figures",
    "files": "writes files whole or not at all",
    "onnx_runtime": "the networks in ONNX's runtime, in place of the package's",
    "paper": "numbers only",
    "photos": "files of `handpose predict`",
    "predict": "a command",
    "pretrained": "files of weights",
    "recording": "videos that are written",
    "records": "files of results",
    "reproduce": "behind `handpose reproduce`, which the ledger shows",
    "video": "hands followed through a film",
}
# Symbols that wait for their sentence in a chapter. An entry whose sentence is there must go.
WAITING = {}
CELL = re.compile(r"^```\{code-cell\}.*?\n(.*?)^```", re.M | re.S)
HEAD = re.compile(r"\A(?:---\n.*?^---\n|(?::[^\n]*\n)+)", re.M | re.S)  # a cell's tags and metadata


def taught() -> dict[str, object]:
    """The modules whose symbols count, by the name under which a chapter uses them."""
    names = [path.stem for path in (ROOT / "handpose").glob("*.py") if not path.stem.startswith("_")]
    names = sorted(set(names) - set(EXEMPT)) + ["data", "data.synthetic"]
    return {name.split(".")[-1]: importlib.import_module(f"handpose.{name}") for name in names}


def public(module) -> dict[str, object]:
    """Functions and classes of a module by their full name."""
    own = [name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
    found = {name: getattr(module, name) for name in getattr(module, "__all__", own) if not name.startswith("_")}
    return {
        f"{module.__name__}.{name}": value
        for name, value in found.items()
        if inspect.isfunction(value) or (inspect.isclass(value) and not issubclass(value, BaseException))
    }


MODULES = taught()
SYMBOLS = {name: value for module in MODULES.values() for name, value in public(module).items()}
OFFERED = list(public(importlib.import_module("handpose")).values())


def along(dotted: str, names: dict[str, object]) -> list[object]:
    """What a dotted name such as ``metrics.pck`` passes on its way, beginning with one of the names."""
    first, *rest = dotted.split(".")
    found = [names[first]] if first in names else []
    for part in rest if found else ():
        if not hasattr(found[-1], part):
            break
        found.append(getattr(found[-1], part))
    return found


def dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def brought(module: str, name: str) -> object:
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
            names |= {a.asname or a.name: brought(node.module, a.name) for a in node.names}
    places = {dotted(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute | ast.Name)}
    return [value for place in places for value in along(place, names)]


def named(text: str) -> list[object]:
    """What a chapter names in backticks: `metrics.pck`, `handpose.metrics.pck`, or `PoseLoss` and `unit_length` alone.

    A single small word alone, such as `read`, may be anything and does not count.
    """
    alone: dict[str, list[object]] = {}
    for name, value in SYMBOLS.items():
        last = name.split(".")[-1]
        if not last.islower() or "_" in last:
            alone.setdefault(last, []).append(value)
    alone = {name: values for name, values in alone.items() if all(v is values[0] for v in values)}
    names = MODULES | {"handpose": importlib.import_module("handpose")} | {name: v[0] for name, v in alone.items()}
    spans = re.findall(r"`([^`\n]+)`", CELL.sub("", text))
    return [value for span in spans for value in along(re.match(r"[\w.]*", span)[0], names)]


def chapters_of(text: str | None) -> set[int]:
    """The chapters that a docstring names: "Chapter 4", "Chapters 5 and 12"."""
    lists = re.findall(r"\bChapters?\s+(\d+(?:(?:,|\s+and|,\s+and)\s+\d+)*)", text or "")
    return {int(number) for numbers in lists for number in re.findall(r"\d+", numbers)}


def fault(symbol, module_doc: str, explained: dict[int, list[object]]) -> str | None:
    """What is wrong, in words, or None. `explained`: what each chapter uses or names."""
    own = chapters_of(symbol.__doc__)
    if (inspect.isclass(symbol) or any(symbol is value for value in OFFERED)) and not own:
        return "its docstring names no chapter"
    places = own or chapters_of(module_doc)
    if not places:
        return "neither its docstring nor its module's names a chapter"
    if any(value is symbol for place in places for value in explained.get(place, ())):
        return None
    there = sorted(c for c, values in explained.items() if any(value is symbol for value in values))
    return f"chapter {sorted(places)} does not have it; {f'chapter {there} does' if there else 'no chapter does'}"


def test_every_symbol_is_explained_in_the_chapter_that_its_docstring_names():
    texts = {int(p.name[:2]): p.read_text("utf-8") for p in (ROOT / "book" / "source").glob("[0-9]*.md")}
    explained = {number: used(text) + named(text) for number, text in texts.items()}
    found = {
        name: fault(value, sys.modules[name.rpartition(".")[0]].__doc__, explained) for name, value in SYMBOLS.items()
    }
    faults = [f"{name}: {what}" for name, what in found.items() if what and name not in WAITING]
    assert not faults, "\n" + "\n".join(faults)
    assert not [name for name in WAITING if not found[name]], "explained by now: take it out of WAITING"


def test_exemptions_are_of_modules_that_are_there():
    there = {path.stem for path in (ROOT / "handpose").glob("*.py")}
    assert set(EXEMPT) <= there and set(WAITING) <= set(SYMBOLS)


def test_what_is_not_explained_is_found():
    """A symbol without a chapter, with the wrong one, and one that a chapter only seems to name."""
    text = "Prose with `read` and `metrics.pck(x)`.\n\n```{code-cell} ipython3\n:tags: [hide-input]\n\n"
    text += "from handpose import gesturenet as g\nread = g.fit  # not g.read\n```\n"
    chapters = {3: used(text) + named(text)}
    pck, fit, read = (SYMBOLS[f"handpose.{name}"] for name in ("metrics.pck", "gesturenet.fit", "gesturenet.read"))
    assert fault(fit, "As in Chapter 3.", chapters) is None
    assert fault(read, "As in Chapter 3.", chapters) == "chapter [3] does not have it; no chapter does"
    assert "module's names a chapter" in fault(fit, "No chapter here.", chapters)
    wrong = type("Wrong", (), {"__doc__": "See Chapter 4."})
    assert fault(wrong, "Chapter 3", {3: [wrong]}) == "chapter [4] does not have it; chapter [3] does"
    assert fault(type("Silent", (), {"__doc__": "Says nothing."}), "Chapter 3", {}) == "its docstring names no chapter"
    assert any(value is pck for value in chapters[3])
    assert chapters_of("Chapters 5, 6 and 12; Chapter\n3, section 4") == {3, 5, 6, 12}
