"""Labels as they are made: the steps of one photo, and all photos with the file that their labels go to."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from handpose.data import DataError
from handpose.data.common import read_image
from handpose.data.readers import labelled
from handpose.skeleton import NUM_JOINTS

DONE = NUM_JOINTS  # in place of the joint to be set: there is none left


class State(NamedTuple):
    """A photo's labels at one moment."""

    keypoints: tuple  # 21 times (x, y) in pixels of the photo, or None
    joint: int  # to be set next, or DONE
    confirmed: bool  # by a person: a prediction that nobody has taken as right is not saved

    @property
    def unset(self) -> bool:
        """Whether the joint to be set next has no place yet."""
        return self.joint < DONE and self.keypoints[self.joint] is None


class History:
    """The steps of one photo: states up to the present one, and those undone."""

    def __init__(self, first: State) -> None:
        self.past, self.undone = [first], []

    @property
    def present(self) -> State:
        return self.past[-1]

    def change(self, new: bool = True, **what) -> None:
        """Change the state, as a step that can be undone or as part of the last one."""
        if new:
            self.past.append(self.present)
            self.undone.clear()
        self.past[-1] = self.present._replace(**what)

    def undo(self) -> bool:
        """Go back a step; False when there is none."""
        if len(self.past) > 1:
            self.undone.append(self.past.pop())
            return True
        return False

    def redo(self) -> bool:
        """Go forward again; False when nothing was undone."""
        if self.undone:
            self.past.append(self.undone.pop())
            return True
        return False


class Photos:
    """The photos to be labelled, one of which is open, and the file that their labels go to.

    Args:
        out: the label file; where it exists its labels are taken over.
        photos: what to label.
        predict: gives (21, 2) key-points of an (H, W, 3) uint8 RGB picture, or None.

    Attributes:
        index, path, image, history: of the photo that is open; (H, W, 3) uint8 RGB.
        bad: photos that could not be used.
        unsaved: changes since the file was written.

    Raises:
        DataError: `out` is damaged or not ours, or not one photo can be used.
    """

    def __init__(self, out: Path, photos: list[Path], predict: Callable | None = None) -> None:
        self.file, self.predict = labelled.LabelFile(out), predict
        self.paths = list(dict.fromkeys(labelled.located(out, os.path.abspath(photo)) for photo in photos))
        self.histories: dict[Path, History] = {}
        self.bad: set[Path] = set()
        self.unsaved = 0
        # Where it was left: at the first photo without labels, or the one before if that is not finished.
        entries = [self.file.entries.get(path) for path in self.paths]
        first = entries.index(None) if None in entries else len(entries)
        if first == len(entries) or (first and None in entries[first - 1]["keypoints"]):
            first -= 1
        if not (self.go(first, 1) or self.go(first - 1, -1)):
            raise DataError("none of these photos can be used")

    def go(self, index: int, step: int) -> bool:
        """Open this photo, or the first one in that direction that can be used; False if there is none."""
        while 0 <= index < len(self.paths):
            path = self.paths[index]
            try:
                self._open(path)
                self.index = index
                return True
            except ValueError as error:
                if path not in self.bad:
                    say(error if str(path) in str(error) else f"{path}: {error}")
                self.bad.add(path)
            index += step
        return False

    def _open(self, path: Path) -> None:
        image = read_image(path)
        known = self.file.get(path, image.shape[1::-1])
        if path not in self.histories:
            keypoints = known or [None] * NUM_JOINTS
            if not known and self.predict and (found := self.predict(image)) is not None:
                inside = ((found >= -0.5) & (found <= np.array(image.shape[1::-1]) - 0.5)).all(1)
                keypoints = [tuple(p) if good else None for p, good in zip(found.tolist(), inside, strict=True)]
            first = keypoints.index(None) if None in keypoints else DONE
            self.histories[path] = History(State(tuple(keypoints), first, bool(known)))
        self.path, self.image, self.history = path, image, self.histories[path]

    def change(self, new: bool = True, **what) -> None:
        """Change the open photo's labels, see `History.change`; which joint comes next is not worth saving."""
        self.history.change(new, **what)
        self.unsaved += what.keys() != {"joint"}

    def undo(self) -> bool:
        """Take back a step of the open photo; False when there is none."""
        undone = self.history.undo()
        self.unsaved += undone
        return undone

    def redo(self) -> bool:
        """Make a step of the open photo again; False when none was undone."""
        redone = self.history.redo()
        self.unsaved += redone
        return redone

    def save(self) -> None:
        """Write the label file if something has changed. Raises OutputError when the disk does not take it."""
        if self.unsaved:
            state, (height, width) = self.history.present, self.image.shape[:2]
            self.file.put(self.path, (width, height), state.keypoints if state.confirmed else None)
            self.file.save()
            self.unsaved = 0


def say(text: object) -> None:
    """A line of the program on stderr."""
    print(f"label_keypoints: {text}", file=sys.stderr)
