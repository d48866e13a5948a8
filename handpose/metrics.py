"""How good key-points are: PCK, AUC, end-point error, and bootstrap intervals by group; how good readings of signs.

Conventions: predicted and target (N, 21, 2) pixels, visible (N, 21) bool; only visible joints count,
and joints of all images are pooled. A PCK always names what it divides by: the bone s of eq. (1), or the
longer side of the key-points' box. Chapter 8 is about them; Chapter 10 reads signs, Chapter 12 points to the rest.
"""

from collections.abc import Callable, Collection, Iterable, Sequence

import numpy as np

from handpose import skeleton

BONE_THRESHOLDS = (0.15, 0.2, 0.25, 0.3)  # of s: the four of Table 2
BOX_THRESHOLDS = (0.05, 0.1, 0.2)  # of the box's longer side
AUC_PIXELS = np.linspace(0, 30, 20)  # the ancestor's rule: 20 thresholds, trapezoid
CURVE = np.arange(51) / 100  # of either unit, for a whole curve
FEWEST = 5  # groups; fewer say nothing of what other groups would give, so there is no interval


def errors(predicted: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Distance of every joint from its label, (N, 21) pixels."""
    predicted, target = np.asarray(predicted, np.float64), np.asarray(target, np.float64)
    if predicted.shape != target.shape or predicted.shape[-1] != 2:
        raise ValueError(f"predicted {predicted.shape} and target {target.shape} must both be (N, 21, 2)")
    return np.linalg.norm(predicted - target, axis=-1)


def pck(
    predicted: np.ndarray, target: np.ndarray, visible: np.ndarray, scale: np.ndarray, thresholds: Sequence[float]
) -> np.ndarray:
    """Percentage of correct key-points, as fractions (Chapter 8).

    Args:
        predicted, target: (N, 21, 2).
        visible: (N, 21).
        scale: (N,) or one number: what divides an image's errors, `skeleton.unit_length` or `skeleton.box_side`.
        thresholds: (T,) in units of the scale.

    Returns:
        (T,) share of visible joints with error <= threshold; NaN when no joint is visible.

    Raises:
        ValueError: a scale that is not positive where a joint counts, or labels that cannot count (`skeleton.counted`).
    """
    distance, visible = errors(predicted, target), skeleton.counted(target, visible)
    scale = np.broadcast_to(np.asarray(scale, np.float64).reshape(-1, 1), distance.shape)
    if not (scale[visible] > 0).all():
        raise ValueError("a scale is zero, negative or NaN for an image with visible joints")
    ratio = distance[visible] / scale[visible]
    if not ratio.size:
        return np.full(len(thresholds), np.nan)
    fractions = np.array([(ratio <= t).mean() for t in thresholds])  # a NaN prediction is never correct
    ordered = fractions[np.argsort(thresholds)]
    assert (np.diff(ordered) >= 0).all(), "PCK fell as its threshold rose"  # Table 2 as printed would fail here
    return fractions


def auc(predicted: np.ndarray, target: np.ndarray, visible: np.ndarray, thresholds: np.ndarray = AUC_PIXELS) -> float:
    """Area under the PCK curve over pixel thresholds, 0 to 1 (trapezoid rule, divided by the range)."""
    thresholds = np.sort(thresholds)
    curve = pck(predicted, target, visible, np.ones(len(predicted)), list(thresholds))
    return float(np.trapezoid(curve, thresholds) / (thresholds[-1] - thresholds[0]))


def curves(predicted: np.ndarray, target: np.ndarray, visible: np.ndarray) -> dict[str, list[float]]:
    """Whole PCK curves: ``thresholds`` (0 to 0.5), and the fractions ``pck_bone`` and ``pck_box`` at each of them."""
    units = {"pck_bone": skeleton.unit_length(target, visible), "pck_box": skeleton.box_side(target, visible)}
    found = {name: pck(predicted, target, visible, unit, list(CURVE)).tolist() for name, unit in units.items()}
    return {"thresholds": CURVE.tolist()} | found


def summarise(
    predicted: np.ndarray, target: np.ndarray, visible: np.ndarray, occluded: np.ndarray | None = None
) -> dict:
    """Every metric the book reports, PCK as fractions, lengths in pixels of the picture.

    Args:
        occluded: (N, 21) bool; adds PCK for hidden joints apart, where there are any.

    Returns:
        ``pck_bone``, ``pck_box`` (threshold as text -> fraction), ``auc_30px``, ``epe_mean_px``, ``epe_median_px``,
        ``pck_bone_0.2_joint`` (21 numbers), ``pck_bone_0.2_finger`` (wrist and five fingers).
    """
    visible = skeleton.counted(target, visible)
    bone, side = skeleton.unit_length(target, visible), skeleton.box_side(target, visible)
    distance = errors(predicted, target)
    counted = distance[visible]

    def at(mask: np.ndarray, threshold: float = 0.2) -> float | None:
        value = pck(predicted, target, mask, bone, [threshold])[0]
        return None if np.isnan(value) else float(value)

    def only(joints: Sequence[int]) -> np.ndarray:
        mask = np.zeros_like(visible)
        mask[:, list(joints)] = visible[:, list(joints)]
        return mask

    units = (bone, BONE_THRESHOLDS), (side, BOX_THRESHOLDS)
    result = _by_unit([float(share) for unit in units for share in pck(predicted, target, visible, *unit)]) | {
        "auc_30px": auc(predicted, target, visible),
        "epe_mean_px": float(counted.mean()),
        "epe_median_px": float(np.median(counted)),
        "pck_bone_0.2_joint": [at(only([j])) for j in range(skeleton.NUM_JOINTS)],
        "pck_bone_0.2_finger": {"wrist": at(only([0]))}
        | {finger: at(only(joints)) for finger, joints in skeleton.FINGER_JOINTS.items()},
    }
    if occluded is not None:
        occluded = np.asarray(occluded, bool)
        result["pck_bone_0.2_occluded"] = at(visible & occluded)
        result["pck_bone_0.2_unoccluded"] = at(visible & ~occluded)
    return result


def bootstrap(
    groups: Sequence[str],
    statistic: Callable[[np.ndarray], np.ndarray],
    *,
    repeats: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Percentile interval of a statistic, resampling whole groups with replacement.

    Frames of one person or sequence resemble each other; drawing them one by one would make every
    interval far too narrow.

    Args:
        groups: (N,) the group of each image.
        statistic: takes (N,) image weights (how often each was drawn), returns a number or an array.
        repeats, level, seed: number of draws, coverage, and the draws' seed.

    Returns:
        Lower and upper ends, shaped like the statistic; of fewer than `FEWEST` groups they mean little.
    """
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    rng = np.random.default_rng(seed)
    draws = []
    for _ in range(repeats):
        times = np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names))
        draws.append(statistic(times[index]))
    tail = (1 - level) / 2
    return np.nanquantile(draws, tail, axis=0), np.nanquantile(draws, 1 - tail, axis=0)


