"""Whether hands' joints fit the boxes that their file gives them: that tells exchanged, mirrored or moved ones.

Mending counts as such only where it brings most hands nearer to their boxes, and all together much nearer. Joints that
lie within boxes of whatever width cannot be brought nearer by moving, mirroring or exchanging them, so no box that
holds its hand is refused.
"""

from collections.abc import Callable, Sequence

import numpy as np

from handpose.data.common import DataError

LEAST = 11  # labelled joints of a hand that is asked
SEVERAL = 3  # hands, from which on it is no chance
MARGIN = 0.1  # of a box's longer side: boxes are drawn by hand, and cut off a wrist or a fingertip
FITS, FAIR = 0.02, 0.2  # of a box's longer side: nearer than that, joints and box agree, and may agree
BETTER, MOST = 0.6, 0.8  # of what is left when they are mended, and of the hands that then fit better
SMALLEST = 1 / 200  # of the picture: smaller boxes are in another unit, or none

#: What may have happened, and how joints (N, 21, 2) are mended, given boxes (N, 1, 4) and sizes (N, 1, 2).
MENDING: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]] = {
    "x and y exchanged": lambda keypoints, box, size: keypoints[..., ::-1],
    "mirrored": lambda keypoints, box, size: size * [1, 0] - keypoints * [1, -1],
    "y counted upwards": lambda keypoints, box, size: size * [0, 1] - keypoints * [-1, 1],
    "counted from the corner of the box": lambda keypoints, box, size: keypoints + box[..., :2],
    "parts of the box": lambda keypoints, box, size: keypoints * box[..., 2:] + box[..., :2],
}


def check(where: str, hands: Sequence[tuple]) -> list[str]:
    """Whether the joints of most hands fit their boxes.

    Args:
        where: stands in errors.
        hands: of each its name, (width, height) of its picture or None, its joints (21, 2), NaN without a label, and
            its box (x, y, width, height) or None, all in one unit.

    Returns:
        Lines to be said: of a few hands that do not fit.

    Raises:
        DataError: most do not; it names the first, and what is likely where that can be told.
    """
    asked = [hand for hand in hands if None not in (hand[1], hand[3]) and np.isfinite(hand[3]).all()
             and min(hand[3][2:]) > SMALLEST * max(hand[1]) and np.isfinite(hand[2]).all(1).sum() >= LEAST]  # fmt: skip
    if not asked:
        return []
    size, keypoints, box = (np.array([hand[k] for hand in asked], np.float64) for k in (1, 2, 3))
    margin = MARGIN * box[:, None, 2:].max(2, keepdims=True)
    corners = box[:, None, :2], box[:, None, :2] + box[:, None, 2:]
    out = ((keypoints < corners[0] - margin) | (keypoints > corners[1] + margin)).any(2)
    wrong, likely = 2 * out.sum(1) > np.isfinite(keypoints).all(2).sum(1), ""
    if len(asked) >= SEVERAL and (found := _mended(keypoints, box, size, out.any(1))):
        likely, wrong = f"; {found[0]}?", found[1]
    number = int(wrong.sum())
    if not number:
        return []
    first = asked[int(wrong.argmax())][0]
    if len(asked) >= SEVERAL and (likely or 2 * number > len(asked)):
        raise DataError(f"{where}: the joints of {number} of {len(asked)} hands do not fit their own boxes, first in "
                        f"{first}{likely}; export again (if the joints are right, with 0 0 0 0 as boxes)")  # fmt: skip
    return [f"{number} of {len(asked)} hands with most joints outside their own boxes, first {first}; look at these"]


def _misfit(keypoints: np.ndarray, box: np.ndarray) -> np.ndarray:
    """How far the four edges of joints (N, 21, 2) and boxes (N, 4) lie apart, of the boxes' longer sides: (N,)."""
    low, high = np.nanmin(keypoints, 1), np.nanmax(keypoints, 1)
    apart = np.abs(low - box[:, :2]) + np.abs(high - box[:, :2] - box[:, 2:])
    return apart.sum(1) / 4 / box[:, 2:].max(1)


def _mended(keypoints: np.ndarray, box: np.ndarray, size: np.ndarray, out: np.ndarray) -> tuple[str, np.ndarray] | None:
    """What happened to most hands, in words, and which of them (N,) fit better mended; None if nothing clear did.

    Args:
        out: (N,) which have a joint outside their box.
    """
    best: tuple[str, np.ndarray] | None = None
    before = _misfit(keypoints, box)
    if np.median(before) <= FITS:
        return None
    mending = dict(MENDING)
    factor = float(np.median((box[:, :2] + box[:, 2:]).sum(1) / np.nanmax(keypoints, 1).sum(1).clip(1e-9)))
    # A hand in a wide box can be made to fill it; hence only where joints lie outside.
    if not 0.8 < factor < 1.25 and out.mean() > 0.5:
        words = f"labelled on pictures {1 / factor:.2g} times as large"
        mending[words] = lambda keypoints, box, size: keypoints * factor
    least = min(BETTER * float(np.median(before)), FAIR)
    for words, mend in mending.items():
        after = _misfit(mend(keypoints, box[:, None], size[:, None]), box)
        if np.median(after) < least and (after < before).mean() >= MOST:
            best, least = (words, after < before), float(np.median(after))
    return best
