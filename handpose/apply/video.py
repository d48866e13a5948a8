"""Videos and cameras: frames in, hands followed from one to the next, drawings and numbers out."""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from handpose import files
from handpose.apply import photos
from handpose.apply.display import check_display, is_open
from handpose.apply.tracking import Tracker
from handpose.book import figures
from handpose.data import DataError
from handpose.pipeline import HandPose

USUAL = 25.0  # frames a second, of a drawing where the source does not say
TITLE = "handpose: q or Esc ends"


class Source:
    """The frames of a video file or camera, upright, (H, W, 3) uint8 RGB, in order; the file is read only once.

    Args:
        name: the path of a file, or the number of a camera.

    Attributes:
        title: what it is called in messages and in JSON.
        fps: frames a second, or None where a file does not say.
        count: how many frames the file says it has, or None. Never relied on: without an index OpenCV estimates it.

    Raises:
        DataError: no such file or camera, an empty file, or no video.
    """

    def __init__(self, name: Path | int) -> None:
        self.name, self.camera = name, isinstance(name, int)
        self.title = f"camera {name}" if self.camera else str(name)
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # errors are told here, in one line
        if not self.camera:
            try:
                with open(name, "rb") as file:
                    empty = not file.read(1)
            except OSError as error:
                raise DataError(f"{name}: cannot be read ({error.strerror or error})") from None
            if empty:
                raise DataError(f"{name}: the file is empty")
        self.video = cv2.VideoCapture(name if self.camera else os.fspath(name))
        if not self.video.isOpened():
            if self.camera:
                raise DataError(f"--camera {name}: there is no such camera, or another program uses it; "
                                "0 is the first one")  # fmt: skip
            why = "cut off, so that its index is missing" if cut_off(name) else "damaged, or of another kind"
            raise DataError(f"{name}: not a video that OpenCV can read ({why}); copy or download it again")
        fps, count = self.video.get(cv2.CAP_PROP_FPS), self.video.get(cv2.CAP_PROP_FRAME_COUNT)
        known = 0 < fps <= 1000  # not 0, NaN, or the 90000 of a clock
        self.fps = round(fps, 3) if known else USUAL if self.camera else None
        self.count = int(count) if not self.camera and 0 < count < 1e9 else None

    def __iter__(self) -> Iterator[np.ndarray]:
        """Raises a DataError behind the last frame if the file ends too early or there was no frame at all."""
        number = 0
        try:
            while True:
                there, frame = self.video.read()  # turned as the file's metadata say
                if not there or frame is None:
                    break
                number += 1
                yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB if frame.ndim == 3 else cv2.COLOR_GRAY2RGB)
        finally:
            self.video.release()
        if self.camera:
            raise DataError(f"--camera {self.name}: gives no {'more ' if number else ''}pictures")
        if not number:
            raise DataError(f"{self.name}: no frame can be decoded; copy or download it again")
        # An estimate may be a few frames off; what the file's own structure says of its length is exact.
        if self.count is None or number >= self.count:
            return
        cut = cut_off(self.name)
        if cut or number < (0.9 if cut is None else 0.5) * self.count:
            raise DataError(f"{self.name}: ends after {number} of {self.count} frames; it is cut off or damaged there")


def cut_off(path: Path) -> bool | None:
    """Whether a file of the kinds MP4, MOV and AVI is shorter than it says; None for other kinds.

    A video trimmed on a phone may keep more frames than it shows, so their count does not tell.
    """
    size, at, known = os.path.getsize(path), 0, False
    with open(path, "rb") as file:
        while at + 8 <= size:
            file.seek(at)
            head = file.read(16)
            if head[:4] == b"RIFF":
                length = int.from_bytes(head[4:8], "little") + 8
            elif at or head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip"):
                length = int.from_bytes(head[:4], "big")
                length = int.from_bytes(head[8:], "big") if length == 1 else length
            else:
                return None
            if length < 8:  # up to the end, or never finished
                return None
            known, at = True, at + length
    return at > size if known else None


