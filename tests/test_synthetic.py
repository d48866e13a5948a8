"""The rendered hand: anatomy without drawing, then labels of drawn hands."""

import numpy as np
import pytest

from handpose.data.synthetic import LIMITS, SHAPES, Camera, Identity, Pose, SyntheticHands, joints, render, shape
from handpose.data.synthetic.anatomy import random_identity, rest_joints
from handpose.data.synthetic.collision import penetration
from handpose.data.synthetic.shapes import random_pose
from handpose.data.synthetic.surface import deform, skin
from handpose.skeleton import BONES, tight_box


@pytest.fixture(scope="module")
def drawn():
    hands = SyntheticHands(seed=3, split="test", size=128)
    return [hands[i] for i in range(30)]


def test_random_poses_keep_the_limits_and_the_bones():
    rng = np.random.default_rng(0)
    deepest = []
    for i in range(2000):
        identity = random_identity(rng)
        pose, name = random_pose(rng, identity)
        angles = pose.to_array()
        assert np.isfinite(angles).all()
        assert (angles >= LIMITS[:, 0] - 1e-9).all() and (angles <= LIMITS[:, 1] + 1e-9).all()
        assert name == "random" or name in SHAPES
        points = joints(pose, identity)
        assert points.shape == (21, 3) and np.isfinite(points).all()
        rest = rest_joints(identity) * identity.size  # joints turn, bones keep their lengths
        for a, b in BONES:
            assert np.linalg.norm(points[a] - points[b]) == pytest.approx(np.linalg.norm(rest[a] - rest[b]), rel=1e-6)
        if i % 4 == 0:
            deepest.append(penetration(pose, identity))
    assert np.percentile(deepest, 95) < 4 and max(deepest) < 12


def test_every_named_shape_is_within_limits_and_clear_of_itself():
    for name in SHAPES:
        pose = shape(name)
        assert np.allclose(pose.clipped().to_array(), pose.to_array(), atol=4), name
        assert penetration(pose) < 5, name


def test_flexion_goes_to_the_palm_and_abduction_to_the_thumb():
    straight = joints(Pose(index=(0, 0, 0, 0)))
    assert joints(Pose(index=(60, 0, 0, 0)))[8, 2] > straight[8, 2] + 50
    assert joints(Pose(index=(0, 0, 60, 0)))[8, 2] > straight[8, 2] + 20
    assert joints(Pose(index=(0, 15, 0, 0)))[8, 0] > straight[8, 0] + 10
    assert straight[4, 0] > straight[5, 0] > straight[9, 0] > straight[13, 0] > straight[17, 0]


def test_the_skin_is_closed_and_its_joints_lie_inside_it():
    s = skin()
    assert len(s.rest) <= 6500
    edges = np.sort(np.concatenate([s.faces[:, [0, 1]], s.faces[:, [1, 2]], s.faces[:, [2, 0]]]), 1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] % 2 == 0).all()  # no edge is open
    # A finger tip's flesh ends a few millimetres beyond its label.
    points, bones = deform(Pose(), Identity()), joints(Pose())
    for tip in (8, 12, 16, 20):
        along = (bones[tip] - bones[tip - 1]) / np.linalg.norm(bones[tip] - bones[tip - 1])
        near = np.linalg.norm(points - bones[tip], axis=1) < 12
        assert 3 < ((points[near] - bones[tip]) @ along).max() < 9


def test_labels_of_drawn_hands(drawn):
    for s in drawn:
        assert s.image.shape == (128, 128, 3) and s.image.dtype == np.uint8
        assert s.keypoints.shape == (21, 2) and s.keypoints.dtype == np.float32
        assert s.visible.dtype == s.occluded.dtype == bool and s.mask.dtype == np.uint8
        inside = ((s.keypoints >= -0.5) & (s.keypoints <= 127.5)).all(1)
        assert (s.visible == inside).all()
        assert np.array_equal(s.box, tight_box(s.keypoints, s.visible), equal_nan=True)
        seen = s.keypoints3d @ s.camera.T
        assert np.abs(seen[:, :2] / seen[:, 2:] - s.keypoints).max() < 1e-3
        assert (s.keypoints3d[:, 2] > 0).all() and s.hand in ("left", "right")


