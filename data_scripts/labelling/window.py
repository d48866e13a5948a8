"""What keys do in the window of ``data_scripts/label_keypoints.py``, and the window itself; `mouse` has the rest.

`Labelling` opens no window, so that it can be tested without a display. The keys and what the mouse does:

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

import cv2
import numpy as np

from handpose import files
from handpose.apply.display import is_open
from handpose.skeleton import NUM_JOINTS
from labelling import drawing, screen
from labelling.labels import DONE, Photos, State
from labelling.mouse import Mouse
from labelling.view import View, fitting

HELP = __doc__.split("\n\n")[-1].strip()
SAVE_EVERY = 5  # changes
#: What keys without a character mean, by their codes on X11, Windows and macOS.
KEYS = {0xFF51: "h", 0xFF52: "k", 0xFF53: "l", 0xFF54: "j", 0x250000: "h", 0x260000: "k", 0x270000: "l", 0x280000: "j",
        0xF702: "h", 0xF700: "k", 0xF703: "l", 0xF701: "j", 0xFFBE: "?", 0x700000: "?", 0xF704: "?", 0xFF09: "\t",
        0xFF08: "\b", 0xFE20: "\b", 0x0B: "\b", 0x7F: "\b", 0xFFAB: "+", 0xFFAD: "-"}  # fmt: skip
PANS = {"h": (-1, 0), "l": (1, 0), "k": (0, -1), "j": (0, 1)}


class Labelling:
    """What mouse and keys do, without the window: give it mouse events and keys, and show its `picture()`.

    Args:
        photos: with their labels.
        max_side: the longer side of `picture()`, at most, in pixels; `resize` gives it another size.

    Attributes:
        window: width and height of `picture()`, pixels.
        view: the part of the open photo that is shown.
        mouse: takes OpenCV's mouse events at pixels of `picture()`.
        note: a line for the user.
        done: whether the user has ended it.
    """

    def __init__(self, photos: Photos, max_side: int = 1000) -> None:
        self.photos, self.window = photos, fitting(photos.image, (max_side, max_side))
        self.note, self.help, self.done = "? for help", False, False
        self.mouse = Mouse(self)
        self._show_photo()

    @property
    def state(self) -> State:
        """The open photo's labels."""
        return self.photos.history.present

    def image(self) -> np.ndarray:
        """What the window shows, (h, w, 3) uint8 BGR."""
        path = self.photos.path
        title = f"{self.photos.index + 1}/{len(self.photos.paths)}  {path.parent.name}/{path.name}"
        return drawing.image(self.view, self.state, title, self.note, HELP if self.help else "")

    def resize(self, window: tuple[int, int]) -> None:
        """Let `picture()` have another width and height."""
        self.view.resize(window)
        self.window = window

    def save(self) -> bool:
        """Write the label file if something has changed; False, with the reason as `note`, if that fails."""
        try:
            self.photos.save()
        except files.OutputError as error:
            self.note = f"NOT SAVED: {error}"
            return False
        return True

    def key(self, code: int) -> None:
        """Handle a key's code from `cv2.waitKeyEx`."""
        low = code & 0xFFFF  # X11 puts Shift and the like above
        key = KEYS.get(low) or KEYS.get(code) or (chr(low).lower() if low < 0x80 else "")
        if not key:  # Shift alone, for example
            return
        note_before, shown = self.note, self.help
        self.note, self.help, self.mouse.held = "", False, None
        if key in "ur":
            self._undo_or_redo(key)
        elif key in "xc":
            self._erase(key)
        elif key in "\t\b012345":
            self._choose(key)
        elif key in "+=-f":
            self.view.zoom({"-": 0.8, "f": 0}.get(key, 1.25), self.mouse.cursor)
        elif key in PANS:
            self.view.move(np.array(PANS[key]) * self.view.canvas / 8)
        elif key in "nps":
            self._finish(key)
        elif key == "q":
            self.done = self.save() or self.note == note_before  # a second q leaves without
        elif key == "?":
            self.help = not shown

    def _show_photo(self) -> None:
        self.view = View(cv2.cvtColor(self.photos.image, cv2.COLOR_RGB2BGR), self.window)
        self.mouse.let_go()

    def change(self, new: bool = True, **what) -> None:
        """Change the photo's labels, and save every few changes."""
        self.photos.change(new, **what)
        self._save_sometimes()

    def _save_sometimes(self) -> None:
        if self.photos.unsaved >= SAVE_EVERY and self.mouse.held is None:
            self.save()

    def put(self, joint: int, at: tuple | None, new: bool = True) -> None:
        """Set a joint to where the cursor is; None: it is not visible."""
        keypoints, point = self.state.keypoints, None if at is None else tuple(self.view.nearest(at).tolist())
        self.change(new, keypoints=(*keypoints[:joint], point, *keypoints[joint + 1 :]), confirmed=True)

    def _undo_or_redo(self, key: str) -> None:
        if self.photos.undo() if key == "u" else self.photos.redo():
            self._save_sometimes()
        else:
            self.note = "there is nothing to undo" if key == "u" else "there is nothing to redo"

    def _erase(self, key: str) -> None:
        """No place for the joint (x), or for any (c)."""
        joint = self.state.joint
        if key == "c":
            self.change(keypoints=(None,) * NUM_JOINTS, joint=0, confirmed=True)
        elif joint < DONE:
            self.put(joint, None)
            self.change(False, joint=joint + 1)

    def _choose(self, key: str) -> None:
        """The joint to be set next: one further, one back, the wrist, or a finger's next one."""
        joint = self.state.joint
        if key == "\t":
            chosen = (joint + 1) % NUM_JOINTS if joint < DONE else 0
        elif key == "\b":
            chosen = (joint - 1) % NUM_JOINTS
        elif key == "0":
            chosen = 0
        else:
            base = 4 * int(key) - 3
            chosen = base + (joint + 1 - base) % 4 if base <= joint < base + 4 else base
        self.change(False, joint=chosen)

    def _finish(self, key: str) -> None:
        """Take the labels as right (n, s), and save them or go to another photo (n, p)."""
        if key != "p" and not self.state.confirmed:
            self.change(False, confirmed=True)
        saved = self.save()
        if key == "s":
            self.note = "saved" if saved else self.note
            return
        step = 1 if key == "n" else -1
        if self.photos.go(self.photos.index + step, step):
            self._show_photo()
        else:
            self.note = self.note or ("this is the last photo; q ends" if step > 0 else "this is the first photo")


def show(labelling: Labelling, max_side: int | None = None) -> None:
    """The window, until q is pressed or it is closed, which is the same; the labels are saved whatever ends it.

    Args:
        max_side: its longer side at first, at most; None takes what the screen has room for.
    """
    events, title = [], "label_keypoints"
    room, position = screen.room(title)
    labelling.resize(fitting(labelling.photos.image, [min(side, max_side or side) for side in room]))
    try:
        screen.open_window(title, labelling.window, position, events)
        changed, size = True, labelling.window
        while not labelling.done:
            if changed:
                cv2.imshow(title, labelling.image())
            code = cv2.waitKeyEx(20)
            if not is_open(title):
                labelling.key(ord("q"))
                if not labelling.done:  # the disk does not take the labels: the window says so once more
                    screen.open_window(title, labelling.window, position, events)
                    changed = True
                continue
            changed = bool(events) or code != -1
            while events:
                labelling.mouse(*events.pop(0))
            if code != -1:
                labelling.key(code)
            if (now := screen.size(title, size)) != size:
                labelling.resize(now)
                changed, size = True, now
    finally:
        labelling.save()
