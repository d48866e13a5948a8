"""Labelling a hand's key-points by hand: all that happens in the window of ``data_scripts/label_keypoints.py``.

Nothing here opens a window, so that it can be tested without a display. The keys and what the mouse does:

left click: set the joint that is named, go on to the next
left drag: move a joint
right click or x: the joint is not visible, so no label
u, r: undo, redo;  c: clear all joints
tab, backspace: next, previous joint
0, 1 ... 5: wrist, thumb ... little finger; again: its next joint
wheel, + and -: zoom;  f: the whole photo
middle drag, arrows, h j k l: pan
n, p: next, previous photo; n takes the labels as right
s: take them as right and save;  q: save and quit
? or F1: this help
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from handpose import files
from handpose.book.figures import JOINT_COLOURS
from handpose.data import DataError
from handpose.data.common import read_image
from handpose.data.readers import labelled
from handpose.skeleton import BONES, JOINTS, NUM_JOINTS

HELP = __doc__.split("\n\n")[-1].strip()
DONE = NUM_JOINTS  # in place of the joint to be set: there is none left
SAVE_EVERY = 5  # changes
GRAB, DRAG = 10, 3  # screen pixels: a joint this near is meant; a press that moves less than this is a click
BAR, CLOSEST = 64, 40  # height of the text below the photo; most screen pixels per pixel of the photo
GREY, YELLOW, WHITE = (48, 48, 48), (0, 230, 255), (255, 255, 255)
BGR = [tuple(int(colour[i : i + 2], 16) for i in (5, 3, 1)) for colour in JOINT_COLOURS]
#: What keys without a character mean, by their codes on X11, Windows and macOS.
KEYS = {0xFF51: "h", 0xFF52: "k", 0xFF53: "l", 0xFF54: "j", 0x250000: "h", 0x260000: "k", 0x270000: "l", 0x280000: "j",
        0xF702: "h", 0xF700: "k", 0xF703: "l", 0xF701: "j", 0xFFBE: "?", 0x700000: "?", 0xF704: "?", 0xFF09: "\t",
        0xFF08: "\b", 0xFE20: "\b", 0x0B: "\b", 0x7F: "\b", 0xFFAB: "+", 0xFFAD: "-"}  # fmt: skip
#: A small hand, in screen pixels, that shows which joint is meant: the thumb, then from index to little finger.
SKETCH = [(30, 60), (20, 52), (13, 45), (8, 39), (3, 33)]
SKETCH += [(21 + 8 * f, 36 - k * bone) for f, bone in enumerate((9, 10, 9, 7)) for k in range(4)]
PANS = {"h": (-1, 0), "l": (1, 0), "k": (0, -1), "j": (0, 1)}


class State(NamedTuple):
    """A photo's labels at one moment."""

    points: tuple  # 21 times (x, y) in pixels of the photo, or None
    joint: int  # to be set next, or DONE
    taken: bool  # by a person: a prediction that nobody has taken as right is not saved


