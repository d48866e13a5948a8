"""Many pictures: the next ones are read while the networks work on one, and what is found is written as it is found."""

import contextlib
import json
import queue
import threading
from collections.abc import Generator, Iterable
from pathlib import Path

from handpose import files

DEPTH = 2  # items that are read and wait; more would only take memory


def ahead(items: Iterable, depth: int = DEPTH) -> Generator:
    """The items of an iterator in their order, made by a thread of its own, at most `depth` of them in advance.

    What the iterator raises is raised here, behind the items that came before. Whoever stops early closes it, and the
    iterator is closed with it.
    """
    ready: queue.Queue = queue.Queue(depth)
    stopped, source, end = threading.Event(), iter(items), object()

    def hand_over(item: object, error: BaseException | None) -> None:
        while not stopped.is_set():
            with contextlib.suppress(queue.Full):
                ready.put((item, error), timeout=0.05)
                break

    def work() -> None:
        error = None
        try:
            for item in source:
                hand_over(item, None)
                item = None  # noqa: PLW2901  held here, one picture more would stay in memory
                if stopped.is_set():
                    break
        except BaseException as raised:  # of every kind: it is raised again where the items are used
            error = raised
        finally:
            if hasattr(source, "close"):
                source.close()
        hand_over(end, error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if error is not None:
                raise error
            if item is end:
                return
            yield item
            item = None
    finally:
        stopped.set()
        thread.join()


class Lines:
    """A file of JSON lines, each written as soon as it is known, so that memory stays flat and nothing done is lost.

    Args:
        path: of the file, which is begun anew, or ``-`` for the standard output.
        head: the first line.

    Raises:
        OutputError: it cannot be written.
    """

    def __init__(self, path: str | Path, head: dict) -> None:
        self.path = path
        try:
            self.stream = files.stdout() if files.is_stdout(path) else open(path, "w", encoding="utf-8")  # noqa: SIM115
        except OSError as error:
            raise files.OutputError(f"{path}: cannot be written ({error.strerror or error})") from None
        self.append(head)

    def append(self, row: dict) -> None:
        """Write a line."""
        try:
            self.stream.write(json.dumps(row) + "\n")
            self.stream.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise files.OutputError(f"{self.path}: cannot be written ({error.strerror or error})") from None

    def under(self, title: str) -> "Rows":
        """For the frames of a video: lines that name it."""
        return Rows(self, title)

    def close(self) -> None:
        """Nothing more comes."""
        if not files.is_stdout(self.path):
            self.stream.close()


class Rows:
    """The lines of one video; `append` is a list's."""

    def __init__(self, lines: Lines, title: str) -> None:
        self.lines, self.title = lines, title

    def append(self, row: dict) -> None:
        """Write a frame's line."""
        self.lines.append({"path": self.title} | row)
