"""The forms of chapter 14: what is written is what the readers read."""

import json

import numpy as np
import pytest

import handpose.data
from handpose.book import forms
from handpose.data import SyntheticHands


@pytest.fixture(scope="module")
def hands():
    rendered = SyntheticHands(seed=14, split="test", size=64)
    return [rendered[i] for i in range(3)]


@pytest.mark.parametrize("form", ["labelled:{}/labels.json", "coco:{}", "coco:{}/result.json", "yolo-pose:{}"])
def test_written_and_read(form, hands, tmp_path):
    write = {"labelled:{}/labels.json": forms.labelling_window, "coco:{}": forms.cvat,
             "coco:{}/result.json": forms.label_studio, "yolo-pose:{}": forms.yolo_pose}[form]  # fmt: skip
    assert write(tmp_path, hands).exists()
    for split in ("train", "val"):
        read = handpose.data.open(form.format(tmp_path), split)
        assert len(read) == 3 and read.undivided
        for i, sample in enumerate(hands):
            assert (read[i].visible == sample.visible).all() and (read[i].image == sample.image).all()
            assert np.allclose(read[i].keypoints[sample.visible], sample.keypoints[sample.visible], atol=2e-3)


def test_peculiarities(hands, tmp_path):
    forms.cvat(tmp_path / "cvat", hands)
    content = json.loads((tmp_path / "cvat" / "annotations" / "person_keypoints_default.json").read_text())
    assert content["categories"][0]["keypoints"][1] == "little_mcp" and len(content["annotations"]) == 4
    forms.label_studio(tmp_path / "studio", hands)
    (image, *_) = json.loads((tmp_path / "studio" / "result.json").read_text())["images"]
    assert "\\" in image["file_name"] and "width" not in image
