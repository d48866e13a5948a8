"""Files are written whole or not at all: under a temporary name first, then renamed."""

import contextlib
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
    path = Path(path)
    unfinished = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield unfinished
        with open(unfinished, "rb+") as file:
            os.fsync(file.fileno())  # on the disk before the name points to it
        os.replace(unfinished, path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink()
