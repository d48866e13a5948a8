"""Following hands: with a stand-in for HandPose whose hands lie where a table says, and with the real one."""

import cv2
import numpy as np
import pytest
from PIL import Image

import handpose
from handpose import crop, skeleton
from handpose.apply import tracking
from handpose.apply.tracking import Tracker
from handpose.confidence import Confidence
from handpose.data import DataError, SyntheticHands, pictures
from handpose.pipeline import Hand

SHAPE = SyntheticHands(split="test")[3].keypoints
SHAPE = (SHAPE - SHAPE.min(0)) / np.ptp(SHAPE, axis=0)  # (21, 2) in 0..1
PICTURE = np.zeros((480, 640, 3), np.uint8)


class Eyes:
    """Called like HandPose: sees the hands (x, y, side) that `hands` holds, by detector, or near a given box."""

    def __init__(self):
        self.hands, self.score, self.blind, self.looks, self.passes, self.boxes = [], 0.7, False, 0, 0, []
        self.angles, self.tiles, self.confidence = [], [], Confidence(0, 1, 0, alone=(-11, 20))  # 0.27 at 0.5

    def hand(self, position, box=None, sure=1.0):
        keypoints = (SHAPE * position[2] + position[:2]).astype(np.float32)
        box = skeleton.tight_box(keypoints) if box is None else np.asarray(box, np.float32)
        return Hand(keypoints, np.full(21, self.score, np.float32), box, sure)

    def __call__(self, image, boxes=None, *, angles=None, tiles=None):
        if boxes is None:
            self.looks += 1
            self.tiles.append(tiles)
            return [] if self.blind else [self.hand(position, sure=0.9) for position in self.hands]
        self.boxes, self.angles, found, self.passes = boxes, angles, [], self.passes + 1
        for box in boxes:
            fit = {p: tracking._overlap(np.array(box), self.hand(p).box) for p in self.hands}
            if fit and max(fit.values()) > 0.1:
                found.append(self.hand(max(fit, key=fit.get), box))
            else:  # nothing but background: low scores somewhere in the box
                found.append(self.hand((*box[:2], box[2] - box[0]), box))
                found[-1].scores[:] = 0.2
        return found


@pytest.fixture
def eyes():
    return Eyes()


def test_a_still_hand_is_looked_for_every_tenth_frame(eyes):
    eyes.hands = [(200, 100, 120)]
    tracker, looked = Tracker(eyes), []
    for _ in range(31):
        (hand,) = tracker(PICTURE)
        looked.append(tracker.looked)
        assert (
            tracker.numbers == [1] and hand.score == 0.9 and np.allclose(hand.box, skeleton.tight_box(hand.keypoints))
        )
    assert np.flatnonzero(looked).tolist() == [0, 10, 20, 30] and eyes.looks == 4
    assert eyes.passes == 27  # where the detector looks it gives the key-points, too: nothing is followed besides


def test_what_the_detector_passes_over_is_followed_in_that_frame_too(eyes):
    eyes.hands = [(200, 100, 120)]
    tracker = Tracker(eyes)
    tracker(PICTURE)
    eyes.blind = True
    for frame in range(1, 21):
        eyes.hands = [(200 + 5 * frame, 100, 120)]
        (hand,) = tracker(PICTURE)
        assert np.abs(skeleton.tight_box(hand.keypoints)[0] - (200 + 5 * frame)) < 5  # not where it was
    assert eyes.looks == 3 and eyes.passes == 20 and tracker.numbers == [1]


def test_the_box_follows_and_does_not_shrink(eyes):
    tracker = Tracker(eyes)
    for step in range(30):
        eyes.hands = [(50 + 15 * step, 100, 120)]
        (hand,) = tracker(PICTURE)
        assert np.allclose(hand.keypoints[0], eyes.hand(eyes.hands[0]).keypoints[0]) and tracker.numbers == [1]
    assert 110 < np.ptp(np.array(eyes.boxes[0]).reshape(2, 2)[:, 0]) < 135


def test_nobody_there_then_a_hand(eyes):
    tracker = Tracker(eyes)
    assert [tracker(PICTURE) for _ in range(5)] == [[]] * 5 and eyes.looks == 5
    eyes.hands = [(200, 100, 120)]
    assert len(tracker(PICTURE)) == 1  # in that very frame


