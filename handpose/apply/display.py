"""Whether a window of OpenCV can be opened here, and whether it still is."""

import os
import subprocess
import sys

import cv2


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
