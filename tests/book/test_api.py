"""The API reference: every public name has a docstring with shapes and units, an entry, and links out of it.

What can be checked by a program: where an annotation names an array or a tensor, each such argument has a shape in the
docstring, and so has what is returned; where key-points or boxes go in or out, a unit is named. A method may leave it
to its class, and all may leave it to the head of their module, which names the argument with its shape.
"""

import html
import importlib
import inspect
import re

import numpy as np
import pytest
from torch import Tensor

from book._ext import symbols

ENTRIES = symbols.entries()
CODE = [entry for entry in ENTRIES if entry.kind != "data"]
ARRAY = re.compile(r"\b(ndarray|Tensor)\b")
SHAPE = re.compile(
    r"\((?:[\w.*/+ -]+,)[\w.*/+, -]*\)|\(\.\.\.|\(\)|\bshaped (?:as|like)\b"
    r"|\b(?:any|same) shape\b|\b[Aa]s (?:for|in|of) `"
)
UNIT = re.compile(
    r"\b(pixels?|px|cells?|mm|millimet\w+|metres?|radians?|degrees?|unit\w*|fractions?|shares?|logits?|uint8|bool"
    r"|frame|sides?|crop's|0 (?:to|\.\.) ?1|[Aa]s (?:for|in|of))\b|\[0, 1\]"
)
LENGTHS = re.compile(r"^(points|keypoints|box|boxes|predicted|target|first|second|joints|centre)$")


def functions(entry: symbols.Entry) -> list[tuple[str, object, str]]:
    """The functions that an entry stands for: name, function, and the docstring with all that it may lean on."""
    home = inspect.getdoc(importlib.import_module(entry.home)) or ""
    if entry.kind == "function":
        return [(entry.name, entry.value, home)]
    methods = [(name, getattr(value, "__func__", value)) for name, value in vars(entry.value).items()]
    return [
        (f"{entry.name}.{name}", value, f"{home}\n{inspect.getdoc(entry.value) or ''}")
        for name, value in methods
        if inspect.isfunction(value) and not name.startswith("_") and not inherited(entry.value, name, value)
    ]


def inherited(cls: type, name: str, method) -> bool:
    """Whether a method takes the place of another of Python's own, which documents it."""
    return not method.__doc__ and any(hasattr(b, name) and not b.__module__.startswith("torch") for b in cls.__bases__)


def described(argument: str, doc: str, background: str) -> bool:
    """Whether a shape follows an argument's name, in its own line of "Args:", in the prose, or in the background."""
    own = re.search(rf"^[ ]{{4}}(?:[\w, ]+, )?{argument}(?:, [\w, ]+)?: (.*(?:\n {{8}}.*)*)", doc, re.M)
    if own:
        return bool(SHAPE.search(own[1]))
    return bool(SHAPE.search(doc.split("\nArgs:")[0]) or re.search(rf"\b{argument}\b[^()]{{0,40}}\(\w*,", background))


def faults(name: str, function, background: str) -> list[str]:
    """What a docstring lacks, in words."""
    doc = inspect.getdoc(function) if function.__doc__ else None
    if not doc:
        return [f"{name} has no docstring"]
    kinds = {key: str(kind) for key, kind in function.__annotations__.items() if ARRAY.search(str(kind))}
    found = [f"{name}: no shape of {key}" for key in kinds if key != "return" and not described(key, doc, background)]
    if "return" in kinds:
        told = doc.partition("Returns:\n")[2] or doc.split("\nArgs:")[0]
        if not SHAPE.search(told) and not SHAPE.search(doc.split("\n\n")[0]):
            found.append(f"{name}: no shape of what it returns")
    if any(LENGTHS.match(key) for key in kinds) and not UNIT.search(f"{doc}\n{background}"):
        found.append(f"{name}: no unit of {', '.join(key for key in kinds if LENGTHS.match(key))}")
    return found


def test_every_public_name_has_a_docstring_with_shapes_and_units():
    missing = [f"{e.name} has no docstring" for e in CODE if not (e.value.__doc__ or "").strip()]
    missing += [f"{e.name} has only the docstring that its dataclass made" for e in CODE if made(e.value)]
    missing += [fault for entry in CODE for one in functions(entry) for fault in faults(*one)]
    assert not missing, "\n" + "\n".join(missing)


