"""What the window shows: the photo with the hand's joints and bones, text below it, and the help."""

import cv2
import numpy as np

from handpose.book.figures import JOINT_COLOURS
from handpose.skeleton import BONES, JOINTS, NUM_JOINTS
from labelling.labels import DONE, State
from labelling.view import BAR, GREY, View

YELLOW, WHITE = (0, 230, 255), (255, 255, 255)
BGR = [tuple(int(colour[i : i + 2], 16) for i in (5, 3, 1)) for colour in JOINT_COLOURS]
#: A small hand, in screen pixels, that shows which joint is meant: the thumb, then from index to little finger.
SKETCH = [(30, 60), (20, 52), (13, 45), (8, 39), (3, 33)]
SKETCH += [(21 + 8 * f, 36 - k * bone) for f, bone in enumerate((9, 10, 9, 7)) for k in range(4)]


def image(view: View, state: State, title: str, note: str, help: str) -> np.ndarray:
    """What the window shows, (h, w, 3) uint8 BGR: the photo with the hand, and text below it.

    Args:
        view: the part of the photo.
        state: its labels.
        title: which photo it is.
        note: a line for the user; where there is none it says whether the labels are a guess.
        help: lines that are written over the photo; "" for none.
    """
    shown = cv2.copyMakeBorder(view.draw(), 0, BAR, 0, 0, cv2.BORDER_CONSTANT, value=GREY)
    photo = shown[:-BAR]
    draw_hand(photo, view, state)
    guess = "" if state.confirmed or not any(state.keypoints) else "a guess of the network: put it right, then n"
    for row, (line, colour) in enumerate([(title, WHITE), (name_joint(state), YELLOW), (note or guess, WHITE)]):
        write(shown, line, photo.shape[0] + 18 + 20 * row, colour)
    corner = np.array([shown.shape[1] - 60, len(photo)])
    for j, offset in enumerate(SKETCH):
        meant = j == state.joint
        cv2.circle(shown, (corner + offset).tolist(), 5 if meant else 2, YELLOW if meant else BGR[j], -1)
    if help:
        photo //= 4
        for row, line in enumerate(help.splitlines()):
            write(photo, line, 24 + 22 * row, WHITE)
    return shown


def draw_hand(photo: np.ndarray, view: View, state: State) -> None:
    """Draw bones and joints into the photo on the screen, with a ring around the joint to be set."""
    # OpenCV takes sixteenths of a pixel here: the last argument, 4, is their number's logarithm.
    at = [p and (view.to_screen(p) * 16).round().astype(int).tolist() for p in state.keypoints]
    for a, b in BONES:
        if at[a] and at[b]:
            cv2.line(photo, at[a], at[b], BGR[b], 1, cv2.LINE_AA, 4)
    for j, centre in enumerate(at):
        if centre:  # hollow, so that the place itself can be seen
            cv2.circle(photo, centre, 5 * 16, WHITE, 3, cv2.LINE_AA, 4)
            cv2.circle(photo, centre, 5 * 16, BGR[j], 2, cv2.LINE_AA, 4)
        if centre and j == state.joint:
            cv2.circle(photo, centre, 10 * 16, YELLOW, 2, cv2.LINE_AA, 4)


def name_joint(state: State) -> str:
    """The joint to be set next, in words."""
    if state.joint == DONE:
        return "all joints done; n: next photo"
    note = "" if state.unset else ", has its place"
    return f"{JOINTS[state.joint]} ({state.joint + 1} of {NUM_JOINTS}){note}"


def write(image: np.ndarray, text: str, y: int, colour: tuple[int, int, int]) -> None:
    """Write a line of text with its base at row `y`."""
    text = text.encode("ascii", "replace").decode()  # OpenCV's letters
    cv2.putText(image, text, (8, y), cv2.FONT_HERSHEY_SIMPLEX, 0.48, colour, 1, cv2.LINE_AA)
