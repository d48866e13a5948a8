"""Make exercise notebooks for a class: the chapters without their solutions, each exercise with a check of its answer.

    python tools/classroom.py            all chapters into book/class
    python tools/classroom.py 01 04      those whose name begins so

A solution's code goes; the assertions at its end stay, as a cell that says what still differs. Both come from the
chapter's source, so an exercise and its check cannot drift apart; `make test` runs every solution against its check.
"""

import argparse
import ast
import copy
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


class Lenient(ast.NodeTransformer):
    """Lets an assertion take a right answer in another container.

    ``x == [1, 2]`` becomes ``exercises.same(x, [1, 2])``, which takes a tuple or an array as well, and ``x["row"][0]``
    becomes ``exercises.reach(x, "row", 0)``, which takes a number where the chapter has a pair.
    """

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        keys, base = [], node
        while isinstance(base, ast.Subscript) and isinstance(base.slice, ast.Constant):
            keys.insert(0, ast.unparse(base.slice))
            base = base.value
        if len(keys) < 2:
            return self.generic_visit(node)
        return ast.parse(f"exercises.reach({ast.unparse(base)}, {', '.join(keys)})", mode="eval").body

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        node = self.generic_visit(node)
        wanted = node.comparators[0]
        plain = isinstance(wanted, ast.Constant) and isinstance(wanted.value, bool)
        if len(node.ops) > 1 or not isinstance(node.ops[0], ast.Eq | ast.Is):
            return node
        if not (plain or isinstance(wanted, ast.List | ast.Tuple | ast.Dict)):
            return node
        return ast.parse(f"exercises.same({ast.unparse(node.left)}, {ast.unparse(wanted)})", mode="eval").body


def forms(test: ast.expr, asked: set[str]) -> list[str]:
    """In which form an assertion looks at a student's names: ``sides["row"][0]``, ``f(x)``, ``ks (a list)``.

    What a name is compared with tells no more than its type, and the keys of a dictionary.
    """
    above = {child: node for node in ast.walk(test) for child in ast.iter_child_nodes(node)}
    found = []
    for name in ast.walk(test):
        if not (isinstance(name, ast.Name) and name.id in asked):
            continue
        node: ast.AST = name
        while isinstance(parent := above.get(node), ast.Subscript | ast.Call) and node in (
            parent.value if isinstance(parent, ast.Subscript) else parent.func,
        ):
            node = parent
        wanted = parent.comparators[0] if isinstance(parent, ast.Compare) and parent.left is node else None
        if isinstance(wanted, ast.Dict):
            found += [f"{ast.unparse(node)}[{ast.unparse(key)}]" for key in wanted.keys if key]
        else:
            found.append(ast.unparse(node) + kind_of(wanted))
    return list(dict.fromkeys(found))


def kind_of(wanted: ast.expr | None) -> str:
    """The type of what is compared with, in words."""
    if isinstance(wanted, ast.Constant) and isinstance(wanted.value, bool):
        return " (True or False)"
    return {ast.List: " (a list)", ast.Tuple: " (a tuple)"}.get(type(wanted), "")


def own_checks(checks: list[ast.Assert], asked: set[str]) -> list[ast.Assert]:
    """Without the assertions that ask for nothing of the student's, which are right before anything is written."""
    return [node for node in checks if asked & {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}] or checks


def check_cell(label: str, checks: list[ast.Assert], asked: set[str]) -> str | None:
    """The code of an exercise's check; None where the solution has no assertions at its top level."""
    if not checks:
        return None
    lines = [f"# Check of {label}. It looks at: {', '.join(sorted(asked)) or 'nothing of yours'}",
             f"check = exercises.Check({label!r})"]  # fmt: skip
    for node in own_checks(checks, asked):
        hint = f", {ast.unparse(node.msg)}" if node.msg else ""
        needs = sorted(asked & {n.id for n in ast.walk(node.test) if isinstance(n, ast.Name)})
        reads = ", ".join(forms(node.test, asked))
        needed = f", needs={' '.join(needs)!r}, reads={reads!r}" if needs else ""
        test = ast.unparse(Lenient().visit(copy.deepcopy(node.test)))
        lines.append(f"check(lambda: {test}{hint}{needed})")
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
    """What stands in a solution's place: an empty cell that says in which form the answer is wanted, and its check."""
    checks, asked = parts("\n".join(codes))
    read = dict.fromkeys(form for node in own_checks(checks, asked) for form in forms(node.test, asked))
    wanted = f"# The check reads: {', '.join(read)}\n" if read else ""
    code = check_cell(label, checks, asked)
    cells = [nbformat.v4.new_code_cell(f"# Your answer to {label}\n{wanted}")]
    if code:
        # Folded, because it holds the numbers that it compares with; it is no secret.
        folded = {"jupyter": {"source_hidden": True}, "tags": ["hide-input"]}
        cells.append(nbformat.v4.new_code_cell(code, metadata=folded))
    return cells


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
