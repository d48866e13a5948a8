"""How good a detector is: average precision, recall, false alarms, and what its boxes cost the key-points.

Chapter 3 shows the scores, Chapter 12 says which function made them.
"""

import dataclasses
import itertools
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import nn

from handpose import crop, data, detector, metrics, pretrained, skeleton
from handpose.crop import MARGIN
from handpose.data import scenes
from handpose.data.readers.asl_letters import AslLetters
from handpose.pipeline import THRESHOLD, HandPose
from handpose.study.average_precision import Found, average_precision, with_interval  # noqa: F401, for Chapter 3
from handpose.train import evaluate

LOWEST = 0.01  # boxes below are left out of average precision


def best(found: Found, boxes: Sequence[np.ndarray], threshold: float = THRESHOLD) -> dict:
    """Of pictures in which one hand is labelled and others may be seen: recall, and IoU of the most confident box.

    Returns:
        ``recall50``: part of the labelled hands that some box at or above the threshold meets with IoU 0.5;
        ``top1_iou``: mean IoU of the likeliest box with the label, 0 where none is above the threshold; ``pictures``.
    """
    met, first = [], []
    for (ranked, scores), true in zip(found, boxes, strict=True):
        ranked = ranked[scores >= threshold]
        overlap = (
            detector.iou(torch.from_numpy(ranked), torch.from_numpy(true))[:, 0] if len(ranked) else torch.zeros(1)
        )
        met.append(bool(overlap.max() >= 0.5))
        first.append(float(overlap[0]))
    return {"pictures": len(met), "recall50": float(np.mean(met)), "top1_iou": float(np.mean(first))}


class QuickScores:
    """A quick score of a detector during its training: recall at IoU 0.5 on photographs that it does not learn from.

    `threshold` is the confidence at which there are 0.05 boxes on a window without a hand: a fixed confidence would
    compare networks at different rates of false alarms.
    """

    ANGLES = (0, 90, 180)

    def __init__(self) -> None:
        self.hands = scenes.labelled(data.open("wild", "val"))[::3]
        self.scenes = scenes.photographs(data.open("wild", "scenes-val"))
        photos = data.open("hand-keypoints", "val")
        part_b = [p for p, part in zip(scenes.labelled(photos), photos.parts, strict=True) if part == "B"]
        self.part_b, self.windows = part_b[::3], scenes.windows(part_b) + scenes.windows(self.scenes)

    def __call__(self, net: detector.HandDecNet) -> dict:
        """Recalls, by set, and the threshold that they were measured with."""

        def find(images: list[scenes.Picture]) -> Found:
            return detector.detect(net, [p.image for p in images], threshold=LOWEST)

        alarms = np.sort(np.concatenate([scores for _, scores in find(self.windows)]))[::-1]
        allowed = round(0.05 * len(self.windows))
        threshold = float(alarms[allowed]) if len(alarms) > allowed else LOWEST
        result = {"threshold": round(threshold, 3)}
        for angle in self.ANGLES:
            turned = [turn(p, angle) for p in self.hands]
            result[f"wild/val {angle}"] = recall(find(turned), turned, threshold)
        result["wild/scenes-val"] = recall(find(self.scenes), self.scenes, threshold)
        result["hand-keypoints/val B"] = recall(find(self.part_b), self.part_b, threshold)
        return result


def recall(found: Found, images: Sequence[scenes.Picture], threshold: float) -> float:
    """Part of the hands that a box of at least this confidence meets with IoU 0.5, rounded to four digits."""
    met = []
    for (boxes, scores), image in zip(found, images, strict=True):
        overlap = detector.iou(torch.from_numpy(boxes[scores >= threshold]), torch.from_numpy(image.boxes))
        met += (overlap >= 0.5).any(0).tolist()
    return round(float(np.mean(met)), 4)


SIZES = (0.0, 0.1, 0.2, 0.3, 0.5, np.inf)  # longer side of a hand's box over that of the picture
TURNS = (0, 30, 60, 90, 135, 180)  # degrees


