"""Names of joints decide their order; what is not clear is refused with the list."""

import random

import numpy as np
import pytest

from handpose import skeleton
from handpose.data import DataError, SyntheticHands
from handpose.data.readers import joint_names
from handpose.data.readers.joint_names import order_of

THUMB, FINGER = ("CMC", "MCP", "IP", "tip"), ("MCP", "PIP", "DIP", "tip")


def names(name) -> list[str]:
    """Our 21 joints as `name(finger, its number, joint from the palm 0 to 3)` has them."""
    return ["wrist", *(name(f, i, k) for i, f in enumerate(skeleton.FINGERS) for k in range(4))]


def anatomy(f: str, k: int) -> str:
    return (THUMB if f == "thumb" else FINGER)[k]


LONG = ("thumb", "forefinger", "middle_finger", "ring_finger", "pinky_finger")
BONES, OF_THUMB = ("Proximal", "Intermediate", "Distal", "Tip"), ("Metacarpal", "Proximal", "Distal", "Tip")
SPELLINGS = {
    "ours": names(lambda f, i, k: f"{f} {anatomy(f, k)}"),
    "MediaPipe": [n.upper() for n in names(lambda f, i, k: f"{LONG[i].replace('fore', 'index_')}_{anatomy(f, k)}")],
    "MMPose": names(lambda f, i, k: f"{LONG[i]}{k + 1}"),
    "capitals": names(lambda f, i, k: f"{f.title()}{k + 1}"),
    "from 0": names(lambda f, i, k: f"right_{f}_{k}"),
    "tip beside numbers": names(lambda f, i, k: f"{f}-tip" if k == 3 else f"{f}-{k + 1}"),
    "from the tip": names(lambda f, i, k: f"{f}_tip{4 - k}"),
    "the joint's own number": names(lambda f, i, k: f"{f}{4 * i + k + 1}"),
    "bones": names(lambda f, i, k: f.title() + (OF_THUMB if i == 0 else BONES)[k]),
    "run together": names(lambda f, i, k: f"l{f}{anatomy(f, k).lower()}"),
    "both": names(lambda f, i, k: f"{f}_{anatomy(f, k)}_{k + 1}"),
    "thumb as a finger": names(lambda f, i, k: f"{f}_{FINGER[k]}"),
    "numbered": [f"kp{i:02}_{name}" for i, name in enumerate(names(lambda f, i, k: f"{f}_{anatomy(f, k)}"))],
    "COCO-WholeBody": ["left_hand_root", *names(lambda f, i, k: f"left_{LONG[i]}{k + 1}")[1:]],
    "Mixamo": [f"mixamorig:{n}" for n in names(lambda f, i, k: f"RightHand{f.title()}{k + 1}")],
    "Apple": names(lambda f, i, k: f + (("CMC", "MP", "IP", "Tip") if i == 0 else ("MCP", "PIP", "DIP", "Tip"))[k]),
    "in words": names(lambda f, i, k: f"{f} fingertip" if k == 3 else f"{anatomy(f, k)} joint of the {f} finger"),
}  # fmt: skip


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_usual_spellings_in_any_order(spelling):
    listed, rng = SPELLINGS[spelling], random.Random(spelling)
    for _ in range(20):
        places = rng.sample(range(21), 21)
        order = order_of([listed[j] for j in places], "x")
        assert [places[at] for at in order] == list(range(21))


def test_numbers_alone_say_nothing():
    assert order_of(None, "x") is order_of([], "x") is order_of([str(i) for i in range(21)], "x") is None
    assert order_of([f"kp_{i}" for i in range(1, 22)], "x") is None
    with pytest.raises(DataError, match="only numbered, not in our order"):
        order_of(list(range(20, -1, -1)), "x")


