"""A window of OpenCV: whether one can be opened here, whether it still is, and one that shows frames."""

import os
import subprocess
import sys

import cv2
import numpy as np

TITLE = "handpose: q or Esc ends"


def check_display() -> None:
    """Raise an OSError that says why no window can be opened: where there is no display, Qt ends the whole program."""
    if sys.platform.startswith("linux"):
        if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            raise OSError("there is no display to open a window on (DISPLAY is not set); run it on a desktop")
        trial = "import cv2; cv2.namedWindow('handpose')"
        if subprocess.run([sys.executable, "-c", trial], capture_output=True).returncode:
            raise OSError("OpenCV cannot open a window here: either the display cannot be reached, or this is "
                          "opencv-python-headless, and opencv-python is needed")  # fmt: skip


def is_open(title: str) -> bool:
    """Whether a window is still there."""
    try:
        return cv2.getWindowProperty(title, cv2.WND_PROP_VISIBLE) >= 1
    except cv2.error:  # Qt, whose last window was closed
        return False


class Window:
    """Frames on the screen, one after the other.

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
            return None