def test_open_joints_lie_on_the_hand(drawn):
    missed = total = 0
    for s in drawn:
        at = np.round(s.keypoints[s.visible & ~s.occluded]).astype(int)
        near = [s.mask[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2].max() for x, y in at]
        missed += sum(v < 128 for v in near)
        total += len(at)
    assert total > 200 and missed <= 0.005 * total


def test_the_same_index_gives_the_same_bits_in_any_order(drawn):
    again = SyntheticHands(seed=3, split="test", size=128)
    for i in (17, 2, 9):
        s = again[i]
        assert np.array_equal(s.image, drawn[i].image) and np.array_equal(s.keypoints, drawn[i].keypoints)
        assert np.array_equal(s.mask, drawn[i].mask) and s.id == drawn[i].id
    assert drawn[0].group == drawn[24].group != drawn[25].group


def test_streams_are_disjoint():
    sets = [
        SyntheticHands(seed, split, size=64) for seed, split in ((0, "train"), (0, "val"), (0, "test"), (1, "train"))
    ]
    seen = [s[i].keypoints.tobytes() for s in sets for i in range(3)]
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("hand", ["right", "left"])
def test_thumb_side(hand):
    """Palm to the camera, fingers up: a right hand's thumb is to the right in the picture, as one sees one's own."""
    palm = render("open", identity=Identity(hand=hand), camera=Camera(yaw=0), size=96)
    back = render("open", identity=Identity(hand=hand), camera=Camera(yaw=180), size=96)
    sign = 1 if hand == "right" else -1
    assert palm.hand == hand
    assert sign * (palm.keypoints[4, 0] - palm.keypoints[20, 0]) > 20
    assert sign * (back.keypoints[4, 0] - back.keypoints[20, 0]) < -20
    assert palm.keypoints[12, 1] < palm.keypoints[9, 1] < palm.keypoints[0, 1]  # fingers up
    # Turn from the wrist-index to the wrist-little direction, seen from the palm: the sign tells the hand.
    a, b, normal = palm.keypoints3d[5] - palm.keypoints3d[0], palm.keypoints3d[17] - palm.keypoints3d[0], None
    normal = np.cross(a, b) * sign
    assert normal[2] < 0  # out of the palm, towards the camera


def test_occlusion_in_a_known_view():
    """From the thumb's side of a flat hand the little finger is hidden, from the palm no finger tip is."""
    assert not render("flat", size=128).occluded[[8, 12, 16, 20]].any()
    side = render("flat", camera=Camera(yaw=-90), size=128)
    assert side.occluded[[17, 18]].all() and not side.occluded[[6, 8]].any()


def test_hand_fills_and_places_itself():
    hands = SyntheticHands(seed=5, size=48)
    fill, middle, shown = [], [], []
    for i in range(60):
        s = hands[i]
        low, high = s.keypoints.min(0), s.keypoints.max(0)
        fill.append((high - low).max() / 48)
        middle.append((low + high) / 96)
        shown.append(s.visible.all())
    assert min(fill) > 0.28 and max(fill) < 0.88 and np.std(fill) > 0.1
    assert np.std(middle, axis=0).min() > 0.04
    assert np.mean(shown) > 0.85


def test_backgrounds_and_bad_arguments():
    green = np.zeros((50, 70, 3), np.uint8) + np.array([0, 200, 0], np.uint8)
    picture = render("V", background=green, size=64)
    corner = picture.image[picture.mask == 0]
    assert np.median(np.abs(corner.astype(int) - (0, 200, 0))) < 3
    assert render("V", background=lambda rng, size: np.ones((size, size, 3)), size=32).image.max() == 255
    for wrong in (lambda: render("vulcan"), lambda: render("open", background="beach"), lambda: render("open", size=4)):
        with pytest.raises(ValueError):
            wrong()
    with pytest.raises(ValueError):
        SyntheticHands(split="validation")
    with pytest.raises(IndexError):
        SyntheticHands()[-1]
    assert len(list(SyntheticHands(size=32, length=2))) == 2
