"""Published hands in COCO's form: OneHand10K, CMU Panoptic and COCO-WholeBody, by the files of their usual conversion.

Each part of a set is one JSON file; the pictures lie where the archives of the set put them. All label every joint with
the same v, or with a confidence, so none is `occluded`.
"""

import os
import re
from pathlib import Path

from handpose.data.common import DataError, locate
from handpose.data.readers import coco_json
from handpose.data.readers.coco import Coco, Row

SPLITS = ("train", "val", "all")
BLOCK = 25  # consecutive picture ids that count as one group


class OneHand10K(Coco):
    """OneHand10K (Wang et al. 2018), one photographed hand a picture.

    A group is a block of 25 consecutive picture ids.

    Args:
        path: the folder that holds its files, in a folder ``annotations`` or without, or one of these files; None looks
            for ``$HANDPOSE_DATA/NAME``.
        split: of a folder, "train" or "val", the set's test or validation file. For a file "train", "val" and "all"
            are the same: a file is one set.

    Raises:
        DataError: see `Coco`.
    """

    NAME = "onehand10k"
    FILES = {"train": "onehand10k_train.json", "val": "onehand10k_test.json"}
    grouping = f"block of {BLOCK} picture ids"

    def __init__(
        self, path: str | os.PathLike | None = None, split: str = "train", *, joint_order: str | None = None,
        unturned: bool = False,
    ) -> None:  # fmt: skip
        if split not in SPLITS:
            raise DataError(f"{self.NAME} has no split {split!r}; choose one of {', '.join(SPLITS)}")
        self.undivided = path is not None and str(path).endswith((".json", ".json.gz"))  # see `data.division`
        if not self.undivided:
            if split not in self.FILES:
                raise DataError(f"a folder of {self.NAME} has no split {split!r}, only {' and '.join(self.FILES)}")
            root = locate(self.NAME, path)
            candidates = [root / "annotations" / self.FILES[split], root / self.FILES[split]]
            path = next((candidate for candidate in candidates if candidate.is_file()), candidates[0])
        assert path is not None
        self.file = Path(path)
        self._read([self.file], joint_order, unturned)

    def group(self, row: Row) -> str:
        """A block of picture ids."""
        number = str(row.hand.image["id"])
        return f"{row.label_file.stem}-{int(number) // BLOCK if number.isdecimal() else number}"


class Panoptic(OneHand10K):
    """CMU Panoptic HandDB (Simon et al. 2017).

    Its pictures' names, as in "ex2_2.flv_000040_l.jpg", say the hand, and before the frame or person the video or
    photograph, which is a group.
    """

    NAME = "panoptic"
    FILES = {"train": "panoptic_train.json", "val": "panoptic_test.json"}
    grouping = "video or photograph"

    def group(self, row: Row) -> str:
        """What the picture's name says, or a block of ids."""
        match = re.fullmatch(r"(.+)_\d+_[lr]", Path(row.hand.image["file_name"]).stem)
        return match[1] if match else super().group(row)

    def side(self, hand: coco_json.Hand) -> str | None:
        """What the file says, or the picture's name."""
        match = re.search(r"_([lr])\.\w+$", hand.image["file_name"])
        return hand.side or (match and {"l": "left", "r": "right"}[match[1]])


class CocoWholeBody(OneHand10K):
    """The hands of COCO-WholeBody (Jin et al. 2020), up to two a person; a group is a block of 25 picture ids."""

    NAME = "coco-wholebody"
    FILES = {"train": "coco_wholebody_train_v1.0.json", "val": "coco_wholebody_val_v1.0.json"}
