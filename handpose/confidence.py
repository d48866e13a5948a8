"""How likely it is that a detected hand is one: a calibrated confidence from detector and key-points (Chapter 3).

The detector sees the whole picture, small; the pose network sees the hand close up, and where there is none its score
maps stay flat. A logistic function of both, fitted on photographs that neither learned from, says which part of such
hands were right: of those with a confidence of 0.8, eight in ten. `data_scripts/calibrate.py` fits the bundled one.
"""

import dataclasses
import json
import os
from pathlib import Path

import numpy as np

from handpose import pretrained

KEYS = ("bias", "detector", "keypoints", "usual", "alone")


@dataclasses.dataclass(frozen=True)
class Confidence:
    """The fitted numbers; called with the detector's and key-points' mean scores (n,), 0 to 1 (Chapter 3)."""

    bias: float
    detector: float  # weight of the logit of the detector's confidence
    keypoints: float  # weight of the mean score of the 21 key-points
    usual: float = 1.0  # mean score that four hands in five reach
    alone: tuple[float, float] = (0.0, 0.0)  # bias and weight of the mean score where the detector did not look

    def __call__(self, detected: np.ndarray, mean_scores: np.ndarray) -> np.ndarray:
        """(n,) float64, 0 to 1: the part of such detections that are hands."""
        return sigmoid(self.bias + self.detector * logit(detected) + self.keypoints * np.asarray(mean_scores))

    def of_keypoints(self, mean_scores: np.ndarray) -> np.ndarray:
        """The same from the key-points' mean scores (n,) alone, (n,): of followed hands, without a detector."""
        return sigmoid(self.alone[0] + self.alone[1] * np.asarray(mean_scores))

    def floor(self, threshold: float) -> float:
        """The detector's confidence below which a hand's usual key-points leave it under the threshold."""
        return float(sigmoid((logit(threshold) - self.bias - self.keypoints * self.usual) / self.detector))


#: The detector's word as it is, whatever the key-points say.
DETECTOR_ALONE = Confidence(bias=0.0, detector=1.0, keypoints=0.0)


def logit(probability: np.ndarray | float) -> np.ndarray:
    """The inverse of `sigmoid`, of any shape, (...) to (...); infinite at 0 and 1."""
    with np.errstate(divide="ignore"):
        probability = np.asarray(probability, np.float64)
        return np.log(probability) - np.log1p(-probability)


def sigmoid(value: np.ndarray | float) -> np.ndarray:
    """1 / (1 + exp(-value)), of any shape, (...) to (...), without overflow."""
    return 0.5 * (1 + np.tanh(np.asarray(value, np.float64) / 2))


def fit(detected: np.ndarray, mean_scores: np.ndarray, right: np.ndarray) -> Confidence:
    """The most likely logistic function, with a weight decay so weak that it only matters where classes are separable.

    Args:
        detected: (n,) the detector's confidences, above 0 and below 1.
        mean_scores: (n,) mean scores of the key-points found there.
        right: (n,) bool, whether there is a hand.

    Raises:
        ValueError: there are only hands or none, so that nothing can be fitted.
    """
    right = np.asarray(right, bool)
    if right.all() or not right.any():
        raise ValueError(f"{right.sum()} of {len(right)} detections are hands; both kinds are needed")
    ones, mean_scores = np.ones(len(right)), np.asarray(mean_scores, np.float64)
    bias, detector, keypoints = _newton(np.stack([ones, logit(detected), mean_scores], 1), right)
    alone_bias, alone_weight = _newton(np.stack([ones, mean_scores], 1), right)
    return Confidence(
        bias, detector, keypoints, float(np.quantile(mean_scores[right], 0.2)), (alone_bias, alone_weight)
    )


def _newton(inputs: np.ndarray, right: np.ndarray, decay: float = 1e-3) -> list[float]:
    """Weights (k,) of a logistic regression, by Newton's method."""
    weights, penalty = np.zeros(inputs.shape[1]), decay * np.eye(inputs.shape[1])
    for _ in range(50):
        chance = sigmoid(inputs @ weights)
        slope = inputs.T @ (chance - right) + penalty @ weights
        curve = (inputs * (chance * (1 - chance))[:, None]).T @ inputs + penalty
        step = np.linalg.solve(curve, slope)
        weights = weights - step * min(1.0, 5 / max(np.abs(step).max(), 1e-12))  # the first steps may be too long
    return [float(w) for w in weights]


def reliability(confidence: np.ndarray, right: np.ndarray, bins: int = 10) -> dict:
    """How far a confidence can be believed.

    Args:
        confidence: (n,) 0 to 1.
        right: (n,) bool.
        bins: of equal width.

    Returns:
        ``brier``: mean squared difference from what was right (0 or 1); ``error``: mean distance between confidence and
        the part that was right, over bins of equal width, each by its size; ``bins``: [detections, mean confidence,
        part right] each, the last two None in an empty bin.
    """
    confidence, right = np.asarray(confidence, np.float64), np.asarray(right, np.float64)
    which, error = np.minimum((confidence * bins).astype(int), bins - 1), 0.0
    rows: list[list[float | None]] = []
    for k in range(bins):
        here = which == k
        if not here.any():
            rows.append([0, None, None])
            continue
        mean, share = float(confidence[here].mean()), float(right[here].mean())
        error += here.mean() * abs(mean - share)
        rows.append([int(here.sum()), round(mean, 3), round(share, 3)])
    return {"brier": round(float(np.mean((confidence - right) ** 2)), 4), "error": round(float(error), 4), "bins": rows}


def bundled() -> Confidence:
    """That of the bundled detector and pose network."""
    return read(pretrained.bundled().with_name("confidence.json"))


def read(path: str | os.PathLike) -> Confidence:
    """From a file that `data_scripts/calibrate.py` wrote.

    Raises:
        pretrained.WeightsError: it cannot be read, or holds something else.
    """
    try:
        found = json.loads(Path(path).read_text("utf-8"))
        numbers = {key: found[key] for key in KEYS}
        bias, weight = (float(v) for v in numbers.pop("alone"))
        numbers = {key: float(value) for key, value in numbers.items()}
        if not np.isfinite([bias, weight, *numbers.values()]).all() or numbers["detector"] <= 0:
            raise ValueError("a number is not finite, or the detector's weight is not above 0")
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise pretrained.WeightsError(f"{path}: not a fitted confidence ({error}); make it anew with: "
                                      "python data_scripts/calibrate.py") from None  # fmt: skip
    return Confidence(**numbers, alone=(bias, weight))
