"""GestureNet: sizes, the two faults of Table 3 as printed, and readers that learn."""

import numpy as np
import pytest
import torch

from handpose import gesturenet
from handpose.gesturenet import FullyConnected, GestureNet, NearestNeighbour, fit, normalise, read


def count(net) -> int:
    return sum(p.numel() for p in net.parameters())


def hands(number: int = 40, seed: int = 0) -> tuple[np.ndarray, list[str]]:
    """Two made-up shapes with noise: a spread hand and a fist."""
    rng = np.random.default_rng(seed)
    spread = np.stack([[0, 0], *([[20 * (f - 2), -30 * (k + 1)] for f in range(5) for k in range(4)])])
    fist = spread * (1, 0.3) + (0, 4)
    keypoints = np.stack([(spread, fist)[i % 2] + rng.normal(0, 2, (21, 2)) for i in range(number)])
    return normalise(keypoints), [("spread", "fist")[i % 2] for i in range(number)]


def test_sizes_are_those_of_the_tables():
    assert count(GestureNet(literal=True)) == 49_587
    assert count(FullyConnected([str(i) for i in range(35)], dimensions=3)) == 313_379
    assert GestureNet(literal=True)(torch.zeros(3, 21, 2)).shape == (3, 35)
    assert GestureNet()(torch.zeros(3, 21, 2)).shape == (3, 30)


def test_the_spread_as_unit_knows_neither_unit_nor_place_and_stands_no_single_bone():
    torch.manual_seed(0)
    net = GestureNet(units=64, spread=True).eval()
    keypoints = torch.randn(5, 21, 2)
    assert torch.allclose(net(keypoints), net(3 * keypoints - 7), atol=1e-4)
    assert not torch.allclose(net(keypoints), net(keypoints.flip(-1)), atol=1e-3)
    assert net.hidden[0].out_features == 64 and torch.isfinite(net(torch.zeros(1, 21, 2))).all()
    again = GestureNet(**net.options)
    again.load_state_dict(net.state_dict())
    assert torch.equal(again.eval()(keypoints), net(keypoints))


def test_as_printed_it_cannot_tell_x_from_y():
    keypoints = torch.randn(5, 21, 2)
    printed, sound = GestureNet(literal=True).eval(), GestureNet().eval()
    assert torch.allclose(printed(keypoints), printed(keypoints.flip(-1)), atol=1e-6)
    assert not torch.allclose(sound(keypoints), sound(keypoints.flip(-1)), atol=1e-3)


def test_as_printed_dropped_and_negative_logits_have_no_gradient():
    torch.manual_seed(0)
    keypoints, target = torch.randn(50, 21, 2), torch.zeros(50, dtype=torch.long)
    for net, share in ((GestureNet(literal=True), (0.4, 1.0)), (GestureNet(), (0.0, 0.0))):
        last = net.out[0] if net.literal else net.out
        linear = []  # the values before ReLU and dropout
        last.register_forward_hook(lambda _m, _i, output, into=linear: (output.retain_grad(), into.append(output))[1])
        torch.nn.functional.cross_entropy(net.train()(keypoints), target).backward()
        dead = (linear[0].grad == 0).float().mean().item()
        assert share[0] <= dead <= share[1]
        if net.literal:
            assert (linear[0].grad[linear[0] < 0] == 0).all() and (linear[0] < 0).any()


def test_normalised_points_know_neither_place_nor_size():
    keypoints = np.random.default_rng(0).normal(100, 30, (4, 21, 2))
    base = normalise(keypoints)
    assert np.allclose(normalise(3 * keypoints + (5, -8)), base, atol=1e-4)
    assert np.allclose((base[:, 0] + base[:, 9]) / 2, 0, atol=1e-5)
    assert np.allclose(normalise(keypoints, mirrored=True), base * (-1, 1))
    hidden = np.ones((4, 21), bool)
    hidden[:, 20] = False
    keypoints[:, 20] = np.nan
    assert (normalise(keypoints, hidden)[:, 20] == 0).all()


@pytest.mark.parametrize(
    ("keypoints", "says"),
    [(np.zeros((20, 2)), r"\(..., 21, 2\)"), (np.full((21, 2), np.nan), "not finite"), (np.ones((21, 2)), "one place")],
)
def test_points_that_cannot_be_normalised_are_refused(keypoints, says):
    with pytest.raises(ValueError, match=says):
        normalise(keypoints)


