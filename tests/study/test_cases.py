"""Hard cases: what is hard and what is easy in each, and that predictions and labels stay in one frame."""

import numpy as np
import pytest

from handpose import PoseEstimationNet, crop
from handpose.data.synthetic import SyntheticHands
from handpose.study import analysis, cases
from handpose.train import evaluate

HANDS = SyntheticHands(split="test", size=96, length=6)


@pytest.fixture(scope="module", params=["hidden", "crossed", "turned", "border", "border_with_code"])
def case(request):
    return getattr(cases, request.param)(HANDS, 64)


def test_hard_and_easy_are_apart_and_visible(case):
    assert not (case.hard & case.easy).any() and not ((case.hard | case.easy) & ~case.hands.visible).any()
    number = len(case.hands.ids)
    assert case.hard.shape == case.easy.shape == (number, 21) and case.kinds.shape == (number,)
    assert len(case.hands.groups) == len(case.hands.images) == number and case.easy.any()


def test_labels_lie_where_the_crop_shows_them(case):
    """Mapped into the crop, easy joints lie in it; a prediction at the label is right."""
    inside = np.stack([crop.apply(m, p) for m, p in zip(case.hands.matrices, case.hands.keypoints, strict=True)])
    assert ((inside >= -0.5) & (inside <= 63.5))[case.easy].all()
    perfect = case.hands.keypoints[None]
    gain = analysis.gain_apart(perfect, perfect + 1000, case.hands.keypoints, case.hands.visible, case.hard, case.easy,
                               case.hands.groups, repeats=2)  # fmt: skip
    assert gain["easy"]["difference"] == 1


def test_crossed_bones_are_found():
    fingers = np.zeros((3, 21, 2))
    for f, joints in enumerate(cases.FINGERS):  # five upright fingers beside one another
        fingers[:, joints] = np.stack([np.full(4, 10.0 * f), -10.0 * np.arange(4)], 1)
    fingers[1, 8], fingers[1, 12] = (20, -30), (10, -30)  # the tips of index and middle finger change places
    fingers[2, cases.FINGERS[0]] = [(0, 0), (5, -5), (25, -15), (35, -15)]  # the thumb across two fingers
    assert cases.crossing(fingers).astype(int).tolist() == [[0] * 5, [0, 1, 1, 0, 0], [1, 1, 1, 1, 0]]


def test_turned_hands_are_the_same_hands():
    case = cases.turned(HANDS, 64)
    number = len(case.hands.ids) // 5
    assert case.hands.ids[:number] == case.hands.ids[number : 2 * number] and set(case.kinds) == {
        f"{angle} degrees" for angle in cases.ANGLES
    }
    upright, half = case.hands.keypoints[:number], case.hands.keypoints[-number:]
    assert np.allclose(half + upright, 95, atol=1e-3)  # half a turn of a picture of 96 pixels
    assert case.hard.any(1).sum() == 2 * number and case.easy.any(1).sum() == number


def test_a_moved_crop_cuts_joints_off_and_keeps_the_frame():
    case, still = cases.border(HANDS, 64), evaluate.crop_dataset(HANDS, 64)
    assert np.array_equal(case.hands.keypoints, still.keypoints) and set(case.kinds) == {"right", "left", "down", "up"}
    assert (case.hands.visible & ~case.hard & ~case.easy).any()  # some are cut off
    moved = case.hands.matrices[0, 0, 2] - still.matrices[0, 0, 2]
    assert moved == pytest.approx(-cases.SHIFT * 64) and case.hands.matrices[0, 1, 2] == still.matrices[0, 1, 2]


def test_the_position_code_moves_with_the_hand():
    """What the code is at the middle of the hand, moved or not; a network without attention makes no difference."""
    still, moved = cases.border(HANDS, 64), cases.border_with_code(HANDS, 64)
    assert np.array_equal(still.hands.images, moved.hands.images) and still.fingerprint() != moved.fingerprint()
    middles = [crop.apply(m, crop.square_around(HANDS[i].box)[0]) for i, m in enumerate(moved.hands.matrices)]
    seen = (np.array(middles)[:, ::-1] + 0.5) / 64 + moved.start  # (y, x), as parts of the crop
    assert np.allclose(seen, 0.5, atol=0.01)

    plain = PoseEstimationNet(attention=False, width=0.125).eval()
    assert np.array_equal(moved.predict(plain), still.predict(plain))
    net = PoseEstimationNet(attention=(10,), width=0.125).eval()
    first, second = still.predict(net), moved.predict(net)
    assert first.shape == second.shape and not np.allclose(first, second)
    assert np.array_equal(still.predict(net), first)  # the network is as it was
    with cases.code_from(net, (0.0, 0.2)):
        to_the_right = evaluate.predict(net, moved.hands)
    rows = moved.kinds == "right"
    assert rows.any() and np.allclose(second[:, rows], to_the_right[:, rows], atol=1e-3)


def test_what_is_hidden_must_be_known():
    class Blind:
        def __len__(self):
            return 1

        def __getitem__(self, index):
            sample = HANDS[0]
            sample.occluded = None
            return sample

    with pytest.raises(ValueError, match="not known which joints are hidden"):
        cases.hidden(Blind(), 64)


def test_the_same_pictures_have_the_same_fingerprint():
    first, second = cases.border(HANDS, 64, 3), cases.border(HANDS, 64, 4)
    assert first.fingerprint() == cases.border(HANDS, 64, 3).fingerprint() != second.fingerprint()
