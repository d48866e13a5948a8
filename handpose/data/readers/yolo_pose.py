"""Hands of one's own in YOLO-pose form: a text file a picture, a line a hand, lengths as parts of the picture.

A line is ``class cx cy w h`` and 21 times ``x y`` or ``x y v``. A joint with v = 0, at (0, 0)
or at (-1, -1) has no label; v = 1 beside 2 means that it is hidden. Splits stand as they are. Pictures and labels lie
in ``images/SPLIT`` and ``labels/SPLIT``, in ``SPLIT/images`` and ``SPLIT/labels``, or where a ``data.yaml`` says.
"""

import os
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from handpose.data.common import DataError, make_sample
from handpose.data.readers import boxes, exports, joint_names, photo_names, yolo_layout
from handpose.data.readers.turned import Photos
from handpose.data.sample import Sample

SPLITS = ("train", "val", "test", "all")
FORMS = {5 + 21 * 2: 2, 5 + 21 * 3: 3}  # numbers in a line, and of them a joint
LARGEST_V = 10


class Line(NamedTuple):
    """A hand of a label file, its joints in the file's order."""

    kind: int  # its class
    box: tuple[float, ...]  # x, y of its corner, width, height, parts of the picture's size
    keypoints: np.ndarray  # (21, 2) parts of the picture's size; NaN without a label
    labelled: np.ndarray  # (21,) bool
    v: np.ndarray | None  # (21,) as in the file; None where it has two numbers a joint


def parse(text: str, name: str, each: int | None = None) -> tuple[list[Line], Counter]:
    """The hands in a label file's text, and how many lines were left out, by reason.

    Args:
        each: numbers a joint that `kpt_shape` states, 2 or 3; None takes what the line has.

    Raises:
        DataError: a line of another form, or with points in pixels; the message names it.
    """
    hands = []
    left_out: Counter[str] = Counter()
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        words, where = line.split(), f"{name}, line {number}"
        if not words:
            continue
        if len(words) == 5:
            left_out["without key-points"] += 1
            continue
        dimensions = FORMS.get(len(words))
        if dimensions is None or each not in (None, dimensions):
            wanted = [str(n) for n, d in FORMS.items() if each in (None, d)]
            raise DataError(f"{where}: {len(words)} numbers, not {' or '.join(wanted)} (class, box, and 21 times x, y"
                            f"{'' if each == 2 else ', v'})")  # fmt: skip
        try:
            values = np.array([float(word) for word in words])
        except ValueError as error:
            raise DataError(f"{where}: {str(error)[:100]}") from None
        if not np.isfinite(values).all() or not 0 <= values[0] < 1e6 or values[0] % 1:
            raise DataError(f"{where}: a number is not finite, or the class no whole number")
        joints = values[5:].reshape(21, dimensions)
        keypoints, v = joints[:, :2], joints[:, 2] if dimensions == 3 else None
        if v is not None and not ((v >= 0) & (v <= LARGEST_V)).all():
            raise DataError(f"{where}: a v that is not from 0 to {LARGEST_V}")
        labelled = ~exports.is_marker(keypoints) & (True if v is None else v > 0)
        if (np.abs(keypoints[labelled] - 0.5) > 1.5).any():
            raise DataError(f"{where}: a joint lies far outside the picture; coordinates are parts of its size, 0 to "
                            "1, not pixels (for pixels use coco:)")  # fmt: skip
        if labelled.any():
            x, y, width, height = values[1:5].tolist()
            box = (x - width / 2, y - height / 2, width, height)
            hands.append(Line(int(values[0]), box, np.where(labelled[:, None], keypoints, np.nan), labelled, v))
        else:
            left_out["without a labelled joint"] += 1
    return hands, left_out


