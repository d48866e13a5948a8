"""Frames of video files and cameras, upright and in order."""

import os
import re
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import cv2
import numpy as np

from handpose.data import DataError, pictures

USUAL = 25.0  # frames a second, where the source does not say


class Source:
    """The frames of a video file or camera, upright, (H, W, 3) uint8 RGB, in order; the file is read only once.

    Args:
        name: the path of a file, or the number or address of a camera.

    Attributes:
        title: what it is called in messages and in JSON; without the password in an address.
        size: (width, height) of the first frame, or None before it.
        fps: frames a second, or None where a file does not say.
        count: how many frames the file says it has, or None. Never relied on: without an index OpenCV estimates it.

    Raises:
        DataError: no such file or camera, an empty file, or no video.
    """

    def __init__(self, name: Path | int | str) -> None:
        self.name, self.camera, self.size = name, not isinstance(name, Path), None
        self.shown = without_password(name)
        self.title = f"camera {self.shown}" if self.camera else str(name)
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # errors are told here, in one line
        if isinstance(name, Path):
            with pictures.opened(name) as file:
                empty = not file.read(1)
            if empty:
                raise DataError(f"{name}: the file is empty")
        self.video = cv2.VideoCapture(str(name) if isinstance(name, Path) else name)
        if not self.video.isOpened():
            if self.camera:
                why = "cannot be opened; do address, name and password hold, and does it show a video?"
                if isinstance(name, int):
                    why = "there is no such camera, or another program uses it; 0 is the first one"
                raise DataError(f"--camera {self.shown}: {why}")
            why = "cut off, so that its index is missing" if cut_off(Path(str(name))) else "damaged, or of another kind"
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
                decoded, frame = self.video.read()  # turned as the file's metadata say
                if not decoded or frame is None:
                    break
                number += 1
                self.size = self.size or frame.shape[1::-1]
                yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB if frame.ndim == 3 else cv2.COLOR_GRAY2RGB)
        finally:
            self.video.release()
        if self.camera:
            raise DataError(f"--camera {self.shown}: gives no {'more ' if number else ''}pictures")
        if not number:
            raise DataError(f"{self.name}: no frame can be decoded; copy or download it again")
        # An estimate may be a few frames off; what the file's own structure says of its length is exact.
        if self.count is None or number >= self.count:
            return
        cut = cut_off(Path(str(self.name)))
        if cut or number < (0.9 if cut is None else 0.5) * self.count:
            raise DataError(f"{self.name}: ends after {number} of {self.count} frames; it is cut off or damaged there")

    def numbered(self) -> Generator[tuple[int, float, np.ndarray], None, None]:
        """The frames (H, W, 3) uint8 with their numbers, 0, 1, 2 and so on of a file, and times in milliseconds.

        A camera's frame n is the one seen n / fps seconds after the first; numbers are left out where whoever takes the
        frames is slower.
        """
        begun, number, at = None, -1, None
        for image in self:
            number += 1
            if self.camera:
                now = time.monotonic()
                begun = now if begun is None else begun
                at = 1000 * (now - begun)
                number = max(number, round(at * (self.fps or USUAL) / 1000))
            else:
                at = self._time(self.video, at)
            yield number, at, image

    def times(self) -> list[float]:
        """The times of a file's frames in milliseconds, before they are read: it is run through for that."""
        video = cv2.VideoCapture(str(self.name))
        found: list[float] = []
        while video.grab():
            found.append(self._time(video, found[-1] if found else None))
        video.release()
        return found

    def _time(self, video: cv2.VideoCapture, last: float | None) -> float:
        """When the frame just read is shown, as the file says; some say nothing, and then frames are evenly spaced."""
        reported = video.get(cv2.CAP_PROP_POS_MSEC)
        if last is None:
            return reported if np.isfinite(reported) else 0.0
        return reported if last < reported < np.inf else last + 1000 / (self.fps or USUAL)


def without_password(name: Path | int | str) -> str:
    """The name of a file or camera as it is shown: a camera's address may hold a password."""
    return str(name) if isinstance(name, Path) else re.sub(r"//[^/]*@", "//", str(name))


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
