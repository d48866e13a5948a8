"""Chapters made from their sources: what has to be executed again, and what only takes a new text."""

import re
import subprocess
import sys

import nbformat
import pytest

from tests.book.test_classroom import SOURCE
from tools import notebooks


@pytest.fixture
def chapter(tmp_path, monkeypatch):
    """A source and its notebook, whose outputs stand for an execution."""
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    monkeypatch.setattr(notebooks, "CHAPTERS", tmp_path / "chapters")
    notebooks.CHAPTERS.mkdir()
    source = tmp_path / "00-a-chapter.md"
    source.write_text(SOURCE, encoding="utf-8")
    made = notebooks.convert(source)
    for number, cell in enumerate(notebooks.code_cells(made), 1):
        cell.execution_count = number
        cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=f"output {number}\n")]
    made.metadata.handpose.update(package_sha256="of that time", seconds=7, device="CPU")
    notebooks.write(made, source)
    return source


def test_a_new_text_keeps_the_outputs(chapter, monkeypatch):
    before = nbformat.read(notebooks.chapter_of(chapter), as_version=4)
    assert notebooks.state(chapter) == "package changed"
    chapter.write_text(SOURCE.replace("Words before.", "Other words.\n\n## A heading"), encoding="utf-8")
    assert notebooks.state(chapter) == "text changed"
    notebooks.take_text(chapter)
    after = nbformat.read(notebooks.chapter_of(chapter), as_version=4)
    assert any("Other words." in cell.source for cell in after.cells)
    assert [c.outputs for c in notebooks.code_cells(after)] == [c.outputs for c in notebooks.code_cells(before)]
    assert after.metadata.handpose.source_sha256 == notebooks.source_hash(chapter)
    assert (after.metadata.handpose.package_sha256, after.metadata.handpose.seconds) == ("of that time", 7)
    assert notebooks.state(chapter) == "package changed"  # the text does not make old outputs new


def test_a_new_alt_text_is_text(chapter):
    """A picture's alt text comes into the notebook without an execution."""
    alt = 'ipython3\n---\nmystnb:\n  image:\n    alt: "A line."\n---\nbase'
    chapter.write_text(SOURCE.replace("ipython3\nbase", alt, 1), encoding="utf-8")
    assert notebooks.state(chapter) == "text changed"
    notebooks.take_text(chapter)
    cell = notebooks.code_cells(nbformat.read(notebooks.chapter_of(chapter), as_version=4))[0]
    assert cell.metadata.mystnb.image.alt == "A line." and cell.outputs[0].text == "output 1\n"


@pytest.mark.parametrize(
    ("old", "new"),
    [("base = 2", "base = 3"), ("ipython3\nbase", "ipython3\n:tags: [hide-input]\n\nbase"),
     ("Words before.", "```{code-cell} ipython3\n1\n```")],
)  # fmt: skip
def test_new_code_is_executed(chapter, old, new):
    text = SOURCE.replace(old, new, 1)
    assert text != SOURCE
    chapter.write_text(text, encoding="utf-8")
    assert notebooks.state(chapter) == "source changed"


def test_with_an_address_a_chapter_fetches_what_it_needs(chapter, tmp_path, monkeypatch):
    """A made-up address: where the package is missing, the first cell fetches and installs it."""
    before = notebooks.convert(chapter)
    config = tmp_path / "_config.yml"
    text = notebooks.CONFIG.read_text(encoding="utf-8")
    text = re.sub(r"^  url: .*", "  url: https://github.com/somebody/hands", text, count=1, flags=re.M)
    config.write_text(text, encoding="utf-8")
    monkeypatch.setattr(notebooks, "CONFIG", config)
    assert notebooks.state(chapter) == "source changed"
    made = notebooks.convert(chapter)
    nbformat.validate(made)
    first, *others = notebooks.code_cells(made)
    assert [c.source for c in others] == [c.source for c in notebooks.code_cells(before)]
    assert first.metadata.tags == ["remove-cell"] and made.cells[0].cell_type == "markdown"

    commands = []

    def record(command, check):
        commands.append(command)
        (tmp_path / "elsewhere" / "handpose-book" / "book" / "chapters").mkdir(parents=True, exist_ok=True)

    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setattr(subprocess, "run", record)
    exec(first.source)
    assert not commands  # the package is there
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    exec(first.source)
    clone, install = commands
    assert clone[:2] == ["git", "clone"] and clone[-2:] == ["https://github.com/somebody/hands", "handpose-book"]
    assert install == [sys.executable, "-m", "pip", "install", "--quiet", "./handpose-book"]
    assert notebooks.Path.cwd().parts[-3:] == ("handpose-book", "book", "chapters")
