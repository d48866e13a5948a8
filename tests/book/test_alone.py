"""A chapter that was downloaded from its page and lies alone in a folder: it runs, or says what is missing."""

import re
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

import handpose
from handpose.book import repository
from tests.conftest import ROOT

CHAPTERS = sorted((ROOT / "book" / "source").glob("[0-9]*.md"))
CELL = re.compile(
    r"^```\{code-cell\}[^\n]*\n(?:---\n.*?\n---\n|(?::[^\n]*\n)+)?\n*(.*?)^```$", re.DOTALL | re.MULTILINE
)


def cells(chapter):
    return CELL.findall(chapter.read_text("utf-8"))


READING = [chapter for chapter in CHAPTERS if "repository.path(" in chapter.read_text("utf-8")]


def test_no_chapter_reads_by_where_it_lies():
    assert len(CHAPTERS) >= 14 and len(READING) >= 8
    for chapter in CHAPTERS:
        assert len(cells(chapter)) >= 5
        assert not [cell for cell in cells(chapter) if re.search(r"""["']\.\.?/""", cell)], chapter.name


@pytest.mark.parametrize("chapter", READING, ids=lambda chapter: chapter.stem)
def test_the_records_are_found_from_any_folder(chapter, tmp_path, monkeypatch):
    """The first cell sets where they are, and each file that a later cell names is there."""
    monkeypatch.chdir(tmp_path)
    first, *others = cells(chapter)
    names = {"get_ipython": lambda: None}
    exec(first, names)
    (folder,) = (names[name] for name in ("RESULTS", "BOOK") if name in names)
    assert folder.is_absolute() and folder.is_dir()
    named = re.findall(r'\((?:RESULTS|BOOK) / "([^"{]+\.\w+)"\)', "".join(others))
    assert all((folder / name).is_file() for name in named), named


@pytest.mark.parametrize("chapter", READING, ids=lambda chapter: chapter.stem)
def test_without_a_repository_the_first_cell_says_so_in_one_line(chapter, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(handpose, "__file__", str(tmp_path / "site-packages" / "handpose" / "__init__.py"))
    done = InteractiveShell().run_cell(cells(chapter)[0])
    captured = capsys.readouterr()
    lines = (captured.out + captured.err).strip().splitlines()
    assert isinstance(done.error_in_exec, repository.Missing) and len(lines) == 1, lines
    assert "book/results" in lines[0] or "reads book of" in lines[0]
    assert str(tmp_path) in lines[0] and "git clone" in lines[0]


def test_the_present_folder_comes_first(tmp_path, monkeypatch):
    for part in repository.HERE:
        (tmp_path / part).mkdir(parents=True)
    (tmp_path / "book" / "chapters").mkdir()
    monkeypatch.chdir(tmp_path / "book" / "chapters")
    assert repository.path("book/results") == Path.cwd().parents[1] / "book" / "results"
    assert repository.path("book/ledger.toml") == ROOT / "book" / "ledger.toml"  # which the present one has not
    with pytest.raises(repository.Missing, match="reads book/none of"):
        repository.path("book/none")