class YoloPose:
    """The hands of a YOLO-pose set as `Sample`s, in the order of the pictures' names. A group is a photograph,
    with its copies, see `photo_names`.

    Names of joints in the ``kpt_names`` of ``data.yaml`` decide the order; without any, ours is taken. `notes` says in
    lines what was decided and what was left out.

    Args:
        path: the ``data.yaml``, or the folder with it or with the usual folders.
        split: "train", "val" or "test" as they stand, or "all" of them.
        joint_order, unturned: as of `Coco`.

    Raises:
        DataError: no such folders; a label file that is not in this form (see `parse`); names of joints that are not
            clear. ``[i]`` raises it for a picture that cannot be read.
    """

    grouping = "photograph"

    def __init__(
        self, path: str | os.PathLike | None = None, split: str = "train", *, joint_order: str | None = None,
        unturned: bool = False,
    ) -> None:  # fmt: skip
        if split not in SPLITS:
            raise DataError(f"yolo-pose has no split {split!r}; choose one of {', '.join(SPLITS)}")
        if path is None:
            raise DataError("yolo-pose needs its data.yaml or folder: yolo-pose:data.yaml")
        root, about = yolo_layout.described(Path(path))
        shape, self.kinds = about.get("kpt_shape"), _table(about.get("names"))
        if shape is not None and shape not in ([21, 2], [21, 3]):
            raise DataError(f"{path}: kpt_shape is {str(shape)[:60]}, not [21, 2] or [21, 3]: this is no set of hands")
        self.order, self.notes = _order(about, joint_order, str(path))
        files, self.undivided, notes = yolo_layout.images(root, about, split)
        self.file = root  # as `undivided`, for `handpose.data.division`
        self.notes += notes
        self._read(files, shape[1] if shape else None)
        if not self.rows:
            raise DataError(f"{path}: holds no labelled hand of split {split!r} ({'; '.join(self.notes)})")
        self.photos = Photos(dict.fromkeys(image for image, _, _ in self.rows), unturned)
        self.notes += boxes.check(str(path), [(name, (1, 1), hand.keypoints, hand.box) for _, name, hand in self.rows])
        if joint_order is None:
            keypoints, labelled = (np.stack([getattr(hand, key)[list(self.order)] for _, _, hand in self.rows])
                                for key in ("keypoints", "labelled"))  # fmt: skip
            sizes = np.array([self.photos.sizes.get(image, (1, 1)) for image, _, _ in self.rows])
            keypoints = keypoints * sizes[:, None]  # so that lengths can be compared
            joint_names.refuse_other_orders(keypoints, labelled, str(path))
            if joint_names.tips_first(keypoints, labelled):
                raise DataError(f"{path}: the joints of a finger lie from tip to palm, not from palm to tip; choose "
                                "--joint-order rhd (tips first) or --joint-order canonical (as it is)")  # fmt: skip
        self.notes += self.photos.notes + photo_names.notes([(image, {}) for image, _, _ in self.rows], self.undivided)

    def _read(self, files: list[Path], each: int | None) -> None:
        """The label file of every picture, and what it says."""
        self.rows: list[tuple[Path, str, Line]] = []  # picture, id, hand
        left_out: Counter[str] = Counter()
        owner: dict[Path, Path] = {}
        bare = repeated = 0
        for image in files:
            label = yolo_layout.label_of(image)
            if owner.setdefault(label, image) != image:
                raise DataError(f"{label}: belongs to two pictures, {owner[label].name} and {image.name}; rename one")
            try:
                text = label.read_text(encoding="utf-8", errors="replace")
            except FileNotFoundError:
                bare += 1
                continue
            except OSError as error:
                raise DataError(f"{label}: cannot be read ({error.strerror or error})") from None
            hands, others = parse(text, str(label), each)
            left_out.update(others)
            repeated += len(hands) - len({hand.keypoints.tobytes() for hand in hands})
            for number, hand in enumerate(hands):
                self.rows.append((image, image.stem + f"#{number}" * (len(hands) > 1), hand))
        values = {v for _, _, hand in self.rows if hand.v is not None for v in hand.v.tolist()}
        self.marks_hidden = values <= {0, 1, 2} and 2 in values
        self.notes += exports.hidden_note(self.marks_hidden, bool(values) and values <= {0, 1})
        missing = sum(int(((hand.v > 0) & ~hand.labelled).sum()) for _, _, hand in self.rows if hand.v is not None)
        self.notes += exports.marker_note(missing) + exports.counted(left_out, "line")
        if repeated:  # a line is a hand, whatever stands in it
            self.notes.append(f"{repeated} line{'s' * (repeated > 1)} {exports.REPEATED}, and counted as a hand each")
        labels = {file for folder in {label.parent for label in owner} for file in folder.glob("*.txt")}
        alone = [file for file in labels - set(owner) if file.stem not in ("classes", "notes", "train", "val", "test")]
        self.notes += exports.counted({"without a picture": len(alone)}, "label file")
        if bare:
            self.notes.append(f"left out: {bare} picture{'s' * (bare > 1)} without a label file")

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Sample:
        file, identity, hand = self.rows[index]
        image, order = self.photos.read(file), list(self.order)
        # A part p of the width is p * width from the left edge, which lies half a pixel left of pixel 0.
        keypoints = hand.keypoints[order] * image.shape[1::-1] - 0.5
        occluded = hand.v[order] == 1 if self.marks_hidden and hand.v is not None else None
        side = exports.hand_of(self.kinds.get(hand.kind))
        group = photo_names.photograph(f"{file.parent.name}/{file.name}")
        return make_sample(image, keypoints, hand.labelled[order], group=group, id=identity, hand=side,
                           occluded=occluded)  # fmt: skip


def _table(names: object) -> dict:
    """The yaml's list or table of names as a table."""
    return dict(enumerate(names)) if isinstance(names, list) else names if isinstance(names, dict) else {}


def _order(about: dict, joint_order: str | None, name: str) -> tuple[tuple[int, ...], list[str]]:
    """The file's index of each of our joints, and a line that says why."""
    if joint_order is not None:
        return joint_names.named_order(joint_order), [f"order of the joints: {joint_order[:60]}, as asked for"]
    names = next((about[key] for key in ("kpt_names", "keypoint_names", "keypoints") if about.get(key)), None)
    lists = list(names.values()) if isinstance(names, dict) else [names]
    if isinstance(names, dict) and not any(isinstance(entry, list) for entry in lists):
        lists = [lists]  # {0: wrist, 1: thumb1, ...}
    found = {joint_names.order_of(entry if isinstance(entry, list) else [str(entry)], name) for entry in lists if entry}
    if len(found) > 1:
        raise DataError(f"{name}: its classes have their joints in different orders")
    if known := {order for order in found if order}:
        return known.pop(), ["order of the joints: by their names in the yaml file"]
    return joint_names.ORDERS["canonical"], [f"{joint_names.OURS}, for nothing names them; {joint_names.OTHER}"]