@pytest.mark.parametrize("make", [GestureNet, FullyConnected])
def test_a_reader_learns_and_reads_left_hands_too(make):
    torch.manual_seed(0)
    net = make(["fist", "spread"])
    keypoints, known = hands()
    losses = fit(net, keypoints, known, steps=150, seed=1)
    assert np.mean(losses[-20:]) < 0.2 < losses[0]
    fresh, names = hands(seed=1)
    for shown in (fresh, fresh * (-1, 1)):
        found, sure = read(net, shown)
        assert (found == names).all() and np.allclose(sure.sum(1), 1, atol=1e-5)


def test_the_nearest_neighbour_reads_left_hands_too():
    reader, (fresh, names) = NearestNeighbour(*hands()), hands(seed=1)
    assert (reader(fresh) == names).all() and (reader(fresh * (-1, 1)) == names).all()


def test_the_same_seed_gives_the_same_reader():
    keypoints, known = hands()
    weights = []
    for _ in range(2):
        torch.manual_seed(0)
        net = GestureNet(["fist", "spread"])
        fit(net, keypoints, known, steps=5, seed=3)
        weights.append(net.out.weight.detach().clone())
    assert torch.equal(*weights)


def test_only_exact_points_get_an_error_and_it_is_one_hand_s_in_parts_of_the_box():
    rng = torch.Generator().manual_seed(0)
    keypoints = torch.rand(200, 21, 2, generator=rng) * 5
    errors = torch.randn(3, 21, 2, generator=rng)
    exact = torch.arange(200) % 2 == 0
    moved = gesturenet.misplaced(keypoints, errors, exact, rng)
    assert torch.equal(moved[~exact], keypoints[~exact])
    side = (keypoints.amax(1) - keypoints.amin(1)).amax(1)
    off = ((moved - keypoints) / side[:, None, None])[exact]
    either = torch.cat([errors, errors * torch.tensor([-1.0, 1.0])])  # as it was, and mirrored
    apart = (off[:, None] - either).abs().amax((2, 3))
    assert apart.amin(1).max() < 1e-4 and len(apart.argmin(1).unique()) == len(either)


def test_what_is_drawn_more_often_is_learned_and_errors_reach_the_loss():
    keypoints, known = hands()
    only = np.array([name == "fist" for name in known], float)
    torch.manual_seed(0)
    net = GestureNet(["fist", "spread"], spread=True)
    fit(net, keypoints, known, steps=60, weights=only)
    assert (read(net, keypoints)[0] == "fist").all()  # it has never seen the other
    losses = []
    for errors in (None, np.random.default_rng(0).normal(0, 1, (9, 21, 2))):
        torch.manual_seed(0)
        losses.append(fit(GestureNet(["fist", "spread"]), keypoints, known, steps=150, errors=errors, seed=1))
    assert np.mean(losses[1][-20:]) > 2 * np.mean(losses[0][-20:])


def test_mistakes_are_named():
    keypoints, known = hands()
    with pytest.raises(ValueError, match="40 hands and 2 weights"):
        fit(GestureNet(["fist", "spread"]), keypoints, known, weights=np.ones(2))
    with pytest.raises(ValueError, match=r"errors must be \(M, 21, 2\) with at least one hand, got \(0, 21, 2\)"):
        fit(GestureNet(["fist", "spread"]), keypoints, known, errors=np.zeros((0, 21, 2)))
    with pytest.raises(ValueError, match="units=64, spread=False: Table 3 to the letter has 128 units"):
        GestureNet(literal=True, units=64)
    with pytest.raises(ValueError, match="no output for 'fist'"):
        fit(GestureNet(["a", "b"]), keypoints, known)
    with pytest.raises(ValueError, match="40 hands and 3 labels"):
        fit(GestureNet(["fist", "spread"]), keypoints, known[:3])
    with pytest.raises(ValueError, match="no name twice"):
        GestureNet(["a", "a"])
    with pytest.raises(ValueError, match="35 outputs"):
        GestureNet([str(i) for i in range(36)], literal=True)
    assert gesturenet.PRINTED == 35
