"""Checks of the exercise notebooks that ``make class`` writes: one line an assertion, no traceback, no answer."""

import ast
import math
from collections.abc import Callable, Sequence
from typing import Any

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
        self.line = 0
        self.made = set().union(*(names_set(cell) for cell in cells[starts[-1] :])) if starts else None

    def __call__(self, test: Callable[[], object], hint: str = "", *, needs: str = "", reads: str = "") -> None:
        """Print one line: right, not yet, or not there yet. It does not say what the answer is.

        Args:
            test: gives a value that is true for a right answer.
            hint: at the likely mistake.
            needs: the names of the answer that it looks at, with spaces between.
            reads: the form in which it looks at them, such as ``sides["row"][0]``.
        """
        self.line += 1
        missing = sorted(set(needs.split()) - self.made) if self.made is not None else []
        if missing:
            print(f"{self.line}: not there yet (your answer does not set {', '.join(missing)})")
            return
        try:
            right = bool(test())
        except NameError as error:
            print(f"{self.line}: not there yet ({error})")
        except Exception as error:
            wanted = f" and reads {reads}" if reads else ""
            print(f"{self.line}: your answer has another form than this line expects{wanted} ({type(error).__name__})")
        else:
            again = (
                hint or f"Look again at {needs.replace(' ', ', ') or 'your answer'}, and at what the exercise asks for."
            )
            print(f"{self.line}: right" if right else f"{self.line}: not yet. {again}")


def reach(answer: Any, *keys: object) -> Any:
    """``answer[a][b]...``, or the number that stands where the chapter has a pair or a list of numbers."""
    for key in keys:
        if isinstance(answer, int | float):
            return answer
        answer = answer[key]
    return answer


def same(answer: object, wanted: object) -> bool:
    """Whether an answer equals a list, tuple, dictionary or truth value, whatever it was put into.

    A tuple is as good as a list, an array or a tensor as good as either, and 46.0 as good as 46.
    """
    if isinstance(wanted, dict):
        return isinstance(answer, dict) and {*answer} == {*wanted} and all(same(answer[k], wanted[k]) for k in wanted)
    plain = answer.tolist() if hasattr(answer, "tolist") else answer
    if isinstance(wanted, list | tuple):
        if not isinstance(plain, Sequence) or isinstance(plain, str) or len(plain) != len(wanted):
            return False
        return all(map(same, plain, wanted))
    if isinstance(wanted, float) and isinstance(plain, int | float):
        return math.isclose(plain, wanted, rel_tol=1e-6)
    return bool(plain == wanted)


def names_set(code: str) -> set[str]:
    """The names that a cell sets: assigned, defined or imported; none where it is not Python."""
    try:
        nodes = list(ast.walk(ast.parse(code)))
    except SyntaxError:
        return set()
    found = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    found |= {n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    return found | {(n.asname or n.name).split(".")[0] for n in nodes if isinstance(n, ast.alias)}