def intervals(
    predicted: np.ndarray, target: np.ndarray, visible: np.ndarray, groups: Sequence[str], *, repeats: int = 1000
) -> dict:
    """95 % bootstrap intervals [low, high] by group, under the keys of `summarise`; None for fewer than `FEWEST`."""
    visible = skeleton.counted(target, visible)
    distance = np.where(visible, errors(predicted, target), 0)
    bone, side = skeleton.unit_length(target, visible), skeleton.box_side(target, visible)

    def hits(scale: np.ndarray, thresholds: Iterable[float]) -> np.ndarray:  # (N, T) correct joints an image
        ratio = distance / scale[:, None]
        return np.stack([((ratio <= t) & visible).sum(1) for t in thresholds], 1)

    hit = np.concatenate(
        [hits(bone, BONE_THRESHOLDS), hits(side, BOX_THRESHOLDS), hits(np.ones(len(side)), AUC_PIXELS)], axis=1
    )
    count, total = visible.sum(1), distance.sum(1)
    flat, image_of = distance[visible], np.nonzero(visible)[0]
    order = np.argsort(flat)
    flat, image_of = flat[order], image_of[order]
    units = len(BONE_THRESHOLDS) + len(BOX_THRESHOLDS)

    def statistic(times: np.ndarray) -> np.ndarray:
        joints = times @ count
        share = times @ hit / joints
        area = np.trapezoid(share[units:], AUC_PIXELS) / (AUC_PIXELS[-1] - AUC_PIXELS[0])
        drawn = np.cumsum(times[image_of])  # of two middle errors their mean, as `summarise` has it
        middle = [min(np.searchsorted(drawn, joints / 2, side), len(flat) - 1) for side in ("left", "right")]
        return np.concatenate([share[:units], [area, times @ total / joints, flat[middle].mean()]])

    pairs, median = ends_of(groups, statistic, repeats=repeats), float(np.median(flat))
    if pairs[-1]:  # a median jumps from joint to joint, and may lie beyond its own draws
        pairs[-1] = [min(pairs[-1][0], median), max(pairs[-1][1], median)]
    return _by_unit(pairs) | dict(zip(("auc_30px", "epe_mean_px", "epe_median_px"), pairs[-3:], strict=True))


