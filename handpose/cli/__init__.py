"""The command line: one thin module a command; and what they share."""

import argparse


class Renamed(argparse.Action):
    """An option that is gone; `instead` says what to write."""

    def __init__(self, option_strings: list[str], dest: str, *, instead: str) -> None:
        super().__init__(option_strings, dest, nargs="?", help=argparse.SUPPRESS, default=argparse.SUPPRESS)
        self.instead = instead

    def __call__(self, parser: argparse.ArgumentParser, _namespace: object, _values: object, option: str | None = None):
        """Refuse it."""
        parser.error(f"{option} is gone: {self.instead}")
