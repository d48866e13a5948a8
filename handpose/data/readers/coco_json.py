"""Read a label file in COCO's form that holds hands: a JSON file with ``images`` and ``annotations``.

``images``: id, file_name, and perhaps width and height. ``annotations``: id, image_id, and the joints in one of two
forms:

* `keypoints`, 21 times x, y, v, one after the other or in threes: one hand an annotation, perhaps with `hand_type`
  ("left" or "right", or [right, left]).
* `lefthand_kpts` and `righthand_kpts`, with `lefthand_valid` and `righthand_valid`: COCO-WholeBody, a person with up
  to two hands.

``categories`` may name the joints in `keypoints`. Ids are numbers or text. v = 0 marks a joint without a label, which
stands at (0, 0) and is masked; above 0 there is one, but for joints at (0, 0) or (-1, -1), and 1 beside 2 means that it
is hidden. COCO counts pixels from 0, their centres at whole numbers. `bbox` only serves to check the joints; the 3-D
joints that some conversions have are not read.
"""

import os
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from handpose.data.common import DataError, numbers, read_json
from handpose.data.readers import coco_categories, exports

LARGEST = 1e7  # pixels; what is farther away is no coordinate
LARGEST_V = 10  # COCO's own go to 2; COCO-WholeBody has some that are a confidence


class Hand(NamedTuple):
    """A hand of a label file, its joints in the file's order."""

    image: dict  # the entry of its picture, with file_name, width and height as `_image` leaves them
    id: str
    keypoints: np.ndarray  # (21, 2) float64 pixels; NaN without a label
    labelled: np.ndarray  # (21,) bool
    side: str | None  # "left" or "right"
    v: np.ndarray  # (21,) as in the file
    names: tuple | None = None  # of the joints, as its category gives them
    box: tuple | None = None  # its bbox, four numbers, where there is one


class Content(NamedTuple):
    """What a label file holds."""

    description: str
    hands: list[Hand]  # that have a labelled joint, in the file's order
    left_out: Counter  # annotations that are no hand to learn from, by reason
    notes: list[str]  # what is to be said of their categories

    @property
    def marks_hidden(self) -> bool:
        """Whether v tells hidden joints (1) from seen ones (2): not where all labels have the same, or a confidence."""
        found = {v for hand in self.hands for v in hand.v.tolist()}
        return found <= {0, 1, 2} and 2 in found


def read(file: str | os.PathLike, *, named: bool = True) -> Content:
    """The hands of a label file, ``.json`` or ``.json.gz``.

    Args:
        named: the names of joints are needed; otherwise nothing is refused for what is wrong with them alone.

    Raises:
        DataError: it cannot be read, is damaged, or has another form; the message names the entry.
    """
    file = Path(file)
    content = read_json(file)
    if isinstance(content, list) and content and isinstance(content[0], dict) and _of_label_studio(content[0]):
        raise DataError(f"{file}: is Label Studio's own JSON, whose points are percent of the picture's size; export "
                        "from there as COCO or YOLO, with the pictures")  # fmt: skip
    for key in ("images", "annotations"):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise DataError(f"{file}: has no list of {key}, so it is not in COCO's form")
    images: dict[str, dict] = {}
    for number, image in enumerate(content["images"]):
        try:
            key, image = _image(image)
            if key in images:
                raise ValueError(f"the id {key[:40]} was there before")
        except ValueError as error:
            raise DataError(f"{file}, images[{number}]: {error}") from None
        images[key] = image
    try:
        categories, hands = coco_categories.Categories(content.get("categories"), named), []
    except ValueError as error:
        raise DataError(f"{file}, {error}") from None
    left_out: Counter[str] = Counter()
    for number, annotation in enumerate(content["annotations"]):
        try:
            found = _hands(annotation, images, categories)
        except ValueError as error:
            raise DataError(f"{file}, annotations[{number}]: {error}") from None
        if isinstance(found, str):
            left_out[found] += 1
        else:
            hands += found
    info = content.get("info")
    return Content(str(info.get("description", "")) if isinstance(info, dict) else "", hands, left_out,
                   categories.notes())  # fmt: skip


def _of_label_studio(task: dict) -> bool:
    """Whether this is a task of its JSON, or of the short form, in which lists stand under names of one's own."""
    lists = [value for value in task.values() if isinstance(value, list) and value and isinstance(value[0], dict)]
    return any("result" in entry or "original_width" in entry for entry, *_ in lists)


