"""HandPose: a picture in, hands out (Chapters 3 and 11)."""

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from handpose import crop, devices, gesturenet, pretrained, skeleton
from handpose.apply import onnx_runtime
from handpose.data.common import DataError, read_image
from handpose.detector import HandDecNet, detect, joint_box
from handpose.posenet import PoseEstimationNet
from handpose.train import evaluate

SMALLEST = 8  # pixels; no 21 joints can be told apart in less

THRESHOLD = 0.5  # the detector's least confidence for a hand to be reported


@dataclass
class Hand:
    """One hand. Coordinates are (x, y) pixels of the upright input picture (Chapter 3)."""

    keypoints: np.ndarray  # (21, 2) float32
    scores: np.ndarray  # (21,) float32: sigmoid of the last score map's peak
    box: np.ndarray  # (4,) float32: the detector's box less its margin, so tight around the key-points; or as given
    score: float  # the detector's confidence; 1.0 for a given box
    gesture: tuple[str, float] | None = None  # (label, probability); None without a reader, or where none can be read


class HandPose:
    """Finds the hands in a picture and the 21 key-points of each: detect, cut out, estimate, map back (Chapter 3).

    Args:
        net: the pose network.
        size: side in pixels of the crops it was trained on.
        detector: the network that finds hands; without one, boxes must be given.
        threshold: least confidence of the detector, 0 to 1; lower finds more hands and more that are none.
        second_look: cut a detected hand out anew around the key-points that the first look found, and estimate again.
        reader: names the hand shape from the key-points; without one, `Hand.gesture` stays None.

    Raises:
        ValueError: a threshold outside 0 to 1.
    """

    def __init__(
        self, net: PoseEstimationNet, size: int, detector: HandDecNet | None = None, *,
        threshold: float = THRESHOLD, second_look: bool = False, reader: gesturenet.GestureNet | None = None,
    ) -> None:  # fmt: skip
        if not 0 <= threshold <= 1:  # NaN included
            raise ValueError(f"threshold {threshold}: a confidence lies between 0 and 1")
        self.net, self.size, self.detector = net.eval(), size, detector and detector.eval()
        self.threshold, self.second_look, self.reader = threshold, second_look, reader

    @classmethod
    def from_pretrained(
        cls, weights: str | os.PathLike | None = None, *, device: str | None = None, threshold: float = THRESHOLD,
        second_look: bool = False,
    ) -> "HandPose":  # fmt: skip
        """The bundled weights, or those of a file, and the bundled detector and reader of letters.

        Args:
            weights: a ``.safetensors`` file of the pose network, or None for the bundled weights.
            device: "cpu", "cuda", ...; None chooses CUDA, then MPS, then CPU.
            threshold, second_look: as for `HandPose`.

        Raises:
            handpose.pretrained.WeightsError: the file cannot be used.
            ValueError: a threshold outside 0 to 1, or a device that is not there.
        """
        place = devices.choose(device)
        finder, _ = pretrained.load(None, place, kind=HandDecNet)
        reader, _ = pretrained.load(None, kind=gesturenet.GestureNet)  # small: always on the processor
        return cls(*pretrained.load(weights, place), finder, threshold=threshold, second_look=second_look,
                   reader=reader)  # fmt: skip

    @classmethod
    def from_onnx(
        cls, folder: str | os.PathLike, *, threads: int | None = None, threshold: float = THRESHOLD,
        second_look: bool = False,
    ) -> "HandPose":  # fmt: skip
        """The networks of a folder that ``python -m handpose export`` wrote, run by ONNX Runtime on the processor.

        Args:
            folder: with ``detector.onnx``, ``pose.onnx`` and ``gesture.onnx``.
            threads: of ONNX Runtime; None for as many as PyTorch uses.
            threshold, second_look: as for `HandPose`.

        Raises:
            handpose.apply.onnx_runtime.OnnxError: a file is missing or cannot be used, or there is no ONNX Runtime.
            ValueError: a threshold outside 0 to 1, or fewer threads than one.
        """
        nets = onnx_runtime.load(folder, threads=threads)
        return cls(nets["pose"], nets["pose"].size, nets["detector"], threshold=threshold, second_look=second_look,
                   reader=nets["gesture"])  # fmt: skip

    def __call__(
        self, image: np.ndarray | str | os.PathLike, boxes: Sequence[Sequence[float]] | None = None
    ) -> list[Hand]:
        """Key-points of each hand.

        Args:
            image: (H, W, 3) uint8 RGB, or the path of a picture (its EXIF rotation is applied).
            boxes: one (x0, y0, x1, y1) a hand, pixels of the upright picture, tight around the hand. None lets the
                detector look for hands.

        Returns:
            One `Hand` per box, in their order; or per hand found, surest first, which may be none.

        Raises:
            handpose.data.DataError: the picture cannot be read or has the wrong form.
            ValueError: a box is empty, not finite, in the wrong order, or outside the picture; or there are neither
                boxes nor a detector.
        """
        if isinstance(image, str | os.PathLike):
            image = read_image(image)
        image = check_image(image)
        # PyTorch's threads spin on for a while after each step, on cores that ONNX Runtime wants.
        onnx = isinstance(self.net, onnx_runtime.Network)
        with devices.one_thread() if onnx else contextlib.nullcontext():
            return self._find(image, boxes)

    def _find(self, image: np.ndarray, boxes: Sequence[Sequence[float]] | None) -> list[Hand]:
        """`__call__` on a picture that was checked."""
        height, width = image.shape[:2]
        if boxes is None:
            if self.detector is None:
                raise ValueError("this HandPose has no detector: give it one, or give boxes=[(x0, y0, x1, y1)]")
            ((found, sure),) = detect(self.detector, [image], threshold=self.threshold)
            checked = list(joint_box(found))
        else:
            if len(boxes) and np.ndim(boxes[0]) == 0 and not isinstance(boxes[0], str):
                raise ValueError("boxes is a list of boxes: write boxes=[(x0, y0, x1, y1)]")
            checked = [crop.check_box(box, width, height) for box in boxes]
            sure = np.ones(len(checked))
        if not checked:
            return []
        points, scores = self._estimate(image, checked)
        if boxes is None and self.second_look:
            points, scores = self._estimate(image, list(skeleton.tight_box(points)))
        hands = [Hand(*hand) for hand in zip(points, scores, checked, sure.tolist(), strict=True)]
        if self.reader is not None:
            for hand in hands:
                hand.gesture = gesturenet.name(self.reader, hand.keypoints)
        return hands

    def _estimate(self, image: np.ndarray, boxes: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Key-points (n, 21, 2) in the picture's pixels and scores (n, 21), all hands in one batch."""
        taken = [crop.take(image, box, self.size) for box in boxes]
        points, scores = evaluate.estimate(self.net, np.stack([t.image for t in taken]))
        return np.stack([t.to_picture(p) for t, p in zip(taken, points[-1], strict=True)]), scores[-1]


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
