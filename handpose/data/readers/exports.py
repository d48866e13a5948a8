"""Where the label files and the pictures of an export lie, as the usual tools of labelling leave them.

CVAT: ``annotations/person_keypoints_SUBSET.json`` and ``images/SUBSET/``. Label Studio: ``result.json`` and
``images/``. FiftyOne: ``labels.json`` and ``data/``. Roboflow: ``train/_annotations.coco.json`` beside its pictures.
COCO's own: ``annotations/*_keypoints_train2017.json`` and ``train2017/``.
"""

import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

import numpy as np

from handpose.data.common import DataError
from handpose.data.readers import boxes

ENDS = (".json", ".json.gz")
#: What tools call the parts of a set.
SYNONYMS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
PERCENT = 100
PARTS = ("lie between 0 and 1: they are parts of the picture's size, not pixels; multiply x by its width and y by its "
         "height, or export pixels")  # fmt: skip
REPEATED = "with the picture and joints of another"  # why one is left out, see `counted`
SEVERAL = 3  # hands, from which on it is no chance that all lie in a corner
FOLDERS = ("", "images", "data", "train", "val", "valid", "test", "train2017", "val2017")


def part_of(name: str) -> str | None:
    """ "train", "val" or "test", where a file's or folder's name says so as a word or with a year; None elsewhere."""
    words = re.findall(r"[a-z]+", name.lower())
    found = {SYNONYMS[word] for word in words if word in SYNONYMS}
    return found.pop() if len(found) == 1 else None


def hand_of(name: object) -> str | None:
    """ "left" or "right", where a text says one of them as a word, anywhere: "Right", "hand_left", "LeftHand"."""
    words = re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower()) if isinstance(name, str) else []
    found = {side for side in ("left", "right") if {side, f"{side}hand"} & set(words)}
    return found.pop() if len(found) == 1 else None


def label_files(path: Path, split: str) -> list[Path]:
    """The label files of a split: a file itself, or those of an unpacked export.

    Where there is one alone, it is every split. Of several, their names tell "train", "val" and "test".

    Raises:
        DataError: no label file, none of this split, or names that do not tell.
    """
    if not path.is_dir():
        return [path]
    found = [file for below in ("annotations", "", *FOLDERS[3:]) for file in sorted((path / below).glob("*.json*"))
             if file.name.endswith(ENDS) and not file.name.startswith(".")]  # fmt: skip
    marked = [file for file in found if "keypoints" in file.name or "kpts" in file.name]
    found = list(dict.fromkeys(marked or [f for f in found if not re.match(r"(instances|captions|stuff)_", f.name)]))
    if not found:
        raise DataError(f"{path}: holds no label file (.json or .json.gz), nor does a folder annotations in it")
    if len(found) == 1 or split == "all":
        return found
    parts = [part_of(file.name.split(".")[0]) or part_of(file.parent.name) for file in found]
    chosen = [file for file, part in zip(found, parts, strict=True) if part == split]
    if not chosen:
        listed = ", ".join(file.relative_to(path).as_posix() for file in found[:8])
        raise DataError(f"{path}: none of its label files says that it is {split} ({listed}); name one of them instead")
    return chosen


def images(file: Path, names: Iterable[str]) -> dict[str, Path]:
    """Where each picture that a label file names lies: wherever the first one is, all must be.

    Looked for beside the file and in the folder above, there also in the usual folders and in that of the file's own
    part; first with the folders that the names have, then, where all names differ without them, without; as they are
    spelt, then as addresses spell them (%20), and with accents as other systems keep them.

    Raises:
        DataError: a picture that is not there.
    """
    names = list(dict.fromkeys(names))
    beside, called = file.absolute().parent, file.name.split(".json")[0]
    subset, part = re.split(r"keypoints_|kpts_", called)[-1], part_of(called)
    below = [f"{folder}{subset}" for folder in ("images/", "", "data/")]
    below += [folder for folder in FOLDERS if part_of(folder) in (None, part)]  # never the pictures of another part
    roots = [parent / folder for parent in (beside, beside.parent) for folder in below]
    if part is None:
        roots += [parent / folder for parent in (beside, beside.parent) for folder in FOLDERS if part_of(folder)]
    spellings: list[Callable[[str], str]] = [str, unquote, lambda name: unicodedata.normalize("NFC", name),
                                             lambda name: unicodedata.normalize("NFD", name)]  # fmt: skip
    ways: list[Callable[[str], str]] = [*spellings]
    if len({PurePosixPath(name).name for name in names}) == len(names):
        ways += [_by_name(spelt) for spelt in spellings]
    for way in ways:
        for root in roots:
            if os.path.isfile(root / way(names[0])):
                others = [r for r in roots if part_of(r.name) and r != root and os.path.isfile(r / way(names[0]))]
                if part is None and root != beside and part_of(root.name) and others:
                    raise DataError(f"{file}: {way(names[0])!r} lies in {root} and in {others[0]}; put the label file "
                                    "beside the pictures that it means")  # fmt: skip
                return {name: _existing(file, root, way(name)) for name in names}
    raise DataError(f"{file}: there is no picture {names[0]!r} in {beside} as there should be, nor in the usual "
                    "folders there or above")  # fmt: skip


