"""The rendered hand: anatomy without drawing, then labels of rendered hands."""

import multiprocessing

import cv2
import numpy as np
import pytest

from handpose.data.synthetic import (
    GERMAN_ALPHABET,
    LIMITS,
    SHAPES,
    Camera,
    Identity,
    Pose,
    SyntheticHands,
    alphabet,
    joints,
    render,
    shape,
)
from handpose.data.synthetic.anatomy import random_identity, rest_joints
from handpose.data.synthetic.collision import penetration
from handpose.data.synthetic.shapes import random_pose
from handpose.data.synthetic.surface import deform, skin
from handpose.skeleton import BONES, tight_box


@pytest.fixture(scope="module")
def drawn():
    hands = SyntheticHands(seed=3, split="test", size=128)
    return [hands[i] for i in range(30)]


def test_ten_thousand_random_poses_keep_the_limits_and_the_bones():
    rng = np.random.default_rng(0)
    angles, keypoints, rest, deepest = [], [], [], []
    for i in range(10_000):
        if i % 10 == 0:
            identity = random_identity(rng)
            still = rest_joints(identity) * identity.size
        tested = i % 25 == 0  # the search for overlaps takes most of the time
        pose, name = random_pose(rng, identity, variety=i / 9999, allowed=3.5 if tested else np.inf)
        assert name == "random" or name in SHAPES
        angles.append(pose.to_array())
        keypoints.append(joints(pose, identity))
        rest.append(still)
        if tested:
            deepest.append(penetration(pose, identity))
    angles, keypoints, rest = np.array(angles), np.array(keypoints), np.array(rest)
    assert keypoints.shape == (10_000, 21, 3) and np.isfinite(keypoints).all() and np.isfinite(angles).all()
    assert (angles >= LIMITS[:, 0] - 1e-9).all() and (angles <= LIMITS[:, 1] + 1e-9).all()
    a, b = np.array(BONES).T  # joints turn, bones keep their lengths
    lengths = [np.linalg.norm(p[:, a] - p[:, b], axis=2) for p in (keypoints, rest)]
    np.testing.assert_allclose(*lengths, rtol=1e-6)
    assert angles[:, 5:21].std(0).min() > 2 and np.ptp(angles[:, 5:21:4], axis=0).min() > 90  # poses differ
    assert np.percentile(deepest, 95) < 4 and max(deepest) < 12


def test_the_german_alphabet():
    """30 described shapes, each seen as it is held."""
    assert len(GERMAN_ALPHABET) == len(set(GERMAN_ALPHABET)) == 30 and set(GERMAN_ALPHABET) <= set(SHAPES)
    assert set(GERMAN_ALPHABET) == (set("ABCDEFGHIKLMNOPQRSTUVWXY12345") | {"SCH"})
    assert set(alphabet.DESCRIPTIONS) == set(GERMAN_ALPHABET)
    assert all(words and source for words, source in alphabet.DESCRIPTIONS.values())
    assert set(alphabet.VIEWS) <= set(GERMAN_ALPHABET)
    for a, b in (("U", "H"), ("K", "P"), ("SCH", "5")):  # one shape, two directions
        assert shape(a) == shape(b) and alphabet.view(a) != alphabet.view(b)

    def pointing(name, finger):
        """From the finger's first joint to its tip, in the picture (x right, y down)."""
        keypoints = joints(shape(name)) @ alphabet.view(name).rotation().T
        return (keypoints[finger + 3] - keypoints[finger])[:2]

    for name in "GHT":
        assert pointing(name, 5)[0] > 60 and abs(pointing(name, 5)[1]) < 30, name
    for name, fingers in (("M", (5, 9, 13)), ("N", (5, 9)), ("Q", (5,)), ("P", (9,))):
        assert all(pointing(name, f)[1] > 20 for f in fingers), name
    for number, fingers in (
        ("1", (1,)),
        ("2", (1, 5)),
        ("3", (1, 5, 9)),
        ("4", (5, 9, 13, 17)),
        ("5", (1, 5, 9, 13, 17)),
    ):
        keypoints = joints(shape(number))
        chains = keypoints[1:].reshape(5, 4, 3)
        bones = np.linalg.norm(np.diff(chains, axis=1), axis=2).sum(1)
        straight = np.linalg.norm(chains[:, 3] - chains[:, 0], axis=1) / bones > 0.95
        assert [4 * f + 1 for f in np.flatnonzero(straight)] == list(fingers), number


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
    keypoints, bones = deform(Pose(), Identity()), joints(Pose())
    for tip in (8, 12, 16, 20):
        along = (bones[tip] - bones[tip - 1]) / np.linalg.norm(bones[tip] - bones[tip - 1])
        near = np.linalg.norm(keypoints - bones[tip], axis=1) < 12
        assert 3 < ((keypoints[near] - bones[tip]) @ along).max() < 9


