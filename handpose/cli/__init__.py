"""The command line: one thin module a command; and what they share."""

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path

from handpose import files

#: Keys of what `predict`, `evaluate` and `compare` write: by them a file that may be replaced is known.
RESULTS = ({"joints", "weights"}, {"data", "split", "images", "weights", "metrics"},
           {"data", "split", "images", "scores", "comparisons"})  # fmt: skip


def check_json(path: str | None) -> None:
    """Refuse, before the work, what `--json` must not write to; None and streams such as ``-`` are fine.

    Raises:
        OutputError: another ending than .json or .jsonl, a file that is not an earlier result, or no place to write to.
    """
    if path is None:
        return
    if not files.is_stream(path):
        if Path(path).suffix.lower() not in (".json", ".jsonl"):
            raise files.OutputError(f"--json {path}: give a name that ends in .json or .jsonl, or - to print it")
        _check_ours("--json", path, _is_result)
    files.check(path, text=True)


def check_drawing(option: str, path: Path) -> None:
    """Refuse, before the work, to draw to a file that is not an earlier drawing, or that cannot be written.

    Raises:
        OutputError: the message names the option.
    """
    _check_ours(option, path, files.is_drawing)
    files.check(path)


def _check_ours(option: str, path: str | Path, is_ours: Callable) -> None:
    try:
        if not os.path.isfile(path) or os.path.getsize(path) == 0 or is_ours(path):
            return
    except OSError as error:
        raise files.OutputError(f"{option} {path}: cannot be looked into ({error.strerror or error})") from None
    raise files.OutputError(f"{option} {path}: would replace a file that this program did not write; "
                            "choose another name, or move that file away")  # fmt: skip


def _is_result(path: str) -> bool:
    """Whether `--json` wrote a file; of JSON lines the first one tells."""
    try:
        with open(path, encoding="utf-8") as file:
            first = file.readline()
            try:
                content = json.loads(first)
            except ValueError:
                content = json.loads(first + file.read())
    except (ValueError, RecursionError):
        return False
    return isinstance(content, dict) and any(keys <= set(content) for keys in RESULTS)


class Renamed(argparse.Action):
    """An option that is gone; `instead` says what to write."""

    def __init__(self, option_strings: list[str], dest: str, *, instead: str) -> None:
        super().__init__(option_strings, dest, nargs="?", help=argparse.SUPPRESS, default=argparse.SUPPRESS)
        self.instead = instead

    def __call__(self, parser: argparse.ArgumentParser, _namespace: object, _values: object, option: str | None = None):
        """Refuse it."""
        parser.error(f"{option} is gone: {self.instead}")
