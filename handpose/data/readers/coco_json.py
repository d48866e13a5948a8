"""Read a label file in COCO's form that holds hands: a JSON file with ``images`` and ``annotations``.

``images``: id, file_name, width, height. ``annotations``: id, image_id, and the joints in one of two forms:

* `keypoints`, 21 times x, y, v, one after the other or in threes: one hand an annotation, perhaps with `hand_type`
  ("left" or "right").
* `lefthand_kpts` and `righthand_kpts`, with `lefthand_valid` and `righthand_valid`: COCO-WholeBody, a person with up
  to two hands.

v = 0 marks a joint without a label, which stands at (0, 0) and is masked; above 0 there is one. COCO counts pixels from
0, their centres at whole numbers. Nothing else is read: no boxes, and not the 3-D joints that some conversions have.
"""

import os
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from handpose.data.common import DataError, numbers, read_json

LARGEST = 1e7  # pixels; what is farther away is no coordinate
LARGEST_V = 10  # COCO's own go to 2; COCO-WholeBody has some that are a confidence


class Hand(NamedTuple):
    """A hand of a label file, its joints in the file's order."""

    image: dict  # the entry of its picture
    id: str
    points: np.ndarray  # (21, 2) float64 pixels; NaN without a label
    labelled: np.ndarray  # (21,) bool
    side: str | None  # "left" or "right"


def read(file: str | os.PathLike) -> tuple[str, list[Hand]]:
    """A label file's description, and its hands that have a labelled joint, in the file's order.

    Raises:
        DataError: it cannot be read, is damaged, or has another form; the message names the entry.
    """
    file = Path(file)
    content = read_json(file)
    for key in ("images", "annotations"):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise DataError(f"{file}: has no list of {key}, so it is not in COCO's form")
    images: dict[int, dict] = {}
    for number, image in enumerate(content["images"]):
        try:
            _check_image(image)
            if image["id"] in images:
                raise ValueError(f"the id {image['id']} was there before")
        except ValueError as error:
            raise DataError(f"{file}, images[{number}]: {error}") from None
        images[image["id"]] = image
    hands = []
    for number, annotation in enumerate(content["annotations"]):
        try:
            hands += _hands(annotation, images)
        except ValueError as error:
            raise DataError(f"{file}, annotations[{number}]: {error}") from None
    info = content.get("info")
    return str(info.get("description", "")) if isinstance(info, dict) else "", hands


def _check_image(image: object) -> None:
    """Raise a ValueError that says what is wrong with the entry of a picture."""
    if not isinstance(image, dict) or type(image.get("id")) is not int or image["id"] < 0:
        raise ValueError("has no whole number as id")
    for side in ("width", "height"):
        if type(image.get(side)) is not int or not 1 <= image[side] <= LARGEST:
            raise ValueError(f'"{side}" is not a number of pixels')
    name = image.get("file_name")
    if not isinstance(name, str) or Path(name).name in ("", "..") or "\0" in name:
        raise ValueError('"file_name" names no picture')
    os.fsencode(name)  # raises for what no file can be called


def _hands(annotation: object, images: dict[int, dict]) -> list[Hand]:
    """The hands of an annotation; ValueError says what is wrong with it."""
    if not isinstance(annotation, dict) or type(annotation.get("image_id")) is not int:
        raise ValueError("has no whole number as image_id")
    if annotation["image_id"] not in images:
        raise ValueError(f"there is no picture with the id {annotation['image_id']}")
    image = images[annotation["image_id"]]
    name = f"{image['file_name']}#{str(annotation.get('id'))[:20]}"
    found = []
    if "lefthand_kpts" in annotation or "righthand_kpts" in annotation:
        for side in ("left", "right"):
            if annotation.get(f"{side}hand_valid", True):
                found.append(Hand(image, f"{name}-{side}", *_joints(annotation, f"{side}hand_kpts"), side))
    else:
        side = annotation.get("hand_type")
        if side is None and (match := re.search(r"_([lr])\.\w+$", image["file_name"])):
            side = {"l": "left", "r": "right"}[match[1]]  # Panoptic writes it there
        found.append(Hand(image, name, *_joints(annotation, "keypoints"), side if side in ("left", "right") else None))
    return [hand for hand in found if hand.labelled.any()]


def _joints(annotation: dict, key: str) -> tuple[np.ndarray, np.ndarray]:
    """Points (21, 2) and whether each has a label (21,), from 63 numbers or 21 threes; or ValueError."""
    values = annotation.get(key)
    if isinstance(values, list) and len(values) == 63:
        values = [values[i : i + 3] for i in range(0, 63, 3)]
    triples = numbers(values, (21, 3))
    if triples is None:
        raise ValueError(f'"{key}" is not 21 times the numbers x, y, v')
    triples = triples.astype(np.float64)
    labelled = triples[:, 2] > 0
    if not ((triples[:, 2] >= 0) & (triples[:, 2] <= LARGEST_V)).all():
        raise ValueError(f'"{key}" has a v that is not from 0 to {LARGEST_V}')
    if not (np.abs(triples[labelled, :2]) <= LARGEST).all():  # NaN is not
        raise ValueError(f'"{key}" holds a number that cannot be')
    return np.where(labelled[:, None], triples[:, :2], np.nan), labelled
