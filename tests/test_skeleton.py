import json

import numpy as np
import pytest

from handpose import skeleton
from handpose.data.synthetic import joints, random_identity, random_pose


def test_order_is_openpose():
    assert skeleton.JOINTS[0] == "wrist" and len(skeleton.JOINTS) == 21
    assert (
        skeleton.JOINTS[4] == "thumb tip" and skeleton.JOINTS[5] == "index MCP" and skeleton.JOINTS[20] == "little tip"
    )
    assert [b for _, b in skeleton.BONES] == list(range(1, 21))
    assert all(skeleton.PARENT[j] == 0 for j in (1, 5, 9, 13, 17))


def test_box_and_unit_length_by_hand():
    keypoints = np.zeros((21, 2), np.float32)
    keypoints[:, 0] = np.arange(21) * 10  # a row of joints, 200 px wide
    visible = np.ones(21, bool)
    assert skeleton.tight_box(keypoints).tolist() == [0, 0, 200, 0]
    assert skeleton.box_side(keypoints) == 200
    assert skeleton.unit_length(keypoints, floor=0) == 10  # index MCP to PIP
    assert skeleton.unit_length(keypoints) == pytest.approx(30)  # the floor: 0.15 of 200
    visible[20] = False
    assert skeleton.box_side(keypoints, visible) == 190
    visible[6] = False
    assert skeleton.unit_length(keypoints, visible, floor=0) == 0  # the bone has no meaning without its joint
    assert np.isnan(skeleton.tight_box(keypoints, np.zeros(21, bool))).all()


# The joint orders of two data sets, checked against the anatomy of hands that are laid out by their descriptions.

STB_WORDS = ("palm",) + tuple(
    f"{finger} {joint}"
    for finger in ("little", "ring", "middle", "index", "thumb")
    for joint in ("mcp", "pip", "dip", "tip")
)
RHD_WORDS = ("wrist",) + tuple(
    f"{finger} {joint}"
    for finger in ("thumb", "index", "middle", "ring", "little")
    for joint in ("tip", "second", "third", "base")
)


def named_hands(words):
    """(30, 21, 3) mm in the order of the words: joints found by what they are, not by their numbers."""
    rng = np.random.default_rng(1)
    hands = []
    for _ in range(30):
        identity = random_identity(rng)
        keypoints = joints(random_pose(rng, identity)[0], identity)
        along = {"base": 0, "mcp": 0, "third": 1, "pip": 1, "second": 2, "dip": 2, "tip": 3}
        row = []
        for word in words:
            if word in ("palm", "wrist"):
                row.append(keypoints[0])
            else:
                finger, joint = word.split()
                row.append(keypoints[skeleton.FINGER_JOINTS[finger][along[joint]]])
        hands.append(row)
    return np.array(hands)


def is_a_hand(keypoints):
    """Whether (N, 21, 3) points have a hand's anatomy in the canonical order."""
    fingers = keypoints[:, 1:].reshape(-1, 5, 4, 3)
    bones = np.linalg.norm(np.diff(fingers, axis=2), axis=3)
    base = np.linalg.norm(fingers[:, :, 0] - keypoints[:, :1], axis=2)
    thumb_first = (base[:, 0] < base[:, 1:].min(1)).all()  # the thumb's base is nearest the wrist
    proximal_longest = (bones[:, 1:, 0] > bones[:, 1:, 1:].max(2)).all()  # the bone at the palm is the longest
    bases = fingers[:, :, 0]
    neighbours = np.linalg.norm(np.diff(bases[:, 1:], axis=1), axis=2)
    knuckle_row = (np.linalg.norm(bases[:, 1] - bases[:, 4], axis=1) > neighbours.max(1)).all()
    return bool(thumb_first and proximal_longest and knuckle_row and base[:, 1:].min() > bones.max(2)[:, 1:].min())


@pytest.mark.parametrize(
    ("order", "words"), [(skeleton.STB_ORDER, STB_WORDS), (skeleton.RHD_ORDER, RHD_WORDS)], ids=["stb", "rhd"]
)
def test_orders_of_other_sets_give_a_hand(order, words):
    assert sorted(order) == list(range(21))
    named = named_hands(words)
    assert is_a_hand(named[:, list(order)])
    assert not is_a_hand(named)
    assert (named[:, list(order)][:, np.argsort(order)] == named).all()  # and back
    # Each index bone joins what the data set's own names say: mcp-pip-dip-tip.
    index = [words[order[j]] for j in skeleton.FINGER_JOINTS["index"]]
    assert all(word.startswith("index") for word in index) and index[3] == "index tip"


def test_rhd_order_on_real_labels(real_data):
    annotations = json.loads((real_data / "format-samples" / "rhd" / "test_rhd.json").read_text())["annotations"]
    keypoints = np.array([annotation["joint_cam"] for annotation in annotations])
    assert is_a_hand(keypoints[:, list(skeleton.RHD_ORDER)]) and not is_a_hand(keypoints)
