"""Where the real photographs lie, and small pictures that tests write themselves."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def real_data():
    """The folder of real photographs: $HANDPOSE_DATA, else ../shared/data beside the repository."""
    for folder in (os.environ.get("HANDPOSE_DATA"), ROOT.parent / "shared" / "data"):
        if folder and Path(folder).is_dir():
            return Path(folder)
    pytest.skip("no real photographs: set HANDPOSE_DATA to their folder")


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory):
    """What is kept lies in a folder of the test run, not in the user's; and no export is begun on the side."""
    os.environ["HANDPOSE_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    os.environ["HANDPOSE_BACKEND"] = "torch"


def label_line(keypoints: np.ndarray, visible: np.ndarray, size: int) -> str:
    """A YOLO-pose line as in the Hand Keypoints set."""
    numbers = [0, 0.5, 0.5, 0.5, 0.5]
    for (x, y), v in zip(keypoints, visible, strict=True):
        numbers += [(x + 0.5) / size, (y + 0.5) / size, 2] if v else [0, 0, 0]
    return " ".join(f"{n:g}" for n in numbers)


@pytest.fixture(scope="session")
def small_set(tmp_path_factory):
    """Rendered hands written in the layout of the Hand Keypoints set: 24 to train on, 8 to validate, three parts."""
    from handpose.data import SyntheticHands

    root, hands = tmp_path_factory.mktemp("hand-keypoints"), SyntheticHands(size=96)
    numbers = [1 + i for i in range(8)] + [1500 + i for i in range(3)] + [2000 + i for i in range(8)]
    numbers += [20500 + i for i in range(3)] + [25000 + i for i in range(8)] + [33500, 33501]
    for i, number in enumerate(numbers):
        folder, sample = "val" if i % 4 == 0 else "train", hands[i]
        for kind in ("images", "labels"):
            (root / kind / folder).mkdir(parents=True, exist_ok=True)
        name = f"IMG_{number:08d}"
        cv2.imwrite(str(root / "images" / folder / f"{name}.jpg"), sample.image[..., ::-1])
        line = label_line(sample.keypoints, sample.visible, 96)
        (root / "labels" / folder / f"{name}.txt").write_text(line + "\n")
    return root
