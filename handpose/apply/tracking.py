"""Following hands through a video: where a hand was in the last frame, it is looked for in the next (Chapter 3).

The numbers below were chosen by measurement, with the bundled weights, on six rendered sequences of 90 frames and 134
neighbouring photographs of part A of hand-keypoints; KEEP on 482 hands of wild, asl-letters and part B of
hand-keypoints, of which it doubts 0 to 2 in 100 by set, and on 416 places without a hand, of which it doubts 90 to 99.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from handpose import crop, skeleton
from handpose.arrays import overlap_of_two as _overlap
from handpose.data.common import given_image
from handpose.data.pictures import Picture
from handpose.pipeline import Hand, HandPose

#: Frames from one look of the detector to the next: at 30 frames a second a hand that comes in is missing for a third
#: of a second at most, and a detector that takes as long as the key-points adds a tenth to the work.
EVERY = 10
CLOSER = 5  # frames at least from one closer look, at the four quarters of a picture without a hand, to the next
#: A followed hand may be lost where the confidence by its key-points alone is below LEAST (a mean score of about 0.35)
#: and their mean score below KEEP of what it was when the detector, or whoever gave the box, last vouched for it. Of
#: people never seen half of the hands lie below LEAST in every frame: what tells that a hand is gone is the fall.
LEAST, KEEP = 0.2, 0.75
#: Boxes are so much larger than the key-points' extent: estimates err inwards, and boxes would shrink frame by frame.
MARGIN = 1.05
STEADY = 0.7  # part of the last box in the next one; errors in one frame's key-points then move it little
SAME_PLACE, SAME_HAND = 0.3, 0.5  # IoU of a track with a detection, and of two tracks, from which on they are one hand
PATIENCE = 3  # a track that the detector passed over so many times in a row is given up


def _centre_and_side(box: np.ndarray) -> tuple[np.ndarray, float]:
    return (box[:2] + box[2:]) / 2, float((box[2:] - box[:2]).max())


@dataclass
class _Track:
    """One hand through the frames."""

    number: int  # 1, 2, ... in the order of appearance
    hand: Hand  # of the last frame
    cut: np.ndarray  # (4,) the box that it was found with, turned about its centre by its angle of then
    sure: float  # mean score of the key-points when the detector last saw it, or its box was given
    unseen: float = 0  # looks of the detector in a row that passed it over; -inf: the box was given, so never mind

    def extent(self) -> np.ndarray:
        """(4,): the key-points' extent."""
        return skeleton.tight_box(self.hand.keypoints)

    def next_box(self) -> tuple[np.ndarray, float]:
        """Where to look for it in the next frame, and turned how far: box (4,) along the hand's axes, and radians."""
        box, angle = crop.upright_box(self.hand.keypoints)
        return STEADY * self.cut + (1 - STEADY) * _grown(box), angle


def _first_cut(hand: Hand) -> np.ndarray:
    """(4,): the box to look for a hand in that was just detected, or given."""
    return _grown(crop.upright_box(hand.keypoints, hand.box)[0])


def _grown(box: np.ndarray) -> np.ndarray:
    middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2 * MARGIN
    return np.concatenate([middle - half, middle + half])


