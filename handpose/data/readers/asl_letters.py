"""American Sign Language Letters (D. Lee 2020, public domain): 720 photographs of one person, A-Z, at home.

Layout: ``{train,valid,test}/{images,labels}`` with YOLO boxes drawn by hand (``class cx cy w h``), and a
``keypoints.csv`` made by a production tracker. The pose network is never trained on it: with rows of score
0.9 or more it tells how a network does on photographs unlike its training set.
"""

import os
from pathlib import Path

import numpy as np

from handpose.data.common import DataError, locate, make_sample, read_image
from handpose.data.readers import pointlist
from handpose.data.sample import Sample

FOLDERS = {"train": "train", "val": "valid", "test": "test"}
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def read_boxes(file: Path, width: int, height: int) -> list[tuple[str, np.ndarray]]:
    """The hand-drawn boxes of a label file: (letter, (x0, y0, x1, y1) pixels) each.

    Raises:
        DataError: a line that is not five numbers with a class from 0 to 25 and a box that a picture can have.
    """
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror})") from None
    boxes = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            letter, cx, cy, w, h = (float(word) for word in line.split())
        except ValueError:
            got = repr(line[:100])
            raise DataError(f"{file}, line {number}: expected five numbers (class cx cy w h), got {got}") from None
        centre, size = np.array([cx, cy]), np.array([w, h])  # parts of the picture; NaN is in no range
        if letter not in range(26) or not ((abs(centre - 0.5) <= 1.5) & (size > 0) & (size <= 2)).all():
            raise DataError(f"{file}, line {number}: not a box: {line[:100]!r}")
        box = np.array([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2]) * [width, height, width, height] - 0.5
        boxes.append((LETTERS[int(letter)], box.astype(np.float32)))
    return boxes


class AslLetters:
    """The set as `Sample`s with `shape` (the letter); groups are the letters, each recorded in one go.

    Args:
        path: the folder with train, valid and test; None looks for ``$HANDPOSE_DATA/asl-letters``.
        split: "train", "val", "test" or "all".
        min_score: rows of ``keypoints.csv`` with a lower score are left out.
    """

    def __init__(self, path: str | os.PathLike | None = None, split: str = "train", *, min_score: float = 0.9) -> None:
        if split not in (*FOLDERS, "all"):
            raise DataError(f"asl-letters has no split {split!r}; choose one of {', '.join(FOLDERS)}, all")
        self.root, self.split = locate("asl-letters", path), split
        rows = pointlist.read(self.root / "keypoints.csv", min_score)
        self.rows = [row for row in rows if split == "all" or row[0].split("/")[0] == FOLDERS[split]]
        if not self.rows:
            raise DataError(f"{self.root}: no pictures for split {split!r}")

    def __len__(self) -> int:
        return len(self.rows)

    def label_file(self, index: int) -> Path:
        """The file of hand-drawn boxes beside sample `index`; see `read_boxes`."""
        image = self.root / self.rows[index][0]
        return image.parent.parent / "labels" / f"{image.stem}.txt"

    def boxes(self, index: int) -> np.ndarray:
        """The hand-drawn boxes of sample `index`, (n, 4) float32 pixels."""
        height, width = read_image(self.root / self.rows[index][0]).shape[:2]
        found = read_boxes(self.label_file(index), width, height)
        return np.array([box for _, box in found], np.float32).reshape(-1, 4)

    def __getitem__(self, index: int) -> Sample:
        name, keypoints = self.rows[index]
        image = read_image(self.root / name)
        letter = Path(name).stem[0].upper()
        return make_sample(image, keypoints, np.ones(21, bool), group=f"letter-{letter}", id=name, shape=letter)
