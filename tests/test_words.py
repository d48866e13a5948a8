"""The field's terms as names: what the code no longer calls a thing, it does not call it again."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("handpose", "data_scripts", "tools", "benchmarks", "tests")

#: A name that is not used, and the one that is.
STRUCK = {
    "picture": "image", "pictures": "images", "points": "keypoints", "to_picture": "to_image",
    "picture_key": "image_key", "picture_size": "image_size", "write_picture": "write_image",
    "all_points": "all_keypoints", "new_points": "new_keypoints",
    "joint_box": "box_to_keypoint_extent", "body_box": "keypoints_to_box",
}  # fmt: skip
#: Words that stood for many things, each of which has a name of its own: `loaded`, `stated`, `crop`, `full`, `visible`,
#: `augmentation`, `device`, `evaluation`, `message`, `fingerprints`, ... Nor with an underscore before or behind.
HOME_MADE = {
    "kept", "said", "taken", "whole", "there", "halves", "prints", "how", "seen", "mine", "theirs", "look", "place",
    "unread", "noted",
}  # fmt: skip
#: Files and home-made words that they keep, with the reason.
LEFT = {
    "handpose/data/synthetic/camera.py": {"place": "the function that cells of Chapters 2 and 15 import"},
    "handpose/data/synthetic/render.py": {"place": "calls that function"},
    "handpose/study/heads.py": {"look": "the function that Chapter 9 names"},
    "handpose/study/fingerspelling.py": {"look": "the function that a cell of Chapter 10 calls"},
    "data_scripts/train_gestures.py": {"look": "calls that function"},
    "benchmarks/bench.py": {"whole": "the option --whole of the command line"},
}
#: Where `points` are parameters of the public interface, or points of any kind.
POINTS = ("handpose/scoremap.py", "handpose/losses.py", "handpose/crop.py", "handpose/data/synthetic/",
          "handpose/data/readers/egohands.py", "handpose/train/curves.py", "data_scripts/rendering/",
          "tests/scripts/test_render_synthetic.py")  # fmt: skip
#: Home-made terms, as patterns, and the field's, in prose and messages alike.
PROSE = {
    r"(?<!convolutional )(?<!convolutional\n)\bpose machine": "convolutional pose machine",
    r"\bsurest\b": "most confident", r"\bheld shapes?\b": "static sign", r"\bforetold\b": "predicted",
    r"\bdearer\b": "more costly", r"\bhangs? together\b": "depend on each other", r"\bby lot\b": "at random",
    r"\bdrawn hands?\b": "rendered hand", r"\bfinders?\b": "detector",
}  # fmt: skip
FILE_KEYS = {"savez", "savez_compressed"}  # whose keyword arguments are keys of files, which stay readable


def names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name of every variable, parameter, attribute, keyword argument, function and class."""
    module = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not (node.id == "pictures" and "pictures" in module):
            yield node.lineno, node.id
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.Attribute) and not (
            node.attr == "pictures" and ast.unparse(node).endswith("data.pictures")
        ):
            yield node.lineno, node.attr
        elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] not in FILE_KEYS:
            yield from ((node.lineno, k.arg) for k in node.keywords if k.arg)


def struck(file: str, text: str) -> list[str]:
    """The names in a file that are not used any more; tests may have home-made ones."""
    allowed = ({"points"} if file.startswith(POINTS) else set()) | set(LEFT.get(file, ()))
    home_made = set() if file.startswith("tests/") else HOME_MADE
    found = {(line, name) for line, name in names(ast.parse(text)) if name.strip("_") not in allowed}
    return [
        f"{file}:{line}: {name} is called {STRUCK.get(name, 'what the thing is')}"
        for line, name in sorted(found)
        if name in STRUCK or name.strip("_") in home_made
    ]


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_struck_name_is_used(folder):
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    assert [row for path in files for row in struck(path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))] == []


def test_a_struck_name_is_found():
    text = "from handpose.data import pictures\ndef f(points, *, pictures):\n"
    text += "    pictures.read(points.picture, to_picture=1)"
    assert struck("handpose/x.py", text) == [
        "handpose/x.py:2: pictures is called images",
        "handpose/x.py:2: points is called keypoints",
        "handpose/x.py:3: picture is called image",
        "handpose/x.py:3: points is called keypoints",
        "handpose/x.py:3: to_picture is called to_image",
    ]
    assert struck("handpose/crop.py", "def apply(points): np.savez(f, points=points)") == []


def test_a_home_made_name_is_found():
    text = "def _look(self, *, how):\n    self.kept = f(place=how)\n    kept_side, unseen = 1, 2"
    assert struck("tools/x.py", text) == [
        "tools/x.py:1: _look is called what the thing is",
        "tools/x.py:1: how is called what the thing is",
        "tools/x.py:2: how is called what the thing is",
        "tools/x.py:2: kept is called what the thing is",
        "tools/x.py:2: place is called what the thing is",
    ]
    assert struck("tests/x.py", text) == []
    assert len(struck("handpose/data/synthetic/camera.py", text)) == 4


@pytest.mark.parametrize("file", LEFT)
def test_a_home_made_name_that_is_left_is_still_there(file):
    assert set(LEFT[file]) <= {name for _, name in names(ast.parse((ROOT / file).read_text("utf-8")))}


def struck_in_prose(file: str, text: str) -> list[str]:
    """The home-made terms in a text."""
    return [
        f"{file}:{text.count(chr(10), 0, match.start()) + 1}: {match[0]} is called {word}"
        for pattern, word in PROSE.items()
        for match in re.finditer(pattern, text, re.IGNORECASE)
    ]


def test_no_struck_term_stands_in_the_book_or_in_a_message():
    files = [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *(ROOT / "book").glob("*.md"),
        *(ROOT / "book" / "source").glob("*.md"),
        *(ROOT / "book" / "questions").glob("*.md"),
        *(ROOT / "book" / "slides").glob("*.toml"),
    ]
    files += [
        path for folder in ("handpose", "data_scripts", "tools") for path in sorted((ROOT / folder).rglob("*.py"))
    ]
    assert [
        row for path in files for row in struck_in_prose(path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))
    ] == []


def test_a_struck_term_is_found():
    assert struck_in_prose("a.md", "A\npose machine beside a convolutional pose machine") == [
        "a.md:2: pose machine is called convolutional pose machine"
    ]
    assert struck_in_prose("a.md", "The Surest of all") and not struck_in_prose("a.md", "assured")