class Tracker:
    """Hands of a video, frame by frame: ``tracker(image)`` in place of ``hp(image)`` (Chapter 3).

    The detector looks at the first frame, at every frame while there is no hand, at every tenth one, and where a hand
    may be lost: its key-points' scores have fallen, or it has jumped, left the picture, halved, doubled or shrunk to
    nothing. In between a hand is cut out where it was, and upright by its last angle: one pass of the pose network.

    Args:
        hp: a `HandPose`, or whatever is called like one and has its `confidence`.

    Attributes:
        numbers: of the hands last returned, one each; a hand keeps its number while it is followed.
        looked: whether the detector looked at the last frame.
    """

    def __init__(self, hp: HandPose) -> None:
        self.hp, self.count, self.age, self.looked = hp, 0, 0, False
        self.tracks: list[_Track] = []
        self.since_closer = CLOSER

    @property
    def numbers(self) -> list[int]:
        return [track.number for track in self.tracks]

    def __call__(self, image: Any, boxes: list | None = None) -> list[Hand]:
        """The hands of the next frame.

        Args:
            image: (H, W, 3) uint8 RGB; or a path or picture, as for `HandPose`.
            boxes: start with the hands in these boxes, as for `HandPose`.

        Returns:
            Those that were there first come first. `Hand.score` is that of the frame in which the detector last saw
            the hand, 1.0 for a given box; `Hand.box` is the detector's box or, where it did not look, the key-points'
            extent.

        Raises:
            ValueError: as `HandPose`; a frame that is no picture, or a given box that cannot be used.
        """
        image = given_image(image)
        self.looked, self.age, self.since_closer = False, self.age + 1, self.since_closer + 1
        if boxes is not None:
            hands, self.tracks = self.hp(image, boxes=boxes), []
            for hand in hands:
                self._begin(hand, unseen=float("-inf"))
        else:
            due = self.age >= EVERY
            lost = [] if due else self._follow(image)
            if due or lost or not self.tracks:
                self._detect(image, lost, moved=not due)
        distinct: list[_Track] = []
        for track in sorted(self.tracks, key=lambda track: track.number):
            if all(_overlap(track.extent(), other.extent()) < SAME_HAND for other in distinct):
                distinct.append(track)
        self.tracks = distinct
        return [track.hand for track in distinct]

    def _begin(self, hand: Hand, unseen: float = 0) -> None:
        self.count += 1
        self.tracks.append(_Track(self.count, hand, _first_cut(hand), float(hand.scores.mean()), unseen))

    def _follow(self, image: np.ndarray | Picture) -> list[_Track]:
        """Move all tracks on by a frame; those that may be lost are taken out and returned."""
        size = np.array(image.size if isinstance(image, Picture) else image.shape[1::-1])
        lost, places = [], []  # places: (track, box, angle)
        for track in self.tracks:
            box, angle = track.next_box()
            middle, _ = _centre_and_side(box)
            if (middle > 0).all() and (middle < size).all():
                places.append((track, box, angle))
            else:
                lost.append(track)
        self.tracks, found = [], []
        if places:
            _, boxes, angles = zip(*places, strict=True)
            found = self.hp(image, boxes=boxes, angles=angles)
        for (old, box, _), hand in zip(places, found, strict=True):
            new = _Track(old.number, hand, box, old.sure, old.unseen)
            new.hand = replace(hand, box=new.extent(), score=old.hand.score)
            (middle, side), (before, side_before) = _centre_and_side(new.extent()), _centre_and_side(old.extent())
            mean = hand.scores.mean()
            fine = (
                (mean >= KEEP * old.sure or self.hp.confidence.of_keypoints(mean) >= LEAST)
                and (middle > 0).all() and (middle < size).all()
                and np.abs(middle - before).max() < side_before / 2
                and max(side_before / 2, crop.SMALLEST) < side < 2 * side_before
            )  # fmt: skip
            (self.tracks if fine else lost).append(new)
        return lost

    def _detect(self, image: np.ndarray | Picture, lost: list[_Track], moved: bool) -> None:
        """Let the detector look: tracks start anew from what it finds, others begin, and lost ones end.

        Where the tracks have not been moved on to this frame, those alone are that it passes over: the key-points of
        what it finds are known.
        """
        self.looked, self.age = True, 0
        known, followed, self.tracks = [*self.tracks, *lost], list(self.tracks), []
        closer = self.since_closer >= CLOSER
        self.since_closer = 0 if closer else self.since_closer
        for hand in self.hp(image, tiles=None if closer else False):
            shared = [max(_overlap(t.extent(), hand.box), _overlap(t.extent(), skeleton.tight_box(hand.keypoints)))
                      for t in known]  # fmt: skip
            if shared and max(shared) > SAME_PLACE:
                old = known.pop(int(np.argmax(shared)))
                sure = float(min(hand.scores.mean(), old.hand.scores.mean()))  # so low, and still a hand
                self.tracks.append(_Track(old.number, hand, _first_cut(hand), sure, min(old.unseen, 0)))
            else:
                self._begin(hand)
        detected, self.tracks = self.tracks, [t for t in followed if any(t is other for other in known)]
        if not moved:
            self._follow(image)
        passed_over = [replace(t, unseen=t.unseen + 1) for t in self.tracks if t.unseen + 1 < PATIENCE]
        self.tracks = detected + passed_over
