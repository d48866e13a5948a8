"""What peer.py scores: labelled pictures, which found hand is which labelled one, and the parts that are right."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment

from handpose import metrics, skeleton
from handpose.data import scenes
from handpose.detector import iou
from handpose.study import detection

FOUND = 0.5  # IoU from which on a hand is found
FAR = 1e6  # pixels: where the key-points of a hand lie that was not found
SHOWN = (("pck_bone", "0.2"), ("pck_box", "0.1"))  # of s, and of the box's longer side
GROUPS = 5  # fewer give no interval


@dataclass
class Labelled:
    """A picture with the labels of its hands."""

    image: np.ndarray  # (H, W, 3) uint8
    keypoints: np.ndarray  # (n, 21, 2) float32 pixels
    visible: np.ndarray  # (n, 21) bool
    group: str
    part: str | None = None

    @property
    def boxes(self) -> np.ndarray:
        """(n, 4): tight boxes of the visible key-points."""
        return skeleton.tight_box(self.keypoints, self.visible)


def read(samples) -> list[Labelled]:
    """The pictures of a data set with all their hands; hands without a visible key-point are left out."""
    images = samples.images() if hasattr(samples, "images") else [[i] for i in range(len(samples))]
    parts, found = getattr(samples, "parts", None), []
    for indices in images:
        hands = [hand for hand in (samples[i] for i in indices) if hand.visible.any()]
        if hands:
            keypoints, visible = (np.stack([getattr(hand, k) for hand in hands]) for k in ("keypoints", "visible"))
            part = parts[indices[0]] if parts else None
            found.append(Labelled(hands[0].image, keypoints, visible, hands[0].group, part))
    return found


def turned(image: Labelled, degrees: float) -> Labelled:
    """The picture turned clockwise with its key-points, on a canvas that holds all of it."""
    flat = scenes.Picture(image.image, image.boxes, image.group, "", outlines=image.keypoints)
    new = detection.turn(flat, degrees)
    return Labelled(new.image, new.outlines, image.visible, image.group, image.part)


def boxes_of(keypoints: np.ndarray, image: np.ndarray, extent=skeleton.tight_box) -> np.ndarray:
    """Boxes (n, 4) of found key-points (n, 21, 2), cut off at the picture's edge, as labels are."""
    height, width = image.shape[:2]
    return np.clip(extent(keypoints).reshape(-1, 4), -0.5, np.array([width, height] * 2) - 0.5).astype(np.float32)


def match(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    """For each of the true boxes (m, 4) the index of the found one (n, 4) that is it, -1 where none is: (m,).

    A found box stands for one hand alone: the pairs are those whose overlaps add up to most, and a pair counts with an
    IoU of at least 0.5.
    """
    index = np.full(len(true), -1)
    if len(found) and len(true):
        overlap = iou(*(torch.from_numpy(np.ascontiguousarray(boxes)) for boxes in (true, found))).numpy()
        rows, columns = linear_sum_assignment(-np.nan_to_num(overlap))
        index[rows] = np.where(overlap[rows, columns] >= FOUND, columns, -1)
    return index


def matched(images: Sequence[Labelled], answers: Sequence[np.ndarray]) -> np.ndarray:
    """Key-points of every labelled hand (hands, 21, 2), in the pictures' order; FAR away where it was not found."""
    rows = []
    for image, keypoints in zip(images, answers, strict=True):
        padded = np.concatenate([keypoints.reshape(-1, 21, 2), np.full((1, 21, 2), FAR)])  # index -1: the last
        rows.append(padded[match(boxes_of(keypoints, image.image), image.boxes)])
    return np.concatenate(rows)


def score(images: Sequence[Labelled], engines: dict[str, Sequence[np.ndarray]], given: dict[str, np.ndarray]) -> dict:
    """Found and right, engine by engine.

    Args:
        images: with their labels.
        engines: of each engine the key-points (n, 21, 2) that it found in each picture.
        given: of an engine that can be told where the hands are, their key-points (hands, 21, 2).

    Returns:
        ``images``, ``hands``; ``engines``: of each ``found`` (part of the hands), ``end_to_end`` and, where given,
        ``box_given`` (PCK as fractions, see `SHOWN`; a hand not found is wrong in all its key-points); ``difference``:
        the first engine's PCK end to end minus each other's, with an interval over groups; ``parts`` where there are.
    """
    target, visible = (np.concatenate([getattr(p, k) for p in images]) for k in ("keypoints", "visible"))
    groups, parts = (np.array([getattr(p, k) for p in images for _ in p.keypoints]) for k in ("group", "part"))
    keypoints = {name: matched(images, answers) for name, answers in engines.items()}

    def pck(predicted: np.ndarray, of: np.ndarray) -> dict:
        units = skeleton.unit_length(target[of], visible[of]), skeleton.box_side(target[of], visible[of])
        shares = [metrics.pck(predicted[of], target[of], visible[of], unit, [float(threshold)])[0]
                  for (_, threshold), unit in zip(SHOWN, units, strict=True)]  # fmt: skip
        return {f"{unit}_{t}": round(float(share), 4) for (unit, t), share in zip(SHOWN, shares, strict=True)}

    def all_of(of: np.ndarray) -> dict:
        result = {}
        for name, predicted in keypoints.items():
            found = (predicted[of, 0, 0] != FAR).mean()
            result[name] = {"found": round(float(found), 4), "end_to_end": pck(predicted, of)}
            if name in given:
                result[name]["box_given"] = pck(given[name], of)
        return result

    first, *others = keypoints
    every = np.arange(len(target))
    result = {"pictures": len(images), "hands": len(target), "engines": all_of(every)}
    if len(set(groups)) >= GROUPS:
        result["difference"] = {
            name: difference(keypoints[first], keypoints[name], target, visible, groups) for name in others
        }
    if len(kinds := sorted({part for part in parts if part})) > 1:
        rows = {kind: np.flatnonzero(parts == kind) for kind in kinds}
        result["parts"] = {kind: {"hands": len(of), "engines": all_of(of)} for kind, of in rows.items()}
    return result


def difference(ours: np.ndarray, other: np.ndarray, target: np.ndarray, visible: np.ndarray, groups) -> dict:
    """PCK of one minus that of the other, with 95 % intervals from paired draws of whole groups."""
    pairs = metrics.paired(ours[None], other[None], target, visible, groups)
    shown = {f"{unit}_{t}": pairs[unit][t] for unit, t in SHOWN}
    return {name: {"difference": round(pair["difference"], 4),
                   "interval": pair["interval"] and [round(end, 4) for end in pair["interval"]]}
            for name, pair in shown.items()}  # fmt: skip


def in_drawn_boxes(images: Sequence[scenes.Picture], answers: Sequence[np.ndarray], extent) -> float:
    """Part of the boxes drawn by people that a hand's `extent` (key-points to the box of the flesh) meets."""
    met = [match(boxes_of(keypoints, image.image, extent), image.boxes) >= 0
           for image, keypoints in zip(images, answers, strict=True)]  # fmt: skip
    return round(float(np.concatenate(met).mean()), 4)
