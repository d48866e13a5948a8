"""Joints that contradict the boxes of their file are refused, with what is likely; loose and odd boxes are not."""

import numpy as np
import pytest

from handpose.data import DataError, SyntheticHands
from handpose.data.readers import boxes

SIZE = np.array([200, 160])


@pytest.fixture(scope="module")
def keypoints():
    """Twelve hands (12, 21, 2), each at another place of a picture."""
    hands = SyntheticHands(seed=3, size=96)
    offsets = np.random.default_rng(0).uniform(0, SIZE - 96, (12, 2))
    return np.stack([hands[i].keypoints for i in range(12)]).astype(float) + offsets[:, None]


def tight(keypoints):
    """The box of each, (12, 4)."""
    low, high = keypoints.min(1), keypoints.max(1)
    return np.concatenate([low, high - low], 1)


def rows(keypoints, box):
    return [(f"h{i}", tuple(SIZE), k, None if b is None else tuple(b)) for i, (k, b) in
            enumerate(zip(keypoints, box, strict=True))]  # fmt: skip


@pytest.mark.parametrize("widened", [0, 0.1])
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda k, b: k[..., ::-1], "x and y exchanged"),
        (lambda k, b: [199, 0] + k * [-1, 1], "mirrored"),
        (lambda k, b: [0, 159] + k * [1, -1], "y counted upwards"),
        (lambda k, b: k - b[:, None, :2], "counted from the corner of the box"),
        (lambda k, b: k / 2, r"labelled on pictures 0\.\d+ times as large"),
        (lambda k, b: (k - b[:, None, :2]) / b[:, None, 2:], "parts of the box"),
    ],
)
def test_what_happened_is_told(keypoints, spoil, words, widened):
    box = tight(keypoints)
    drawn = box + np.concatenate([-widened * box[:, 2:], 2 * widened * box[:, 2:]], 1)
    with pytest.raises(DataError, match=rf"a\.json: the joints of \d+ of 12 hands .*, first in h\d; {words}\?; export"):
        boxes.check("a.json", rows(spoil(keypoints, box), drawn))


@pytest.mark.parametrize(
    "change",
    [
        lambda b: b,
        lambda b: b + [-40, -40, 80, 80],  # wide
        lambda b: np.concatenate([b[:, :2], b[:, 2:] + [0, 60]], 1),  # with the forearm
        lambda b: b + [0, 0, 0, -0.15] * b[:, [3]],  # without the wrist
        lambda b: np.tile([0, 0, 200, 160], (12, 1)),  # the picture
        lambda b: b / 200,  # in another unit
        lambda b: b * 0,
        lambda b: b * np.nan,
        lambda b: [None] * 12,
    ],
)
def test_boxes_of_other_kinds_are_not_held_against_hands(keypoints, change):
    assert boxes.check("a.json", rows(keypoints, change(tight(keypoints)))) == []


def test_a_few_wrong_boxes_are_noted(keypoints):
    box = tight(keypoints)
    box[[4, 7], :2] = [[300, 300], [-200, 0]]
    assert boxes.check("a.json", rows(keypoints, box)) == [
        "2 of 12 hands with most joints outside their own boxes, first h4; look at these"
    ]
    assert boxes.check("a.json", rows(keypoints[4:5], box[4:5]))[0].startswith("1 of 1 hands")  # it may be the box
    box[:, 0] += 500
    with pytest.raises(DataError, match="the joints of 12 of 12 hands do not fit their own boxes, first in h0; export"):
        boxes.check("a.json", rows(keypoints, box))
