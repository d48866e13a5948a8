"""Every public function and class is named in some chapter, and its docstring says in which.

Public is what has no underscore in a module of `handpose/`, or in a package's `__all__`: what lies in the files of
`handpose.data` is reached by its two packages. Errors are left out, for they say themselves what was wrong. A chapter
names a symbol by using it in a cell, or in `backticks`: with its module, or alone where the name can be nothing else.
A class, and what `handpose` itself offers, names its chapter; a function may leave that to its module.
"""

import importlib
import inspect
import pkgutil
import sys

from book._ext import symbols
from book._ext.symbols import chapters_of, used

EXEMPT = {  # modules that no chapter teaches
    "ahead": "pictures read while the networks work",
    "arrays": "the networks as arrays in and out; detector and gesturenet offer what chapters use of it",
    "average_precision": "by hand in Chapter 3; the package's is pycocotools'",
    "cases": "behind `data_scripts/evaluate_claim.py`; the page of the plan says what is hard in each",
    "claim": "the records of Chapter 9's runs, and sentences made of them",
    "batch": "photographs of `handpose predict`, one after the other",
    "compare": "behind `handpose compare`, which does what Chapter 9 does",
    "curves": "files to look at while a run goes on",
    "listing": "which files `handpose predict` takes",
    "reading": "opens what a command line names",
    "sheet": "behind `handpose data show`",
    "checkpoint": "what a training writes",
    "capture": "frames of videos and cameras",
    "controls": "behind `explore`: what an explorer is set by under a kernel",
    "config": "TOML into dataclasses; what can be set stands in the files",
    "devices": "picks a processor",
    "display": "a window, where one can be opened",
    "distributed": "glue to PyTorch; Chapter 13 says what it computes",
    "exercises": "behind `make class`",
    "export": "ONNX files; a command",
    "figures": "draws the book's own figures",
    "files": "writes files whole or not at all",
    "heldout": "what `train` scores; Chapter 11 says how a set is divided",
    "onnx_runtime": "the networks in ONNX's runtime, in place of the package's",
    "networks": "the networks from pixels to numbers, for the pipeline and for ONNX files",
    "paper": "numbers only",
    "photos": "files of `handpose predict`",
    "prepared": "which runtime the pipeline takes, and its files in the cache",
    "pretrained": "files of weights",
    "recording": "videos that are written",
    "records": "files of results",
    "repository": "finds the records that chapters read",
    "reproduce": "behind `handpose reproduce`, which the ledger shows",
    "unseen": "what `evaluate` and `compare` leave out, as Chapter 14 shows",
    "video": "hands followed through a film",
}
# Symbols that wait for their sentence in a chapter. An entry whose sentence is there must go.
WAITING = {
    f"handpose.{name}"
    for name in (
        "train.pose.Plan",
        "study.detection.QuickScores",
        "study.detection.recall",
        "study.detection.recall_by_size",
        "study.detection.turn",
    )
}
ROOMS = ("handpose", "handpose.train", "handpose.apply", "handpose.study", "handpose.book")
DATA = ("handpose.data", "handpose.data.synthetic", "handpose.data.augment")


def taught() -> dict[str, object]:
    """The modules whose symbols count, by the name under which a chapter uses them."""
    names = [
        f"{room}.{part.name}"
        for room in ROOMS
        for part in pkgutil.iter_modules(importlib.import_module(room).__path__)
        if not part.ispkg and not part.name.startswith("_") and part.name not in EXEMPT
    ]
    return {name.split(".")[-1]: importlib.import_module(name) for name in (*names, *DATA)}


def public(module) -> dict[str, object]:
    """Functions and classes of a module by their full name."""
    return {entry.name: entry.value for entry in symbols.public(module) if entry.kind in ("function", "class")}


MODULES = taught()
SYMBOLS = {name: value for module in MODULES.values() for name, value in public(module).items()}
OFFERED = list(public(importlib.import_module("handpose")).values())
NAMES = MODULES | {"handpose": importlib.import_module("handpose")} | symbols.telling(SYMBOLS)


def named(text: str) -> list[object]:
    return symbols.named(text, NAMES)


def fault(symbol, module_doc: str, explained: dict[int, list[object]]) -> str | None:
    """What is wrong, in words, or None. `explained`: what each chapter uses or names."""
    own = chapters_of(symbol.__doc__)
    if (inspect.isclass(symbol) or any(symbol is value for value in OFFERED)) and not own:
        return "its docstring names no chapter"
    places = own or chapters_of(module_doc)
    if not places:
        return "neither its docstring nor its module's names a chapter"
    if any(value is symbol for where in places for value in explained.get(where, ())):
        return None
    chapters = sorted(c for c, values in explained.items() if any(value is symbol for value in values))
    return f"chapter {sorted(places)} does not have it; {f'chapter {chapters} does' if chapters else 'no chapter does'}"


def test_every_symbol_is_explained_in_the_chapter_that_its_docstring_names():
    texts = {number: path.read_text("utf-8") for number, path in symbols.chapters().items()}
    explained = {number: used(text) + named(text) for number, text in texts.items()}
    found = {
        name: fault(value, sys.modules[name.rpartition(".")[0]].__doc__, explained) for name, value in SYMBOLS.items()
    }
    faults = [f"{name}: {what}" for name, what in found.items() if what and name not in WAITING]
    assert not faults, "\n" + "\n".join(faults)
    assert not [name for name in WAITING if not found[name]], "explained by now: take it out of WAITING"


def test_exemptions_are_of_modules_that_are_there():
    existing = {part.name for room in ROOMS for part in pkgutil.iter_modules(importlib.import_module(room).__path__)}
    assert set(EXEMPT) <= existing and set(WAITING) <= set(SYMBOLS)


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
