"""The layout of Hand Keypoints: square pictures with YOLO-pose text. A task is (split, index in its stream, id)."""

import itertools
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from handpose import data, files
from handpose.data import synthetic
from handpose.data.readers.hand_keypoints import PART_STARTS, VAL_STARTS
from handpose.data.sample import Sample
from rendering.writing import encoded, write

VAL_PART = 0.1  # of the pictures


def ids(split: str) -> Iterator[int]:
    """The ids that the block split counts as "train" (30,300 of them) or "val" (without end)."""
    ends = dict(zip("AB", list(PART_STARTS.values())[1:], strict=True))
    for part in "BCA":  # the largest ranges first, so that a small set lies in one
        if split == "train":
            yield from range(max(PART_STARTS[part], 1), VAL_STARTS[part])
        elif part == "B":
            yield from range(VAL_STARTS[part], ends[part])
        elif part == "C":
            yield from itertools.count(VAL_STARTS[part])


def tasks(number: int) -> list[tuple[str, int, int]]:
    """(split, index in its stream, id) of every picture."""
    held_back = round(VAL_PART * number) if number > 1 else 0
    found = [("train", i, id) for i, id in zip(range(number - held_back), ids("train"), strict=False)]
    if len(found) < number - held_back:
        room = int(len(found) / (1 - VAL_PART))
        raise files.OutputError(f"--number {number} is too many: the layout's block split has ids for about {room}")
    return found + [("val", i, id) for i, id in zip(range(held_back), ids("val"), strict=False)]


def label_line(sample: Sample) -> str:
    """``class cx cy w h (x y v) * 21`` as parts of the picture; v: 2 seen, 1 hidden by the hand itself, 0 outside."""
    height, width = sample.image.shape[:2]
    x0, y0, x1, y1 = (np.nan_to_num(sample.box) + 0.5) / [width, height, width, height]
    numbers = [(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0]
    for point, visible, hidden in zip(sample.keypoints, sample.visible, sample.occluded, strict=True):
        numbers += [*((point + 0.5) / [width, height]), 2 - int(hidden)] if visible else [0, 0, 0]
    return "0 " + " ".join(f"{n:.7g}" for n in numbers) + "\n"


def paths(out: Path, task: tuple) -> list[Path]:
    """The picture, which is written last, so that a picture has its label."""
    split, _, id = task
    return [out / "images" / split / f"IMG_{id:08d}.jpg"]


@lru_cache(maxsize=4)
def stream(seed: int, split: str, size: int) -> synthetic.SyntheticHands:
    """The rendered hands that `handpose.data.open("synthetic")` gives, at another size."""
    settings = {k: v for k, v in data.SYNTHETIC[split].items() if k != "length"}
    return synthetic.SyntheticHands(seed, split, **(settings | {"size": size}))


def draw(out: Path, settings: dict, task: tuple) -> None:
    """Draw a picture and write it with its label."""
    split, index, id = task
    sample = stream(settings["seed"], split, settings["size"])[index]
    write(out / "labels" / split / f"IMG_{id:08d}.txt", label_line(sample).encode())
    write(paths(out, task)[0], encoded(".jpg", sample.image, cv2.IMWRITE_JPEG_QUALITY, 95))
