"""Hard cases: hidden joints, turned hands, the crop's border, crossed fingers, each beside an easy one (Chapter 9).

Whether one network gains more than another where a hand is hard to see is asked of the same pictures: every case says
which joints are hard and which are easy, and `handpose.study.analysis.gain_apart` compares the gains.
"""

import dataclasses
import hashlib
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor, nn

from handpose import attention, crop
from handpose.data import scenes
from handpose.skeleton import FINGER_JOINTS
from handpose.study.detection import turn
from handpose.train import evaluate
from handpose.train.evaluate import CroppedDataset

ANGLES = (0, 45, 90, 135, 180)  # degrees, clockwise
HARD_ANGLES = (90, 180)
SHIFT, RIM = 0.2, 0.125  # of the crop's side: how far crops are moved, and how wide the border is
MOVES = {"right": (1, 0), "left": (-1, 0), "down": (0, 1), "up": (0, -1)}  # (x, y), by turns
FINGERS = np.array(list(FINGER_JOINTS.values()))  # (5, 4)


@dataclass
class Case:
    """A set of crops whose joints are hard, easy, or neither."""

    hands: CroppedDataset
    hard: np.ndarray  # (N, 21) bool
    easy: np.ndarray  # (N, 21) bool
    kinds: np.ndarray  # (N,) text: what a crop shows, such as "90 degrees"
    start: np.ndarray | None = None  # (N, 2) parts of height and width: where the position code begins, if not at 0

    def fingerprint(self) -> str:
        """SHA-256 over pictures, labels, what is hard and easy, and where the position code begins."""
        digest = hashlib.sha256()
        arrays = self.hands.images, self.hands.keypoints, self.hands.visible, self.hard, self.easy
        for array in arrays if self.start is None else (*arrays, self.start):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def predict(self, net: nn.Module) -> np.ndarray:
        """Key-points in the picture's pixels, (stages, N, 21, 2)."""
        if self.start is None or not attention.blocks(net):
            return evaluate.predict(net, self.hands)
        found, order = [], []
        for start in np.unique(self.start, axis=0):
            rows = np.flatnonzero((self.start == start).all(1))
            part = dataclasses.replace(self.hands, images=self.hands.images[rows], matrices=self.hands.matrices[rows])
            with code_from(net, tuple(start.tolist())):
                found.append(evaluate.predict(net, part))
            order.append(rows)
        return np.concatenate(found, 1)[:, np.argsort(np.concatenate(order))]


@contextmanager
def code_from(net: nn.Module, start: tuple[float, float]) -> Iterator[None]:
    """Inside the `with` block, the sine code of every attention block begins at `start` (`attention.sine_encoding`)."""

    def code(height: int, width: int, like: Tensor) -> Tensor:
        return attention.sine_encoding(height, width, like.shape[-1], start).to(like)

    blocks = attention.blocks(net)
    for block in blocks:
        block.encoding = code  # type: ignore[method-assign]
    try:
        yield
    finally:
        for block in blocks:
            del block.encoding  # the class's own is there again


def hidden(samples, size: int, limit: int | None = None) -> Case:
    """Joints that the hand hides, beside those in sight, of samples of which that is known.

    Arguments as in `handpose.train.evaluate.crop_dataset`.

    Raises:
        ValueError: the source does not know which joints are hidden.
    """
    hands = evaluate.crop_dataset(samples, size, limit=limit)
    if hands.occluded is None:
        raise ValueError("of these hands it is not known which joints are hidden; take rendered ones")
    return Case(hands, hands.visible & hands.occluded, hands.visible & ~hands.occluded, _kinds(hands, "as it is"))


def crossed(samples, size: int, limit: int | None = None) -> Case:
    """Joints of fingers whose bones cross another finger's in the picture, beside those of fingers that cross none.

    The wrist is neither. Arguments as in `handpose.train.evaluate.crop_dataset`.
    """
    hands = evaluate.crop_dataset(samples, size, limit=limit)
    crosses = crossing(hands.keypoints)  # (N, 5)
    hard = np.zeros_like(hands.visible)
    hard[:, FINGERS] = crosses[:, :, None]
    easy = ~hard
    easy[:, 0] = False
    return Case(hands, hard & hands.visible, easy & hands.visible, _kinds(hands, "as it is"))


