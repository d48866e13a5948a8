"""Draw the six rendered hands of the page "Try it" into book/live/hands: pictures, and their key-points as JSON.

python tools/live_hands.py
"""

import json
import sys
from pathlib import Path

import cv2

from handpose.data import Sample, SyntheticHands
from handpose.data.synthetic import Camera, render
from handpose.data.synthetic.letters import GERMAN_ALPHABET, RenderedAlphabet

SIZE, QUALITY = 384, 88
FOLDER = Path(__file__).resolve().parent.parent / "book" / "live" / "hands"


def hands() -> dict[str, tuple[str, Sample]]:
    """Name of the file -> what a reader is told, and the rendered hand. None of them was trained on."""
    letters, others = RenderedAlphabet(1, "test", size=SIZE), SyntheticHands(seed=0, split="test", size=SIZE)
    view = dict(background="clutter", size=SIZE)
    return {
        "open": ("An open hand", render("open", camera=Camera(fill=0.55), seed=1, **view)),
        "turned": ("An open hand from the side", render("open", camera=Camera(fill=0.6, roll=70), seed=8, **view)),
        "l": ("The letter L", render("L", seed=4, **view)),
        "y": ("The letter Y", letters[GERMAN_ALPHABET.index("Y")]),
        "spread": ("A hand at an angle", others[2]),
        "f": ("The letter F", others[3]),
    }


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    listed = []
    for name, (title, hand) in hands().items():
        _, code = cv2.imencode(".jpg", hand.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        (FOLDER / f"{name}.jpg").write_bytes(code.tobytes())
        listed.append({"file": f"{name}.jpg", "title": title, "keypoints": hand.keypoints.round(1).tolist()})
    lines = ",\n".join(json.dumps(one) for one in listed)
    (FOLDER / "hands.json").write_text(f"[\n{lines}\n]\n", "utf-8")
    print(FOLDER)
    return 0


if __name__ == "__main__":
    sys.exit(main())