class View:
    """The part of a photo on the screen: `scale` screen pixels per pixel, from the corner `origin` on.

    Pixel centres are at whole numbers in both, so the corner is half a pixel before the first centre.
    """

    def __init__(self, image: np.ndarray, max_side: int) -> None:
        self.image, self.size, self.origin = image, np.array(image.shape[1::-1]), np.zeros(2)
        self.small = 1, image  # scale, and the photo shrunk by it
        room = np.array([max_side, max_side - BAR])
        self.fit = self.scale = float((room / self.size).min())
        self.canvas = np.maximum((self.size * self.fit).round().astype(int), np.minimum(room, (480, 300)))
        self.move((0, 0))

    def to_photo(self, at: tuple) -> np.ndarray:
        return (np.array(at) + 0.5) / self.scale + self.origin - 0.5

    def to_screen(self, place: tuple) -> np.ndarray:
        return (np.array(place) + 0.5 - self.origin) * self.scale - 0.5

    def nearest(self, at: tuple) -> np.ndarray:
        """The place in the photo that is on the screen nearest to the cursor."""
        return self.to_photo(np.clip(at, 0, self.canvas - 1)).clip(-0.5, self.size - 0.5)

    def move(self, by: tuple) -> None:
        """Move over the photo by screen pixels, but not beyond its edge."""
        room = self.canvas / self.scale
        kept = np.clip(self.origin + np.array(by) / self.scale, 0, np.maximum(self.size - room, 0))
        self.origin = np.where(self.size <= room, (self.size - room) / 2, kept)

    def zoom(self, factor: float, at: tuple) -> None:
        """Magnify; what is under the cursor stays there."""
        place = self.to_photo(at)
        self.scale = min(max(self.scale * factor, self.fit), max(CLOSEST, self.fit))
        self.origin = place + 0.5 - (np.array(at) + 0.5) / self.scale
        self.move((0, 0))

    def draw(self) -> np.ndarray:
        if self.small[0] != min(self.scale, 1):  # averaged first: the map below alone would skip pixels
            size = np.maximum((self.size * min(self.scale, 1)).round().astype(int), 1)
            self.small = min(self.scale, 1), cv2.resize(self.image, size.tolist(), interpolation=cv2.INTER_AREA)
        small = self.small[1]
        part = np.array(small.shape[1::-1]) / self.size
        matrix = np.column_stack([np.diag(self.scale / part), self.scale * (0.5 / part - self.origin) - 0.5])
        how = cv2.INTER_NEAREST if self.scale >= 4 else cv2.INTER_LINEAR
        return cv2.warpAffine(small, matrix, self.canvas.tolist(), flags=how, borderValue=GREY)