def crossing(keypoints: np.ndarray) -> np.ndarray:
    """Which fingers cross another one: a bone from knuckle to tip meets a bone of the other.

    Args:
        keypoints: (N, 21, 2).

    Returns:
        (N, 5) bool, thumb first.
    """
    start, end = keypoints[:, FINGERS[:, :-1]], keypoints[:, FINGERS[:, 1:]]  # (N, 5, 3, 2)
    start, end = (p.reshape(len(keypoints), 15, 2).astype(np.float64) for p in (start, end))
    a, b, c, d = start[:, :, None], end[:, :, None], start[:, None], end[:, None]

    def turns(p: np.ndarray, q: np.ndarray, r: np.ndarray) -> np.ndarray:  # on which side of pq does r lie
        return np.sign((q - p)[..., 0] * (r - p)[..., 1] - (q - p)[..., 1] * (r - p)[..., 0])

    meet = (turns(a, b, c) * turns(a, b, d) < 0) & (turns(c, d, a) * turns(c, d, b) < 0)  # (N, 15, 15)
    fingers = meet.reshape(len(keypoints), 5, 3, 5, 3).any((2, 4))
    return (fingers & ~np.eye(5, dtype=bool)).any(2)


def turned(samples, size: int, limit: int | None = None) -> Case:
    """Hands turned by a quarter and by half a turn, beside the same hands as they are; the other angles are neither.

    The picture is turned and the box is that of the turned key-points. Hands with a joint out of sight are left out.
    Arguments as in `handpose.train.evaluate.crop_dataset`.
    """
    hands = [sample for sample in _some(samples, limit) if sample.visible.all()]
    sets, kinds = [], []
    for angle in ANGLES:
        rows = []
        for hand in hands:  # its own key-points as outlines: they are turned with the picture
            still = scenes.Picture(hand.image, hand.box[None], hand.group, hand.id, hand.keypoints[None])
            shown = turn(still, angle)
            assert shown.outlines is not None
            rows.append(dataclasses.replace(hand, image=shown.image, keypoints=shown.outlines[0].astype(np.float32),
                                            box=shown.boxes[0], mask=None))  # fmt: skip
        sets.append(evaluate.crop_dataset(rows, size))
        kinds += [f"{angle} degrees"] * len(sets[-1].ids)
    together, kinds = _joined(sets), np.array(kinds)
    hard = np.isin(kinds, [f"{angle} degrees" for angle in HARD_ANGLES])[:, None]
    return Case(together, together.visible & hard, together.visible & (kinds == "0 degrees")[:, None], kinds)


def border(samples, size: int, limit: int | None = None) -> Case:
    """Joints near the border of a crop that was moved off the hand, beside those further in, in the same crops.

    Crops move right, left, down and up by turns. Joints that are cut off are neither. Arguments as in
    `handpose.train.evaluate.crop_dataset`.
    """
    hands = evaluate.crop_dataset(rows := _some(samples, limit), size)
    by_id = {sample.id: sample for sample in rows}
    kinds = [name for name, _ in zip(itertools.cycle(MOVES), hands.ids, strict=False)]
    inside, images = np.zeros((*hands.visible.shape, 2), np.float32), []
    for i, name in enumerate(hands.ids):
        sample = by_id[name]
        centre, side = crop.square_around(sample.box)
        move = np.array(MOVES[kinds[i]]) * SHIFT * side
        hands.matrices[i] = crop.affine(centre + move, side, size)
        images.append(crop.warp(sample.image, hands.matrices[i], size))
        inside[i] = crop.apply(hands.matrices[i], sample.keypoints)
    hands.images = np.stack(images)
    depth = np.minimum(inside, size - 1 - inside).min(2) + 0.5  # (N, 21) pixels from the border, negative outside
    within, near = hands.visible & (depth >= 0), depth < RIM * size
    return Case(hands, within & near, within & ~near, np.array(kinds))


def border_with_code(samples, size: int, limit: int | None = None) -> Case:
    """`border`, where the position code moves with the hand: the middle of the hand has the code that it has in the
    middle of a crop. The pictures are the same, and so is what a network without attention makes of them.
    """
    case = border(samples, size, limit)
    return dataclasses.replace(case, start=SHIFT * np.array([MOVES[kind][::-1] for kind in case.kinds]))


def _some(samples, limit: int | None) -> list:
    number = len(samples)
    chosen = range(number) if not limit or limit >= number else np.linspace(0, number - 1, limit).round().astype(int)
    return [samples[int(i)] for i in chosen]


def _kinds(hands: CroppedDataset, name: str) -> np.ndarray:
    return np.array([name] * len(hands.ids))


def _joined(sets: list[CroppedDataset]) -> CroppedDataset:
    """One set of several, their rows one after another."""
    arrays: dict[str, Any] = {
        k: np.concatenate([getattr(s, k) for s in sets]) for k in ("images", "matrices", "keypoints", "visible")
    }
    return CroppedDataset(**arrays, occluded=None, groups=[g for s in sets for g in s.groups], parts=None,
                          ids=[i for s in sets for i in s.ids], grouping=sets[0].grouping)  # fmt: skip
