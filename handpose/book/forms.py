"""Rendered hands written to a folder in the forms in which people have labels of their own (Chapter 14).

Each writer puts the pictures and the labels down as its tool does, with what is peculiar to it.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from handpose.data.readers.labelled import LabelFile
from handpose.data.sample import Sample
from handpose.skeleton import FINGERS, NUM_JOINTS

#: Names of joints in our order, as a labelling project might call them.
NAMES = ("wrist", *(f"{finger}_{part}" for finger in FINGERS for part in
                    (("cmc", "mcp", "ip", "tip") if finger == "thumb" else ("mcp", "pip", "dip", "tip"))))  # fmt: skip
#: The same joints from the little finger to the thumb: ours, by its place in such a file.
LITTLE_FIRST = (0, *(1 + 4 * finger + joint for finger in (4, 3, 2, 1, 0) for joint in range(4)))


def labelling_window(folder: Path, samples: Sequence[Sample]) -> Path:
    """Pictures, and the file that ``data_scripts/label_keypoints.py`` writes; returns that file."""
    labels = LabelFile(folder / "labels.json")
    for i, sample in enumerate(samples):
        file = _image(folder / "photos" / f"{i:03}.png", sample)
        keypoints = [p if v else None for p, v in zip(sample.keypoints.tolist(), sample.visible, strict=True)]
        labels.put(file.resolve(), sample.image.shape[1::-1], keypoints)
    labels.save()
    return labels.file


def cvat(folder: Path, samples: Sequence[Sample]) -> Path:
    """An unpacked COCO export of CVAT, whose skeleton was drawn from the little finger on; returns its folder."""
    images, annotations = _coco(samples, "{:03}.png", LITTLE_FIRST, first=1)
    for i, sample in enumerate(samples):
        _image(folder / "images" / "default" / f"{i:03}.png", sample)
    names = [NAMES[j] for j in LITTLE_FIRST]
    boxes = [{"id": len(samples) + 1, "image_id": 1, "category_id": 2, "bbox": [1, 2, 30, 40], "iscrowd": 0}]
    content = {"images": images, "annotations": annotations + boxes,
               "categories": [{"id": 1, "name": "hand", "keypoints": names}, {"id": 2, "name": "face"}]}  # fmt: skip
    _json(folder / "annotations" / "person_keypoints_default.json", content)
    return folder


def label_studio(folder: Path, samples: Sequence[Sample]) -> Path:
    """A COCO export of Label Studio on Windows: names with a prefix and backslashes, no sizes; returns its file."""
    images, annotations = _coco(samples, "images\\8f3a-{:03}.png", range(NUM_JOINTS), first=0)
    for i, (sample, image) in enumerate(zip(samples, images, strict=True)):
        _image(folder / "images" / f"8f3a-{i:03}.png", sample)
        del image["width"], image["height"]
    categories = [{"id": 1, "name": "hand", "keypoints": list(NAMES)}]
    return _json(folder / "result.json", {"images": images, "annotations": annotations, "categories": categories})


def yolo_pose(folder: Path, samples: Sequence[Sample]) -> Path:
    """A YOLO-pose folder with one part; returns its ``data.yaml``."""
    for i, sample in enumerate(samples):
        _image(folder / "images" / "train" / f"{i:03}.png", sample)
        # Parts of the size are counted from the picture's edge, half a pixel before the centre of the first pixel.
        parts = (np.nan_to_num(sample.keypoints) + 0.5) / sample.image.shape[1::-1]
        rows = np.column_stack([parts, 2 * sample.visible]) * sample.visible[:, None]
        x0, y0, x1, y1 = (sample.box.reshape(2, 2) + 0.5).ravel() / np.tile(sample.image.shape[1::-1], 2)
        numbers = [(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0, *rows.ravel()]
        label = folder / "labels" / "train" / f"{i:03}.txt"
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text("0 " + " ".join(f"{number:.6f}" for number in numbers) + "\n", encoding="utf-8")
    names = "".join(f"    - {name}\n" for name in NAMES)
    text = f"path: .\ntrain: images/train\nkpt_shape: [21, 3]\nnames:\n  0: hand\nkpt_names:\n  0:\n{names}"
    (folder / "data.yaml").write_text(text, encoding="utf-8")
    return folder / "data.yaml"


def _coco(samples: Sequence[Sample], name: str, order: Sequence[int], first: int) -> tuple[list[dict], list[dict]]:
    """The lists of images and of annotations, with joints in an order of one's own and ids from `first` on."""
    images, annotations = [], []
    for i, sample in enumerate(samples):
        height, width = sample.image.shape[:2]
        images.append({"id": first + i, "file_name": name.format(i), "width": width, "height": height})
        triples = np.column_stack([np.nan_to_num(sample.keypoints).round(3), 2 * sample.visible])
        triples = (triples * sample.visible[:, None])[list(order)]
        x0, y0, x1, y1 = sample.box.astype(float).round(3).tolist()
        annotations.append({"id": first + i, "image_id": first + i, "category_id": 1, "iscrowd": 0,
                            "keypoints": triples.ravel().tolist(), "bbox": [x0, y0, x1 - x0, y1 - y0]})  # fmt: skip
    return images, annotations


def _image(file: Path, sample: Sample) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sample.image).save(file)
    return file


def _json(file: Path, content: dict) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content), encoding="utf-8")
    return file
