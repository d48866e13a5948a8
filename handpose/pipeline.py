"""HandPose: a picture in, hands out."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from handpose import crop, devices, evaluation, pretrained, skeleton
from handpose.data.common import DataError, read_image
from handpose.posenet import PoseEstimationNet

SMALLEST = 8  # pixels; no 21 joints can be told apart in less

#: Without a box the picture itself is the first box, and the network looks again, this often, around what it found.
#: With the bundled weights this raises PCK at 0.2 of s on part A of hand-keypoints from 0.39 to 0.54.
SECOND_LOOKS = 2
SURE = 0.2  # a joint with at least this score counts for where to look again


@dataclass
class Hand:
    """One hand. Coordinates are (x, y) pixels of the upright input picture."""

    keypoints: np.ndarray  # (21, 2) float32
    scores: np.ndarray  # (21,) float32: sigmoid of the last score map's peak
    box: np.ndarray  # (4,) float32: the box that was given, or the whole picture
    score: float  # the detector's confidence; 1.0 for a given box
    gesture: tuple[str, float] | None = None  # (label, probability)


class HandPose:
    """Finds the 21 key-points of the hands in a picture.

    Args:
        net: the pose network.
        size: side in pixels of the crops it was trained on.
    """

    def __init__(self, net: PoseEstimationNet, size: int) -> None:
        self.net, self.size = net.eval(), size

    @classmethod
    def from_pretrained(cls, weights: str | os.PathLike | None = None, *, device: str | None = None) -> "HandPose":
        """The bundled weights, or those of a file.

        Args:
            weights: a ``.safetensors`` file, or None for the bundled weights.
            device: "cpu", "cuda", ...; None chooses CUDA, then MPS, then CPU.

        Raises:
            handpose.pretrained.WeightsError: the file cannot be used.
        """
        return cls(*pretrained.load(weights, devices.choose(device)))

    def __call__(
        self, image: np.ndarray | str | os.PathLike, boxes: Sequence[Sequence[float]] | None = None
    ) -> list[Hand]:
        """Key-points of each hand.

        Args:
            image: (H, W, 3) uint8 RGB, or the path of a picture (its EXIF rotation is applied).
            boxes: one (x0, y0, x1, y1) a hand, pixels of the upright picture, tight around the hand. None takes
                the whole picture as the box of one hand, looks, and looks again around what was found: good for a
                hand that fills much of the picture, not for finding a small one.

        Returns:
            One `Hand` per box, in their order.

        Raises:
            handpose.data.DataError: the picture cannot be read or has the wrong form.
            ValueError: a box is empty, not finite, in the wrong order, or outside the picture.
        """
        if isinstance(image, str | os.PathLike):
            image = read_image(image)
        image = check_image(image)
        height, width = image.shape[:2]
        if boxes is None:
            return [self._without_box(image)]
        if len(boxes) and np.ndim(boxes[0]) == 0 and not isinstance(boxes[0], str):
            raise ValueError("boxes is a list of boxes: write boxes=[(x0, y0, x1, y1)]")
        checked = [crop.check_box(box, width, height) for box in boxes]
        if not checked:
            return []
        return self._within(image, checked)

    def _within(self, image: np.ndarray, boxes: list[np.ndarray], *, margin: float = crop.MARGIN) -> list[Hand]:
        taken = [crop.take(image, box, self.size, margin=margin) for box in boxes]
        points, scores = evaluation.estimate(self.net, np.stack([t.image for t in taken]))
        return [
            Hand(keypoints=t.to_picture(p), scores=s, box=box, score=1.0)
            for t, p, s, box in zip(taken, points[-1], scores[-1], boxes, strict=True)
        ]

    def _without_box(self, image: np.ndarray) -> Hand:
        height, width = image.shape[:2]
        whole = np.array([0, 0, width, height], np.float32)
        (hand,) = self._within(image, [whole], margin=1.0)
        for _ in range(SECOND_LOOKS):
            sure = hand.scores >= min(SURE, np.sort(hand.scores)[-8])  # at least the best eight joints
            x0, y0, x1, y1 = skeleton.tight_box(hand.keypoints, sure)
            inside = np.clip([x0, y0, x1, y1], 0, [width, height] * 2).astype(np.float32)
            (hand,) = self._within(image, [inside])
        hand.box = whole
        return hand


def check_image(image: np.ndarray) -> np.ndarray:
    """The array itself if it is a picture that can hold a hand.

    Raises:
        DataError: not (H, W, 3) uint8, or smaller than 8x8 pixels.
    """
    if not isinstance(image, np.ndarray):
        raise DataError(f"a picture must be an (H, W, 3) uint8 array or a path, not {type(image).__name__}")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise DataError(f"a picture must be (H, W, 3) uint8 RGB, not {image.shape} {image.dtype}")
    if min(image.shape[:2]) < SMALLEST:
        raise DataError(
            f"the picture has {image.shape[1]}x{image.shape[0]} pixels; at least {SMALLEST}x{SMALLEST} are needed"
        )
    return image
