"""Videos that are written: whole or not at all, and as far as they came when they are stopped."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from handpose import files
from handpose.data import DataError

FASTEST = 120.0  # frames a second of a video that is written for frames at uneven times


def rate(times: list[float], usual: float) -> float:
    """Frames a second of a video that shows each frame at its time, some for several of its own frames.

    Args:
        times: of the frames, in milliseconds, in order.
        usual: what it is where the frames come evenly, so that each is written once.
    """
    if all(abs(at - times[0] - 1000 * i / usual) < 500 / usual for i, at in enumerate(times)):
        return usual
    # Not the shortest of all: one pair of frames that came close together would make a long video of it.
    return round(min(1000 / np.percentile(np.diff(times), 5), FASTEST), 3)


class Film:
    """A video that is being written; made at its first frame, whose size all have.

    Args:
        path: where; MPEG-4 pictures in the container that its name asks for. OpenCV leaves out an odd last row or
            column.
        fps: frames a second.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self.path, self.fps, self.written = path, fps, 0
        self.writer: cv2.VideoWriter | None = None
        self.last: np.ndarray | None = None
        self.begun: float | None = None

    def add(self, image: np.ndarray, at: float | None = None) -> None:
        """Append (H, W, 3) uint8 RGB; what was there before is repeated until its time comes.

        Args:
            at: when it is shown, in milliseconds as in the source; None for directly behind the last.

        Raises:
            OutputError: the disk does not take it.
        """
        if at is not None:
            self.begun = at if self.begun is None else self.begun
            for _ in range(round((at - self.begun) * self.fps / 1000) - self.written):
                assert self.last is not None  # the first picture waits for nothing
                self._append(self.last)
        self._append(image)
        self.last = image

    def _append(self, image: np.ndarray) -> None:
        if self.writer is None:
            self.size = image.shape[1::-1]
            writer = cv2.VideoWriter(os.fspath(self.path), cv2.VideoWriter.fourcc(*"mp4v"), self.fps, self.size)
            if not writer.isOpened():
                raise files.OutputError("OpenCV cannot write such a video")
            self.writer = writer
        if image.shape[1::-1] != self.size:  # OpenCV would leave it out without a word
            image = cv2.resize(image, self.size)
        if self.writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR)) is False:  # None before OpenCV 5
            raise files.OutputError("cannot be written; is the disk full?")
        self.written += 1

    def finish(self) -> None:
        """Raises OutputError when not all frames are in the file: OpenCV itself reports nothing."""
        if self.writer is not None:
            self.writer.release()
            again = cv2.VideoCapture(os.fspath(self.path))
            count = again.get(cv2.CAP_PROP_FRAME_COUNT)
            again.release()
            if count < self.written:
                raise files.OutputError("cannot be written; is the disk full?")


@contextlib.contextmanager
def filming(path: Path | None, fps: float) -> Iterator[Callable | None]:
    """A function that appends a frame to a video; None without a path.

    The video has a temporary name until the end of the block. Ctrl-C and a source that ends too early also end it: what
    was done takes hours to do again, or cannot be filmed again.
    """
    if path is None:
        yield None
        return
    ended = None
    try:
        with files.drawing(path) as unfinished:
            film = Film(unfinished, fps)
            try:
                yield film.add
            except (KeyboardInterrupt, DataError) as error:
                if not film.written:
                    raise
                ended = error
            finally:
                film.finish()
    except files.OutputError as error:
        raise files.OutputError(str(error) if str(path) in str(error) else f"{path}: {error}") from None
    if ended:
        raise ended
