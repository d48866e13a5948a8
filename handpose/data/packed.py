"""Labelled sets in one file: the hands cut out with room around them, as WebP, with an offset table.

For machines to which only a small file can be taken. A pack stands wherever the folder of a set in it does, as in
``--data hand-keypoints:hands.npz``; `data_scripts/pack.py` writes it. Key-points are moved to the corner of the part
that was cut out. Pictures keep their resolution, so that errors in pixels are what they were, unless a longest side
was asked for: then those of larger pictures are shrunk, and only PCK means the same. WebP takes little more than
half of JPEG's bytes for pictures as small as these.
"""

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from handpose import files
from handpose.data import OWN, division
from handpose.data.common import DataError, decode_image, make_sample
from handpose.data.crops import CONTEXT
from handpose.data.sample import Sample

WORDS = ("splits", "parts", "groups", "ids", "shapes")  # columns of text
KEPT = ("keys", "grouping")  # of text as well, which packs of old do not have
ROOM = 1.2 * CONTEXT  # side of the part that is kept over the longer side of the key-points' box


def window(box: np.ndarray, width: int, height: int) -> tuple[int, int, int, int]:
    """The part of a picture that is kept, (x0, y0, x1, y1) whole pixels, the last ones not included.

    Nothing that training or evaluation cuts out lies beyond it, except outside the picture itself.
    """
    half = ROOM / 2 * max(box[2] - box[0], box[3] - box[1], 8.0)
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    low, high = np.floor([x - half, y - half]).astype(int), np.ceil([x + half, y + half]).astype(int) + 1
    return max(low[0], 0), max(low[1], 0), min(high[0], width), min(high[1], height)


def write(
    file: str | os.PathLike, sets: dict[str, dict[str, Any]], *, quality: int = 80, side: int | None = None,
    progress=iter,
) -> int:  # fmt: skip
    """Pack data sets.

    Args:
        file: what to write, ``.npz``.
        sets: the sets by name, as in `handpose.data.open`, and each of them by split. One without splits of its own,
            see `handpose.data.division`, is the same in all, and is packed once.
        quality: of the pictures, 1 to 100.
        side: the longest side of a picture, pixels; larger ones are shrunk. None keeps all as they are.
        progress: wraps the list of samples to come, as tqdm does.

    Returns:
        The number of hands; samples without a visible joint are left out.

    Raises:
        handpose.files.OutputError: the file cannot be written.
        ValueError: there is nothing to pack.
    """
    blob, rows, encoding = [], [], [cv2.IMWRITE_WEBP_QUALITY, quality]
    pairs = [
        (name, split) for name, splits in sets.items() for split in splits
        if split == next(iter(splits)) or not division.undivided(splits[split])
    ]  # fmt: skip
    for name, split, i in progress([(*pair, i) for pair in pairs for i in range(len(sets[pair[0]][pair[1]]))]):
        samples = sets[name][split]
        sample = samples[i]
        if not sample.visible.any():
            continue
        image, mask, keypoints = _small(sample, side)
        blob.append(cv2.imencode(".webp", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), encoding)[1].reshape(-1))
        blob.append(np.zeros(0, np.uint8) if mask is None else cv2.imencode(".webp", mask, encoding)[1].reshape(-1))
        part = getattr(samples, "parts", None)
        rows.append((keypoints, sample.visible, name, division.undivided(samples), split, part[i] if part else "",
                     sample.group, sample.id, sample.shape or "", division.original_key(samples, i, sample),
                     getattr(samples, "grouping", None) or ""))  # fmt: skip
    if not rows:
        raise ValueError(f"{', '.join(sets)}: no hand with a visible key-point; there is nothing to pack")
    all_keypoints, visible, names, undivided, *words = zip(*rows, strict=True)
    columns: dict[str, Any] = dict(zip(WORDS + KEPT, map(np.array, words), strict=True))
    offsets = np.cumsum([0, *(len(code) for code in blob)])  # picture, mask, picture, mask, ...
    with files.writing(file) as unfinished, open(unfinished, "wb") as stream:
        np.savez_compressed(stream, name=np.array(names), blob=np.concatenate(blob), offsets=offsets,
                            points=np.stack(all_keypoints), visible=np.stack(visible),
                            undivided=np.array(undivided), **columns)  # fmt: skip
    return len(rows)