def _existing(file: Path, root: Path, name: str) -> Path:
    if not os.path.isfile(root / name):
        raise DataError(f"{file}: there is no picture {name!r} in {root} as there should be")
    return root / name


def _by_name(spelt: Callable[[str], str]) -> Callable[[str], str]:
    return lambda name: spelt(PurePosixPath(name).name)


def parts_of_size(keypoints: np.ndarray) -> bool:
    """Whether points (n, 2), at least two, meant as pixels, all lie about between 0 and 1."""
    return len(keypoints) > 1 and bool(((keypoints >= -0.5) & (keypoints <= 1.5)).all())


def is_marker(keypoints: np.ndarray) -> np.ndarray:
    """Which of points (..., 2) are no joints, but stand where converters put those that are missing: (...,) bool."""
    return (keypoints == 0).all(-1) | (keypoints == -1).all(-1)


def marker_note(number: int) -> list[str]:
    """What is to be said of joints that have a label and stand where `is_marker` says."""
    what = "joint stands" if number == 1 else "joints stand"
    return [f"{number} {what} at (0, 0) or (-1, -1) with a label, and {'is' if number == 1 else 'are'} masked as "
            "missing; such a joint should have v = 0"] if number else []  # fmt: skip


def check_units(file: Path, hands: Sequence[tuple]) -> list[str]:
    """Whether points are pixels of the pictures that are there, and fit their boxes; see `boxes`.

    One hand may well lie in its picture's corner. That all of several lie within 100 pixels of it, in pictures of more
    than twice that, is what points in percent look like; one is enough where its box says otherwise.

    Args:
        hands: of each its name, (width, height) of its picture or None, its points (21, 2) in pixels, NaN without a
            label, and its box (x, y, width, height) or None.

    Returns:
        Lines to be said.

    Raises:
        DataError: they are not.
    """
    outside, number, corner, elsewhere, against = 0, 0, 0, 0, 0
    for _, size, keypoints, box in hands:
        known = keypoints[np.isfinite(keypoints).all(1)]
        if size is None:
            continue
        number += len(known)
        outside += int(((known < -0.5) | (known > np.array(size) - 0.5)).any(1).sum())
        if min(size) > 2 * PERCENT:
            within = len(known) > 1 and bool(((known >= 0) & (known <= PERCENT)).all())
            corner, elsewhere = corner + within, elsewhere + (not within)
            against += within and box is not None and max(box[0] + box[2], box[1] + box[3]) > 1.2 * PERCENT
    where = f"all {corner} hands lie within {PERCENT} of the corner of larger pictures"
    if corner and not elsewhere and (corner >= SEVERAL or against):
        raise DataError(
            f"{file}: {where}: their points are percent of the picture's size, not pixels; multiply x by "
            "width / 100, y by height / 100, or export pixels (if they are pixels, crop the pictures)"
        )
    notes = boxes.check(str(file), hands)
    if 2 * outside > number and len(hands) >= SEVERAL:
        raise DataError(f"{file}: {outside} of {number} labelled joints lie outside their pictures, which then are not "
                        "as large as those that were labelled; take the pictures that were")  # fmt: skip
    if outside:
        notes.append(f"{outside} of {number} labelled joints lie outside their pictures, and are masked")
    if corner and not elsewhere:
        notes.append(f"{where}; if their points are percent of the size, multiply them by it")
    return notes


def counted(counts: dict[str, int], what: str) -> list[str]:
    """A line that says what was left out, or none: ["left out: 2 annotations marked iscrowd"]."""
    parts = [f"{number} {what}{'s' * (number > 1)} {reason}" for reason, number in counts.items() if number]
    return [f"left out: {', '.join(parts)}"] if parts else []


def hidden_note(marked: bool, ones: bool) -> list[str]:
    """What is to be said of v where it tells nothing about hidden joints."""
    return ["every label has v = 1, which then does not mean hidden"] if ones and not marked else []


def listed(names: Sequence[str], number: int = 3) -> str:
    """The first of some names."""
    return ", ".join(names[:number]) + (", ..." if len(names) > number else "")