class Labelling:
    """All that happens in the window, without the window: give it mouse events and keys, and show its `picture()`.

    Args:
        out: the label file; where it exists its labels are taken over.
        photos: what to label.
        predict: gives (21, 2) key-points of an (H, W, 3) uint8 RGB picture, or None.
        max_side: the longer side of `picture()`, at most, in pixels.

    Raises:
        DataError: `out` is damaged or not ours, or not one photo can be used.
    """

    def __init__(self, out: Path, photos: list[Path], predict: Callable | None = None, max_side: int = 1000) -> None:
        self.file, self.predict, self.max_side = labelled.LabelFile(out), predict, max_side
        self.photos = list(dict.fromkeys(labelled.located(out, os.path.abspath(photo)) for photo in photos))
        self.histories: dict[Path, tuple[list, list]] = {}  # of each photo: states up to the present one, those undone
        self.bad: set[Path] = set()
        self.unsaved, self.cursor, self.note, self.help, self.done = 0, (0, 0), "? for help", False, False
        # Where it was left: at the first photo without labels, or the one before if that is not finished.
        entries = [self.file.entries.get(path) for path in self.photos]
        first = entries.index(None) if None in entries else len(entries)
        if first == len(entries) or (first and None in entries[first - 1]["keypoints"]):
            first -= 1
        if not (self.go(first, 1) or self.go(first - 1, -1)):
            raise DataError("none of these photos can be used")

    def go(self, index: int, step: int) -> bool:
        """Open this photo, or the first one in that direction that can be used; False if there is none."""
        while 0 <= index < len(self.photos):
            path = self.photos[index]
            try:
                self.open(path)
                self.index = index
                return True
            except ValueError as error:
                if path not in self.bad:
                    say(error if str(path) in str(error) else f"{path}: {error}")
                self.bad.add(path)
            index += step
        return False

    def open(self, path: Path) -> None:
        image = read_image(path)
        known = self.file.get(path, image.shape[1::-1])
        if path not in self.histories:
            points = known or [None] * NUM_JOINTS
            if not known and self.predict and (found := self.predict(image)) is not None:
                inside = ((found >= -0.5) & (found <= np.array(image.shape[1::-1]) - 0.5)).all(1)
                points = [tuple(p) if good else None for p, good in zip(found.tolist(), inside, strict=True)]
            first = points.index(None) if None in points else DONE
            self.histories[path] = [State(tuple(points), first, bool(known))], []
        self.path, (self.past, self.undone) = path, self.histories[path]
        self.view = View(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), self.max_side)
        # The joint that the left button holds, and where that was pressed if it may still become a click on that joint;
        # where the middle button has brought the photo.
        self.held = self.pressed = self.panned = None

    def leave(self, step: int) -> None:
        self.save()
        if not self.go(self.index + step, step):
            self.note = self.note or ("this is the last photo; q ends" if step > 0 else "this is the first photo")

    def save(self) -> bool:
        """Write the label file if something has changed; False, with the reason as `note`, if that fails."""
        if self.unsaved:
            state = self.past[-1]
            self.file.put(self.path, tuple(self.view.size.tolist()), state.points if state.taken else None)
            try:
                self.file.save()
            except files.OutputError as error:
                self.note = f"NOT SAVED: {error}"
                return False
            self.unsaved = 0
        return True

    def change(self, new: bool = True, **what) -> None:
        """Change the photo's state, as a step that can be undone or as part of the last one."""
        if new:
            self.past.append(self.past[-1])
            self.undone.clear()
        self.past[-1] = self.past[-1]._replace(**what)
        self.unsaved += what.keys() != {"joint"}
        if self.unsaved >= SAVE_EVERY and self.held is None:
            self.save()

    def put(self, joint: int, at: tuple | None, new: bool = True) -> None:
        """Set a joint to where the cursor is; None: it is not visible."""
        points, place = self.past[-1].points, None if at is None else tuple(self.view.nearest(at).tolist())
        self.change(new, points=(*points[:joint], place, *points[joint + 1 :]), taken=True)

    def mouse(self, event: int, x: int, y: int, flags: int = 0) -> None:
        """Handle a mouse event of OpenCV at a pixel of `picture()`."""
        if sys.platform == "win32":  # elsewhere a second click is announced as a click as well
            event = {cv2.EVENT_LBUTTONDBLCLK: cv2.EVENT_LBUTTONDOWN,
                     cv2.EVENT_RBUTTONDBLCLK: cv2.EVENT_RBUTTONDOWN}.get(event, event)  # fmt: skip
        self.cursor = at = (x, y)
        points, joint, _ = self.past[-1]
        unset = joint < DONE and points[joint] is None
        if event == cv2.EVENT_MOUSEWHEEL:
            self.view.zoom(1.25 if flags > 0 else 0.8, at)
        elif event == cv2.EVENT_MBUTTONDOWN:
            self.panned = at
        elif event in (cv2.EVENT_LBUTTONDOWN, cv2.EVENT_RBUTTONDOWN):
            far = [np.inf if p is None else np.hypot(*(self.view.to_screen(p) - at)) for p in points]
            near, self.note = int(np.argmin(far)) if min(far) <= GRAB else None, ""
            if not np.allclose(self.view.nearest(at), self.view.to_photo(at)):
                self.note = "that is outside the photo"
            elif event == cv2.EVENT_LBUTTONDOWN and near is not None:  # to move it or not, that shows later
                self.held, self.pressed = near, at
            elif joint == DONE and near is None:
                self.note = "all joints are done: drag one, or choose one with tab or a digit"
            elif event == cv2.EVENT_LBUTTONDOWN:
                self.held, self.pressed = joint, None
                self.put(joint, at)
            else:
                hidden = joint if unset or near is None else near
                self.put(hidden, None)
                self.change(False, joint=joint + (hidden == joint))
        elif self.held is not None and event in (cv2.EVENT_MOUSEMOVE, cv2.EVENT_LBUTTONUP):
            if self.pressed is None:
                self.put(self.held, at, new=False)
            elif np.hypot(*np.subtract(at, self.pressed)) > DRAG:
                self.pressed = None
                self.put(self.held, at)
            if event == cv2.EVENT_LBUTTONUP:
                held, clicked, self.held = self.held, self.pressed is not None, None
                if clicked and unset:  # joints may lie close together
                    self.put(joint, at)
                if held == joint or (clicked and unset):
                    self.change(False, joint=joint + (not clicked or unset))
                elif clicked:
                    self.change(False, joint=held)
        elif self.panned and event in (cv2.EVENT_MOUSEMOVE, cv2.EVENT_MBUTTONUP):
            self.view.move(np.subtract(self.panned, at))
            self.panned = at if event == cv2.EVENT_MOUSEMOVE else None

    def key(self, code: int) -> None:
        """Handle a key's code from `cv2.waitKeyEx`."""
        low = code & 0xFFFF  # X11 puts Shift and the like above
        key = KEYS.get(low) or KEYS.get(code) or (chr(low).lower() if low < 0x80 else "")
        (_, joint, taken), seen, shown = self.past[-1], self.note, self.help
        if not key:  # Shift alone, for example
            return
        self.note, self.help, self.held = "", False, None
        if key == "u" and len(self.past) > 1:
            self.undone.append(self.past.pop())
            self.change(new=False)
        elif key == "r" and self.undone:
            self.past.append(self.undone.pop())
            self.change(new=False)
        elif key in ("u", "r"):
            self.note = "there is nothing to undo" if key == "u" else "there is nothing to redo"
        elif key == "x" and joint < DONE:
            self.put(joint, None)
            self.change(False, joint=joint + 1)
        elif key == "c":
            self.change(points=(None,) * NUM_JOINTS, joint=0, taken=True)
        elif key == "\t":
            self.change(False, joint=(joint + 1) % NUM_JOINTS if joint < DONE else 0)
        elif key == "\b":
            self.change(False, joint=(joint - 1) % NUM_JOINTS)
        elif key == "0":
            self.change(False, joint=0)
        elif key and key in "12345":
            base = 4 * int(key) - 3
            self.change(False, joint=base + (joint + 1 - base) % 4 if base <= joint < base + 4 else base)
        elif key and key in "+=-f":
            self.view.zoom({"-": 0.8, "f": 0}.get(key, 1.25), self.cursor)
        elif key in PANS:
            self.view.move(np.array(PANS[key]) * self.view.canvas / 8)
        elif key in ("n", "s") and not taken:
            self.change(False, taken=True)
        if key in ("n", "p"):
            self.leave(1 if key == "n" else -1)
        elif key == "s" and self.save():
            self.note = "saved"
        elif key == "q":
            self.done = self.save() or self.note == seen  # a second q leaves without
        elif key == "?":
            self.help = not shown

    def picture(self) -> np.ndarray:
        """What the window shows, (h, w, 3) uint8 BGR: the photo with the hand, and text below it."""
        shown = cv2.copyMakeBorder(self.view.draw(), 0, BAR, 0, 0, cv2.BORDER_CONSTANT, value=GREY)
        photo, (points, joint, taken) = shown[:-BAR], self.past[-1]
        # OpenCV takes sixteenths of a pixel here: the last argument, 4, is their number's logarithm.
        at = [p and (self.view.to_screen(p) * 16).round().astype(int).tolist() for p in points]
        for a, b in BONES:
            if at[a] and at[b]:
                cv2.line(photo, at[a], at[b], BGR[b], 1, cv2.LINE_AA, 4)
        for j, centre in enumerate(at):
            if centre:  # hollow, so that the place itself can be seen
                cv2.circle(photo, centre, 5 * 16, WHITE, 3, cv2.LINE_AA, 4)
                cv2.circle(photo, centre, 5 * 16, BGR[j], 2, cv2.LINE_AA, 4)
            if centre and j == joint:
                cv2.circle(photo, centre, 10 * 16, YELLOW, 2, cv2.LINE_AA, 4)
        name = "all joints done; n: next photo"
        if joint < DONE:
            name = f"{JOINTS[joint]} ({joint + 1} of {NUM_JOINTS}){'' if points[joint] is None else ', has its place'}"
        guess = "" if taken or not any(points) else "a guess of the network: put it right, then n"
        lines = [f"{self.index + 1}/{len(self.photos)}  {self.path.parent.name}/{self.path.name}", name,
                 self.note or guess]  # fmt: skip
        for row, (line, colour) in enumerate(zip(lines, (WHITE, YELLOW, WHITE), strict=True)):
            write(shown, line, photo.shape[0] + 18 + 20 * row, colour)
        corner = np.array([shown.shape[1] - 60, len(photo)])
        for j, place in enumerate(SKETCH):
            cv2.circle(shown, (corner + place).tolist(), 5 if j == joint else 2, YELLOW if j == joint else BGR[j], -1)
        if self.help:
            photo //= 4
            for row, line in enumerate(HELP.splitlines()):
                write(photo, line, 24 + 22 * row, WHITE)
        return shown


def write(picture: np.ndarray, text: str, y: int, colour: tuple) -> None:
    text = text.encode("ascii", "replace").decode()  # OpenCV's letters
    cv2.putText(picture, text, (8, y), cv2.FONT_HERSHEY_SIMPLEX, 0.48, colour, 1, cv2.LINE_AA)


def say(text: object) -> None:
    print(f"label_keypoints: {text}", file=sys.stderr)
