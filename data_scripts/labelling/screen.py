"""The window on the screen: how much room there is for it, opening it, and its size."""

import cv2
import numpy as np

FRAME = (20, 110)  # pixels that a window's frame and the desktop's bars take, about
UNKNOWN = (1000, 640)  # room where the screen does not say how large it is


def room(title: str) -> tuple[tuple[int, int], tuple[int, int] | None]:
    """Width and height that a window can have on the screen it opens on, and where on it; None for anywhere.

    OpenCV knows no screen, but fills it on request: for a moment the window does, and is asked for its size.
    """
    try:
        cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_GUI_NORMAL)
        cv2.imshow(title, np.full((60, 80, 3), 48, np.uint8))
        cv2.setWindowProperty(title, cv2.WND_PROP_FULLSCREEN, cv2.WINDOW_FULLSCREEN)
        for _ in range(10):
            cv2.waitKeyEx(10)
        left, top, *found = cv2.getWindowImageRect(title)
        cv2.destroyWindow(title)
    except cv2.error:  # a desktop where a window cannot be asked
        return UNKNOWN, None
    wide, high = (side - border for side, border in zip(found, FRAME, strict=True))
    if wide < 480 or high < 360:
        return UNKNOWN, None
    return (wide, high), (left + FRAME[0] // 2, top + FRAME[1] // 4)


def open_window(title: str, size: tuple[int, int], position: tuple[int, int] | None, events: list) -> None:
    """Open a window of that width and height, which can be resized; its mouse events go to the list."""
    cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_FREERATIO | cv2.WINDOW_GUI_NORMAL)
    cv2.resizeWindow(title, *size)
    if position:
        cv2.moveWindow(title, *position)
    cv2.setMouseCallback(title, lambda *event: events.append(event[:4]))


def size(title: str, before: tuple[int, int]) -> tuple[int, int]:
    """The width and height that the window has now; `before` where it does not say, or is put away."""
    try:
        wide, high = cv2.getWindowImageRect(title)[2:]
    except cv2.error:
        return before
    return (wide, high) if wide > 0 and high > 0 else before