def ends_of(groups: Sequence[str], statistic: Callable, **options) -> list[list[float] | None]:
    """Interval of each of the statistic's numbers; None where there are too few groups."""
    low, high = bootstrap(groups, statistic, **options)
    few = len(set(groups)) < FEWEST
    return [None if few else [float(a), float(b)] for a, b in zip(low, high, strict=True)]


def _by_unit(values: Sequence) -> dict[str, dict]:
    """What stands in a row for the thresholds of s and then of the box, by unit and threshold."""
    bone, box = ([f"{t:g}" for t in thresholds] for thresholds in (BONE_THRESHOLDS, BOX_THRESHOLDS))
    return {"pck_bone": dict(zip(bone, values, strict=False)),
            "pck_box": dict(zip(box, values[len(bone) :], strict=False))}  # fmt: skip


def paired(
    first: np.ndarray, second: np.ndarray, target: np.ndarray, visible: np.ndarray, groups: Sequence[str], *,
    repeats: int = 1000, seed: int = 0,
) -> dict:  # fmt: skip
    """PCK of one method minus PCK of another on the same pictures, with 95 % intervals.

    Every draw resamples groups, the same for both methods, and the runs of each method: a difference counts only
    if it holds for other people and for other seeds.

    Args:
        first, second: (runs, N, 21, 2) predictions, one row a seed.
        target, visible, groups: as in `intervals`.

    Returns:
        ``{"pck_bone": {"0.15": {"difference", "interval"}, ...}, "pck_box": {...}}``, as fractions; the interval is
        None for fewer than `FEWEST` groups.
    """
    visible = skeleton.counted(target, visible)
    bone, side = skeleton.unit_length(target, visible), skeleton.box_side(target, visible)

    def hits(predicted: np.ndarray) -> np.ndarray:  # (runs, N, T) correct joints an image
        distance = np.stack([np.where(visible, errors(p, target), np.inf) for p in predicted])
        shares = [(distance / bone[:, None] <= t).sum(2) for t in BONE_THRESHOLDS]
        return np.stack(shares + [(distance / side[:, None] <= t).sum(2) for t in BOX_THRESHOLDS], 2)

    hits_first, hits_second, count, rng = hits(first), hits(second), visible.sum(1), np.random.default_rng(seed)

    def statistic(times: np.ndarray) -> np.ndarray:
        a, b = (h[rng.integers(len(h), size=len(h))].mean(0) for h in (hits_first, hits_second))
        return times @ (a - b) / (times @ count)

    difference = (hits_first.mean(0) - hits_second.mean(0)).sum(0) / count.sum()
    ends = ends_of(groups, statistic, repeats=repeats, seed=seed)
    return _by_unit([{"difference": float(d), "interval": e} for d, e in zip(difference, ends, strict=True)])


def word_error_rate(found: Collection[str], true: Collection[str]) -> tuple[float, tuple[float, float]]:
    """Share of signs read wrongly, with its 95 % Wilson interval.

    Of isolated signs every error is a substitution, so the word error rate of section 4.1 is one minus the accuracy.

    Raises:
        ValueError: no signs, or another number of readings.
    """
    if len(found) != len(true) or not len(true):
        raise ValueError(f"{len(found)} readings of {len(true)} signs: there must be as many, and at least one")
    wrong, number = int((np.asarray(found) != np.asarray(true)).sum()), len(true)
    return wrong / number, wilson(wrong, number)


def wilson(count: float, number: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval of a proportion of `count` out of `number` independent draws."""
    share = count / number
    middle, scale = share + z**2 / (2 * number), 1 + z**2 / number
    half = z * np.sqrt(share * (1 - share) / number + z**2 / (4 * number**2))
    return float((middle - half) / scale), float((middle + half) / scale)
