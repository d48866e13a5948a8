"""The networks as the pipeline calls them: arrays in, arrays out, whatever runs them; and what lies in between.

Nothing here needs PyTorch, so that a picture is done before PyTorch would be imported where ONNX Runtime runs the
networks. `handpose.detector` and `handpose.gesturenet` offer these functions by the names that the chapters use.
"""

import cv2
import numpy as np

from handpose import skeleton
from handpose.crop import letterbox

__all__ = ["overlap_of_two", "run"]  # the others are listed where they are offered
SIZE = 256  # side of the detector's input in pixels
CANDIDATES = 1000  # the most confident boxes that suppression compares; SSD takes 400, and comparing all is quadratic
BODY = 0.1  # flesh reaches past the joints: the detector's box is the key-points' plus this part a side


def run(kind: str, net, inputs: np.ndarray) -> tuple[np.ndarray, ...]:
    """What a network makes of arrays: a session of ONNX Runtime by itself, one of PyTorch by `handpose.networks`.

    Args:
        kind: "pose", "detector" or "gesture".
        net: an `onnx_runtime.Network`, or a network of PyTorch in evaluation mode.
        inputs: (B, S, S, 3) uint8, crops or, for the detector, pictures in a square; for the classifier normalised
            points (B, 21, 2).

    Returns:
        float32: of "pose" points (B, 21, 2) in pixels of the crop and scores (B, 21); of "detector" boxes (B, A, 4) in
        pixels of the square and confidences (B, A); of "gesture" probabilities (B, labels).
    """
    if hasattr(net, "session"):
        return net(inputs)
    from handpose import networks  # here, because it needs PyTorch

    return networks.run(kind, net, inputs)


def detect(
    net, images: list[np.ndarray], *, threshold: float, overlap=0.45, size: int = SIZE, most: int = 20
) -> list[tuple[np.ndarray, np.ndarray]]:  # fmt: skip
    """Boxes of the hands in pictures, best first.

    Args:
        net: a `HandDecNet` in evaluation mode, on its device, or one of ONNX Runtime.
        images: (H, W, 3) uint8 each.
        threshold: least confidence, 0 to 1. overlap: IoU above which the weaker box is dropped. most: boxes a picture.

    Returns:
        For each picture boxes (n, 4) float32 in its pixels, clipped to it, and confidences (n,) float32.
    """
    found = []
    for image in images:
        square, factor = letterbox(image, size)
        (boxes,), (scores,) = run("detector", net, square[None])
        confident = np.flatnonzero(scores >= threshold)
        confident = confident[np.argsort(-scores[confident], kind="stable")[:CANDIDATES]]
        boxes, scores = (boxes[confident] + 0.5) / factor - 0.5, scores[confident]
        boxes = np.clip(boxes, -0.5, np.array(image.shape[1::-1] * 2) - 0.5).astype(np.float32)
        inside = (boxes[:, 2:] - boxes[:, :2] >= 1).all(1)  # of a box beside the picture nothing is left
        chosen = [i for i in nms(boxes, scores, overlap) if inside[i]][:most]
        found.append((boxes[chosen], scores[chosen]))
    return found


def nms(boxes: np.ndarray, scores: np.ndarray, overlap: float) -> np.ndarray:
    """Non-maximum suppression: indices of the boxes (n, 4), pixels, that stay, best first; their scores are (n,)."""
    corner_and_extent = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1)
    chosen = cv2.dnn.NMSBoxes(corner_and_extent.tolist(), scores.tolist(), 0.0, overlap)
    return np.asarray(chosen, int).reshape(-1)


def keypoints_to_box(keypoints: np.ndarray, visible: np.ndarray | None = None) -> np.ndarray:
    """The detector's box: the extent of key-points (..., 21, 2) plus a tenth of it a side; (..., 4) in their pixels,
    NaN where nothing is visible (..., 21)."""
    box = skeleton.tight_box(keypoints, visible)
    extra = BODY * (box[..., 2:] - box[..., :2])
    return np.concatenate([box[..., :2] - extra, box[..., 2:] + extra], -1)


def box_to_keypoint_extent(box: np.ndarray) -> np.ndarray:
    """The inverse of `keypoints_to_box`: the key-points' box (..., 4) within a detector's (..., 4), pixels."""
    box = np.asarray(box, np.float32)
    extra = BODY / (1 + 2 * BODY) * (box[..., 2:] - box[..., :2])
    return np.concatenate([box[..., :2] + extra, box[..., 2:] - extra], -1)


def overlap_of_two(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union of two boxes (4,) in pixels."""
    sides = np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2])
    if (sides <= 0).any():
        return 0.0
    common = float(sides[0] * sides[1])
    area = sum(float((box[2] - box[0]) * (box[3] - box[1])) for box in (first, second))
    return common / max(area - common, 1e-9)


def normalise(keypoints: np.ndarray, visible: np.ndarray | None = None, *, mirrored: bool = False) -> np.ndarray:
    """Key-points moved to the palm and divided by the paper's unit s (eq. (1); the paper does not say so).

    The palm is the middle between the wrist and the middle finger's knuckle.

    Args:
        keypoints: (..., 21, 2) pixels.
        visible: (..., 21) bool; a joint without a label is put on the palm.
        mirrored: exchange left and right, as for a left hand where the letters were learned from right ones.

    Returns:
        (..., 21, 2) float32, in s.

    Raises:
        ValueError: not 21 points, a coordinate that is not finite, or all points in one place.
    """
    keypoints = np.asarray(keypoints, np.float32)
    if keypoints.shape[-2:] != (skeleton.NUM_JOINTS, 2):
        raise ValueError(f"points must be (..., 21, 2), got {keypoints.shape}")
    shown = np.ones(keypoints.shape[:-1], bool) if visible is None else np.asarray(visible, bool)
    if not np.isfinite(keypoints[shown]).all():
        raise ValueError("a key-point is not finite")
    unit = skeleton.unit_length(keypoints, shown)
    if not (unit > 0).all():
        raise ValueError("all key-points of a hand lie in one place")
    palm = (keypoints[..., :1, :] + keypoints[..., 9:10, :]) / 2
    moved = np.where(shown[..., None], (keypoints - palm) / unit[..., None, None], 0)
    return (moved * (-1, 1) if mirrored else moved).astype(np.float32)


def name(net, keypoints: np.ndarray) -> tuple[str, float] | None:
    """The likeliest label of one hand (21, 2) in pixels, with its probability; None where `normalise` refuses it."""
    try:
        normalised = normalise(keypoints)
    except ValueError:
        return None
    (probabilities,) = run("gesture", net, normalised[None])
    best = int(probabilities[0].argmax())
    return str(net.labels[best]), float(probabilities[0, best])