def recall_by_size(found: Found, images: Sequence[scenes.Picture], threshold: float) -> dict[str, dict]:
    """`recall` of the hands of each size that there are: ``{"0.1-0.2": {"hands", "recall50"}, ...}``."""
    result = {}
    for low, high in itertools.pairwise(SIZES):
        of = [
            dataclasses.replace(p, boxes=p.boxes[(low <= sizes) & (sizes < high)])
            for p in images
            for sizes in [(p.boxes[:, 2:] - p.boxes[:, :2]).max(1, initial=0) / max(p.image.shape[:2])]
        ]
        if hands := sum(len(p.boxes) for p in of):
            name = f"over {low:g}" if high == np.inf else f"{low:g}-{high:g}"
            result[name] = {"hands": hands, "recall50": recall(found, of, threshold)}
    return result


def turn(scene: scenes.Picture, degrees: float) -> scenes.Picture:
    """The picture turned clockwise on a canvas that holds all of it; its boxes are those of the turned outlines."""
    height, width = scene.image.shape[:2]
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    new = np.ceil(np.array([width * abs(cos) + height * abs(sin), width * abs(sin) + height * abs(cos)]) - 1e-6)
    linear = np.array([[cos, -sin], [sin, cos]])
    matrix = np.column_stack([linear, (new - 1) / 2 - linear @ [(width - 1) / 2, (height - 1) / 2]])
    image = cv2.warpAffine(scene.image, matrix, new.astype(int).tolist(), borderMode=cv2.BORDER_REPLICATE)
    assert scene.outlines is not None  # `__post_init__` fills them
    outlines = crop.apply(matrix, scene.outlines)
    boxes = np.concatenate([outlines.min(1), outlines.max(1)], -1)
    return dataclasses.replace(scene, image=image, boxes=boxes.astype(np.float32), outlines=outlines)


def score_everywhere(net: detector.HandDecNet) -> dict:
    """Everything that the record of a detector holds beyond its training; needs the photographs."""
    result, (pose, size) = _score_boxes(net) | {"pck": {}}, pretrained.load()
    for name, split in (("hand-keypoints", "val"), ("asl-letters", "all"), ("wild", "val")):
        result["pck"][f"{name}/{split}"] = key_points(net, pose, size, data.open(name, split))
    return result


def _score_boxes(net: detector.HandDecNet) -> dict:
    """The scores of its boxes: precision, and recall by part, by angle and by size; boxes where there is no hand."""

    def find(images: Sequence[scenes.Picture]) -> Found:
        return detector.detect(net, [p.image for p in images], threshold=LOWEST)

    result: dict = {"threshold": THRESHOLD, "precision": {}, "one_labelled": {}, "turned": {}, "sizes": {}, "empty": {}}
    letters = {split: scenes.labelled(AslLetters(None, split, min_score=0.0)) for split in ("val", "test")}
    composed = scenes.Scenes(0, "test", 500)
    photographs = scenes.photographs(data.open("wild", "scenes-val"))
    for name, images in (
        ("asl-letters/test", letters["test"]),
        ("wild/scenes-val", photographs),
        ("scenes/test", [composed[i] for i in range(500)]),
    ):
        found = find(images)
        scores = with_interval(found, [p.boxes for p in images], [p.group for p in images])
        result["precision"][name] = {"pictures": len(images), "hands": sum(len(p.boxes) for p in images)} | scores

    result["sizes"]["wild/scenes-val"] = recall_by_size(find(photographs), photographs, THRESHOLD)
    hands = scenes.labelled(data.open("wild", "val"))
    for angle in TURNS:
        turned = [turn(image, angle) for image in hands]
        result["turned"][str(angle)] = recall(find(turned), turned, THRESHOLD)

    photos = data.open("hand-keypoints", "val")
    images, parts = scenes.labelled(photos), np.array(photos.parts)
    found = find(images)
    for part in "ABC":
        of = np.flatnonzero(parts == part)
        result["one_labelled"][part] = best([found[i] for i in of], [images[i].boxes for i in of])

    part_b = [p for p, part in zip(images, parts, strict=True) if part == "B"]
    drawn = scenes.Scenes(7, "test", 200, hands=0)
    for name, empty in (
        ("hand-keypoints part B", scenes.windows(part_b, limit=len(part_b))),
        ("asl-letters", scenes.windows(letters["val"] + letters["test"], limit=1000)),
        ("wild/scenes-val", scenes.windows(photographs, limit=1000)),
        ("drawn scenes", [drawn[i] for i in range(200)]),
    ):
        alarms = sum(int((scores >= THRESHOLD).sum()) for _, scores in find(empty))
        result["empty"][name] = {"pictures": len(empty), "false_alarms_per_picture": alarms / max(len(empty), 1)}
    return result


