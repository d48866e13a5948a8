import numpy as np
import pytest

from handpose import skeleton


def test_order_is_openpose():
    assert skeleton.JOINTS[0] == "wrist" and len(skeleton.JOINTS) == 21
    assert (
        skeleton.JOINTS[4] == "thumb tip" and skeleton.JOINTS[5] == "index MCP" and skeleton.JOINTS[20] == "little tip"
    )
    assert [b for _, b in skeleton.BONES] == list(range(1, 21))
    assert all(skeleton.PARENT[j] == 0 for j in (1, 5, 9, 13, 17))


def test_box_and_unit_length_by_hand():
    points = np.zeros((21, 2), np.float32)
    points[:, 0] = np.arange(21) * 10  # a row of joints, 200 px wide
    visible = np.ones(21, bool)
    assert skeleton.tight_box(points).tolist() == [0, 0, 200, 0]
    assert skeleton.box_side(points) == 200
    assert skeleton.unit_length(points, floor=0) == 10  # index MCP to PIP
    assert skeleton.unit_length(points) == pytest.approx(30)  # the floor: 0.15 of 200
    visible[20] = False
    assert skeleton.box_side(points, visible) == 190
    visible[6] = False
    assert skeleton.unit_length(points, visible, floor=0) == 0  # the bone has no meaning without its joint
    assert np.isnan(skeleton.tight_box(points, np.zeros(21, bool))).all()
