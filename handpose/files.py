"""Files are written whole or not at all: under a temporary name first, then renamed."""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path


class OutputError(ValueError):
    """A file that cannot be written; the message names it and says why."""


@contextlib.contextmanager
def writing(path: str | os.PathLike) -> Iterator[Path]:
    """A temporary name beside `path` to write to; at the end of the block the file takes its place.

    Raises:
        OutputError: the folder or disk does not take the file; what was at `path` is untouched.
    """
    check(path)
    path = Path(os.path.realpath(path))  # a link stays a link, and what it points to is written
    unfinished = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        yield unfinished
        with open(unfinished, "rb+") as file:
            os.fsync(file.fileno())  # on the disk before the name points to it
        os.replace(unfinished, path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink()


def check(path: str | os.PathLike) -> None:
    """Raise the OutputError that `writing` would raise, before the work whose result is to be written."""
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        raise OutputError(f"{path}: is not an ordinary file, so it is not written to")
    probe = path.with_name(f".{os.getpid()}-probe")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from None


def write_json(path: str | os.PathLike, content: dict) -> None:
    """Write a JSON file, whole or not at all. Raises OutputError, see `writing`."""
    with writing(path) as unfinished:
        unfinished.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
