"""Exercise notebooks for a class: no solutions, and checks that say what is wrong."""

import ast
import builtins
import shutil
import types
import zipfile

import nbformat
import numpy as np
import pytest
import torch

from handpose.book import exercises
from tools import book, classroom, notebooks

SOURCE = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  name: python3
---

# A chapter

```{code-cell} ipython3
base = 2
```

Words before.

```{exercise}
:label: twice

Double the base, and square it.
```

````{solution-start} twice
:class: dropdown
````

The secret is to multiply.

```{code-cell} ipython3
doubled = [base * k for k in (1, 2)][-1]
def square(x):
    return x * x
assert doubled == 4, "twice as much, not two more"
assert square(base) == 4
```

````{solution-end}
````

Words after.
"""


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    file = tmp_path / "00-a-chapter.md"
    file.write_text(SOURCE, encoding="utf-8")
    return file


def run(cells, answer):
    names = {}
    for cell in cells:
        if cell.cell_type == "code":
            exec(answer if cell.source.startswith("# Your answer") else cell.source, names)


def test_a_solution_becomes_a_place_to_write_and_a_check(source, capsys):
    made, labels = classroom.exercise_notebook(source)
    text = "\n".join(cell.source for cell in made.cells)
    assert labels == ["twice"] and "secret" not in text and "base * k" not in text and "solution" not in text
    assert "Words before." in text and "Words after." in text and "Double the base" in text
    assert "It looks at: doubled, square" in text and "# The check reads: doubled, square(base)\n" in text
    nbformat.validate(made)
    for answer, words in (
        ("", ["not there yet (name 'doubled' is not defined)", "not there yet (name 'square' is not defined)"]),
        ("doubled = 5", ["not yet. twice as much, not two more", "not there yet"]),
        ("doubled = 4\nsquare = lambda x: x + 1", ["1: right", "2: not yet. Look again at square"]),
        (
            "doubled = 4\nsquare = lambda x: 1 / 0",
            ["right", "another form than this line expects and reads square(base) (ZeroDivisionError"],
        ),
        ("doubled = 4\nsquare = lambda x: x ** 2", ["right", "right"]),
    ):
        run(made.cells, answer)
        lines = capsys.readouterr().out.strip().splitlines()
        assert len(lines) == len(words) and all(w in line for w, line in zip(words, lines, strict=True)), lines
        assert not any("== 4" in line for line in lines), "a check does not tell the answer"
    check = next(cell for cell in made.cells if cell.source.startswith("# Check of"))
    assert check.metadata.jupyter.source_hidden and "hide-input" in check.metadata.tags


def test_a_name_of_the_chapter_is_no_answer(source, capsys, monkeypatch):
    """The chapter may have set `doubled` before; only what is set from the answer's cell on counts."""
    made, _ = classroom.exercise_notebook(source)
    check = next(cell.source for cell in made.cells if cell.source.startswith("# Check of"))
    first = "# Your answer to twice\n# The check looks at: doubled, square\n"

    def lines(*cells):
        shell = types.SimpleNamespace(user_ns={"In": ["", "doubled = 4", *cells, check]})
        monkeypatch.setattr(exercises, "get_ipython", lambda: shell)
        names = {"exercises": exercises}
        for cell in ("base, doubled = 2, 4", *cells, check):
            exec(cell, names)
        return capsys.readouterr().out.strip().splitlines()

    nothing = lines(first)
    assert "not set doubled" in nothing[0] and "not set square" in nothing[1]
    assert all(line.endswith("right") for line in lines(first + "doubled = 4", "def square(x): return x * x"))
    assert lines("doubled = 4\nsquare = lambda x: x * x")[0].endswith("right")  # its first line was taken away
    again = lines(first + "doubled = 4", first)  # run again, now without an answer
    assert "not set doubled" in again[0]
    assert exercises.names_set("import numpy as np\n%matplotlib") == set()
    assert exercises.names_set("import numpy as np, os.path\nclass A: b = 1") == {"np", "os", "A", "b"}


