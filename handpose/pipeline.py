"""HandPose: a picture in, hands out (Chapters 3 and 11)."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from handpose import arrays, crop, pretrained, skeleton
from handpose import tiles as closer
from handpose.confidence import Confidence, bundled
from handpose.data import pictures
from handpose.data.common import given_image

if TYPE_CHECKING:  # PyTorch is imported only where it runs the networks
    from handpose.apply import onnx_runtime
    from handpose.detector import HandDecNet
    from handpose.gesturenet import GestureNet

THRESHOLD = 0.5  # least confidence of a hand to be reported
SAME_HAND = 0.5  # IoU of the extents of two hands' key-points from which on they are one hand, detected twice
#: A hand is cut out anew where the first pass sees it turned by more than this (radians from upright) or its mean score
#: is less; the upright pass stays unless its mean score is lower by EQUAL: ties would go either way. Of 220 pictures of
#: `wild/val`, `asl-letters/all` and `hand-keypoints/val` each, 82, 80 and 54 in a hundred have one pass.
TURNED, UNSURE, EQUAL = np.deg2rad(50), 0.1, 0.005

Boxes = Sequence[Sequence[float] | np.ndarray] | np.ndarray  # (x0, y0, x1, y1) each


@dataclass
class Hand:
    """One hand. Coordinates are (x, y) pixels of the upright input picture (Chapter 3)."""

    keypoints: np.ndarray  # (21, 2) float32
    scores: np.ndarray  # (21,) float32: sigmoid of the last score map's peak
    box: np.ndarray  # (4,) float32: the detector's box less its margin, so tight around the key-points; or as given
    score: float  # how likely it is a hand, by detector and key-points (`handpose.confidence`); 1.0 for a given box
    gesture: tuple[str, float] | None = None  # (label, probability); without a classifier or a clear hand None


def _network(kind: str, about: str) -> property:
    """A network as PyTorch's. Whoever asks for it may look into it or change it, so from then on it is what runs."""

    def give(hp: "HandPose"):
        net = hp.networks[kind]
        hp.networks[kind] = net.original() if hasattr(net, "original") else net
        return hp.networks[kind]

    return property(give, lambda hp, net: hp.networks.update({kind: net}), doc=about)


