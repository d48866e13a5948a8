"""Rendered Hand Pose (Zimmermann and Brox 2017): 41,258 + 2,728 rendered pictures of people, 320x320, two hands each.

Layout: ``RHD_published_v2/{training,evaluation}/{color,depth,mask}/00000.png`` and in each of the two folders
``anno_training.pickle`` or ``anno_evaluation.pickle``: for each id `uv_vis` 42 x 3 (x, y in pixels, and whether the
joint is seen), `xyz` 42 x 3 (metres, the camera's frame) and `K` 3 x 3. Rows 0 to 20 are the left hand, 21 to 41 the
right one. Masks: 2 to 17 is the left hand, 18 to 33 the right one.

Nothing says where pixel (0, 0) is. The numbers are taken as they are, with pixel centres at whole numbers; the
principal point (160, 160) suggests that they count from the picture's corner and are half a pixel more than that.
"""

import os
from pathlib import Path

import numpy as np

from handpose.data.common import DataError, locate, make_sample, read_square
from handpose.data.readers import unpickle
from handpose.data.sample import Sample
from handpose.skeleton import RHD_ORDER

SIDE = 320  # of the pictures, pixels
FOLDERS = {"train": ("training",), "val": ("evaluation",), "all": ("training", "evaluation")}
HANDS = ("all", "larger")
ROWS = {"left": slice(0, 21), "right": slice(21, 42)}
MASK = {"left": (2, 17), "right": (18, 33)}  # first and last value of a hand's parts
SHAPES = {"uv_vis": (42, 3), "xyz": (42, 3), "K": (3, 3)}
LARGEST = 1e7  # pixels or metres; what is farther away is no coordinate
MIN_SEEN = 5  # joints; a hand with fewer is behind something or outside, while a fist may hide 16 of its own
BLOCK = 25  # consecutive ids that count as one group


def read_labels(file: Path) -> tuple[list[int], dict[str, np.ndarray]]:
    """A label file's ids in order, and its `uv_vis` (N, 42, 3), `xyz` (N, 42, 3) and `K` (N, 3, 3), float64.

    Only arrays of numbers and Python's own containers are read; a pickle that asks for more is refused.

    Raises:
        DataError: no such file, no such pickle, or an entry without these three arrays of finite numbers.
    """
    try:
        content = unpickle.load(file.read_bytes())
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror or error}); unpack RHD_v1-1.zip there") from None
    except ValueError as error:
        raise DataError(f"{file}: not a pickle of arrays ({error}); unpack RHD_v1-1.zip again") from None
    if not isinstance(content, dict) or not all(type(key) is int and key >= 0 for key in content):
        raise DataError(f"{file}: not a table of entries by id")
    if not content:
        raise DataError(f"{file}: holds no entries")
    ids = sorted(content)
    columns = {}
    for name, shape in SHAPES.items():
        for i in ids:
            value = content[i].get(name) if isinstance(content[i], dict) else None
            if not isinstance(value, unpickle.Array) or value.value.shape != shape:
                raise DataError(f"{file}: entry {i} has no {name} of {shape[0]} x {shape[1]} numbers")
        columns[name] = np.array([content[i][name].value for i in ids], np.float64)
        good = (np.abs(columns[name]) <= LARGEST).all((1, 2))  # NaN is not
        if name == "K":
            good &= (columns["K"][:, [0, 1], [0, 1]] > 0).all(1)
        if not good.all():
            raise DataError(f"{file}: {name} of entry {ids[int(np.argmin(good))]} holds a number that cannot be")
    return ids, columns