def made(value) -> bool:
    return inspect.isclass(value) and (value.__doc__ or "").startswith(f"{value.__name__}(")


def test_what_a_docstring_lacks_is_found():
    def silent(keypoints: np.ndarray) -> None: ...

    def shapeless(keypoints: np.ndarray, size: int) -> np.ndarray:
        """The points (n, 2), nearer.

        Args:
            keypoints: in pixels.
            size: of all.

        Returns:
            Others.
        """

    def unitless(boxes: Tensor) -> Tensor:
        """Boxes (n, 4), larger."""

    def good(keypoints: np.ndarray) -> np.ndarray:
        """Points (n, 2) in pixels, moved: (n, 2)."""

    assert faults("silent", silent, "") == ["silent has no docstring"]
    assert faults("shapeless", shapeless, "") == ["shapeless: no shape of keypoints"]
    assert faults("unitless", unitless, "") == ["unitless: no unit of boxes"]
    assert not faults("good", good, "") and not faults("unitless", unitless, "Boxes are in pixels.")


def test_the_reference_has_all_modules_of_the_rooms():
    """Found by files, not by what the reference goes by."""
    listed = {name for page in symbols.reference().values() for name in page}
    for package in symbols.PAGES.values():
        folder = symbols.SOURCE.parents[1] / package.replace(".", "/")
        for file in folder.glob("[!_]*.py"):
            name = f"{package}.{file.stem}"
            offered = set(re.findall(r"^(?:def|class) ([A-Za-z]\w*)", file.read_text("utf-8"), re.M))
            home = {e.name.rpartition(".")[2] for e in CODE if e.home == name}
            assert offered <= home, f"{name}: {offered - home} is not in the reference"
            assert name in listed or not home or all(e.name.startswith(package) for e in CODE if e.home == name)


@pytest.fixture(scope="session")
def parts(site) -> dict[str, str]:
    """The HTML of each entry: from its anchor to the next one of the reference."""
    found = {}
    for page in symbols.PAGES:
        pieces = re.split(r'\bid="(handpose\.[^"]+)"', (site / "api" / f"{page}.html").read_text("utf-8"))
        for name, text in zip(pieces[1::2], pieces[2::2], strict=True):
            found[html.unescape(name)] = text
    return found


def test_every_public_name_is_in_the_reference_with_its_source(parts):
    assert not [entry.name for entry in ENTRIES if entry.name not in parts]
    unsourced = [e.name for e in CODE if f"_modules/{e.home.replace('.', '/')}.html#" not in parts[e.name]]
    assert not unsourced, "without a link to the source"


def test_entries_link_to_their_chapters(parts):
    """To those that the docstring names; else to one of its module's."""
    for entry in CODE:
        own = symbols.chapters_of(entry.value.__doc__)
        told = symbols.chapters_of(importlib.import_module(entry.home).__doc__)
        linked = {int(number) for number in re.findall(r'href="\.\./chapters/(\d\d)-', parts[entry.name])}
        assert own <= linked, f"{entry.name} names chapters {own}, and links to {linked}"
        assert linked & told or own or not told or entry.kind == "exception", f"{entry.name}: no link to any of {told}"
    assert sum("/chapters/" in text for text in parts.values()) > len(CODE) / 3


def test_chapters_link_to_the_reference_once_a_name(site):
    total = 0
    for path in symbols.chapters().values():
        text = (site / "chapters" / f"{path.stem}.html").read_text("utf-8")
        links = re.findall(r'<a class="api[^"]*" href="\.\./(api/\w+\.html#[\w.-]+)"', text)
        assert len(links) == len(set(links)), path.stem
        total += len(links)
    assert total > len(symbols.chapters())
    score_maps = (site / "chapters" / "04-score-maps.html").read_text("utf-8")
    assert 'href="../api/paper.html#handpose.scoremap.decode" title="handpose.scoremap.decode"><code' in score_maps
