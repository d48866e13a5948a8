"""Photographs labelled by hand: the JSON file that ``data_scripts/label_keypoints.py`` writes::

    {"format": "handpose.keypoints/1",
     "order": ["wrist", "thumb CMC", ...],
     "images": [{"path": "anna/1.jpg", "width": 640, "height": 480,
                 "keypoints": [[312.5, 410.25], null, ...], "box": [x0, y0, x1, y1], "shape": "a"}]}

One hand a picture. A path is relative to the file's own folder, or absolute. `keypoints` holds 21 times (x, y) in
pixels of the upright picture, or null for a joint without a label; `box` is null without any. `shape` may be null.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from handpose import files
from handpose.data.common import DataError, make_sample, read_image, read_json
from handpose.data.readers import exports, joint_names, photo_names
from handpose.data.sample import Sample
from handpose.skeleton import JOINTS, NUM_JOINTS, tight_box

FORMAT = "handpose.keypoints/1"
SPLITS = ("train", "val", "all")
LARGEST = 1e7  # pixels; what is farther away is no coordinate


def located(file: str | os.PathLike, path: str | os.PathLike) -> Path:
    """Where the picture `path` of the label file `file` lies. A picture has one such place, whatever led to it."""
    full = Path(os.path.realpath(file)).parent / path
    return Path(os.path.realpath(full.parent)) / full.name


def read(file: str | os.PathLike) -> list[dict]:
    """The entries of a label file, each checked; the pictures are not looked at.

    Raises:
        DataError: it cannot be read, is damaged, or has another form; the message names the entry.
    """
    file = Path(file)
    content = read_json(file)
    form = content.get("format") if isinstance(content, dict) else None
    if form != FORMAT:
        raise DataError(f"{file}: not a file of key-points (its format is {_short(form)}, not {FORMAT!r})")
    if content.get("order") != list(JOINTS):
        raise DataError(f'{file}: its "order" of the joints is not ours: {", ".join(JOINTS)}')
    if not isinstance(content.get("images"), list):
        raise DataError(f'{file}: its "images" are not a list')
    places: dict[Path, int] = {}
    for number, entry in enumerate(content["images"]):
        name = f"{file}, images[{number}]"
        if isinstance(entry, dict) and isinstance(entry.get("path"), str):
            name += f" {_short(entry['path'])}"
        try:
            _check(entry)
        except ValueError as error:
            raise DataError(f"{name}: {error}") from None
        first = places.setdefault(located(file, entry["path"]), number)
        if first != number:
            raise DataError(f"{name}: is the picture of images[{first}] again; a picture has one hand")
    return content["images"]


def _check(entry: object) -> None:
    """Raise a ValueError that says what is wrong with an entry."""
    if not isinstance(entry, dict):
        raise ValueError(f"{_short(entry)} is not an entry with path, width, height and keypoints")
    path = entry.get("path")
    if not isinstance(path, str) or Path(path).name in ("", "..") or "\0" in path:
        raise ValueError(f'"path" is {_short(path)}, which names no picture')
    os.fsencode(path)  # raises for what no file can be called
    for side in ("width", "height"):
        if type(entry.get(side)) is not int or not 1 <= entry[side] <= LARGEST:
            raise ValueError(f'"{side}" is {_short(entry.get(side))}, not a number of pixels')
    keypoints = entry.get("keypoints")
    if not isinstance(keypoints, list) or len(keypoints) != NUM_JOINTS:
        number = f"{len(keypoints)} joints" if isinstance(keypoints, list) else _short(keypoints)
        raise ValueError(f'"keypoints" holds {number}, not {NUM_JOINTS} joints')
    for joint, point in zip(JOINTS, keypoints, strict=True):
        if point is not None and not _numbers(point, 2):
            raise ValueError(f"joint {joint!r} is {_short(point)}, neither null nor two finite numbers x, y")
    box = entry.get("box")
    if box is not None and not (_numbers(box, 4) and box[0] <= box[2] and box[1] <= box[3]):
        raise ValueError(f'"box" is {_short(box)}, neither null nor x0, y0, x1, y1 in this order')
    if not isinstance(entry.get("shape"), str | None):
        raise ValueError(f'"shape" is {_short(entry["shape"])}, neither null nor a name')


def _numbers(values: object, count: int) -> bool:
    """Whether it is a list of that many numbers that a picture can have as coordinates."""
    if not isinstance(values, list) or len(values) != count:
        return False
    return all(type(v) in (int, float) and abs(v) <= LARGEST for v in values)  # NaN is not


def _short(value: object) -> str:
    """A value as it stands in a message."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