class Rhd:
    """The set as `Sample`s, one for each hand that counts; by id, the left hand first.

    "train" and "val" are the published folders. Whether they share characters was not re-checked, and
    the files do not say who is in a picture: a group is merely a block of 25 consecutive ids.

    A joint that has a label and lies in the picture is `visible`; if the set's flag says that something hides it, it is
    `occluded` as well.

    Args:
        path: the folder that holds ``RHD_published_v2``, or that folder; None looks for ``$HANDPOSE_DATA/rhd``.
        split: "train", "val" or "all".
        hands: "all", each hand with at least `min_seen` joints that are flagged as seen and lie in the picture; or
            "larger", of each picture the hand that covers more of it by its mask, as the authors' own code has it.
        min_seen: for "all".
        occluded_as_invisible: whether a hidden joint is not `visible`: the paper's reading, and the set's.

    Raises:
        DataError: unknown split or choice of hands, unusable labels, pictures that are missing, or no hand. ``[i]``
            raises it for a picture or mask that cannot be read or has another size. Without a folder ``mask``
            samples have none.
    """

    def __init__(
        self,
        path: str | os.PathLike | None = None,
        split: str = "train",
        *,
        hands: str = "all",
        min_seen: int = MIN_SEEN,
        occluded_as_invisible: bool = False,
    ) -> None:
        for what, value, known in (("split", split, FOLDERS), ("hands", hands, HANDS)):
            if value not in known:
                raise DataError(f"rhd has no {what} {value!r}; choose one of {', '.join(known)}")
        self.root, self.split, self.occluded_as_invisible = locate("rhd", path), split, occluded_as_invisible
        if (self.root / "RHD_published_v2").is_dir():
            self.root = self.root / "RHD_published_v2"
        self._labels: dict[tuple[str, int], tuple[np.ndarray, ...]] = {}
        self.rows: list[tuple[str, int, str | None]] = []  # folder, id, and the hand; None: the larger one
        for folder in FOLDERS[split]:
            ids, columns = read_labels(self.root / folder / f"anno_{folder}.pickle")
            image_folder = self.root / folder / "color"
            file_names = set(os.listdir(image_folder)) if image_folder.is_dir() else set()
            for i, uv, *more in zip(ids, *columns.values(), strict=True):
                if f"{i:05d}.png" not in file_names:
                    raise DataError(
                        f"{image_folder / f'{i:05d}.png'}: missing, though it has an entry among {len(ids)}"
                    )
                self._labels[folder, i] = (uv, *more)
                in_view = (uv[:, 2] > 0) & (uv[:, :2] >= -0.5).all(1) & (uv[:, :2] <= SIDE - 0.5).all(1)
                sides = [side for side, rows in ROWS.items() if in_view[rows].sum() >= min_seen]
                self.rows += [(folder, i, side) for side in (sides if hands == "all" else [None])]
        if not self.rows:
            raise DataError(f"{self.root}: no hand with {min_seen} seen joints in split {split!r}")

    def __len__(self) -> int:
        return len(self.rows)

    def _image(self, folder: str, kind: str, i: int) -> np.ndarray:
        return read_square(self.root / folder / kind / f"{i:05d}.png", SIDE)

    def __getitem__(self, index: int) -> Sample:
        folder, i, side = self.rows[index]
        image, masks = self._image(folder, "color", i), {}
        if side is None or (self.root / folder / "mask").is_dir():
            parts = self._image(folder, "mask", i)[..., 0]
            masks = {s: ((parts >= low) & (parts <= high)).astype(np.uint8) * 255 for s, (low, high) in MASK.items()}
        if side is None:
            side = "left" if np.count_nonzero(masks["left"]) > np.count_nonzero(masks["right"]) else "right"
        uv, xyz, camera = self._labels[folder, i]
        uv, xyz = (values[ROWS[side]][list(RHD_ORDER)] for values in (uv, xyz))
        unoccluded = uv[:, 2] > 0
        labelled = unoccluded if self.occluded_as_invisible else np.ones(21, bool)
        inside = ((uv[:, :2] >= -0.5) & (uv[:, :2] <= SIDE - 0.5)).all(1)
        return make_sample(
            image, uv[:, :2], labelled, group=f"{folder}-{i // BLOCK}", id=f"{folder}/{i:05d}-{side}", hand=side,
            occluded=~unoccluded & inside, keypoints3d=(1000 * xyz).astype(np.float32), mask=masks.get(side),
            camera=camera.astype(np.float32),
        )  # fmt: skip
