"""Checks of the exercise notebooks that ``make class`` writes: one line an assertion, and no traceback."""

import ast
from collections.abc import Callable

from IPython import get_ipython


class Check:
    """The check of one exercise.

    A name that the chapter uses as well must not pass for an answer. So the names count that are set by the cells which
    were run since the answer's own cell, which begins with ``# Your answer to LABEL``.

    Args:
        label: of the exercise.
    """

    def __init__(self, label: str) -> None:
        shell = get_ipython()
        cells = shell.user_ns.get("In", []) if shell else []  # the cells that were run, in that order
        starts = [i for i, cell in enumerate(cells) if cell.startswith(f"# Your answer to {label}\n")]
        # Where the first line was taken away, nothing can be said of who set a name.
        self.made = set().union(*(names_set(cell) for cell in cells[starts[-1] :])) if starts else None

    def __call__(self, name: str, test: Callable[[], object], hint: str = "", *, needs: str = "") -> None:
        """Print one line: right, not yet, or not there yet.

        Args:
            name: the assertion in words of Python.
            test: gives it a value.
            hint: at the likely mistake.
            needs: the names of the answer that it looks at, with spaces between.
        """
        missing = sorted(set(needs.split()) - self.made) if self.made is not None else []
        if missing:
            print(f"{name}: not there yet (your answer does not set {', '.join(missing)})")
            return
        try:
            right = bool(test())
        except NameError as error:
            print(f"{name}: not there yet ({error})")
        except Exception as error:
            print(f"{name}: your answer has another form than this line expects ({type(error).__name__}: {error})")
        else:
            print(f"{name}: right" if right else f"{name}: not yet. {hint or 'Compare what you have with: ' + name}")


def names_set(code: str) -> set[str]:
    """The names that a cell sets: assigned, defined or imported; none where it is not Python."""
    try:
        nodes = list(ast.walk(ast.parse(code)))
    except SyntaxError:
        return set()
    found = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    found |= {n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    return found | {(n.asname or n.name).split(".")[0] for n in nodes if isinstance(n, ast.alias)}
