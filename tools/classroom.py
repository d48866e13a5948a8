"""Make exercise notebooks for a class: the chapters without their solutions, each exercise with a check of its answer.

    python tools/classroom.py            all chapters into book/class
    python tools/classroom.py 01 04      those whose name begins so

A solution's code goes; the assertions at its end stay, as a cell that says what still differs. Both come from the
chapter's source, so an exercise and its check cannot drift apart; `make test` runs every solution against its check.
"""

import argparse
import ast
import re
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tools import notebooks

TARGET = notebooks.ROOT / "book" / "class"  # beside the chapters, which read ../results
START = re.compile(r"^(`{3,}|:{3,})\{solution-start\} *(\S+).*?^\1 *$", re.M | re.S)
END = re.compile(r"^(`{3,}|:{3,})\{solution-end\} *\n\1 *$", re.M)


def parts(code: str) -> tuple[list[ast.Assert], set[str]]:
    """The assertions of a solution, and the names that it defines and they ask for."""
    tree = ast.parse(code)
    checks = [node for node in tree.body if isinstance(node, ast.Assert)]
    own: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            own.add(node.name)
        else:
            own |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    # A variable of a comprehension is nobody's result.
    inner = {n.id for c in ast.walk(tree) if isinstance(c, ast.comprehension) for n in ast.walk(c.target)
             if isinstance(n, ast.Name)}  # fmt: skip
    asked = {n.id for check in checks for n in ast.walk(check) if isinstance(n, ast.Name)}
    return checks, (asked & own) - inner


def check_cell(label: str, checks: list[ast.Assert], asked: set[str]) -> str | None:
    """The code of an exercise's check; None where the solution has no assertions at its top level.

    An assertion that asks for nothing of the student's would be right before anything is written, and goes.
    """
    own = [node for node in checks if asked & {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}]
    checks = own or checks
    if not checks:
        return None
    lines = [f"# Check of {label}. It looks at: {', '.join(sorted(asked)) or 'nothing of yours'}",
             f"check = exercises.Check({label!r})"]  # fmt: skip
    for node in checks:
        test, hint = ast.unparse(node.test), f", {ast.unparse(node.msg)}" if node.msg else ""
        needs = sorted(asked & {n.id for n in ast.walk(node.test) if isinstance(n, ast.Name)})
        needed = f", needs={' '.join(needs)!r}" if needs else ""
        lines.append(f"check({test!r}, lambda: {test}{hint}{needed})")
    return "\n".join(lines)


Cells = list[nbformat.NotebookNode]


def without_solutions(cells_given: Cells, instead: Callable[[str, list[str]], Cells]) -> tuple[Cells, list[str]]:
    """A chapter's cells without its solutions, and the labels of these.

    :param instead: from the label and the cells' code of a solution, the cells that take its place
    """
    cells, labels, codes, inside = [], [], [], False
    for cell in cells_given:
        if cell.cell_type == "code":
            if inside:
                codes.append(cell.source)
            else:
                cells.append(cell)
            continue
        text = cell.source
        while found := (END if inside else START).search(text):
            before, text = text[: found.start()].strip(), text[found.end() :]
            if inside:
                cells += instead(labels[-1], codes)
            else:
                labels.append(found[2])
                codes = []
                if before:
                    cells.append(nbformat.v4.new_markdown_cell(before))
            inside = not inside
        if text.strip() and not inside:
            cells.append(nbformat.v4.new_markdown_cell(text.strip()))
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number:03d}"
    return cells, labels


def exercise_notebook(source: Path) -> tuple[nbformat.NotebookNode, list[str]]:
    """A chapter for a class, not executed, and the labels of its exercises."""
    chapter = notebooks.convert(source)
    cells, labels = without_solutions(chapter.cells, answer)
    if any("check(" in cell.source for cell in cells if cell.cell_type == "code"):
        first = next(i for i, cell in enumerate(cells) if cell.cell_type == "code")
        cells.insert(first, nbformat.v4.new_code_cell("from handpose.book import exercises", id="exercises"))
    made = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": chapter.metadata.kernelspec})
    return made, labels


def answer(label: str, codes: list[str]) -> list[nbformat.NotebookNode]:
    """What stands in a solution's place: an empty cell, and its check."""
    checks, asked = parts("\n".join(codes))
    code = check_cell(label, checks, asked)
    wanted = f"# The check looks at: {', '.join(sorted(asked))}\n" if asked else ""
    cells = [nbformat.v4.new_code_cell(f"# Your answer to {label}\n{wanted}")]
    return cells + ([nbformat.v4.new_code_cell(code)] if code else [])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("chapters", nargs="*", help="beginnings of names (default: all)")
    parser.add_argument("--out", type=Path, default=TARGET, help="folder to write (default: book/class)")
    asked = parser.parse_args(arguments)
    chosen = [s for s in notebooks.sources() if not asked.chapters or s.name.startswith(tuple(asked.chapters))]
    if not chosen:
        print(f"classroom: no chapter begins with {' or '.join(asked.chapters)}", file=sys.stderr)
        return 1
    asked.out.mkdir(parents=True, exist_ok=True)
    for source in chosen:
        made, labels = exercise_notebook(source)
        target = asked.out / f"{source.stem}.ipynb"
        nbformat.write(made, target)
        print(f"{target}: {len(labels)} exercises")
    return 0


if __name__ == "__main__":
    sys.exit(main())
