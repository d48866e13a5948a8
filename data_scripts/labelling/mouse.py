"""What the mouse does in the window: the left button sets and moves joints, the middle one the photo."""

import sys

import cv2
import numpy as np

from labelling.labels import DONE

GRAB, DRAG = 10, 3  # screen pixels: a joint this near is meant; a press that moves less than this is a click


class Mouse:
    """The cursor and what its buttons hold.

    Args:
        labelling: the `Labelling` that it works on.
    """

    def __init__(self, labelling) -> None:
        self.labelling, self.cursor = labelling, (0, 0)
        self.let_go()

    def let_go(self) -> None:
        """Forget what the buttons hold: another photo is shown."""
        # The joint that the left button holds, and where that was pressed if it may still become a click on that joint;
        # where the middle button has brought the photo.
        self.held = self.pressed = self.panned = None

    def __call__(self, event: int, x: int, y: int, flags: int = 0) -> None:
        """Handle a mouse event of OpenCV at a pixel of `Labelling.picture()`."""
        if sys.platform == "win32":  # elsewhere a second click is announced as a click as well
            event = {cv2.EVENT_LBUTTONDBLCLK: cv2.EVENT_LBUTTONDOWN,
                     cv2.EVENT_RBUTTONDBLCLK: cv2.EVENT_RBUTTONDOWN}.get(event, event)  # fmt: skip
        self.cursor = at = (x, y)
        view = self.labelling.view
        if event == cv2.EVENT_MOUSEWHEEL:
            view.zoom(1.25 if flags > 0 else 0.8, at)
        elif event == cv2.EVENT_MBUTTONDOWN:
            self.panned = at
        elif event in (cv2.EVENT_LBUTTONDOWN, cv2.EVENT_RBUTTONDOWN):
            self._press(at, event == cv2.EVENT_LBUTTONDOWN)
        elif self.held is not None and event in (cv2.EVENT_MOUSEMOVE, cv2.EVENT_LBUTTONUP):
            self._drag(at)
            if event == cv2.EVENT_LBUTTONUP:
                self._release(at)
        elif self.panned and event in (cv2.EVENT_MOUSEMOVE, cv2.EVENT_MBUTTONUP):
            view.move(np.subtract(self.panned, at))
            self.panned = at if event == cv2.EVENT_MOUSEMOVE else None

    def _press(self, at: tuple, left: bool) -> None:
        labelling = self.labelling
        keypoints, joint, _ = labelling.state
        far = [np.inf if p is None else np.hypot(*(labelling.view.to_screen(p) - at)) for p in keypoints]
        near, labelling.note = int(np.argmin(far)) if min(far) <= GRAB else None, ""
        if not np.allclose(labelling.view.nearest(at), labelling.view.to_photo(at)):
            labelling.note = "that is outside the photo"
        elif left and near is not None:  # to move it or not, that shows later
            self.held, self.pressed = near, at
        elif joint == DONE and near is None:
            labelling.note = "all joints are done: drag one, or choose one with tab or a digit"
        elif left:
            self.held, self.pressed = joint, None
            labelling.put(joint, at)
        else:
            hidden = joint if labelling.state.unset or near is None else near
            labelling.put(hidden, None)
            labelling.change(False, joint=joint + (hidden == joint))

    def _drag(self, at: tuple) -> None:
        labelling = self.labelling
        if self.pressed is None:
            labelling.put(self.held, at, new=False)
        elif np.hypot(*np.subtract(at, self.pressed)) > DRAG:
            self.pressed = None
            labelling.put(self.held, at)

    def _release(self, at: tuple) -> None:
        """End a drag, or a click: on a joint, which chooses it, or beside one that the next joint lies close to."""
        labelling = self.labelling
        (_, joint, _), unset = labelling.state, labelling.state.unset
        held, clicked, self.held = self.held, self.pressed is not None, None
        if clicked and unset:  # joints may lie close together
            labelling.put(joint, at)
        if held == joint or (clicked and unset):
            labelling.change(False, joint=joint + (not clicked or unset))
        elif clicked:
            labelling.change(False, joint=held)
