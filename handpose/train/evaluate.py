"""Score a network on a labelled set: the one way by which every number of the book is made (Chapters 5 and 8).

The box is the tight one of the visible key-points (section 4 does not say whose boxes the paper used); the
crop has no noise and no rotation. Errors are measured in the pixels of the picture itself. Evaluation runs
in float32.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import nn
from tqdm import tqdm

from handpose import crop, metrics, skeleton
from handpose.posenet import predict_crops


@dataclass
class CroppedDataset:
    """A data set cut once into crops for a network of one input size (Chapter 8)."""

    images: np.ndarray  # (N, s, s, 3) uint8
    matrices: np.ndarray  # (N, 2, 3) picture to crop
    keypoints: np.ndarray  # (N, 21, 2) labels in the picture's pixels
    visible: np.ndarray  # (N, 21) bool
    occluded: np.ndarray | None  # (N, 21) bool, where the source knows
    groups: list[str]
    parts: list[str] | None
    ids: list[str]
    left_out: dict[str, list[str]] = field(default_factory=dict)  # ids of hands that cannot be scored, by reason
    grouping: str | None = None  # what a group is, where the set's reader says


def crop_dataset(samples, size: int, *, limit: int | None = None, progress: bool = False) -> CroppedDataset:
    """Crop the samples of a data set.

    Hands that cannot be scored are left out: without a visible joint, or with all of them in one place, so that errors
    have no unit.

    Args:
        limit: at most this many, spread evenly over the set.
    """
    number = len(samples)
    chosen = range(number) if not limit or limit >= number else np.linspace(0, number - 1, limit).round().astype(int)
    names = getattr(samples, "parts", None)
    rows, parts = [], []
    left_out: dict[str, list[str]] = {}
    for i in tqdm(chosen, desc="reading", disable=not progress, unit="hand", leave=False):
        sample = samples[int(i)]
        if not sample.visible.any():
            left_out.setdefault("no visible joint", []).append(sample.id)
        elif not skeleton.box_side(sample.keypoints, sample.visible) > 0:
            left_out.setdefault("one visible joint, or all in one place: no scale", []).append(sample.id)
        else:
            cropped = crop.crop_box(sample.image, sample.box, size)
            rows.append((cropped.image, cropped.matrix, sample.keypoints, sample.visible, sample.occluded, sample.group,
                         sample.id))  # fmt: skip
            parts.append(names[int(i)] if names else "")
    if not rows:
        raise ValueError("no sample of this set has two visible key-points apart; there is nothing to score")
    images, matrices, keypoints, visible, occluded, groups, ids = zip(*rows, strict=True)
    known = all(o is not None for o in occluded)
    return CroppedDataset(np.stack(images), np.stack(matrices), np.stack(keypoints), np.stack(visible),
               np.stack(occluded) if known else None, list(groups), parts if names else None, list(ids),
               left_out, getattr(samples, "grouping", None))  # fmt: skip


def predict(net: nn.Module, data: CroppedDataset) -> np.ndarray:
    """Predicted key-points in the picture's pixels, (stages, N, 21, 2)."""
    keypoints, _ = predict_crops(net, data.images)
    back = np.stack([crop.invert(m) for m in data.matrices])  # (N, 2, 3)
    return np.einsum("nij,snkj->snki", back[:, :, :2], keypoints) + back[:, None, :, 2]


def evaluate(net: nn.Module, data: CroppedDataset, *, intervals: bool = True) -> dict:
    """Everything that is reported of a network on one set.

    Returns:
        ``images``, ``left_out`` (ids by reason), ``metrics`` and ``curves`` (last stage), ``metrics_stage1`` (short
        form), ``intervals`` with ``groups`` (``number``, and ``kind`` where the reader says), and ``parts`` (the
        metrics of each part) where the set has parts.
    """
    predicted = predict(net, data)

    def summary(stage: int, chosen: np.ndarray | slice) -> dict:
        hidden = None if data.occluded is None else data.occluded[chosen]
        return metrics.summarise(predicted[stage][chosen], data.keypoints[chosen], data.visible[chosen], hidden)

    first = summary(0, slice(None))
    result: dict[str, Any] = {
        "images": len(data.ids),
        "left_out": data.left_out,
        "metrics": summary(-1, slice(None)),
        "curves": metrics.curves(predicted[-1], data.keypoints, data.visible),
        "metrics_stage1": {k: first[k] for k in ("pck_bone", "pck_box", "auc_30px", "epe_mean_px", "epe_median_px")},
    }
    if intervals:
        result["intervals"] = metrics.intervals(predicted[-1], data.keypoints, data.visible, data.groups)
        result["groups"] = {"number": len(set(data.groups)), "kind": data.grouping}
    if data.parts:
        parts = np.array(data.parts)
        result["parts"] = {}
        for part in sorted(set(data.parts)):
            chosen = np.flatnonzero(parts == part)
            result["parts"][part] = {"images": len(chosen), **summary(-1, chosen)}
            if intervals:
                result["parts"][part]["intervals"] = metrics.intervals(
                    predicted[-1][chosen],
                    data.keypoints[chosen],
                    data.visible[chosen],
                    [data.groups[i] for i in chosen],
                )
    return result