def _key(entry: Any, name: str) -> str:
    """An id as text: 7, 7.0 and "7" are the same; ValueError where there is none."""
    value = entry.get(name) if isinstance(entry, dict) else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) not in (int, str) or value == "" or (type(value) is int and abs(value) > 10**40):
        raise ValueError(f"has no whole number or text as {name}")
    return str(value)


def _image(image: Any) -> tuple[str, dict]:
    """Id and entry of a picture, its name with "/" and its sizes whole numbers or None; or a ValueError."""
    key, sizes = _key(image, "id"), {}
    for side in ("width", "height"):
        value = image.get(side)
        if value is not None and not (type(value) in (int, float) and 1 <= value <= LARGEST and value == int(value)):
            raise ValueError(f'"{side}" is not a number of pixels')
        sizes[side] = value if value is None else int(value)
    name = image.get("file_name")
    name = name.replace("\\", "/") if isinstance(name, str) else ""
    if PurePosixPath(name).name in ("", "..") or "\0" in name:
        raise ValueError('"file_name" names no picture')
    os.fsencode(name)  # raises for what no file can be called
    return key, image | sizes | {"file_name": name}


def _hands(annotation: Any, images: dict[str, dict], categories: coco_categories.Categories) -> list[Hand] | str:
    """The hands of an annotation, or why it is left out; ValueError says what is wrong with it."""
    key = _key(annotation, "image_id")
    if key not in images:
        raise ValueError(f"there is no picture with the id {key[:40]}")
    image, found = images[key], []
    name = f"{image['file_name']}#{str(coco_categories.as_text(annotation.get('id')))[:20]}"
    if annotation.get("iscrowd") in (1, "1"):  # True and 1.0 are equal to 1
        return "marked iscrowd"
    if "lefthand_kpts" in annotation or "righthand_kpts" in annotation:
        for side in ("left", "right"):
            if annotation.get(f"{side}hand_valid", True):
                keypoints, labelled, v = _joints(annotation, f"{side}hand_kpts")
                found.append(Hand(image, f"{name}-{side}", keypoints, labelled, side, v))
        return [hand for hand in found if hand.labelled.any()] or "without a labelled joint"
    values = annotation.get("keypoints")
    if not values and (values is None or isinstance(values, list)):
        return "without key-points"
    _, called, names = categories.of(annotation)
    if names and len(names) != 21 and isinstance(values, list) and len(values) in (len(names), 3 * len(names)):
        return "of another skeleton"
    keypoints, labelled, v = _joints(annotation, "keypoints")
    side = _side(annotation.get("hand_type")) or exports.hand_of(called)
    box = numbers(annotation.get("bbox"), (4,))
    found = Hand(image, name, keypoints, labelled, side, v, names,
                 None if box is None else tuple(box.tolist()))  # fmt: skip
    return [found] if labelled.any() else "without a labelled joint"


def _side(hand_type: object) -> str | None:
    """ "left" or "right" as `hand_type` says it: in words, or as InterHand2.6M does, [right, left] with a 1 and a 0."""
    pair = {(1, 0): "right", (0, 1): "left"}
    return pair.get(tuple(hand_type)) if hand_type in ([1, 0], [0, 1]) else exports.hand_of(hand_type)


def _joints(annotation: dict, key: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points (21, 2), whether each has a label (21,), and v (21,), from 63 numbers or 21 threes; or ValueError."""
    values = annotation.get(key)
    if isinstance(values, list) and len(values) == 63:
        values = [values[i : i + 3] for i in range(0, 63, 3)]
    if isinstance(values, list) and all(isinstance(entry, list) for entry in values):  # null is no number
        values = [[0, 0, 0] if entry[2:] in ([0], [None]) else entry for entry in values]
    triples = numbers(values, (21, 3))
    if triples is None:
        few = f", but {len(values)} numbers" if isinstance(values, list) and len(values) in (21, 42) else ""
        raise ValueError(f'"{key}" is not 21 times the numbers x, y, v{few}')
    triples = triples.astype(np.float64)
    labelled = (triples[:, 2] > 0) & ~exports.is_marker(triples[:, :2])
    if not ((triples[:, 2] >= 0) & (triples[:, 2] <= LARGEST_V)).all():
        raise ValueError(f'"{key}" has a v that is not from 0 to {LARGEST_V}')
    if not (np.abs(triples[labelled, :2]) <= LARGEST).all():  # NaN is not
        raise ValueError(f'"{key}" holds a number that cannot be')
    if exports.parts_of_size(triples[labelled, :2]):
        raise ValueError(f'all points of "{key}" {exports.PARTS}')
    return np.where(labelled[:, None], triples[:, :2], np.nan), labelled, triples[:, 2]
