"""Hands in photographs by many people, places and cameras, labelled by a tracker's agreement with itself (Chapter 11).

Two kinds of picture in one folder: hands cut out with some of their surroundings (``wild_train.json``,
``wild_val.json``), and whole photographs with every hand labelled (``scenes_train.json``), for the detector. Each
picture names its source, whose terms differ; see `SOURCES`.
"""

import os
from pathlib import Path

import numpy as np

from handpose.data.common import DataError, locate, make_sample, read_image
from handpose.data.readers import coco_json
from handpose.data.sample import Sample

#: Where the pictures come from, and under which terms.
SOURCES = {
    "digits": "Sign Language Digits (A. Mavi 2020), CC BY-SA 4.0",
    "subhih": "HandsDataset (S. Hammad), Apache-2.0",
    "raga": "hands (golfballtracking 2024, Roboflow), CC BY 4.0",
    "aslalpha": "ASLAlphabets (keptsecret), Apache-2.0",
    "rf100": "hand gestures of RF100 (Ochoa, Luna and Alvarez), CC BY 4.0",
    "linto": "multi-hand-gesture-dataset (LinTO), terms not stated",
    "hagrid": "HaGRID (Kapitanov et al. 2022), variant of CC BY-SA 4.0",
}
UNSTATED = "linto"  # only the splits that end in "-linto" hold it: weights are passed on, and nobody said they may be
FILES = {"train": "wild_train.json", "val": "wild_val.json", "scenes": "scenes_train.json"}
SPLITS = ("train", "val", "train-linto", "scenes-train", "scenes-val", "scenes-train-linto")
STUDENT = 10  # of `digits`: pictures of one student follow each other, about ten each
HELD_OUT = 10  # of the whole photographs of each source, every tenth is for validation
#: Hands whose key-points differ by less than this, as an angle between shapes in radians, show the same moment. Up to
#: here pairs of the source `raga` were looked at and were one photograph, or two within a second of each other.
SAME_SHAPE = 0.03


class Wild:
    """The set as `Sample`s, one a hand; a group is a photograph, and of `digits` ten pictures, about a student.

    Args:
        path: the folder with the label files; None looks for ``$HANDPOSE_DATA/wild``.
        split: "train" or "val" (other photographs of the source `raga`, never to be trained on): cut-out hands.
            "scenes-train" and "scenes-val" (a tenth of the photographs of each source): whole photographs, a sample
            for each hand in them. With "-linto" at the end, "train" and "scenes-train" also hold the source without
            stated terms. What is trained on holds no photograph of "val" or "scenes-val": by its name, or because a
            hand in it has the key-points of one there. (The published division into parts does not see to that: 142
            of its 817 hands to train on stand on photographs of "val" too. People and rooms do recur.)

    Raises:
        DataError: an unknown split, a file that is not there, is damaged or has another form.
    """

    def __init__(self, path: str | os.PathLike | None = None, split: str = "train") -> None:
        if split not in SPLITS:
            raise DataError(f"wild has no split {split!r}; choose one of {', '.join(SPLITS)}")
        self.root, self.split = locate("wild", path), split
        kind, _, rest = split.partition("-")
        rows = _read(self.root / FILES[kind])
        if split != "val":
            scenes = rows if kind == "scenes" else _read(self.root / FILES["scenes"])
            held_out = _every_tenth(scenes)
            if rest == "val":
                rows = [row for row in rows if _photo(row) in held_out]
            else:
                tested = [*_read(self.root / FILES["val"]), *(row for row in scenes if _photo(row) in held_out)]
                rows = _others(rows, tested)
        if not split.endswith("linto"):
            rows = [row for row in rows if row.image["source"] != UNSTATED]
        if not rows:
            raise DataError(f"{self.root / FILES[kind]}: holds no hand of split {split!r}")
        self.rows = rows
        self.parts = [row.image["source"] for row in rows]
        self.signs = _signs(self.root / "signs.csv")

    def __len__(self) -> int:
        return len(self.rows)

    def group(self, index: int) -> str:
        """The photograph, or about the student, that sample `index` shows."""
        image = self.rows[index].image
        if image["source"] == "digits":
            return f"digits-{image['id'] // STUDENT}"
        return f"{image['source']}-{image['photo']}"

    def images(self) -> list[list[int]]:
        """The samples of each picture: indices, in order."""
        found: dict[str, list[int]] = {}
        for i, row in enumerate(self.rows):
            found.setdefault(row.image["file_name"], []).append(i)
        return list(found.values())

    def __getitem__(self, index: int) -> Sample:
        row = self.rows[index]
        name = row.image["file_name"]
        image = read_image(self.root / name)
        if image.shape[1::-1] != (row.image["width"], row.image["height"]):
            raise DataError(f"{self.root / name}: is {image.shape[1]}x{image.shape[0]}, not as its label file says")
        return make_sample(image, row.keypoints, row.labelled, group=self.group(index), id=row.id,
                           shape=self.signs.get(name))  # fmt: skip


def _read(file: Path) -> list[coco_json.Hand]:
    """The hands of a label file; DataError where one names no known source or no photograph."""
    rows = coco_json.read(file).hands
    for row in rows:
        if row.image.get("source") not in SOURCES or not isinstance(row.image.get("photo"), str):
            raise DataError(f"{file}: {row.image['file_name']} names no known source and photo")
    return rows


def _photo(row: coco_json.Hand) -> tuple[str, str]:
    return row.image["source"], row.image["photo"]


def _every_tenth(rows: list[coco_json.Hand]) -> set[tuple[str, str]]:
    """Source and photo of those for validation: every tenth photo of a source, in the order of their names."""
    photos = sorted({_photo(row) for row in rows})
    by_source = ([photo for photo in photos if photo[0] == source] for source in SOURCES)
    return {photo for of_source in by_source for photo in of_source[::HELD_OUT]}


def _shapes(rows: list[coco_json.Hand]) -> np.ndarray:
    """Key-points as complex vectors (n, 21) of length 1 about their middle; those without a label in the middle."""
    keypoints = np.stack(
        [np.where(row.labelled[:, None], row.keypoints, row.keypoints[row.labelled].mean(0)) for row in rows]
    )
    shapes = keypoints[..., 0] + 1j * keypoints[..., 1]
    shapes -= shapes.mean(1, keepdims=True)
    return shapes / np.linalg.norm(shapes, axis=1, keepdims=True).clip(1e-9)


def _others(rows: list[coco_json.Hand], tested: list[coco_json.Hand]) -> list[coco_json.Hand]:
    """The rows that share no photograph with `tested`, by its name or by a hand's shape however turned or mirrored."""
    names, sources = {_photo(row) for row in tested}, [[row.image["source"] for row in of] for of in (rows, tested)]
    own, test_shapes = _shapes(rows), _shapes(tested)
    likeness = np.maximum(abs(own.conj() @ test_shapes.T), abs(own @ test_shapes.T))  # 1: the same, turned or mirrored
    likeness[np.array(sources[0])[:, None] != np.array(sources[1])] = 0
    return [row for row, like in zip(rows, likeness.max(1), strict=True)
            if _photo(row) not in names and like < np.cos(SAME_SHAPE)]  # fmt: skip


def _signs(file: Path) -> dict[str, str]:
    """What is signed in a picture, by its name; empty without the file."""
    if not file.is_file():
        return {}
    try:
        return dict(line.split(",") for line in file.read_text("utf-8").splitlines()[1:] if line.strip())
    except ValueError:
        raise DataError(f"{file}: a line is not a file and a sign") from None
