import numpy as np
import pytest

from handpose import metrics


def hands(number=4):
    target = np.zeros((number, 21, 2))
    target[:, :, 0] = np.arange(21) * 10
    return target.copy(), target, np.ones((number, 21), bool)


def test_pck_by_hand():
    predicted, target, visible = hands(1)
    predicted[0, :, 1] = np.arange(21)  # errors 0, 1, ..., 20 pixels
    scale = np.array([10.0])
    found = metrics.pck(predicted, target, visible, scale, [0.0, 0.5, 1.0, 2.0])
    assert found.tolist() == [1 / 21, 6 / 21, 11 / 21, 1.0]
    visible[0, 11:] = False
    assert metrics.pck(predicted, target, visible, scale, [0.5]).tolist() == [6 / 11]


def test_pck_of_nothing_and_of_nan():
    predicted, target, visible = hands(1)
    assert np.isnan(metrics.pck(predicted, target, visible & False, np.ones(1), [0.2])).all()
    predicted[0, 0] = np.nan
    assert metrics.pck(predicted, target, visible, np.ones(1), [1e9]) == pytest.approx(20 / 21)


def test_pck_refuses_a_zero_scale_and_other_shapes():
    predicted, target, visible = hands(1)
    with pytest.raises(ValueError):
        metrics.pck(predicted, target, visible, np.zeros(1), [0.2])
    with pytest.raises(ValueError):
        metrics.pck(predicted[:, :20], target, visible, np.ones(1), [0.2])


@pytest.mark.parametrize("fault", ["nan", "shape", "text", "mask nan"])
def test_labels_that_cannot_count_are_refused_everywhere(fault):
    predicted, target, visible = hands(6)
    masks = {"shape": visible[:, :20], "text": visible.astype(str), "mask nan": np.where(visible, np.nan, 1.0)}
    mask = masks.get(fault, visible)
    if fault == "nan":
        target[2, 5] = np.nan
    groups = list("abcdef")
    for score in (
        lambda: metrics.pck(predicted, target, mask, np.ones(6), [0.2]),
        lambda: metrics.auc(predicted, target, mask),
        lambda: metrics.summarise(predicted, target, mask),
        lambda: metrics.intervals(predicted, target, mask, groups),
        lambda: metrics.paired(predicted[None], predicted[None], target, mask, groups),
    ):
        with pytest.raises(ValueError, match="not finite|must"):
            score()
    visible[2, 5] = False  # a label that does not count may be anything
    target[2, 5] = np.nan
    assert 0 <= metrics.auc(predicted, target, visible * 2) <= 1  # COCO's 2 is visible


def test_auc_by_hand():
    predicted, target, visible = hands(1)
    assert metrics.auc(predicted, target, visible) == 1
    predicted[0, :, 1] = 15.0  # between the 10th (14.2) and 11th (15.8) of 20 thresholds: 9.5 of 19 steps
    assert metrics.auc(predicted, target, visible) == pytest.approx(9.5 / 19)


def test_summary():
    predicted, target, visible = hands(2)
    predicted[0, 0, 1], predicted[1, 20, 1] = 5.0, 12.0
    occluded = np.zeros((2, 21), bool)
    occluded[0, 0] = True
    found = metrics.summarise(predicted, target, visible, occluded)
    # s is the floor here, 0.15 of 200 = 30 px: 5 px is 0.167 s, 12 px is 0.4 s; the box's side is 200
    assert found["pck_bone"] == {"0.15": 40 / 42, "0.2": 41 / 42, "0.25": 41 / 42, "0.3": 41 / 42}
    assert found["pck_box"] == {"0.05": 41 / 42, "0.1": 1.0, "0.2": 1.0}
    assert found["epe_mean_px"] == pytest.approx(17 / 42) and found["epe_median_px"] == 0
    assert found["pck_bone_0.2_finger"]["little"] == 7 / 8 and found["pck_bone_0.2_finger"]["wrist"] == 1
    assert found["pck_bone_0.2_occluded"] == 1 and found["pck_bone_0.2_unoccluded"] == 40 / 41


def test_curves_by_hand_rise_and_pass_through_the_summary():
    predicted, target, visible = hands(1)
    predicted[0, :, 1] = np.arange(21)  # errors 0 to 20 px; s is the floor, 30 px, and the box's side is 200
    found = metrics.curves(predicted, target, visible)
    assert found["thresholds"] == [round(0.01 * i, 2) for i in range(51)]
    assert [found["pck_bone"][i] for i in (0, 21, 50)] == [1 / 21, 7 / 21, 16 / 21]  # up to 0, 6.3 and 15 px
    assert [found["pck_box"][i] for i in (0, 3, 10, 50)] == [1 / 21, 7 / 21, 1, 1]  # up to 0, 6, 20 and 100 px
    predicted = target + np.random.default_rng(0).normal(0, 8, target.shape)
    found, keypoints = metrics.curves(predicted, target, visible), metrics.summarise(predicted, target, visible)
    for unit in ("pck_bone", "pck_box"):
        assert (np.diff(found[unit]) >= 0).all()
        for t, value in keypoints[unit].items():
            assert found[unit][found["thresholds"].index(float(t))] == value