@pytest.mark.parametrize(
    ("test", "read", "taken", "refused"),
    [
        (
            "a == {'middle': 3, 'corner': 10}",
            ["a['middle']", "a['corner']"],
            {"corner": 10, "middle": 3},
            {"middle": 3},
        ),
        ("a == [1, 2]", ["a (a list)"], (1, 2), [2, 1]),
        ("a == (1.5, 2.0)", ["a (a tuple)"], np.array([1.5, 2]), (1.5, 2, 3)),
        ("a is False", ["a (True or False)"], np.bool_(False), True),
        ("a[10][0][0] == 46", ["a[10][0][0]"], {10: 46}, {10: 47}),
        ("a[10][0][0] == 46", ["a[10][0][0]"], {10: (torch.tensor([46, 46]), 8)}, {10: (torch.tensor([64, 46]), 8)}),
        ("abs(a - 0.25) < 0.02", ["a"], 0.24, 0.2),
        ("a(2) == 4", ["a(2)"], lambda x: x + x, lambda x: x),
        ("not a.shape == (2, 3)", ["a"], torch.zeros(3, 2), torch.zeros(2, 3)),
    ],
)
def test_a_right_answer_in_another_container_is_right(test, read, taken, refused, capsys):
    tree = ast.parse(f"assert {test}").body
    assert classroom.forms(tree[0].test, {"a"}) == read
    code = classroom.check_cell("some", tree, {"a"})
    for answer, words in ((taken, "1: right"), (refused, "1: not yet. Look again at a")):
        exec(code, {"a": answer, "exercises": exercises})
        assert capsys.readouterr().out.startswith(words)
    exec(code, {"a": object(), "exercises": exercises})
    said = capsys.readouterr().out
    assert "right" not in said and not any(number in said for number in ("46", "0.25", "1.5", "== "))


@pytest.mark.parametrize("source", notebooks.sources(), ids=lambda path: path.stem)
def test_every_chapter_can_be_handed_out(source):
    made, labels = classroom.exercise_notebook(source)
    nbformat.validate(made)
    text = source.read_text(encoding="utf-8")
    assert len(labels) == text.count("{solution-start}") == text.count("{exercise}")
    cells = [cell.source for cell in made.cells]
    assert not any("solution-start" in cell or "solution-end" in cell for cell in cells)
    for label in labels:
        assert any(cell.startswith(f"# Your answer to {label}\n") for cell in cells)
        check = next(cell for cell in cells if cell.startswith(f"# Check of {label}."))
        calls = [line.value for line in ast.parse(check).body]
        assert any(isinstance(c, ast.Call) and len(c.args) == 2 for c in calls), (
            f"no hint at the likely mistake in the check of {label}"
        )


ATTENTION = """def my_attention(q, k, v):
    scores = q @ k.T / math.sqrt(q.shape[-1])
    weights = torch.softmax(scores, dim=-1)
    return weights @ v, weights
"""


@pytest.mark.parametrize(
    ("right", "wrong", "hints"),
    [
        ("", "", ()),
        ("dim=-1", "dim=0", ("keys, dim=-1",)),
        (" / math.sqrt(q.shape[-1])", "", ("square root of d",)),
        ("math.sqrt(q.shape[-1])", "q.shape[-1]", ("square root of d",)),
        ("weights @ v", "weights.T @ v", ("not transposed",)),
        ("weights @ v", "(v.T @ weights).T", ("not transposed",)),
        ("q @ k.T", "k @ q.T", ("q @ k.T",)),
    ],
)
def test_the_student_who_writes_attention_is_told_what_is_wrong(right, wrong, hints, capsys):
    """Chapter 6, before its own function: each of the usual wrong answers has its hint, the right one none."""
    source = next(path for path in notebooks.sources() if path.stem.startswith("06"))
    cells = [c.source for c in classroom.exercise_notebook(source)[0].cells if c.cell_type == "code"]
    place = next(i for i, code in enumerate(cells) if code.startswith("# Your answer to attention-write"))
    names = {}
    for code in (*cells[:place], ATTENTION.replace(right, wrong) if right else ATTENTION):
        exec(code, names)
    capsys.readouterr()
    exec(cells[place + 1], names)
    lines = capsys.readouterr().out.strip().splitlines()
    faults = [line for line in lines if not line.endswith(": right")]
    assert len(lines) == 4 and len(faults) == len(hints)
    assert all(hint in line for hint, line in zip(hints, faults, strict=True))


