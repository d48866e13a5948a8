"""Files are written whole or not at all: under a temporary name first, then renamed. Streams are never renamed over."""

import contextlib
import json
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import platformdirs

#: Stands behind the end of every drawing of ours, where no decoder minds it: in an MP4 it is a box that is left free.
#: Whoever edits a drawing saves it without the mark, and has a file of their own.
MARK = b"\0\0\0\x19freedrawn by handpose"
_stdout: list[TextIO] = []  # the standard output, while what is printed goes elsewhere


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


@contextlib.contextmanager
def drawing(path: str | os.PathLike) -> Iterator[Path]:
    """`writing`, for a picture or video that this program may replace later, because `is_drawing` knows it again.

    Raises:
        OutputError: see `writing`.
    """
    with writing(path) as unfinished:
        yield unfinished
        with open(unfinished, "rb+") as file:
            file.seek(0, os.SEEK_END)
            file.write(MARK)


def is_drawing(path: str | os.PathLike) -> bool:
    """Whether a file was written by `drawing`, and not changed since. Raises OSError where it cannot be read."""
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - len(MARK)))
        return file.read() == MARK


def cache_folder() -> Path:
    """Where what can be made again is kept: `$HANDPOSE_CACHE`, else the system's place (~/.cache/handpose on Linux)."""
    return Path(os.environ.get("HANDPOSE_CACHE") or platformdirs.user_cache_dir("handpose", appauthor=False))


def check(path: str | os.PathLike, *, text: bool = False) -> None:
    """Raise the OutputError that `writing` would raise, before the work whose result is to be written.

    Args:
        text: it will be written by `write_json`, which streams also take.
    """
    if text and is_stream(path):
        return
    if is_stream(path) or (os.path.exists(path) and not os.path.isfile(path)):
        raise OutputError(f"{path}: is not an ordinary file, so it is not written to")
    path = Path(os.path.realpath(path))
    probe = path.with_name(f".{os.getpid()}-probe")
    try:
        if path.exists() and not path.is_file():  # raises where a folder on the way may not be entered
            raise OutputError(f"{path}: is not an ordinary file, so it is not written to")
        path.parent.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from None


def is_stdout(path: str | os.PathLike | None) -> bool:
    """Whether this is the standard output: ``-``, or its name in the system."""
    return path is not None and os.fspath(path) in ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")


@contextlib.contextmanager
def stdout_kept_for(path: str | os.PathLike | None) -> Iterator[None]:
    """While JSON is to go to the standard output, what is printed goes to the standard error output.

    Raises:
        OutputError: there is no standard output.
    """
    if not is_stdout(path):
        yield
        return
    if sys.stdout is None:
        raise OutputError(f"{path}: the standard output is closed; give --json the name of a file")
    _stdout.append(sys.stdout)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        _stdout.pop()


def stdout() -> TextIO:
    """The standard output, also while what is printed goes elsewhere."""
    return _stdout[-1] if _stdout else sys.stdout


def is_stream(path: str | os.PathLike) -> bool:
    """Whether text written to this goes somewhere at once: the standard output, a pipe, a terminal, a device.

    ``/dev/stdout`` is a link to an ordinary file where the output goes to one, so the name decides as well.
    """
    absolute = os.path.abspath(path)
    if is_stdout(path) or os.path.dirname(absolute) in ("/dev", "/dev/fd") or absolute.startswith("/proc/"):
        return True
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def write_json(path: str | os.PathLike, content: dict) -> None:
    """Write a JSON file, whole or not at all, or into a stream (``-`` is the standard output).

    Raises:
        OutputError: see `writing`. BrokenPipeError: nobody reads the stream any more.
    """
    text = json.dumps(content, indent=1) + "\n"
    if not is_stream(path):
        with writing(path) as unfinished:
            unfinished.write_text(text, encoding="utf-8")
    elif is_stdout(path):
        stream = stdout()
        stream.write(text)
        stream.flush()
    else:
        try:
            with open(path, "a", encoding="utf-8") as stream:  # behind what is there, where that is a log
                stream.write(text)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from None