def test_labels_of_drawn_hands(drawn):
    for s in drawn:
        assert s.image.shape == (128, 128, 3) and s.image.dtype == np.uint8
        assert s.keypoints.shape == (21, 2) and s.keypoints.dtype == np.float32
        assert s.visible.dtype == s.occluded.dtype == bool and s.mask.dtype == np.uint8
        inside = ((s.keypoints >= -0.5) & (s.keypoints <= 127.5)).all(1)
        assert (s.visible == inside).all()
        assert np.array_equal(s.box, tight_box(s.keypoints, s.visible), equal_nan=True)
        projected = s.keypoints3d @ s.camera.T
        assert np.abs(projected[:, :2] / projected[:, 2:] - s.keypoints).max() < 1e-3
        assert (s.keypoints3d[:, 2] > 0).all() and s.hand in ("left", "right")


def test_open_joints_lie_on_the_hand_in_200_pictures():
    """Joints that are not hidden lie inside the mask within a pixel."""
    total, missed = 0, []
    for i in range(200):
        s = SyntheticHands(seed=3, split="test", size=64 + 8 * (i % 5), variety=(0, 1))[i]
        at = np.round(s.keypoints[s.visible & ~s.occluded]).astype(int)
        total += len(at)
        missed += [(i, x, y) for x, y in at if s.mask[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2].max() < 128]
    assert total > 2000 and len(missed) <= 0.002 * total, missed


def test_the_same_index_gives_the_same_bits_in_any_order(drawn):
    again = SyntheticHands(seed=3, split="test", size=128)
    for i in (17, 2, 9):
        s = again[i]
        assert np.array_equal(s.image, drawn[i].image) and np.array_equal(s.keypoints, drawn[i].keypoints)
        assert np.array_equal(s.mask, drawn[i].mask) and s.id == drawn[i].id
    assert drawn[0].group == drawn[24].group != drawn[25].group


def test_worker_processes_draw_the_same_pictures():
    hands = SyntheticHands(seed=8, size=64)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        drawn = pool.map(hands.__getitem__, range(8), chunksize=1)
    for i, s in enumerate(drawn):
        assert np.array_equal(s.image, hands[i].image) and np.array_equal(s.mask, hands[i].mask)
        assert np.array_equal(s.keypoints, hands[i].keypoints)


def test_streams_are_disjoint():
    sets = [
        SyntheticHands(seed, split, size=64) for seed, split in ((0, "train"), (0, "val"), (0, "test"), (1, "train"))
    ]
    keypoints = [s[i].keypoints.tobytes() for s in sets for i in range(3)]
    assert len(set(keypoints)) == len(keypoints)


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
    image = render("V", background=green, size=64)
    corner = image.image[image.mask == 0]
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


def test_a_folder_of_pictures_as_background(tmp_path):
    with pytest.raises(ValueError, match="no folder"):
        SyntheticHands(background=tmp_path / "nowhere")
    (tmp_path / "deeper").mkdir()
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / "broken.jpg").write_bytes(b"not a picture either")
    with pytest.raises(ValueError, match="no readable picture"):
        render("V", background=tmp_path)
    red = np.zeros((90, 140, 3), np.uint8) + np.array([0, 0, 200], np.uint8)  # OpenCV writes blue first
    cv2.imwrite(str(tmp_path / "deeper" / "red.png"), red)
    for folder in (tmp_path, str(tmp_path)):
        image = render("V", background=folder, size=64)
        assert np.abs(image.image[image.mask == 0].astype(int) - (200, 0, 0)).mean() < 8
    hands = SyntheticHands(background=tmp_path, size=48, length=3)
    key, first = hands.cache_key, hands[1].image
    again = SyntheticHands(background=str(tmp_path), size=48, length=3)
    assert again.cache_key == key and np.array_equal(again[1].image, first)
    cv2.imwrite(str(tmp_path / "grey.png"), red // 2)
    other = SyntheticHands(background=tmp_path, size=48, length=3).cache_key
    assert len({key, other, SyntheticHands(size=48, length=3).cache_key}) == 3
    arrays = [SyntheticHands(background=np.full((300, 300, 3), v, np.uint8)).cache_key for v in (7, 8)]
    assert arrays[0] != arrays[1]
