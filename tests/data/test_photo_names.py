"""Copies of one photograph, as Roboflow augments and names them, stay on one side of a division; frames are noted."""

import json

import cv2
import numpy as np
import pytest

import handpose.data
from handpose.data import division
from handpose.data.readers import photo_names

OPEN = np.array([[32, 58], *([12 + 9 * f, 44 - 8 * k - 3 * (f > 0)] for f in range(5) for k in range(4))], float)
OPEN[1:5] = [[24, 52], [18, 46], [13, 41], [9, 36]]  # a hand, for its joints must stand in order


def copy(photo, number):
    return f"{photo}_jpg.rf.{number:032x}.jpg"


def coco(folder, names, extra=None):
    """A label file of pictures of noise, each another one, with one hand each."""
    random = np.random.default_rng(0)
    value = {"images": [], "annotations": []}
    for i, name in enumerate(names):
        assert cv2.imwrite(str(folder / name), random.integers(0, 256, (64, 64, 3), np.uint8))
        value["images"].append({"id": i, "file_name": name, "width": 64, "height": 64} | (extra(i) if extra else {}))
        keypoints = np.column_stack([OPEN + random.uniform(-1, 1, (21, 2)), np.full(21, 2)])
        value["annotations"].append({"id": i, "image_id": i, "keypoints": keypoints.ravel().tolist()})
    (folder / "labels.json").write_text(json.dumps(value))
    return f"coco:{folder / 'labels.json'}"


def yolo(folder, names):
    random = np.random.default_rng(0)
    for kind in ("images", "labels"):
        (folder / "train" / kind).mkdir(parents=True)
    for name in names:
        image = random.integers(0, 256, (64, 64, 3), np.uint8)
        assert cv2.imwrite(str(folder / "train" / "images" / name), image)
        numbers = " ".join(f"{n:.4f}" for n in (OPEN + random.uniform(-1, 1, (21, 2))).ravel() / 64)
        (folder / "train" / "labels" / name).with_suffix(".txt").write_text(f"0 0.5 0.5 0.9 0.9 {numbers}\n")
    return f"yolo-pose:{folder}"


@pytest.mark.parametrize("write", [coco, yolo])
@pytest.mark.parametrize("photos", [3, 8])
def test_copies_are_not_divided(tmp_path, write, photos):
    """Also where there are so few photographs that a set is not divided by group."""
    samples = handpose.data.open(write(tmp_path, [copy(f"p{i % photos}", i) for i in range(3 * photos)]))
    assert f"{3 * photos} pictures are copies of {photos} photographs; all copies of one are one group" in samples.notes
    found = division.divide(samples)
    sides = [{part[i].id.split("_jpg")[0] for i in range(len(part))} for part in (found.train, found.val)]
    assert not sides[0] & sides[1] and len(sides[0]) + len(sides[1]) == photos == sum(found.units)


def test_the_name_that_roboflow_gives_is_a_group(tmp_path):
    """As `extra.name`; what others call so and is no name of a file says nothing."""
    names = [f"{i}.png" for i in range(4)]
    samples = handpose.data.open(coco(tmp_path, names, lambda i: {"extra": {"name": f"IMG {i // 2}.jpg"}}))
    assert len({samples[i].group for i in range(4)}) == 2
    samples = handpose.data.open(coco(tmp_path, names, lambda i: {"extra": {"name": "hands"}}))
    assert len({samples[i].group for i in range(4)}) == 4 and not any("copies" in note for note in samples.notes)


@pytest.mark.parametrize(
    ("name", "photograph"),
    [
        ("a/" + copy("IMG_1", 7), "a/IMG_1_jpg.jpg"),
        ("my.rf.photo.jpg", "my.rf.photo.jpg"),
        ("IMG_1.jpg", "IMG_1.jpg"),
    ],
)
def test_names(name, photograph):
    assert photo_names.photograph(name) == photograph


def test_frames_of_a_video_are_noted_where_a_set_is_to_be_divided(tmp_path):
    names = [f"clip_{3 * i:06d}.png" for i in range(12)]
    samples = handpose.data.open(coco(tmp_path, names))
    assert [n for n in samples.notes if n.startswith("12 of 12 photographs are numbered (clip_000000.png")]
    assert len({samples[i].group for i in range(12)}) == 12
    files = [(tmp_path / name, {}) for name in names]
    assert photo_names.notes(files, True) and not photo_names.notes(files, False)
    assert not photo_names.notes(files[:9], True)
    others = [(tmp_path / f"clip_{i * i}.png", {}) for i in range(12)]  # no regular steps
    assert not photo_names.notes(others, True)