def names(code: str) -> tuple[set[str], set[str]]:
    """What a cell defines, its arguments and imports included, and what it reads."""
    nodes = list(ast.walk(ast.parse(code)))
    made = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    made |= {n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.ClassDef | ast.ExceptHandler) and n.name}
    made |= {n.arg for n in nodes if isinstance(n, ast.arg)}
    made |= {(n.asname or n.name).split(".")[0] for n in nodes if isinstance(n, ast.alias)}
    return made, {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


@pytest.mark.parametrize("source", notebooks.sources(), ids=lambda path: path.stem)
def test_nothing_needs_what_only_a_solution_defines(source):
    made, _ = classroom.exercise_notebook(source)
    known = set(dir(builtins))
    for cell in (c.source for c in made.cells if c.cell_type == "code"):
        defined, read = names(cell)
        if not cell.startswith("# Check of"):
            assert read <= known | defined, f"{sorted(read - known - defined)} in: {cell[:200]}"
        known |= defined


def test_a_book_for_a_class_has_no_solution_left(tmp_path):
    """What `make class SOLUTIONS=0` builds from: notebooks without a solution's words, code or output."""
    for source in notebooks.sources():
        shutil.copy(notebooks.chapter_of(source), tmp_path)
    book.strip_solutions(tmp_path)
    for source in notebooks.sources():
        stripped = nbformat.read(tmp_path / f"{source.stem}.ipynb", as_version=4)
        nbformat.validate(stripped)
        chapter = nbformat.read(notebooks.chapter_of(source), as_version=4)
        text = "\n".join(cell.source for cell in chapter.cells)
        solved = [part.partition("{solution-end}")[0] for part in text.split("{solution-start}")[1:]]
        left = [cell.source for cell in stripped.cells]
        assert not [cell for cell in left if "{solution-" in cell]
        assert "\n".join(left).count("{exercise}") == text.count("{exercise}") >= len(solved)
        gone = [c for c in notebooks.code_cells(chapter) if any(c.source in part for part in solved)]
        assert len(notebooks.code_cells(stripped)) == len(notebooks.code_cells(chapter)) - len(gone)


def test_a_chapter_that_is_not_there_is_said(tmp_path, capsys):
    assert classroom.main(["99", "--out", str(tmp_path)]) == 1
    assert "no chapter begins with 99" in capsys.readouterr().err


def test_the_packed_book_is_the_book_and_the_same_each_time(tmp_path, monkeypatch):
    pages = {"index.html": "<p>one", "chapters/a.html": "<p>two", "_static/x.css": "p {}"}
    for name, text in pages.items():
        (tmp_path / "html" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "html" / name).write_text(text)
    monkeypatch.setattr(book, "BUILD", tmp_path)
    monkeypatch.setattr(book, "INDEX", tmp_path / "html" / "index.html")
    first = book.pack().read_bytes()
    assert book.pack().read_bytes() == first and {p.name for p in tmp_path.iterdir()} == {"html", "handpose-book.zip"}
    with zipfile.ZipFile(tmp_path / "handpose-book.zip") as file:
        assert {n: file.read(n).decode() for n in file.namelist()} == {
            f"handpose-book/{n}": t for n, t in pages.items()
        }
