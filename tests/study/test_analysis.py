"""The measurements of attention, on cases that can be worked out by hand."""

import copy

import numpy as np
import pytest
import torch

from handpose import PoseEstimationNet, attention
from handpose.study import analysis

SPREAD = torch.tensor([(1.0 + 3 * (j % 5), 1.0 + 3 * (j // 5)) for j in range(21)])[None]  # joints 3 cells apart
SEEN = torch.ones(1, 21, dtype=torch.bool)


def small_net(**options) -> PoseEstimationNet:
    torch.manual_seed(0)
    return PoseEstimationNet(width=0.25, **options).eval()


def test_distance_of_a_head_that_reads_one_neighbour():
    """On a ring of one row: head 0 reads the cell 3 to the right, head 1 itself, head 2 everything alike."""
    L = 12
    weights = torch.stack([torch.eye(L).roll(3, 1), torch.eye(L), torch.full((L, L), 1 / L)])[None]
    inside = (torch.arange(L) < L - 3).float()[None]  # those whose neighbour does not come round
    cells, uniform = analysis.attention_distance(weights, (1, L), inside)
    between = (torch.arange(L)[:, None] - torch.arange(L)).abs().float()
    assert torch.allclose(cells, torch.tensor([3.0, 0.0, between[: L - 3].mean()]))
    assert torch.allclose(uniform, cells[2])
    everywhere, _ = analysis.attention_distance(weights, (1, L))
    assert torch.allclose(everywhere[0], torch.tensor((9 * 3 + 3 * 9) / 12))  # the last three read 9 cells back


def test_distance_knows_rows_from_columns():
    weights = torch.zeros(1, 1, 10, 10)
    weights[0, 0, :, 9] = 1  # all read the last of 2 x 5 cells
    first = torch.eye(10)[:1]
    for size, far in (((2, 5), 17**0.5), ((5, 2), 17**0.5), ((1, 10), 9.0)):
        assert torch.allclose(analysis.attention_distance(weights, size, first)[0], torch.tensor(far))


@pytest.mark.parametrize(("window", "height", "width"), [(1, 16, 16), (3, 16, 16), (3, 15, 20)])
def test_identity_attention_depends_on_itself_only(window, height, width):
    weights = torch.eye(height * width).expand(1, 2, -1, -1)
    found, uniform = analysis.joint_dependency(weights, SPREAD, SEEN, (height, width), window=window)
    assert torch.equal(found, torch.eye(21).expand(1, 2, 21, 21))
    assert torch.allclose(uniform, torch.tensor(window**2 / (height * width)))


def test_dependency_of_one_joint_on_another():
    weights = torch.zeros(1, 1, 256, 256)
    weights[..., 0] = 1  # all else reads a corner
    asks = int(SPREAD[0, 8, 1] * 16 + SPREAD[0, 8, 0])
    thumb = int(SPREAD[0, 4, 1] * 16 + SPREAD[0, 4, 0])
    weights[0, 0, asks] = 0
    weights[0, 0, asks, [thumb, thumb + 1, thumb + 2]] = torch.tensor([0.5, 0.2, 0.3])  # the last one is 2 cells away
    found, _ = analysis.joint_dependency(weights, SPREAD, SEEN, 16)
    assert torch.isclose(found[0, 0, 8, 4], torch.tensor(0.7))
    assert found[0, 0, 4, 8] == 0  # what is read does not read


def test_uniform_attention_is_its_own_reference():
    torch.manual_seed(0)
    keypoints = torch.rand(3, 21, 2) * 15
    keypoints[0, 0], keypoints[0, 1] = torch.tensor([-0.4, 15.4]), torch.tensor([99.0, -99.0])
    visible = torch.rand(3, 21) < 0.8
    visible[0, :2] = True
    keypoints[~visible] = torch.nan
    weights = torch.full((3, 2, 256, 256), 1 / 256)
    found, uniform = analysis.joint_dependency(weights, keypoints, visible, 16)
    both = visible[:, :, None] & visible[:, None]
    assert torch.equal(uniform.isnan(), ~both)
    assert torch.allclose(found, uniform[:, None].expand_as(found), equal_nan=True)
    assert torch.isclose(uniform[0, 0, 0], torch.tensor(4 / 256))  # a corner holds four cells of nine


def test_measurements_refuse_what_does_not_fit():
    weights = torch.full((1, 1, 12, 12), 1 / 12)
    with pytest.raises(ValueError, match="4x4"):
        analysis.attention_distance(weights, 4)
    with pytest.raises(ValueError, match="window is 2"):
        analysis.joint_dependency(weights, SPREAD, SEEN, (3, 4), window=2)


def test_all_heads_silenced_leave_the_bias_alone():
    net, images = small_net(attention=(10, 14)), torch.rand(2, 3, 64, 64)
    biased = copy.deepcopy(net)
    for block in biased.modules():
        if isinstance(block, attention.SelfAttention2d):
            torch.nn.init.zeros_(block.out.weight)
    with torch.no_grad():
        before, wanted = net(images), biased(images)
        with analysis.knock_out(net, range(8)):
            silent = net(images)
        after = net(images)
    for a, b, c, d in zip(before, silent, wanted, after, strict=True):
        assert torch.allclose(b, c, atol=1e-6) and not torch.allclose(a, b, atol=1e-3)
        assert torch.equal(a, d)


def test_one_head_silenced_is_its_slice():
    """Silencing head 2 equals a last map whose columns for that head are zero, and nothing else."""
    net, images = small_net(heads=4), torch.rand(1, 3, 64, 64)
    cut = copy.deepcopy(net)
    cut.encoder["attention"]["row10"].out.weight.data[:, 32:48] = 0  # 64 channels, heads of 16
    with torch.no_grad(), analysis.knock_out(net, [2]):
        for a, b in zip(net(images), cut(images), strict=True):
            assert torch.allclose(a, b, atol=1e-6)


def test_knock_out_restores_after_an_error_and_refuses():
    net, images = small_net(), torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        before = net(images)
        with pytest.raises(ZeroDivisionError), analysis.knock_out(net, [0]):
            1 / 0  # noqa: B018
        assert all(torch.equal(a, b) for a, b in zip(before, net(images), strict=True))
    for wrong, heads in ((net, [8]), (net, [-1]), (small_net(attention=False), [0])):
        with pytest.raises(ValueError, match="head"), analysis.knock_out(wrong, heads):
            pass


def test_cover_hides_the_finger_and_nothing_else():
    image = np.full((64, 64, 3), (200, 100, 50), np.uint8)
    plain = image.copy()
    image[29:32, 12:49] = 0  # a dark finger along a row
    keypoints = np.tile(np.array([10.0, 60.0]), (21, 1))
    keypoints[[5, 6, 7, 8]] = [(12, 30), (24, 30), (36, 30), (48, 30)]
    covered = analysis.cover(image, keypoints, (5, 6, 7, 8), radius=4)
    assert np.array_equal(covered, plain)  # the finger is gone, its surroundings are as they were
    elsewhere = np.random.default_rng(0).integers(0, 256, image.shape, dtype=np.uint8)
    changed = (analysis.cover(elsewhere, keypoints, (5, 6, 7, 8), radius=4) != elsewhere).any(-1)
    rows, columns = np.nonzero(changed)
    assert (rows.min(), rows.max()) == (26, 34) and (columns.min(), columns.max()) == (8, 52)
    noisy = analysis.cover(image, keypoints, (5, 6, 7, 8), radius=4, fill="noise", seed=1)
    assert noisy[27:34, 12:49].std() > 60
    assert (noisy[:25] == image[:25]).all() and (image[30, 12:49] == 0).all()  # the input is left alone
    assert np.array_equal(noisy, analysis.cover(image, keypoints, (5, 6, 7, 8), radius=4, fill="noise", seed=1))
    with pytest.raises(ValueError, match="grey"):
        analysis.cover(image, keypoints, (5,), radius=4, fill="grey")


def test_moved_attention_finds_a_shift_that_every_hand_makes():
    torch.manual_seed(0)
    before = torch.rand(40, 2, 2)
    after = before + torch.tensor([[0.1, 0.0], [0.0, -0.2]]) + 0.01 * torch.randn(40, 2, 2)
    after[3, 0, 0] = torch.nan
    change, low, high = analysis.moved_attention(before, after, groups=[str(i) for i in range(40)])
    assert np.allclose(change, [[0.1, 0], [0, -0.2]], atol=0.01)
    assert low[0, 0] > 0.09 and high[1, 1] < -0.19 and low[0, 1] < 0 < high[0, 1]


@pytest.fixture(scope="module")
def hands():
    """Forty made-up hands with a third of the joints hidden: target, visible, occluded, groups."""
    rng = np.random.default_rng(0)
    target = rng.uniform(0, 100, (40, 21, 2)).astype(np.float32)
    visible, occluded = rng.random((40, 21)) < 0.9, rng.random((40, 21)) < 1 / 3
    return target, visible, occluded, [str(i // 2) for i in range(40)]


def test_hidden_gain_where_only_hidden_joints_differ(hands):
    target, visible, occluded, groups = hands
    far = target + 500
    first, second = np.stack([target] * 3), np.stack([np.where(occluded[..., None], far, target)] * 3)
    found = analysis.hidden_gain(first, second, target, visible, occluded, groups, repeats=200)
    assert found["hidden"] == {"difference": 1.0, "interval": [1.0, 1.0]}
    assert found["in_sight"] == {"difference": 0.0, "interval": [0.0, 0.0]}
    assert found["growth"] == {"difference": 1.0, "interval": [1.0, 1.0]}
    back = analysis.hidden_gain(second, first, target, visible, occluded, groups, repeats=200)
    assert back["growth"]["difference"] == -1


def test_hidden_gain_that_is_the_same_everywhere_does_not_grow(hands):
    target, visible, occluded, groups = hands
    rng = np.random.default_rng(1)
    wrong = rng.random((3, 40, 21, 1)) < 0.3
    first, second = np.stack([target] * 3), np.where(wrong, target + 500, target)
    found = analysis.hidden_gain(first, second, target, visible, occluded, groups, repeats=500)
    hidden = (wrong[..., 0] & visible & occluded).sum() / (3 * (visible & occluded).sum())
    assert np.isclose(found["hidden"]["difference"], hidden)
    assert found["hidden"]["interval"][0] > 0.2 and found["in_sight"]["interval"][0] > 0.2
    low, high = found["growth"]["interval"]
    assert low < 0 < high and high - low > 0.02


def test_hidden_gain_is_uncertain_about_seeds(hands):
    """A gain that one seed of three has is no gain that excludes zero."""
    target, visible, occluded, groups = hands
    first = np.stack([target, target + 500, target + 500])
    second = np.stack([target + 500] * 3)
    found = analysis.hidden_gain(first, second, target, visible, occluded, groups, repeats=500)
    low, high = found["in_sight"]["interval"]
    assert low == 0 and np.isclose(found["in_sight"]["difference"], 1 / 3) and high > 0.6