@pytest.mark.parametrize(
    "unclear",
    [
        names(lambda f, i, k: f"{f}{k + 2}"),
        names(lambda f, i, k: f"finger{i}_{k}"),
        names(lambda f, i, k: f"{f}_{'tip' if i == 3 else k}"),
        names(lambda f, i, k: f"thumb{k}"),
        names(lambda f, i, k: f"{f}_{FINGER[3 - k]}_{k + 1}"),  # name and number say the opposite
        names(lambda f, i, k: f"{f}_{(4, 1, 2, 9)[k]}"),
        names(lambda f, i, k: f"{f}_ring_{k}"),
        ["palm", *names(lambda f, i, k: f"{f}{k}")[1:]],
        ["wrist"] * 21,
        names(lambda f, i, k: f"{f}{k}")[:20],
        [*names(lambda f, i, k: f"{f}{k}"), "elbow"],
        names(lambda f, i, k: f"{f}{'9' * 5000}{k}"),
        [{"a": 1}] * 21,
    ],
)
def test_unclear_names_are_refused_with_the_list(unclear):
    with pytest.raises(DataError, match="labels.json: ") as error:
        order_of(unclear, "labels.json")
    assert ascii(str(unclear[3]))[1:-1][:25] in str(error.value) and len(str(error.value)) < 900


def test_orders_that_are_named():
    assert joint_names.named_order("rhd") == skeleton.RHD_ORDER
    assert joint_names.named_order(", ".join(skeleton.JOINTS)) == tuple(range(21))
    for wrong in ("openpose", "", "wrist,thumb1", ",".join(map(str, range(21)))):
        with pytest.raises(DataError):
            joint_names.named_order(wrong)


def test_order_is_told_by_anatomy():
    """Tips before bases are seen in a dozen rendered hands, open and closed; too few labels say nothing."""
    hands = SyntheticHands(seed=3, size=96)
    keypoints = np.stack([hands[i].keypoints for i in range(12)])
    labelled = np.ones((12, 21), bool)
    assert joint_names.tips_first(keypoints, labelled) is False
    assert joint_names.tips_first(keypoints[:, skeleton.RHD_ORDER], labelled) is True
    labelled[:, 7] = False
    assert joint_names.tips_first(keypoints, labelled) is None


LITTLE_FIRST = [0, *(4 * f + k for f in (4, 3, 2, 1, 0) for k in range(1, 5))]


@pytest.mark.parametrize(
    ("stored", "words"),
    [  # our joint at each place of the file
        (list(range(21)), None),
        (list(skeleton.RHD_ORDER), None),  # said by `tips_first`
        (LITTLE_FIRST, "from the little finger to the thumb"),
        ([*range(1, 21), 0], "with the wrist last"),
        ([0, *(4 * f + k for k in range(1, 5) for f in range(5))], "joint by joint, each of all fingers"),
        ([0, *(4 * f + k for k in range(1, 5) for f in (4, 3, 2, 1, 0))],
         "joint by joint, each from little to thumb"),
    ],
)  # fmt: skip
def test_other_orders_are_told_by_anatomy(stored, words):
    hands = SyntheticHands(seed=3, size=96)
    keypoints = np.stack([hands[i].keypoints for i in range(12)])[:, stored]
    labelled = np.ones((12, 21), bool)
    assert joint_names.other_order(keypoints, labelled) == words
    assert joint_names.other_order(keypoints[:2], labelled[:2]) is None  # may be chance
    labelled[:, 7] = False
    assert joint_names.other_order(keypoints, labelled) is None
    if words:
        with pytest.raises(DataError, match=f"a.json: the joints seem to stand {words}, .*--joint-order canonical"):
            joint_names.refuse_other_orders(keypoints, np.ones((12, 21), bool), "a.json")


def test_real_hands_stand_in_our_order(real_data):
    """Of two sets of fists and open hands, 200 times three and ten at random: none is refused."""
    random = np.random.default_rng(0)
    for file in (real_data / "massey-asl" / "keypoints.csv", real_data / "asl-letters" / "keypoints.csv"):
        rows = np.genfromtxt(file, delimiter=",", skip_header=1, usecols=range(1, 44))
        keypoints = rows[rows[:, 0] > 0.9, 1:].reshape(-1, 21, 2)
        for some in (3, 10):
            for _ in range(200):
                chosen = keypoints[random.integers(0, len(keypoints), some)]
                assert joint_names.other_order(chosen, np.ones((some, 21), bool)) is None
