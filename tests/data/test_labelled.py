"""Label files of one's own form whose joints are in another unit or order, or missing: refused or masked, and said."""

import json

import cv2
import numpy as np
import pytest

from handpose import skeleton
from handpose.data import DataError, SyntheticHands
from handpose.data.readers.labelled import FORMAT, Labelled

SIZE = 240


@pytest.fixture(scope="module")
def hands():
    source = SyntheticHands(seed=3, size=96)
    return [source[i] for i in range(12)]


def write(folder, hands, change=lambda keypoints: keypoints):
    """Pictures of 240 pixels with the hands in their lower right, and the label file."""
    entries = []
    for i, hand in enumerate(hands):
        image = np.pad(hand.image, ((SIZE - 96, 0), (SIZE - 96, 0), (0, 0)))
        assert cv2.imwrite(str(folder / f"{i}.png"), image[..., ::-1])
        keypoints = change(hand.keypoints.astype(float) + SIZE - 96).tolist()
        entries.append({"path": f"{i}.png", "width": SIZE, "height": SIZE, "keypoints": keypoints})
    file = folder / "labels.json"
    file.write_text(json.dumps({"format": FORMAT, "order": list(skeleton.JOINTS), "images": entries}))
    return file


def test_right_labels_need_no_note(tmp_path, hands):
    samples = Labelled(write(tmp_path, hands))
    assert len(samples) == 12 and samples.notes == []
    assert np.allclose(samples[5].keypoints, hands[5].keypoints + SIZE - 96, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda k: k / SIZE, r"images\[0\] '0\.png': all its joints lie between 0 and 1: .* multiply x by its width"),
        (lambda k: 100 * k / SIZE, "all 12 hands lie within 100 .* percent of the picture's size"),
        (lambda k: k.round().astype(int) // 3, "all 12 hands lie within 100 .* percent"),  # whole numbers alone
        (lambda k: k[list(skeleton.RHD_ORDER)], "lie from tip to palm; put them in the order"),
        (lambda k: np.roll(k, -1, 0), "seem to stand with the wrist last, .*; put them in the order"),
    ],
)
def test_other_units_and_orders_are_refused(tmp_path, hands, change, words):
    with pytest.raises(DataError, match=words) as error:
        Labelled(write(tmp_path, hands, change))
    assert "labels.json" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("marker", [0, -1])
def test_joints_that_are_marked_are_missing(tmp_path, hands, marker):
    """Also in a file of whole numbers without a null."""
    missing = np.arange(21)[:, None] == 7
    samples = Labelled(write(tmp_path, hands[:2], lambda k: np.where(missing, marker, k.round().astype(int))))
    assert np.isnan(samples[0].keypoints[7]).all() and not samples[0].visible[7] and samples[1].visible[8]
    assert len(samples.notes) == 1 and samples.notes[0].startswith(
        "2 joints stand at (0, 0) or (-1, -1) with a label, "
    )


def test_a_size_that_no_picture_has(tmp_path, hands):
    file = write(tmp_path, hands[:1])
    file.write_text(file.read_text().replace('"width": 240', '"width": 1' + 400 * "0"))
    with pytest.raises(DataError, match=r'images\[0\] .*"width" is 1000.*\.\.\., not a number of pixels'):
        Labelled(file)