def _small(sample: Sample, side: int | None) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Picture, mask and key-points of the part that is kept, shrunk to `side` where it is larger."""
    x0, y0, x1, y1 = window(sample.box, *sample.image.shape[1::-1])
    image, keypoints = sample.image[y0:y1, x0:x1], sample.keypoints - np.array([x0, y0], np.float32)
    mask = None if sample.mask is None else sample.mask[y0:y1, x0:x1]
    if side and max(image.shape[:2]) > side:
        factor = side / max(image.shape[:2])
        size = [max(1, round(n * factor)) for n in image.shape[1::-1]]
        keypoints = (keypoints + 0.5) * np.float32(np.divide(size, image.shape[1::-1])) - 0.5
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        mask = None if mask is None else cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
    return image, mask, keypoints.astype(np.float32)


class Packed:
    """A packed set as `Sample`s.

    Args:
        path: a file that `write` wrote.
        name: one of the sets in it.
        split: one of those that were packed of this set; any, of a set that has none of its own.

    Raises:
        DataError: not a whole pack, or a set or split that is not in it.
    """

    IN_MEMORY = True  # so several processes may share the work, see `handpose.data.crops`

    def __init__(self, path: str | os.PathLike, name: str, split: str) -> None:
        self.path, self.split = Path(path), split
        try:
            with np.load(self.path) as stored:
                self.columns = {key: stored[key] for key in stored.files}
            names, splits = self.columns["name"], self.columns["splits"].tolist()
            names = np.broadcast_to(names, len(splits)).tolist()  # one for all, in packs of a single set of old
            complete = self._is_complete()
        except Exception as error:  # a damaged file can raise almost anything
            reason = getattr(error, "strerror", None) or (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise DataError(f"{self.path}: not a whole packed set ({reason}); pack or copy it again") from None
        if not complete:
            raise DataError(f"{self.path}: not a whole packed set (its columns or offsets do not fit); pack it again")
        if name not in names:
            held = ", ".join(ascii(n)[1:-1] for n in sorted(set(names)))
            raise DataError(f"{self.path}: holds {held}, not {name}; write {held.split(', ')[0]}:{self.path}")
        packed = sorted({s for n, s in zip(names, splits, strict=True) if n == name})
        self.undivided = "undivided" in self.columns and bool(self.columns["undivided"][names.index(name)])
        if split not in packed and not self.undivided:
            raise DataError(f"{self.path}: has no split {split!r} of {name}; packed are {', '.join(packed)}")
        chosen = (n == name and (self.undivided or s == split) for n, s in zip(names, splits, strict=True))
        self.rows = [i for i, wanted in enumerate(chosen) if wanted]
        self.file = self.path  # as `undivided`, for `handpose.data.division`
        self._know_pictures(name)
        if any(self.columns["parts"][self.rows]):
            self.parts = [str(self.columns["parts"][i]) for i in self.rows]

    def _know_pictures(self, name: str) -> None:
        """What tells whole pictures apart, and what a group is; `notes` says where that was not kept."""
        if "keys" in self.columns:
            self.picture_keys = [str(self.columns["keys"][i]) for i in self.rows]
            self.grouping = str(self.columns["grouping"][self.rows[0]]) or None
        elif name in OWN:
            self.notes = ["packed by an older version, without what tells whole pictures apart: nobody can say whether "
                          "weights were trained on them; pack it again"]  # fmt: skip

    def _is_complete(self) -> bool:
        """Whether every column has its type and as many rows as it should."""
        number = len(self.columns["splits"])
        forms = {"name": ("U", self.columns["name"].shape and (number,)),
                 "blob": ("u", (self.columns["blob"].size,)), "offsets": ("iu", (2 * number + 1,)),
                 "points": ("f", (number, 21, 2)), "visible": ("b", (number, 21))}  # fmt: skip
        forms |= dict.fromkeys(WORDS, ("U", (number,)))
        if "keys" in self.columns:
            forms |= dict.fromkeys(KEPT, ("U", (number,))) | {"undivided": ("b", (number,))}
        for name, (kinds, shape) in forms.items():
            if self.columns[name].dtype.kind not in kinds or self.columns[name].shape != shape:
                return False
        offsets = self.columns["offsets"].astype(np.int64)
        steady = offsets[0] == 0 and (np.diff(offsets) >= 0).all() and offsets[-1] == self.columns["blob"].size
        return bool(steady) and self.columns["blob"].itemsize == 1

    def __len__(self) -> int:
        return len(self.rows)

    def _bytes(self, which: int) -> bytes:
        low, high = self.columns["offsets"][which : which + 2]
        return self.columns["blob"][low:high].tobytes()

    def __getitem__(self, index: int) -> Sample:
        i, column = self.rows[index], self.columns
        known: dict[str, Any] = {}
        name = f"{self.path}, {column['ids'][i]}"
        image = decode_image(self._bytes(2 * i), name)
        if mask := self._bytes(2 * i + 1):
            known["mask"] = decode_image(mask, f"{name}, mask")[..., 0]
            if known["mask"].shape != image.shape[:2]:
                raise DataError(f"{name}: its mask has another size than the picture; pack it again")
        if column["shapes"][i]:
            known["shape"] = str(column["shapes"][i])
        return make_sample(image, column["points"][i], column["visible"][i], group=str(column["groups"][i]),
                           id=str(column["ids"][i]), **known)  # fmt: skip