class LabelFile:
    """A label file that is being made. Entries and what stands in them besides the labels are kept.

    Args:
        file: the label file; it need not exist yet.

    Raises:
        DataError: see `read`.
    """

    def __init__(self, file: str | os.PathLike) -> None:
        self.file = Path(os.path.realpath(file))
        loaded = read(file) if os.path.exists(file) else []
        #: The entry of each picture, by its place (see `located`).
        self.entries = {located(file, entry["path"]): entry for entry in loaded}

    def get(self, image: Path, size: tuple[int, int]) -> list | None:
        """The labels of a picture of that width and height, 21 times (x, y) or None; None if it has no entry.

        Raises:
            DataError: it had another size when it was labelled.
        """
        entry = self.entries.get(image)
        if entry and (entry["width"], entry["height"]) != size:
            raise DataError(f"{image}: has {size[0]}x{size[1]} pixels, but was {entry['width']}x{entry['height']} "
                            f"when it was labelled in {self.file}")  # fmt: skip
        return [point and tuple(point) for point in entry["keypoints"]] if entry else None

    def put(self, image: Path, size: tuple[int, int], keypoints: Sequence | None) -> None:
        """Set the labels of a picture; None takes its entry away."""
        if keypoints is None:
            self.entries.pop(image, None)
            return
        keypoints = [point and [round(float(v), 3) for v in point] for point in keypoints]
        old = self.entries.get(image, dict.fromkeys(("path", "width", "height", "keypoints", "box", "shape")))
        if keypoints == old["keypoints"]:
            return
        shown = np.array([point is not None for point in keypoints])
        box = tight_box(np.array([point or (0, 0) for point in keypoints]), shown).astype(float).round(3).tolist()
        try:
            name = Path(os.path.relpath(image, self.file.parent)).as_posix()
        except ValueError:  # on another drive of Windows
            name = str(image)
        self.entries[image] = old | {"path": name, "width": size[0], "height": size[1], "keypoints": keypoints,
                                       "box": box if shown.any() else None}  # fmt: skip

    def save(self) -> None:
        """Write it, whole or not at all.

        Raises:
            handpose.files.OutputError: the folder or disk does not take it; what was there is untouched.
        """
        files.write_json(self.file, {"format": FORMAT, "order": list(JOINTS), "images": list(self.entries.values())})


class Labelled:
    """The hands of a label file as `Sample`s; a group is the folder that a picture lies in; of one folder, a picture.

    A joint that is null, at (0, 0), at (-1, -1) or outside the picture is not visible, and the first three have NaN as
    their place. An entry without any joint is a `Sample` as well; training and evaluation leave such samples out.
    `notes` says in lines what is odd.

    Args:
        path: the label file, ``.json``.
        split: "train", "val" and "all" are the same: a file is one set, which a training divides to validate on it.

    Raises:
        DataError: see `read`; a picture that is not there; no picture; or joints that are not in pixels, or do not fit
            their boxes or the order. ``[i]`` raises it for a picture that cannot be read or has another size than its
            entry says.
    """

    undivided = True  # see `handpose.data.division`

    def __init__(self, path: str | os.PathLike, split: str = "all") -> None:
        if split not in SPLITS:
            raise DataError(f"{path}: has no split {split!r}; choose one of {', '.join(SPLITS)}")
        self.file, self.split = Path(path), split
        self.rows = [(i, entry, located(path, entry["path"])) for i, entry in enumerate(read(path))]
        if not self.rows:
            raise DataError(f"{path}: holds no pictures yet")
        unlabelled = (np.nan, np.nan)
        self.keypoints = np.array(
            [[point or unlabelled for point in entry["keypoints"]] for _, entry, _ in self.rows], np.float64
        )
        missing = exports.is_marker(self.keypoints)
        self.keypoints[missing] = np.nan
        one = len({image_file.parent for _, _, image_file in self.rows}) == 1
        self.grouping = "photograph" if one else "folder"
        for i, entry, image_file in self.rows:
            if not os.path.isfile(image_file):
                raise DataError(
                    f"{path}, images[{i}] {_short(entry['path'])}: there is no such picture at {image_file}"
                )
        self.notes = exports.marker_note(int(missing.sum())) + self._check_keypoints()

    def _check_keypoints(self) -> list[str]:
        """Lines to be said of joints and boxes; DataError where joints are no pixels, or in another order than ours."""
        hands = []
        for (i, entry, _), keypoints in zip(self.rows, self.keypoints, strict=True):
            if exports.parts_of_size(keypoints[np.isfinite(keypoints).all(1)]):
                raise DataError(f"{self.file}, images[{i}] {_short(entry['path'])}: all its joints {exports.PARTS}")
            x0, y0, x1, y1 = entry.get("box") or (0, 0, 0, 0)
            size, box = (entry["width"], entry["height"]), (x0, y0, x1 - x0, y1 - y0)
            hands.append((_short(entry["path"]), size, keypoints, box))
        notes, labelled = exports.check_units(self.file, hands), np.isfinite(self.keypoints[..., 0])
        again = 'put them in the order that "order" states'
        joint_names.refuse_other_orders(self.keypoints, labelled, str(self.file), again)
        if joint_names.tips_first(self.keypoints, labelled):
            raise DataError(f"{self.file}: the joints of a finger lie from tip to palm; {again}")
        return notes

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Sample:
        i, entry, image_file = self.rows[index]
        try:
            image = read_image(image_file)
            if (size := image.shape[1::-1]) != (entry["width"], entry["height"]):
                raise DataError(f"the picture has {size[0]}x{size[1]} pixels, but was "
                                f"{entry['width']}x{entry['height']} when it was labelled")  # fmt: skip
        except DataError as error:
            raise DataError(f"{self.file}, images[{i}] {_short(entry['path'])}: {error}") from None
        keypoints = self.keypoints[index].astype(np.float32)
        labelled = np.isfinite(keypoints).all(1)
        photo = photo_names.photograph(image_file.name)
        group = photo if self.grouping == "photograph" else image_file.parent.name
        return make_sample(image, keypoints, labelled, group=group, id=entry["path"], shape=entry.get("shape"))