def key_points(net: detector.HandDecNet, pose: nn.Module, size: int, samples) -> dict:
    """PCK of the pose network with true boxes, with jittered ones, and with the detector's.

    A jitter of p pixels is that of the paper's crop: the box's centre moves by a normal deviate of p / 256 of the
    crop's side along each axis. Of several detections the likeliest is taken; a hand not found counts as wrong.

    Returns:
        For "true", "jitter 8", "jitter 20", "detected", all in one pass, and "detected, refined" (with the pipeline's
        refinement pass): PCK at 0.2 of s and at 0.1 of the box, pooled under "all" and per part where there are parts.
    """
    every = [samples[i] for i in range(len(samples))]
    parts = np.array(getattr(samples, "parts", ["all"] * len(every)))
    keep = [i for i, s in enumerate(every) if s.visible.any()]
    every, parts = [every[i] for i in keep], parts[keep]
    rng = np.random.default_rng(0)

    def moved(sample: data.Sample, pixels: float) -> data.Sample:
        side = MARGIN * max(sample.box[2:] - sample.box[:2])
        return dataclasses.replace(sample, box=sample.box + np.tile(rng.normal(0, pixels / 256 * side, 2), 2))

    def one_pass(shown: list) -> np.ndarray:
        return evaluate.predict(pose, evaluate.crop_dataset(shown, size))[-1]

    def score(predicted: np.ndarray, missed: np.ndarray) -> dict:
        target, visible = (np.stack([getattr(s, k) for s in every]) for k in ("keypoints", "visible"))
        counted = np.where(missed[:, None, None], 1e6, predicted)  # far from everything

        def both(of: np.ndarray) -> dict:
            t, v = target[of], visible[of]
            return {
                "pck_bone_0.2": float(metrics.pck(counted[of], t, v, skeleton.unit_length(t, v), [0.2])[0]),
                "pck_box_0.1": float(metrics.pck(counted[of], t, v, skeleton.box_side(t, v), [0.1])[0]),
                "found": float(1 - missed[of].mean()),
            }

        kinds = sorted(set(parts)) if len(set(parts)) > 1 else []
        return {"all": both(np.arange(len(every)))} | {k: both(np.flatnonzero(parts == k)) for k in kinds}

    none = np.zeros(len(every), bool)
    result = {"true": score(one_pass(every), none)}
    for pixels in (8, 20):
        result[f"jitter {pixels}"] = score(one_pass([moved(s, pixels) for s in every]), none)
    found = detector.detect(net, [s.image for s in every], threshold=THRESHOLD, most=1)
    missed = np.array([len(boxes) == 0 for boxes, _ in found])
    first = [s if m else dataclasses.replace(s, box=detector.box_to_keypoint_extent(boxes[0]))
             for s, (boxes, _), m in zip(every, found, missed, strict=True)]  # fmt: skip
    result["detected"] = score(one_pass(first), missed)
    hp = HandPose(pose, size)
    refined = [hp(s.image, boxes=[s.box])[0].keypoints for s in first]
    result["detected, refined"] = score(np.stack(refined), missed)
    return result