def test_pictures_without_a_hand_are_not_all_looked_at_closely(eyes):
    """Four more passes of the detector are for every fifth of them; in a video with a hand they are not needed."""
    tracker = Tracker(eyes)
    for _ in range(12):
        tracker(PICTURE)
    assert [k for k, tiles in enumerate(eyes.tiles) if tiles is not False] == [0, 5, 10]


def test_a_second_hand_is_found_within_ten_frames_and_numbers_stay(eyes):
    eyes.hands = [(50, 100, 120)]
    tracker = Tracker(eyes)
    tracker(PICTURE)
    eyes.hands = [(400, 100, 120), (50, 100, 120)]
    counts = [len(tracker(PICTURE)) for _ in range(tracking.EVERY)]
    assert counts == [1] * 9 + [2] and tracker.numbers == [1, 2]
    assert [hand.box[0] for hand in tracker(PICTURE)] == pytest.approx([50, 400])


def test_a_low_score_makes_the_detector_look(eyes):
    eyes.hands = [(200, 100, 120)]
    tracker = Tracker(eyes)
    tracker(PICTURE)
    tracker(PICTURE)
    assert not tracker.looked
    eyes.score = 0.3
    assert len(tracker(PICTURE)) == 1 and tracker.looked and tracker.numbers == [1]
    eyes.hands = []
    assert tracker(PICTURE) == [] and tracker.looked


def test_a_hand_of_low_scores_is_followed_without_a_look_in_every_frame(eyes):
    """Of people never seen many hands have low scores in all frames; that they fall tells that a hand has gone."""
    eyes.hands, eyes.score = [(200, 100, 120)], 0.42
    assert eyes.confidence.of_keypoints(eyes.score) < tracking.LEAST
    tracker, looked = Tracker(eyes), []
    for _ in range(21):
        tracker(PICTURE)
        looked.append(tracker.looked)
    assert np.flatnonzero(looked).tolist() == [0, 10, 20] and tracker.numbers == [1]
    eyes.score = 0.9 * tracking.KEEP * 0.42
    tracker(PICTURE)
    assert tracker.looked and tracker.numbers == [1]
    tracker(PICTURE)
    assert not tracker.looked  # the detector has seen it so, too
    eyes.hands = []
    assert tracker(PICTURE) == [] and tracker.looked


def test_cut_to_another_scene(eyes):
    eyes.hands = [(20, 20, 100)]
    tracker = Tracker(eyes)
    tracker(PICTURE)
    tracker(PICTURE)
    eyes.hands = [(400, 300, 100)]
    (hand,) = tracker(PICTURE)
    assert hand.box[0] == pytest.approx(400) and tracker.looked and tracker.numbers == [2]


@pytest.mark.parametrize("position", [(270, 100, 120), (200, 100, 300), (200, 100, 40), (200, 100, 4), (540, 100, 120)])
def test_jumps_and_changes_of_size_make_the_detector_look(eyes, position):
    """Half a hand's width, twice or half or none of its size, out of the picture: all from one frame to the next."""
    eyes.hands = [(200, 100, 120)] if position[0] != 540 else [(520, 100, 120)]
    tracker = Tracker(eyes)
    tracker(PICTURE)
    tracker(PICTURE)
    eyes.hands, image = [position], PICTURE if position[0] != 540 else PICTURE[:, :590].copy()
    tracker(image)
    assert tracker.looked


def test_a_picture_of_another_size(eyes):
    eyes.hands = [(500, 300, 100)]
    tracker = Tracker(eyes)
    tracker(PICTURE)
    eyes.hands = []
    assert tracker(PICTURE[:200, :200].copy()) == []  # the box now lies outside, where HandPose would refuse it


def test_two_tracks_on_one_hand_become_one(eyes):
    eyes.hands = [(100, 100, 120), (400, 100, 120)]
    tracker = Tracker(eyes)
    assert len(tracker(PICTURE)) == 2
    for x in range(370, 100, -30):  # the second hand goes where the first one is
        eyes.hands = [(100, 100, 120), (x, 100, 120)]
        hands = tracker(PICTURE)
    assert len(hands) == 1 and tracker.numbers == [1]


