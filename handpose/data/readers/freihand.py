"""FreiHAND, version 2 (Zimmermann et al. 2019): 32,560 photographs of right hands in four versions, 224x224.

Layout: ``training/{rgb,mask}/00000000.jpg``, ``evaluation/rgb`` (3,960 pictures) and beside these folders
``{training,evaluation}_{K,xyz,mano,scale,verts}.json``, lists by id. Here `K` (3 x 3) and `xyz` (21 x 3 metres in the
camera's frame, canonical order) are read; a joint's pixel is K xyz.

Training picture i + 32560 v shows photograph i in version v: 0 before a green screen, 1 to 3 on other backgrounds,
recoloured in three ways. Labels and mask are those of i. Nothing says where pixel (0, 0) is; whole numbers are taken
for pixel centres.
"""

import os
import re
from pathlib import Path

import numpy as np

from handpose.data.common import DataError, locate, make_sample, numbers, read_json, read_square
from handpose.data.sample import Sample

SIDE = 224  # of the pictures, pixels
UNIQUE, VERSIONS = 32_560, 4  # photographs in "training", and pictures of each
VAL_START = 29_300  # the first photograph of the validation block, a tenth of all
BLOCK = 25  # consecutive photographs that count as one group
SPLITS = ("train", "val", "all", "evaluation")
LARGEST = 1e7  # pixels or metres; what is farther away is no coordinate


def read_list(file: Path, shape: tuple[int, int]) -> np.ndarray:
    """A label file as (N, *shape) float64.

    Raises:
        DataError: no such file, damaged, empty, or not a list of that many finite numbers each.
    """
    content = read_json(file, missing="; unpack the archive there", damaged="; unpack it again")
    if not isinstance(content, list) or not content:
        raise DataError(f"{file}: not a list of labels, or an empty one")
    values = numbers(content, (len(content), *shape))
    if values is None:
        bad = next((i for i, entry in enumerate(content) if numbers(entry, shape) is None), 0)
        raise DataError(f"{file}: entry {bad} is not {shape[0]} x {shape[1]} numbers")
    good = (np.abs(values.astype(np.float64)) <= LARGEST).all((1, 2))  # NaN is not
    if not good.all():
        raise DataError(f"{file}: entry {int(np.argmin(good))} holds a number that cannot be")
    return values.astype(np.float64)


class FreiHand:
    """The set, or any part of its pictures, as `Sample`s in the order of their ids.

    "train" and "val" are the pictures of the training folder: photographs 0 to 29,299 and the rest, all versions of one
    on the same side. The set does not say who a hand belongs to or which recording it is from; neighbouring ids are
    often alike, so a group is a block of 25 consecutive photographs with all their versions, and people may still be
    on both sides. "evaluation" is the published test set.

    Every joint has a label, also where an object hides it; the set does not say which those are.

    Args:
        path: the folder that holds ``training`` and the label files; None looks for ``$HANDPOSE_DATA/freihand``.
        split: "train", "val", "all" (both) or "evaluation".

    Raises:
        DataError: unknown split, unusable labels, no pictures, or one without a label. ``[i]`` raises it for a picture
            that cannot be read or has another size. A sample has a mask where its file is there.
    """

    def __init__(self, path: str | os.PathLike | None = None, split: str = "train") -> None:
        if split not in SPLITS:
            raise DataError(f"freihand has no split {split!r}; choose one of {', '.join(SPLITS)}")
        self.root, self.split = locate("freihand", path), split
        self.part = "evaluation" if split == "evaluation" else "training"
        places = {name: self.root / f"{self.part}_{name}.json" for name in ("K", "xyz")}
        self._cameras, self._points = read_list(places["K"], (3, 3)), read_list(places["xyz"], (21, 3))
        if len(self._cameras) != len(self._points):
            counts = f"{len(self._cameras)} cameras, but {len(self._points)} hands in {places['xyz'].name}"
            raise DataError(f"{places['K']}: {counts}; unpack both from one archive")
        self._check(places)
        folder = self.root / self.part / "rgb"
        names = sorted(os.listdir(folder)) if folder.is_dir() else []
        self.numbers = [int(name[:8]) for name in names if re.fullmatch(r"[0-9]{8}\.jpg", name)]
        for number in self.numbers:
            if self.photograph(number) >= len(self._points) or number >= VERSIONS * UNIQUE:
                raise DataError(f"{folder / f'{number:08d}.jpg'}: has no label among the {len(self._points)} "
                                f"of {places['xyz'].name}")  # fmt: skip
        if split in ("train", "val"):
            self.numbers = [n for n in self.numbers if (self.photograph(n) >= VAL_START) == (split == "val")]
        if not self.numbers:
            raise DataError(f"{folder}: no pictures such as 00000000.jpg for split {split!r}")

    def _check(self, places: dict[str, Path]) -> None:
        """Project the joints, and refuse cameras and joints that make no picture."""
        good = (self._cameras[:, [0, 1], [0, 1]] > 0).all(1) & (self._cameras[:, 2] == (0, 0, 1)).all(1)
        if not good.all():
            raise DataError(f"{places['K']}: entry {int(np.argmin(good))} is not the matrix of a camera")
        homogeneous = self._points @ self._cameras.transpose(0, 2, 1)
        with np.errstate(all="ignore"):
            self._pixels = homogeneous[..., :2] / homogeneous[..., 2:]
        good = (homogeneous[..., 2] > 0).all(1) & (np.abs(self._pixels) <= LARGEST).all((1, 2))
        if not good.all():
            raise DataError(f"{places['xyz']}: entry {int(np.argmin(good))} has a joint that is not before the camera")

    def photograph(self, number: int) -> int:
        """The photograph, counted from 0, that a picture shows: the entry of the label files."""
        return number if self.part == "evaluation" else number % UNIQUE

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> Sample:
        number = self.numbers[index]
        i = self.photograph(number)
        image = read_square(self.root / self.part / "rgb" / f"{number:08d}.jpg", SIDE)
        mask_file, mask = self.root / self.part / "mask" / f"{i:08d}.jpg", None
        if mask_file.is_file():
            mask = (read_square(mask_file, SIDE)[..., 0] >= 128).astype(np.uint8) * 255  # JPEG leaves greys at the edge
        return make_sample(
            image, self._pixels[i], np.ones(21, bool), group=f"{self.part}-{i // BLOCK}",
            id=f"{self.part}/{number:08d}", hand="right", keypoints3d=(1000 * self._points[i]).astype(np.float32),
            mask=mask, camera=self._cameras[i].astype(np.float32),
        )  # fmt: skip