class Film:
    """A video that is being written; made at its first frame, whose size all have.

    Args:
        path: where; MPEG-4 pictures in the container that its name asks for. OpenCV leaves out an odd last row or
            column.
        fps: frames a second.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self.path, self.fps, self.writer, self.written = path, fps, None, 0

    def add(self, image: np.ndarray) -> None:
        """Append (H, W, 3) uint8 RGB. Raises OutputError when the disk does not take it."""
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
        with files.writing(path) as unfinished:
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


class Window:
    """What the camera sees, on the screen.

    Raises:
        OSError: no window can be opened; the message says why.
    """

    def __init__(self) -> None:
        check_display()
        try:
            cv2.namedWindow(TITLE, cv2.WINDOW_AUTOSIZE | cv2.WINDOW_GUI_NORMAL)
        except cv2.error:
            raise OSError("OpenCV cannot open a window; is it opencv-python, not -headless?") from None

    def show(self, image: np.ndarray) -> bool:
        """Show (H, W, 3) uint8 RGB; False when q or Esc was pressed or the window was closed."""
        try:
            cv2.imshow(TITLE, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
            key = cv2.waitKey(1)
        except cv2.error:  # Qt, whose last window was closed
            return False
        return is_open(TITLE) and key & 0xFF not in (ord("q"), ord("Q"), 27)

    @classmethod
    def opened(cls, recording: bool) -> "Window | None":
        """A window; None, with a line that says so, where there can be none and a file is written anyway.

        Raises:
            ValueError: there can be no window, and nothing is written.
        """
        try:
            return cls()
        except OSError as error:
            if not recording:
                raise ValueError(f"{error}; with --draw or --json a camera needs no window") from None
            print(f"{error}: going on without a window; Ctrl-C ends it", file=sys.stderr)


def follow(
    hp: HandPose, source: Source, rows: list[dict] | None = None, draw: Path | None = None, boxes: list | None = None,
    window: Window | None = None,
) -> None:  # fmt: skip
    """Follow the hands through a video or in front of a camera.

    Args:
        source: the frames.
        rows: where given, gets ``{"frame", "hands"}`` of each frame as soon as it is done: its number from 0, and its
            hands as `photos.as_json` gives them, with their number as ``track``. A camera's frame n is the one seen
            n / fps seconds after the first, and numbers are left out where the computer was slower.
        draw: where the video with the hands drawn in goes.
        boxes: hands of the first frame; without them the detector looks for some.
        window: shows the frames, and may end it.

    Raises:
        DataError: the file ends too early, the camera gives no more.
        OutputError: the drawing cannot be written. ValueError: a box cannot be used.
    """
    tracker, drawn, begun, number, done, looks, seen = Tracker(hp), None, None, -1, 0, 0, 0
    with tqdm(total=source.count, unit="frame", desc=source.title, leave=False) as bar, \
            filming(draw, source.fps or USUAL) as film:  # fmt: skip
        for image in source:
            number += 1
            if source.camera:
                begun = begun or time.monotonic()
                while number < round((time.monotonic() - begun) * source.fps):  # a frame that nobody looked at
                    number += 1
                    if film:
                        film(drawn)
            hands = tracker(image, boxes)
            boxes = None
            if film or window:
                drawn = figures.draw_hands(image, hands)
            if film:
                film(drawn)
            if rows is not None:
                shown = [photos.as_json(hand) | {"track": n} for hand, n in zip(hands, tracker.numbers, strict=True)]
                rows.append({"frame": number, "hands": shown})
            done, looks, seen = done + 1, looks + tracker.looked, seen + bool(hands)
            bar.update()
            if window and not window.show(drawn):
                break
    tqdm.write(f"{source.title}: {done} frames, {seen} with a hand, {tracker.count} "
               f"hand{'s' * (tracker.count != 1)} followed; the detector looked at {looks}")  # fmt: skip
