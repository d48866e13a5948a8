"""A labelled set in one file: the hands cut out with room around them, as JPEG, with an offset table.

For machines to which only a small file can be taken. A pack stands wherever the folder of a set does, as in
``--data hand-keypoints:hands.npz``; `data_scripts/pack.py` writes it. The pictures keep their resolution, so errors in
pixels are what they were; key-points are moved to the corner of the part that was cut out.
"""

import os
from pathlib import Path

import cv2
import numpy as np

from handpose import files
from handpose.data.common import DataError, decode_image, make_sample
from handpose.data.crops import CONTEXT
from handpose.data.sample import Sample

WORDS = ("splits", "parts", "groups", "ids", "shapes")  # columns of text
ROOM = 1.2 * CONTEXT  # side of the part that is kept over the longer side of the key-points' box


def window(box: np.ndarray, width: int, height: int) -> tuple[int, int, int, int]:
    """The part of a picture that is kept, (x0, y0, x1, y1) whole pixels, the last ones not included.

    Nothing that training or evaluation cuts out lies beyond it, except outside the picture itself.
    """
    half = ROOM / 2 * max(box[2] - box[0], box[3] - box[1], 8.0)
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    low, high = np.floor([x - half, y - half]).astype(int), np.ceil([x + half, y + half]).astype(int) + 1
    return max(low[0], 0), max(low[1], 0), min(high[0], width), min(high[1], height)


def write(file: str | os.PathLike, name: str, sets: dict[str, object], *, quality: int = 70, progress=iter) -> int:
    """Pack a data set.

    Args:
        file: what to write, ``.npz``.
        name: the set's name, as in `handpose.data.open`.
        sets: the set, by split.
        quality: of the JPEGs, 1 to 100. At 70 the bundled weights lose 0.4 points of PCK at 0.2 of s on
            hand-keypoints, and its 7,717 photographs take 36 MB.
        progress: wraps the list of samples to come, as tqdm does.

    Returns:
        The number of hands; samples without a visible joint are left out.

    Raises:
        handpose.files.OutputError: the file cannot be written.
        ValueError: there is nothing to pack.
    """
    blob, rows, how = [], [], [cv2.IMWRITE_JPEG_QUALITY, quality]
    for split, i in progress([(split, i) for split, samples in sets.items() for i in range(len(samples))]):
        sample = sets[split][i]
        if not sample.visible.any():
            continue
        x0, y0, x1, y1 = window(sample.box, *sample.image.shape[1::-1])
        picture = cv2.cvtColor(sample.image[y0:y1, x0:x1], cv2.COLOR_RGB2BGR)
        blob.append(cv2.imencode(".jpg", picture, how)[1])
        mask = np.zeros(0, np.uint8)
        if sample.mask is not None:
            mask = cv2.imencode(".jpg", sample.mask[y0:y1, x0:x1], how)[1]
        blob.append(mask.reshape(-1))
        part = getattr(sets[split], "parts", None)
        rows.append((sample.keypoints - np.float32([x0, y0]), sample.visible, split, part[i] if part else "",
                     sample.group, sample.id, sample.shape or ""))  # fmt: skip
    if not rows:
        raise ValueError(f"{name}: no hand with a visible key-point; there is nothing to pack")
    points, visible, *words = zip(*rows, strict=True)
    columns = dict(zip(WORDS, map(np.array, words), strict=True))
    offsets = np.cumsum([0, *(len(code) for code in blob)])  # picture, mask, picture, mask, ...
    with files.writing(file) as unfinished, open(unfinished, "wb") as stream:
        np.savez(stream, name=name, blob=np.concatenate(blob), offsets=offsets, points=np.stack(points),
                 visible=np.stack(visible), **columns)  # fmt: skip
    return len(rows)


class Packed:
    """A packed set as `Sample`s.

    Args:
        path: a file that `write` wrote.
        name: the set that it must hold.
        split: one of those that were packed.

    Raises:
        DataError: not a whole pack, another set, or a split that is not in it.
    """

    def __init__(self, path: str | os.PathLike, name: str, split: str) -> None:
        self.path, self.split = Path(path), split
        try:
            with np.load(self.path) as kept:
                self.columns = {key: kept[key] for key in kept.files}
            held, splits = ascii(str(self.columns["name"]))[1:-1], self.columns["splits"].tolist()
            whole = self._is_whole()
        except Exception as error:  # a damaged file can raise almost anything
            reason = getattr(error, "strerror", None) or (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise DataError(f"{self.path}: not a whole packed set ({reason}); pack or copy it again") from None
        if not whole:
            raise DataError(f"{self.path}: not a whole packed set (its columns or offsets do not fit); pack it again")
        if held != name:
            raise DataError(f"{self.path}: holds {held}, not {name}; write {held}:{self.path}")
        if split not in splits:
            raise DataError(f"{self.path}: has no split {split!r}; packed are {', '.join(sorted(set(splits)))}")
        self.rows = [i for i, s in enumerate(splits) if s == split]
        if any(self.columns["parts"]):
            self.parts = [str(self.columns["parts"][i]) for i in self.rows]

    def _is_whole(self) -> bool:
        """Whether every column has its type and as many rows as it should."""
        number = len(self.columns["splits"])
        forms = {"name": ("U", ()), "blob": ("u", (self.columns["blob"].size,)), "offsets": ("iu", (2 * number + 1,)),
                 "points": ("f", (number, 21, 2)), "visible": ("b", (number, 21))}  # fmt: skip
        for name, (kinds, shape) in (forms | dict.fromkeys(WORDS, ("U", (number,)))).items():
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
        i, known = self.rows[index], {}
        column = self.columns
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
