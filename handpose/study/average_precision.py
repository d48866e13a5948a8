"""COCO's average precision of a detector's boxes, by pycocotools, and its interval."""

import contextlib
import io
from collections.abc import Sequence

import numpy as np

from handpose import metrics

Found = list[tuple[np.ndarray, np.ndarray]]  # boxes (n, 4) and confidences (n,) of each picture


def average_precision(found: Found, boxes: Sequence[np.ndarray]) -> dict:
    """COCO's average precision of boxes, by pycocotools.

    Args:
        found: what `detector.detect` gave, with a threshold near 0.
        boxes: the true boxes (n, 4) of each picture.

    Returns:
        ``ap50`` (IoU 0.5), ``ap`` (mean over IoU 0.5 to 0.95), and ``precision50`` at recall 0, 0.01, ..., 1.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def extent(box: np.ndarray) -> list[float]:
        return [float(v) for v in (*box[:2], *(box[2:] - box[:2]))]

    true = [{"image_id": i, "bbox": extent(b), "area": float(np.prod(b[2:] - b[:2])), "iscrowd": 0, "category_id": 1}
            for i, many in enumerate(boxes) for b in many]  # fmt: skip
    detected = [{"image_id": i, "bbox": extent(b), "score": float(s), "category_id": 1}
                for i, (many, scores) in enumerate(found) for b, s in zip(many, scores, strict=True)]  # fmt: skip
    if not detected or not true:
        return {"ap50": 0.0, "ap": 0.0, "precision50": [0.0] * 101}
    truth = COCO()
    truth.dataset = {"images": [{"id": i} for i in range(len(boxes))], "categories": [{"id": 1}],
                     "annotations": [a | {"id": k} for k, a in enumerate(true, 1)]}  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        judge = COCOeval(truth, truth.loadRes(detected), "bbox")
        judge.params.areaRng, judge.params.areaRngLbl = judge.params.areaRng[:1], ["all"]
        judge.evaluate()
        judge.accumulate()
    precision = judge.eval["precision"][:, :, 0, 0, -1]  # (IoU thresholds, recalls)
    return {"ap50": float(precision[0].mean()), "ap": float(precision.mean()),
            "precision50": [round(float(p), 4) for p in precision[0]]}  # fmt: skip


def with_interval(found: Found, boxes: Sequence[np.ndarray], groups: Sequence[str], *, repeats: int = 200) -> dict:
    """`average_precision` with 95 % intervals, drawing whole groups of pictures with replacement.

    They are None for fewer than `handpose.metrics.FEWEST` groups.
    """
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    members, rng, draws = [np.flatnonzero(index == k) for k in range(len(names))], np.random.default_rng(0), []
    for _ in range(repeats):
        drawn = np.concatenate([members[k] for k in rng.integers(len(names), size=len(names))])
        scores = average_precision([found[i] for i in drawn], [boxes[i] for i in drawn])
        draws.append((scores["ap50"], scores["ap"]))
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    overall = average_precision(found, boxes)
    few = len(names) < metrics.FEWEST
    ends = {k: None if few else [float(a), float(b)] for k, a, b in zip(("ap50", "ap"), low, high, strict=True)}
    return overall | {"intervals": ends}
