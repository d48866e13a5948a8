"""Photos in, drawings and numbers out: what ``python -m handpose predict`` reads, prints and writes."""

from pathlib import Path

import cv2
import numpy as np

from handpose import files
from handpose.pipeline import Hand
from handpose.skeleton import JOINTS


def print_hands(photo: Path, hands: list[Hand]) -> None:
    """What `predict` prints of one photo."""
    if not hands:
        print(f"{photo}: no hand found (--threshold with a lower number looks harder, --box says where it is)")
    for number, hand in enumerate(hands, 1):
        where = ", ".join(f"{v:.0f}" for v in hand.box)
        letter = f"; as a letter {hand.gesture[0]} ({hand.gesture[1]:.2f})" if hand.gesture else ""
        print(f"hand {number} of {len(hands)}, confidence {hand.score:.2f}, box {where}{letter}")
        for name, (x, y), score in zip(JOINTS, hand.keypoints, hand.scores, strict=True):
            print(f"  {name:12} x {x:7.1f}  y {y:7.1f}  score {score:.2f}")


def as_json(hand: Hand) -> dict:
    """A hand as plain numbers."""
    gesture = [hand.gesture[0], round(hand.gesture[1], 4)] if hand.gesture else None
    keypoints, scores, box = (a.astype(float) for a in (hand.keypoints, hand.scores, hand.box))
    return {"keypoints": keypoints.round(2).tolist(), "scores": scores.round(4).tolist(),
            "box": box.round(2).tolist(), "score": round(hand.score, 4), "gesture": gesture}  # fmt: skip


def write_image(path: Path, image: np.ndarray, *, drawing: bool = False) -> None:
    """Write a picture (H, W, 3) uint8 RGB in the form that its name asks for; `drawing`: `files.is_drawing` knows it.

    Raises:
        OutputError: see `files.writing`.
    """
    _, code = cv2.imencode(path.suffix.lower(), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    with (files.drawing if drawing else files.writing)(path) as unfinished:
        unfinished.write_bytes(code.tobytes())