def test_what_the_detector_never_sees_is_given_up_unless_the_box_was_given(eyes):
    eyes.hands = [(200, 100, 120)]
    found, given = Tracker(eyes), Tracker(eyes)
    found(PICTURE)
    (hand,) = given(PICTURE, boxes=[(190, 90, 330, 230)])
    assert hand.score == 1.0 and not given.looked
    eyes.blind = True
    counts = [(len(found(PICTURE)), len(given(PICTURE))) for _ in range(45)]
    assert counts[28] == (1, 1) and counts[29] == (0, 1) and counts[-1] == (0, 1)


def test_the_real_thing_follows_leaves_cuts_and_returns():
    """A rendered hand slides out of the picture and comes back; the detector looks in few of the frames with a hand."""
    hp, sample = handpose.HandPose.from_pretrained(device="cpu"), SyntheticHands(split="test")[3]
    wall = cv2.GaussianBlur(np.random.default_rng(0).integers(90, 160, (256, 384, 3), np.uint8), (0, 0), 9)

    def frame(x):
        image, width = wall.copy(), min(256, 384 - x)
        image[:, x : x + width] = sample.image[:, :width]
        return image

    tracker, ways = Tracker(hp), [*range(0, 120, 10)]
    for looks, x in enumerate(ways):
        (hand,) = tracker(frame(x))
        assert tracker.looked == (looks % tracking.EVERY == 0)
        distance = np.linalg.norm(hand.keypoints - sample.keypoints - [x, 0], axis=1)
        assert np.median(distance) < 0.1 * skeleton.box_side(sample.keypoints)
    assert tracker.numbers == [1]
    for _ in range(3):
        assert tracker(wall) == [] and tracker.looked
    for _ in range(2):
        assert len(tracker(frame(40))) == 1
    assert tracker.numbers == [2] and not tracker.looked


def test_a_turning_hand_is_cut_out_by_its_last_angle():
    """A rendered hand turns upside down in 24 frames: its key-points stay right, with one pass a frame."""
    hp, sample, found = handpose.HandPose.from_pretrained(device="cpu"), SyntheticHands(split="test")[3], []
    angle, passes = float(crop.angle_of(sample.keypoints)), []
    predict_hands = hp._predict
    hp._predict = lambda *arguments: passes.append(1) or predict_hands(*arguments)
    tracker = Tracker(hp)
    for step in range(25):
        turn = crop.affine((127.5, 127.5), 360, 256, rotation=np.deg2rad(7.5 * step))
        image, target = crop.warp(sample.image, turn, 256), crop.apply(turn, sample.keypoints)
        before = len(passes)
        hands = tracker(image, boxes=[skeleton.tight_box(target)]) if step == 0 else tracker(image)
        (hand,) = hands
        off = np.linalg.norm(hand.keypoints - target, axis=1) / skeleton.box_side(target)
        found.append((off < 0.1).mean())
        if not tracker.looked and step:
            assert len(passes) == before + 1
    assert tracker.numbers == [1] and np.mean(found) > 0.85 and min(found) > 0.6
    last = float(crop.angle_of(hand.keypoints)) - angle
    assert abs((last - np.pi + np.pi) % (2 * np.pi) - np.pi) < np.deg2rad(15)


def test_frames_are_given_in_every_form(tmp_path, monkeypatch):
    """The first by its path and the next as Pillow's, or a list: the same hand, or the same error each time."""
    hp, image = handpose.HandPose.from_pretrained(device="cpu"), SyntheticHands(split="test")[3].image
    cv2.imwrite(str(tmp_path / "a.png"), image[..., ::-1])
    tracker, forms = Tracker(hp), (str(tmp_path / "a.png"), Image.fromarray(image), tmp_path / "a.png", image)
    found = [hand.keypoints for form in forms for hand in tracker(form)]
    assert len(found) == 4 and tracker.numbers == [1] and not tracker.looked
    plain = Tracker(hp)
    assert all(np.array_equal(a, b.keypoints) for a in found for b in plain(image))
    for _ in range(2):
        with pytest.raises(DataError, match="a path or a picture of Pillow, not list"):
            tracker([1, 2])
    monkeypatch.setattr(pictures, "MAX_PIXELS", 50_000)  # so that the decoder shrinks it
    cv2.imwrite(str(tmp_path / "a.jpg"), image[..., ::-1])
    large = Tracker(hp)
    for _ in range(2):
        (hand,) = large(tmp_path / "a.jpg")
        assert np.abs(hand.keypoints - found[0]).max() < 12
    assert not large.looked
