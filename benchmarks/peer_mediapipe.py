"""The half of peer.py that runs where mediapipe is installed. It reads pictures and writes key-points, and knows
nothing of this project.

    PYTHON benchmarks/peer_mediapipe.py --about
    PYTHON benchmarks/peer_mediapipe.py REQUEST.npz ANSWER.npz --complexity 0 [--hands N] [--clip N]

REQUEST.npz holds the pictures "000000", "000001", ..., each (H, W, 3) uint8 RGB. ANSWER.npz holds ``counts``
(pictures,) hands of each picture, ``points`` (hands, 21, 2) float32 pixels with centres at whole numbers, and
``seconds`` (pictures,).
"""

import argparse
import hashlib
import json
import platform
import sys
import time
from pathlib import Path

import mediapipe
import numpy as np

MODELS = (
    "palm_detection/palm_detection_lite", "palm_detection/palm_detection_full",
    "hand_landmark/hand_landmark_lite", "hand_landmark/hand_landmark_full",
)  # fmt: skip


def about() -> dict:
    """Versions, and the models that ship with the package, by their SHA-256."""
    folder = Path(mediapipe.__file__).parent / "modules"
    files = {name.partition("/")[2]: folder / f"{name}.tflite" for name in MODELS}
    models = {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in files.items() if file.is_file()}
    return {"mediapipe": mediapipe.__version__, "python": platform.python_version(), "numpy": np.__version__,
            "models": models}  # fmt: skip


def solution(complexity: int, hands: int, still: bool):
    """A fresh solution with its own thresholds as they come (0.5 and 0.5)."""
    return mediapipe.solutions.hands.Hands(static_image_mode=still, max_num_hands=hands, model_complexity=complexity)


def find(hands, image: np.ndarray) -> np.ndarray:
    """Key-points of every hand in a picture, (n, 21, 2). A part p of the width lies at p * width - 0.5."""
    found = hands.process(image).multi_hand_landmarks or []
    keypoints = np.array([[(mark.x, mark.y) for mark in hand.landmark] for hand in found], np.float64).reshape(
        -1, 21, 2
    )
    return (keypoints * image.shape[1::-1] - 0.5).astype(np.float32)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("request", nargs="?")
    parser.add_argument("answer", nargs="?")
    parser.add_argument("--about", action="store_true", help="print versions and models as JSON, and end")
    parser.add_argument("--complexity", type=int, choices=(0, 1), default=0, help="0: lite, 1: full")
    parser.add_argument("--hands", type=int, default=4, help="at most so many in a picture")
    parser.add_argument("--clip", type=int, default=0, help="frames of a video to follow; 0: unrelated pictures")
    chosen = parser.parse_args()
    if chosen.about:
        print(json.dumps(about()))
        return 0
    answers, seconds = [], []
    with np.load(chosen.request) as images:
        names = sorted(images.files)
        hands = solution(chosen.complexity, chosen.hands, still=not chosen.clip)
        if names and not chosen.clip:
            find(hands, images[names[0]])  # the first picture of all takes longer than any other
        for i, name in enumerate(names):
            if chosen.clip and i % chosen.clip == 0:
                hands = solution(chosen.complexity, chosen.hands, still=False)
            image = np.ascontiguousarray(images[name])
            start = time.perf_counter()
            answers.append(find(hands, image))
            seconds.append(time.perf_counter() - start)
    np.savez(chosen.answer, counts=np.array([len(keypoints) for keypoints in answers]), seconds=np.array(seconds),
             points=np.concatenate([np.zeros((0, 21, 2), np.float32), *answers]))  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
