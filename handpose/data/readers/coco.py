"""Hands of one's own in COCO's form: a label file of CVAT, Label Studio, FiftyOne or MMPose, or an unpacked export.

`coco_json` reads a file and says what stands in it, `joint_names` which joint is which, `exports` where things lie.
"""

import os
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from handpose.data.common import DataError, make_sample
from handpose.data.readers import coco_json, exports, joint_names, photo_names
from handpose.data.readers.freihand import UNIQUE
from handpose.data.readers.turned import Photos
from handpose.data.sample import Sample
from handpose.skeleton import RHD_ORDER

SPLITS = ("train", "val", "test", "all")


class Row(NamedTuple):
    """A hand, and what it takes to read it."""

    hand: coco_json.Hand
    label_file: Path
    file: Path
    order: tuple[int, ...]  # the file's index of each of our joints
    marks_hidden: bool  # whether v = 1 means so in this file
    description: str  # of the file


class Coco:
    """The hands of a label file, or of an export's folder, as `Sample`s in the file's order.

    The names of joints in `categories` decide the order; without any, ours is taken. A joint whose v is 1 where others
    have 2 is `occluded`. A group is a photograph with its copies, see `photo_names`. `notes` says in lines what was
    decided and what was left out.

    Args:
        path: a label file, ``.json`` or ``.json.gz``, or a folder that holds one; see `exports`.
        split: of a folder with a file for each, "train", "val" or "test"; "all" joins them. A file alone is one set,
            whatever the split.
        joint_order: "canonical", "rhd", or 21 names with commas between, instead of the file's own.
        unturned: labels were made on pixels as stored, without a photograph's EXIF rotation; see `turned`.

    Raises:
        DataError: see `coco_json.read`, `joint_names.order_of` and `exports`; an unknown split, no hands, or joints
            that lie otherwise than their names say. ``[i]`` raises it for a picture that cannot be read or has another
            size than the file says.
    """

    NAME = "coco"
    grouping = "photograph"

    def __init__(
        self, path: str | os.PathLike | None = None, split: str = "train", *, joint_order: str | None = None,
        unturned: bool = False,
    ) -> None:  # fmt: skip
        if split not in SPLITS:
            raise DataError(f"{self.NAME} has no split {split!r}; choose one of {', '.join(SPLITS)}")
        if path is None:
            raise DataError(f"{self.NAME} needs its label file or folder: {self.NAME}:labels.json")
        files = exports.label_files(Path(path), split)
        self.undivided = len(exports.label_files(Path(path), "all")) == 1  # see `handpose.data.division`
        self.file = files[0] if self.undivided else Path(path)
        self._read(files, joint_order, unturned)

    def _read(self, files: list[Path], joint_order: str | None, unturned: bool) -> None:
        """Read label files, and find their pictures."""
        self.rows: list[Row] = []
        self.notes: list[str] = []
        left_out: Counter[str] = Counter()
        sizes, missing = {}, 0
        known: set[tuple[Path, bytes]] = set()
        for file in files:
            content = coco_json.read(file, named=joint_order is None)
            left_out.update(content.left_out)
            self.notes += content.notes if joint_order is None else []
            if not content.hands:
                continue
            orders = self._orders(file, content, joint_order)
            marks_hidden = content.marks_hidden
            image_files = exports.images(file, (hand.image["file_name"] for hand in content.hands))
            for hand, order in zip(content.hands, orders, strict=True):
                image_file = image_files[hand.image["file_name"]]
                key = image_file, hand.keypoints[list(order)].tobytes()
                if key in known:
                    left_out[exports.REPEATED] += 1
                    continue
                known.add(key)
                missing += int(((hand.v > 0) & ~hand.labelled).sum())
                sizes[image_file] = (hand.image["width"], hand.image["height"]) if hand.image["width"] else None
                self.rows.append(Row(hand, file, image_file, order, marks_hidden, content.description))
            ones = {v for hand in content.hands for v in hand.v.tolist()} <= {0, 1}
            self.notes += exports.hidden_note(marks_hidden, ones)
        self.notes += exports.marker_note(missing) + exports.counted(left_out, "annotation")
        if not self.rows:
            raise DataError(f"{exports.listed([str(f) for f in files])}: holds no hand with a labelled joint"
                            + "".join(f" ({note})" for note in self.notes))  # fmt: skip
        self.photos = Photos(sizes, unturned)
        self.notes += exports.check_units(files[0], [
            (row.hand.id, self.photos.sizes.get(row.file), row.hand.keypoints, row.hand.box) for row in self.rows
        ])  # fmt: skip
        self.notes += self.photos.notes
        if self.grouping == Coco.grouping:  # other sets know better what their pictures are
            self.notes += photo_names.notes([(row.file, row.hand.image) for row in self.rows], self.undivided)
        self.notes = list(dict.fromkeys(self.notes))

    def _orders(self, file: Path, content: coco_json.Content, joint_order: str | None) -> list[tuple[int, ...]]:
        """The order of the joints of each hand of a file."""
        if joint_order is not None:
            self.notes.append(f"order of the joints: {joint_order[:60]}, as asked for")
            return [joint_names.named_order(joint_order)] * len(content.hands)
        named = {hand.names for hand in content.hands}
        known = {names: joint_names.order_of(names, f"{file}, categories") for names in named}
        if None in known.values():
            self.notes.append(f"{joint_names.OURS}, for the file does not name them; {joint_names.OTHER}")
        elif set(known.values()) != {joint_names.ORDERS["canonical"]}:
            self.notes.append("order of the joints: by their names in categories")
        orders = [known[hand.names] or joint_names.ORDERS["canonical"] for hand in content.hands]
        keypoints, labelled = (
            np.stack([getattr(hand, key)[list(order)] for hand, order in zip(content.hands, orders, strict=True)])
            for key in ("keypoints", "labelled")
        )
        joint_names.refuse_other_orders(keypoints, labelled, str(file))
        turned = joint_names.tips_first(keypoints, labelled)
        converted = content.description.strip().lower() == "rhd"  # MMPose's, which names the joints otherwise
        if turned and converted:
            self.notes.append("order of the joints: Rendered Hand Pose's own, from tip to palm, as the points lie")
            return [tuple(order[j] for j in RHD_ORDER) for order in orders]
        if turned or (converted and turned is None):  # there names are worth nothing
            what = "lie from tip to palm" if turned else "may lie from tip to palm, as Rendered Hand Pose has them"
            raise DataError(f"{file}: the joints of a finger {what}, though the file says from palm to tip; choose "
                            "--joint-order rhd (tips first) or --joint-order canonical (as it says)")  # fmt: skip
        return orders

    def __len__(self) -> int:
        return len(self.rows)

    def group(self, row: Row) -> str:
        """What a hand is resampled with: its photograph, of which FreiHAND has four versions with ids of their own."""
        number = str(row.hand.image["id"])
        if row.description.strip().lower() == "freihand" and number.isdecimal():
            return f"{row.file.parent.name}/{int(number) % UNIQUE}"
        return photo_names.photograph(f"{row.file.parent.name}/{row.file.name}", row.hand.image)

    def side(self, hand: coco_json.Hand) -> str | None:
        """ "left" or "right", where the file says so."""
        return hand.side

    def __getitem__(self, index: int) -> Sample:
        row = self.rows[index]
        hand, order = row.hand, list(row.order)
        image = self.photos.read(row.file)
        size = image.shape[1::-1]
        stated = hand.image["width"] or size[0], hand.image["height"] or size[1]
        if size != stated:
            label_name = row.label_file.name
            raise DataError(f"{row.file}: is {size[0]}x{size[1]}, but {label_name} says {stated[0]}x{stated[1]} pixels")
        occluded = (hand.v[order] == 1) if row.marks_hidden else None
        return make_sample(image, hand.keypoints[order], hand.labelled[order], group=self.group(row), id=hand.id,
                           hand=self.side(hand), occluded=occluded)  # fmt: skip