class HandPose:
    """Finds the hands in a picture and the 21 key-points of each: detect, cut out, estimate, map back (Chapter 3).

    Args:
        net: the pose network: `PoseEstimationNet`, or another that gives score maps as it does.
        size: side in pixels of the crops it was trained on.
        detector: the network that finds hands; without one, boxes must be given.
        threshold: least confidence of a detected hand, 0 to 1; lower finds more hands and more that are none.
        refine: where the first pass sees a hand turned, or is unsure of it, cut it out anew, upright and around its
            first key-points, and keep that pass unless its scores are lower.
        tiles: where no hand is found in the whole picture, look again at four overlapping quarters of it.
        confidence: of detector and key-points; None for that of the bundled networks.
        gesture_net: the classifier that names a hand's sign; without one, `Hand.gesture` stays None.

    Raises:
        ValueError: a threshold outside 0 to 1.
    """

    def __init__(
        self, net: Any, size: int, detector: "HandDecNet | onnx_runtime.Network | None" = None, *,
        threshold: float = THRESHOLD, refine: bool = True, tiles: bool = True, confidence: Confidence | None = None,
        gesture_net: "GestureNet | onnx_runtime.Network | None" = None,
    ) -> None:  # fmt: skip
        if not (isinstance(threshold, int | float | np.number) and 0 <= threshold <= 1):  # NaN included
            raise ValueError(f"threshold {threshold!r}: a confidence lies between 0 and 1")
        given: dict[str, Any] = {"pose": net, "detector": detector, "gesture": gesture_net}
        self.networks = {kind: each.eval() if hasattr(each, "eval") else each for kind, each in given.items()}
        self.size, self.threshold, self.refine, self.tiles = size, threshold, refine, tiles
        self.confidence = bundled() if confidence is None else confidence

    net, detector = _network("pose", "The pose network."), _network("detector", "The detector, or None.")
    gesture_net = _network("gesture", "The classifier of signs, or None.")

    @classmethod
    def from_pretrained(
        cls, weights: str | os.PathLike | None = None, *, device: str | None = None, backend: str | None = None,
        threshold: float = THRESHOLD, refine: bool = True, tiles: bool = True,
    ) -> "HandPose":  # fmt: skip
        """The bundled weights, or those of a file, and the bundled detector and classifier of signs.

        Args:
            weights: a ``.safetensors`` file of the pose network, or None for the bundled weights.
            device: "cpu", "cuda", ...; None chooses CUDA, then MPS, then CPU.
            backend: "torch"; "onnx" for ONNX Runtime on the processor, after an export if need be; None: ONNX Runtime
                on a processor once `handpose.apply.prepared` has the bundled networks ready, else PyTorch.
            threshold, refine, tiles: as for `HandPose`.

        Raises:
            handpose.pretrained.WeightsError: the file cannot be used.
            ValueError: a threshold outside 0 to 1, a device that is not there, or a backend that cannot be had.
        """
        from handpose.apply import prepared  # here, as ONNX Runtime below: it need not be installed

        options: dict[str, Any] = dict(threshold=threshold, refine=refine, tiles=tiles)
        if nets := prepared.choose(weights, device, backend):
            return cls(nets["pose"], nets["pose"].size, nets["detector"], gesture_net=nets["gesture"], **options)
        from handpose import detector, devices, gesturenet

        torch_device = devices.choose(device)
        found, _ = pretrained.load(None, torch_device, kind=detector.HandDecNet)
        gesture_net, _ = pretrained.load(None, kind=gesturenet.GestureNet)  # small: always on the processor
        return cls(*pretrained.load(weights, torch_device), found, gesture_net=gesture_net, **options)

    @classmethod
    def from_onnx(
        cls, folder: str | os.PathLike, *, threads: int | None = None, threshold: float = THRESHOLD,
        refine: bool = True, tiles: bool = True,
    ) -> "HandPose":  # fmt: skip
        """The networks of a folder that ``python -m handpose export`` wrote, run by ONNX Runtime on the processor.

        Args:
            folder: with ``detector.onnx``, ``pose.onnx`` and ``gesture.onnx``.
            threads: of ONNX Runtime; None for as many as PyTorch uses.
            threshold, refine, tiles: as for `HandPose`.

        Raises:
            handpose.apply.onnx_runtime.OnnxError: a file is missing or cannot be used, or there is no ONNX Runtime.
            ValueError: a threshold outside 0 to 1, or fewer threads than one.
        """
        from handpose.apply import onnx_runtime  # here: ONNX Runtime need not be installed

        nets = onnx_runtime.load(folder, threads=threads)
        return cls(nets["pose"], nets["pose"].size, nets["detector"], gesture_net=nets["gesture"],
                   threshold=threshold, refine=refine, tiles=tiles)  # fmt: skip

    def __call__(
        self, image: np.ndarray | str | os.PathLike | Image.Image | pictures.Picture,
        boxes: Boxes | None = None, *, angles: Sequence[float] | np.ndarray | None = None, tiles: bool | None = None,
    ) -> list[Hand]:  # fmt: skip
        """Key-points of each hand.

        Args:
            image: (H, W, 3) uint8 RGB or (H, W) uint8 grey; or the path of a picture, a picture that Pillow has opened,
                or one that `pictures.read` has read (their EXIF rotation is applied).
            boxes: one (x0, y0, x1, y1) a hand, pixels of the upright picture, tight around the hand. None lets the
                detector look for hands.
            angles: how far the hand in each box is turned from upright, radians clockwise, where that is known; the
                box is then turned about its own centre by so much (`crop.upright_box` makes such). These hands are
                cut out upright at once, and there is no refinement pass.
            tiles: for this picture; None: as for all.

        Returns:
            One `Hand` per box, in their order; or per hand found, most confident first, which may be none.

        Raises:
            handpose.data.DataError: the picture cannot be read or has the wrong form.
            ValueError: boxes are no list; one is empty, not finite, in the wrong order, or outside the picture; there
                are neither boxes nor a detector; or the angles are not as many finite numbers as there are boxes.
        """
        image, boxes = given_image(image), None if boxes is None else _listed(boxes)
        if isinstance(image, pictures.Picture):
            return self._photograph(image, boxes, angles=angles, tiles=tiles)
        tiles = self.tiles if tiles is None else tiles
        hands = self._find(image, tiles, angles) if boxes is None else self._given(image, boxes, angles)
        if self.networks["gesture"] is not None:
            for hand in hands:
                hand.gesture = arrays.name(self.networks["gesture"], hand.keypoints)
        return hands

    def _photograph(self, image: pictures.Picture, boxes: Boxes | None, **options) -> list[Hand]:
        """`__call__` on one that its decoder may have shrunk, in pixels of the photograph."""
        if boxes is not None and image.scale > 1:
            boxes = [(crop.check_box(box, *image.size) + 0.5) / image.scale - 0.5 for box in boxes]
        return [resized(hand, image.scale) for hand in self(image.image, boxes, **options)]

    def _given(self, image: np.ndarray, boxes: Boxes, angles: Sequence[float] | np.ndarray | None) -> list[Hand]:
        """A hand for every given box."""
        checked = [crop.check_box(box, image.shape[1], image.shape[0]) for box in boxes]
        if angles is not None:
            angles = crop.check_angles(angles, len(checked))
        if not checked:
            return []
        found = self._predict(image, checked, angles)
        keypoints, scores = self._refined(image, checked, *found) if self.refine and angles is None else found
        return [Hand(*hand, 1.0) for hand in zip(keypoints, scores, checked, strict=True)]

    def _find(self, image: np.ndarray, tiles: bool, angles: Sequence[float] | np.ndarray | None) -> list[Hand]:
        """The hands that the detector finds, in the whole picture or, if there are none, in its quarters."""
        if angles is not None:
            raise ValueError("angles belong to boxes: give boxes=[(x0, y0, x1, y1)] as well")
        detector = self.networks["detector"]
        if detector is None:
            raise ValueError("this HandPose has no detector: give it one, or give boxes=[(x0, y0, x1, y1)]")
        floor = self.confidence.floor(self.threshold)
        (found,) = arrays.detect(detector, [image], threshold=floor)
        hands = self._judged(image, *found)
        if not hands and tiles:
            hands = self._judged(image, *closer.detect(detector, image, threshold=floor))
        return hands

    def _judged(self, image: np.ndarray, found: np.ndarray, detected: np.ndarray) -> list[Hand]:
        """Of detections those that are hands, with the key-points' word: each once, most confident first."""
        if not len(found):
            return []
        boxes = list(arrays.box_to_keypoint_extent(found))
        keypoints, scores = self._predict(image, boxes)
        if self.refine:
            keypoints, scores = self._refined(image, boxes, keypoints, scores)
        sure = self.confidence(detected, scores.mean(1))
        confident = [i for i in arrays.nms(skeleton.tight_box(keypoints), sure, SAME_HAND) if sure[i] >= self.threshold]
        return [Hand(keypoints[i], scores[i], boxes[i], float(sure[i])) for i in confident]

    def _predict(
        self, image: np.ndarray, boxes: Sequence[np.ndarray], angles: Sequence[float] | np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Key-points (n, 21, 2) in the picture's pixels and scores (n, 21), all hands in one batch."""
        angles = [0.0] * len(boxes) if angles is None else angles
        crops = [crop.crop_box(image, box, self.size, angle=angle) for box, angle in zip(boxes, angles, strict=True)]
        keypoints, scores = arrays.run("pose", self.networks["pose"], np.stack([t.image for t in crops]))
        return np.stack([t.to_image(p) for t, p in zip(crops, keypoints, strict=True)]), scores

    def _refined(
        self, image: np.ndarray, boxes: list[np.ndarray], keypoints: np.ndarray, scores: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """What `_predict` gave or, where a second pass on the upright hand is no less confident, that."""
        again = np.flatnonzero((abs(crop.angle_of(keypoints)) > TURNED) | (scores.mean(1) < UNSURE))
        if not len(again):
            return keypoints, scores
        upright = [crop.upright_box(keypoints[i], boxes[i]) for i in again]
        new_keypoints, new_scores = self._predict(image, *zip(*upright, strict=True))
        better = new_scores.mean(1) > scores[again].mean(1) - EQUAL
        keypoints[again[better]], scores[again[better]] = new_keypoints[better], new_scores[better]
        return keypoints, scores


def _listed(boxes: Boxes) -> list:
    """Given boxes as a list, or a ValueError; a set has no order, and one box is no list of boxes."""
    found = list(boxes) if isinstance(boxes, Sequence) or getattr(boxes, "ndim", None) else None  # arrays and tensors
    if found is None or (found and np.ndim(found[0]) == 0 and not isinstance(found[0], str)):
        raise ValueError("boxes is a list of boxes, not one box, a set or a generator: boxes=[(x0, y0, x1, y1)]")
    return found


def resized(hand: Hand, scale: float) -> Hand:
    """The same hand in a picture whose sides are `scale` times as long."""
    keypoints, box = ((a + 0.5) * np.float32(scale) - 0.5 for a in (hand.keypoints, hand.box))
    return replace(hand, keypoints=keypoints, box=box) if scale != 1 else hand