def test_intervals_hold_the_value_and_agree_with_summary():
    rng = np.random.default_rng(0)
    predicted, target, visible = hands(60)
    predicted = target + rng.normal(0, 6, target.shape)
    visible = rng.random(visible.shape) < 0.8
    groups = [f"g{i // 5}" for i in range(60)]
    found, ends = (
        metrics.summarise(predicted, target, visible),
        metrics.intervals(predicted, target, visible, groups, repeats=300),
    )
    for key, low_high in ends.items():
        if isinstance(low_high, dict):
            for t, (low, high) in low_high.items():
                assert low <= found[key][t] <= high and (high > low or found[key][t] in (0, 1))
        else:
            assert low_high[0] < found[key] < low_high[1]


def test_few_groups_give_no_interval():
    """One folder of photographs as one group gave 0.774, 0.774 to 0.774."""
    predicted, target, visible = hands(40)
    predicted = target + np.random.default_rng(1).normal(0, 6, target.shape)
    for number in (1, 4, 5):
        groups = [f"g{i % number}" for i in range(40)]
        found = metrics.intervals(predicted, target, visible, groups, repeats=50)
        pairs = metrics.paired(predicted[None], target[None], target, visible, groups, repeats=50)
        every = [found["auc_30px"], found["epe_mean_px"], found["epe_median_px"]]
        for unit in ("pck_bone", "pck_box"):
            every += [*found[unit].values(), *(pair["interval"] for pair in pairs[unit].values())]
        assert all((ends is None) == (number < metrics.FEWEST) for ends in every)
        if number == 5:
            assert found["pck_bone"]["0.15"][0] < found["pck_bone"]["0.15"][1]


@pytest.mark.parametrize("seed", range(8))
def test_the_median_lies_in_its_own_interval(seed):
    """Of few, even numbers of joints too: a draw of all groups once gives what `summarise` gives."""
    rng = np.random.default_rng(seed)
    predicted, target, visible = hands(6)
    predicted = target + rng.gamma(0.5, 9, target.shape)
    visible = rng.random(visible.shape) < (0.1 if seed % 2 else 0.9)
    visible[:, :2] = True
    groups = [str(i) for i in range(6)]
    value = metrics.summarise(predicted, target, visible)["epe_median_px"]
    low, high = metrics.intervals(predicted, target, visible, groups, repeats=200)["epe_median_px"]
    assert low <= value <= high and low < high
    distances = metrics.errors(predicted, target)[visible]
    assert value == np.median(distances)


def test_median_of_draws_is_that_of_the_drawn_joints(monkeypatch):
    """The weighted median is numpy's of the joints, each as often as its picture was drawn."""
    rng, drawn = np.random.default_rng(5), []
    predicted, target, visible = hands(7)
    predicted = target + rng.gamma(0.5, 9, target.shape)
    visible = rng.random(visible.shape) < 0.5

    def bootstrap(groups, statistic, **_):
        drawn.append(statistic)
        return np.zeros((2, 10))

    monkeypatch.setattr(metrics, "bootstrap", bootstrap)
    metrics.intervals(predicted, target, visible, list("abcdefg"))
    distances = metrics.errors(predicted, target)
    for _ in range(50):
        times = np.bincount(rng.integers(7, size=7), minlength=7)
        joints = np.concatenate([distances[i][visible[i]] for i in range(7) for _ in range(times[i])])
        assert drawn[0](times)[-1] == pytest.approx(np.median(joints))


def test_groups_that_resemble_themselves_widen_the_interval():
    values = np.repeat([0.0, 1.0] * 5, 20)
    mean = lambda times: (times @ values) / times.sum()  # noqa: E731
    low, high = metrics.bootstrap([f"{i // 20}" for i in range(200)], mean, repeats=500)
    low1, high1 = metrics.bootstrap([str(i) for i in range(200)], mean, repeats=500)
    assert high - low > 2 * (high1 - low1)


def test_word_error_rate_is_one_minus_accuracy_with_wilson_s_interval():
    """The interval solves |p - x| = z sqrt(x (1 - x) / n) for the true rate x: its definition."""
    rate, (low, high) = metrics.word_error_rate(["a"] * 131 + ["b"] * 69, ["a"] * 200)
    assert rate == 0.345
    for end in (low, high):
        assert abs(rate - end) == pytest.approx(1.96 * np.sqrt(end * (1 - end) / 200))
    assert metrics.wilson(0, 10)[0] == pytest.approx(0, abs=1e-12) and 0.25 < metrics.wilson(0, 10)[1] < 0.3
    with pytest.raises(ValueError, match="2 readings of 3 signs"):
        metrics.word_error_rate(["a", "b"], ["a", "b", "c"])
