"""What is said of single heads: parts of variance put there are found, and other hands' readings are theirs."""

import dataclasses

import pytest
import torch

from handpose import PoseEstimationNet
from handpose.data.synthetic import SyntheticHands
from handpose.study import analysis, heads
from handpose.train import evaluate

B, J, SIDE = 5, 21, 4
L = SIDE * SIDE


@pytest.fixture
def made():
    """Weights of three heads, which go by place, by the asking joint, and by the picture."""
    random = torch.Generator().manual_seed(0)
    keypoints = torch.randint(SIDE, (1, J, 2), generator=random).float().expand(B, J, 2)  # the same joints in all hands
    by_place = torch.rand(1, 1, L, generator=random).expand(B, L, L)
    by_asker = torch.rand(1, L, L, generator=random).expand(B, L, L)
    by_picture = torch.rand(B, 1, L, generator=random).expand(B, L, L)
    weights = torch.stack([by_place, by_asker, by_picture], 1).log().softmax(-1)
    return weights, keypoints, torch.ones(B, J, dtype=torch.bool)


def test_shares_find_what_decides(made):
    found = heads.shares(*made, SIDE)
    assert torch.allclose(found.sum(1), torch.ones(3, dtype=found.dtype))
    assert found[0, 0] == pytest.approx(1)
    assert found[1, :2].sum() == pytest.approx(1) and found[1, 1] > 0.5
    assert found[2, [0, 2]].sum() == pytest.approx(1) and found[2, 2] > 0.5


def test_the_rest_takes_joint_and_picture_together(made):
    weights, keypoints, visible = made
    both = torch.rand(B, 1, L, L, generator=torch.Generator().manual_seed(1)).log().softmax(-1)
    assert heads.shares(both, keypoints, visible, SIDE)[0, 3] > 0.5
    visible = visible.clone()
    visible[1:, 3] = False
    with pytest.raises(ValueError, match="two hands with all joints visible"):
        heads.shares(weights, keypoints, visible, SIDE)


def test_readings_of_other_hands(made):
    weights, keypoints, visible = made
    own, strange = heads.readings(weights, keypoints, visible, SIDE, others=B - 1)
    assert torch.allclose(own[:, 0], strange[:, 0], atol=1e-6)  # place alone: any hand's weights do
    assert not torch.allclose(own[:, 2], strange[:, 2], atol=1e-3)
    total = own[:, 2] + (B - 1) * strange[:, 2]  # all hands' readings together, whoever reads
    assert torch.allclose(total, total[:1].expand_as(total), atol=1e-5)
    with pytest.raises(ValueError, match="5 other hands are asked for, of 5 in all"):
        heads.readings(weights, keypoints, visible, SIDE, others=5)


def test_a_network_is_described_and_left_as_it_was():
    net = PoseEstimationNet(width=0.125, heads=2).eval()
    hands = SyntheticHands(split="test", size=64, length=6)
    cut = evaluate.crop_dataset(hands, 32)
    before = evaluate.predict(net, cut)
    found = heads.describe(net, 32, hands)
    assert found["hands"] == 6 and len(found["shares"]) == len(found["columns"]) == 2
    assert set(found["lost"]) == {*heads.GROUPS, "all"} and all(len(v) == 2 for v in found["lost"].values())
    assert (evaluate.predict(net, cut) == before).all()
    with analysis.knock_out(net, [1]):
        silent = heads.lost_without(net, dataclasses.replace(cut, groups=cut.ids))
    assert silent["all"][1]["difference"] == 0  # it is silent already
    with pytest.raises(ValueError, match="no attention block"):
        heads.look(PoseEstimationNet(attention=False, width=0.125), cut)


def test_columns():
    assert heads.between_columns(torch.arange(21.0).expand(21, 21)) == pytest.approx(1)
    assert heads.between_columns(torch.arange(21.0)[:, None].expand(21, 21)) == pytest.approx(0, abs=1e-6)
