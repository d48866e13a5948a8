"""Hands in COCO's form: OneHand10K, CMU Panoptic, COCO-WholeBody, and MMPose's conversions of FreiHAND and RHD.

Each set, and each part of it, is one JSON file; `coco_json` beside this module reads it and says what stands in it. The
pictures lie where the archives of the set put them.

The joints stand in the canonical order, except those converted from Rendered Hand Pose, which keep that set's own
order, tips first, though the file's `categories` name them base first. No joint is `occluded`: these sets give every
label the same v, or a confidence.
"""

import os
import re
from pathlib import Path

from handpose.data.common import DataError, locate, make_sample, read_image
from handpose.data.readers import coco_json
from handpose.data.readers.freihand import UNIQUE
from handpose.data.sample import Sample
from handpose.skeleton import RHD_ORDER

SPLITS = ("train", "val", "all")
ORDERS = {"canonical": list(range(21)), "rhd": list(RHD_ORDER)}
BLOCK = 25  # consecutive picture ids that count as one group
FOLDERS = ("", "images", "train2017", "val2017")  # where pictures lie, beside the file or the folder it is in


class CocoHands:
    """The hands of a label file as `Sample`s, in the file's order; those without any labelled joint are left out.

    Pictures are looked for beside the file, in the folder above, and in the folders images, train2017 and val2017 of
    either: wherever the first one is, all must be.

    A group is what a picture's name says in Panoptic (the part before the frame or person of "ex2_2.flv_000040_l.jpg"),
    else a block of 25 consecutive picture ids; FreiHAND's four versions of a photograph count as one.

    Args:
        path: the label file, ``.json``. For a set with a name of its own, see `FILES`, also the folder that holds its
            published files, in a folder ``annotations`` or without; None looks for ``$HANDPOSE_DATA/NAME``.
        split: of a folder, "train" or "val", the set's test or validation file. For a file "train", "val" and "all"
            are the same: a file is one set.
        order: "canonical" or "rhd"; None takes "rhd" where the file's name or description says RHD.

    Raises:
        DataError: see `coco_json.read`; an unknown split or order, no hands, or a picture that is not there. ``[i]``
            raises it for a picture that cannot be read or has another size than the file says.
    """

    NAME = "coco-hands"
    FILES: dict[str, str] = {}

    def __init__(
        self, path: str | os.PathLike | None = None, split: str = "train", *, order: str | None = None
    ) -> None:
        if split not in SPLITS:
            raise DataError(f"{self.NAME} has no split {split!r}; choose one of {', '.join(SPLITS)}")
        if not self.FILES and (path is None or Path(path).is_dir()):
            raise DataError(f"{self.NAME} needs its file: {self.NAME}:{Path(path or '') / 'labels.json'}")
        if path is None or not str(path).endswith(".json"):
            if split not in self.FILES:
                raise DataError(f"a folder of {self.NAME} has no split {split!r}, only {' and '.join(self.FILES)}")
            root = locate(self.NAME, path)
            places = [root / "annotations" / self.FILES[split], root / self.FILES[split]]
            path = next((place for place in places if place.is_file()), places[0])
        self.file, self.split = Path(path), split
        description, self.rows = coco_json.read(self.file)
        if not self.rows:
            raise DataError(f"{self.file}: holds no hand with a labelled joint")
        said = f"{self.file.name} {description}".lower()
        order = order or ("rhd" if "rhd" in said else "canonical")
        if order not in ORDERS:
            raise DataError(f"{self.NAME} has no order {order!r}; choose one of {', '.join(ORDERS)}")
        self._order, self._modulo = ORDERS[order], UNIQUE if "freihand" in said else None
        names = list(dict.fromkeys(row.image["file_name"] for row in self.rows))
        beside = self.file.absolute().parent
        roots = [place / folder for place in (beside, beside.parent) for folder in FOLDERS]
        self.root = next((root for root in roots if os.path.isfile(root / names[0])), beside)
        for name in names:
            if not os.path.isfile(self.root / name):
                raise DataError(f"{self.file}: there is no picture {name!r} in {self.root} as there should be")

    def __len__(self) -> int:
        return len(self.rows)

    def _group(self, image: dict) -> str:
        said = re.fullmatch(r"(.+)_\d+_[lr]", Path(image["file_name"]).stem)
        number = image["id"] % self._modulo if self._modulo else image["id"]
        return said[1] if said else f"{self.file.stem}-{number // BLOCK}"

    def __getitem__(self, index: int) -> Sample:
        hand = self.rows[index]
        file = self.root / hand.image["file_name"]
        image = read_image(file)
        size, said = image.shape[1::-1], (hand.image["width"], hand.image["height"])
        if size != said:
            raise DataError(f"{file}: is {size[0]}x{size[1]}, but {self.file.name} says {said[0]}x{said[1]} pixels")
        points, labelled = hand.points[self._order], hand.labelled[self._order]
        return make_sample(image, points, labelled, group=self._group(hand.image), id=hand.id, hand=hand.side)


class OneHand10K(CocoHands):
    """OneHand10K (Wang et al. 2018), one photographed hand a picture, by the label files of its usual conversion."""

    NAME = "onehand10k"
    FILES = {"train": "onehand10k_train.json", "val": "onehand10k_test.json"}


class Panoptic(CocoHands):
    """CMU Panoptic HandDB (Simon et al. 2017), by the label files of its usual conversion."""

    NAME = "panoptic"
    FILES = {"train": "panoptic_train.json", "val": "panoptic_test.json"}


class CocoWholeBody(CocoHands):
    """The hands of COCO-WholeBody (Jin et al. 2020), up to two a person."""

    NAME = "coco-wholebody"
    FILES = {"train": "coco_wholebody_train_v1.0.json", "val": "coco_wholebody_val_v1.0.json"}
