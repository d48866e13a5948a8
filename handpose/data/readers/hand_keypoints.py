"""The public "Hand Keypoints" set: 26,768 photographs, one labelled hand each (CC BY-NC-SA 4.0).

Layout: ``images/{train,val}/IMG_<id>.jpg`` and ``labels/{train,val}/IMG_<id>.txt`` in YOLO-pose form, one
line ``0 cx cy w h (x y v) * 21``, lengths as parts of the picture. v = 0 marks a joint outside the frame; it
stands at (0, 0) and is masked. The labels were made by MediaPipe, so a score on this set is agreement with
MediaPipe.

The published split is random over video frames: neighbouring frames of one person lie on both sides. The
block split takes contiguous ranges of ids instead; it is what "train" and "val" mean here.
"""

import os
import re
from pathlib import Path

import numpy as np

from handpose.data.common import DataError, locate, make_sample, read_image
from handpose.data.sample import Sample

SPLITS = ("train", "val", "all", "published-train", "published-val")
PART_STARTS = {"A": 0, "B": 1700, "C": 23500}  # first id of each part
VAL_STARTS = {"A": 1500, "B": 20500, "C": 33500}  # first id of each part's validation block
OWN_SET = "a set of your own is read with yolo-pose:PATH"
BLOCK = 25  # consecutive ids that count as one group: neighbouring frames of one person


def part_of(number: int) -> str:
    """Part A (plain wall), B (webcam in an office) or C (open hands on white) of an image id."""
    return max(part for part, start in PART_STARTS.items() if number >= start)


def block_split(number: int) -> str:
    """ "train" or "val" of an image id, under the block split."""
    return "val" if number >= VAL_STARTS[part_of(number)] else "train"


def parse_label(text: str, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Key-points (21, 2) as parts of the picture's size and v > 0 (21,), from a label file's text.

    Raises:
        DataError: not exactly one line of 68 finite numbers, or a labelled joint more than a whole picture
            away: the tracker's joints may lie a little outside the frame, numbers in pixels must not pass.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) != 1:
        raise DataError(f"{name}: {len(lines)} label lines; this set has one hand a picture; {OWN_SET}")
    words = lines[0].split()
    if len(words) != 5 + 3 * 21:
        raise DataError(f"{name}: {len(words)} numbers in the label line, not 68 (class, box, 21 times x y v)")
    try:
        numbers = np.array([float(word) for word in words])
    except ValueError as error:
        raise DataError(f"{name}: {str(error)[:100]}") from None
    if not np.isfinite(numbers).all():
        raise DataError(f"{name}: a number in the label line is not finite")
    triples = numbers[5:].reshape(21, 3)
    labelled = triples[:, 2] > 0
    if (np.abs(triples[labelled, :2] - 0.5) > 1.5).any():
        raise DataError(f"{name}: a joint lies far outside the picture; coordinates are parts of its size, 0 to 1")
    return triples[:, :2], labelled


class HandKeypoints:
    """The set, or a part of it, as `Sample`s in the order of their ids.

    Args:
        path: the folder that holds ``images`` and ``labels``; None looks under ``$HANDPOSE_DATA``.
        split: "train" or "val" (block split), "published-train", "published-val" (leaking), or "all".
    """

    grouping = f"block of {BLOCK} ids"

    def __init__(self, path: str | os.PathLike | None = None, split: str = "train") -> None:
        if split not in SPLITS:
            raise DataError(f"hand-keypoints has no split {split!r}; choose one of {', '.join(SPLITS)}")
        self.root, self.split = locate("hand-keypoints", path), split
        folders = {"published-train": ("train",), "published-val": ("val",)}.get(split, ("train", "val"))
        found: list[tuple[int, Path]] = []
        for folder in folders:
            for file in (self.root / "images" / folder).glob("*.jpg"):
                if not re.fullmatch(r"IMG_[0-9]{8}", file.stem):
                    raise DataError(f"{file}: expected a name like IMG_00000001.jpg; {OWN_SET}")
                number = int(file.stem[4:])
                if split.startswith("published") or split == "all" or block_split(number) == split:
                    found.append((number, file))
        if not found:
            raise DataError(
                f"{self.root}: no pictures for split {split!r} under images/train and images/val; {OWN_SET}"
            )
        self.numbers, self.files = zip(*sorted(found), strict=True)
        #: "A", "B" or "C" for each sample.
        self.parts = [part_of(number) for number in self.numbers]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Sample:
        file = self.files[index]
        label = self.root / "labels" / file.parent.name / f"{file.stem}.txt"
        try:
            text = label.read_text(encoding="utf-8", errors="replace")
        except OSError:
            raise DataError(f"{label}: no label for {file.name}") from None
        keypoints, labelled = parse_label(text, str(label))
        image = read_image(file)
        # A part p of the width is p * width from the left edge, which lies half a pixel left of pixel 0.
        keypoints = keypoints * image.shape[1::-1] - 0.5
        number = self.numbers[index]
        group = f"{self.parts[index]}-{number // BLOCK}"
        return make_sample(image, keypoints, labelled, group=group, id=file.stem)
