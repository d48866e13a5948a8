"""The 21 key-points of a hand, the bones between them, and the unit length s of eq. (1) (Chapter 2).

The canonical joint order is that of OpenPose, MediaPipe and FreiHAND: the wrist, then five
fingers from base to tip, thumb first. Every array of key-points in this package has shape
``(..., 21, 2)`` in this order, as (x, y) in pixels.
"""

import numpy as np

FINGERS = ("thumb", "index", "middle", "ring", "little")
JOINTS = ("wrist",) + tuple(
    f"{finger} {joint}"
    for finger in FINGERS
    for joint in (("CMC", "MCP", "IP", "tip") if finger == "thumb" else ("MCP", "PIP", "DIP", "tip"))
)
NUM_JOINTS = 21

#: Joint indices of each finger, base to tip: ``FINGER_JOINTS["index"] == (5, 6, 7, 8)``.
FINGER_JOINTS = {finger: tuple(range(4 * f + 1, 4 * f + 5)) for f, finger in enumerate(FINGERS)}

#: The joint that each joint hangs on; the wrist (-1) hangs on nothing.
PARENT = tuple(-1 if j == 0 else (0 if j % 4 == 1 else j - 1) for j in range(NUM_JOINTS))

#: The 20 bones as (parent, child).
BONES = tuple((PARENT[j], j) for j in range(1, NUM_JOINTS))

INDEX_MCP, INDEX_PIP = 5, 6

#: The Stereo Hand Pose benchmark lists the palm's centre, then each finger from base to tip, little finger first:
#: ``canonical = stb[..., STB_ORDER, :]``. Joint 0 stays the palm's centre; see `wrist_from_palm` of its reader.
STB_ORDER = (0,) + tuple(4 * (4 - f) + k for f in range(5) for k in (1, 2, 3, 4))

#: Rendered Hand Pose lists, of each hand, the wrist, then each finger from tip to base, thumb first:
#: ``canonical = rhd[..., RHD_ORDER, :]``. Both maps are their own inverse; of others it is `np.argsort`.
RHD_ORDER = (0,) + tuple(4 * f + k for f in range(5) for k in (4, 3, 2, 1))

#: Where the bone's length divides an error it is never taken below this part of the box's longer side.
SCALE_FLOOR = 0.15


def tight_box(keypoints: np.ndarray, visible: np.ndarray | None = None) -> np.ndarray:
    """The tight box (x0, y0, x1, y1) of the visible key-points, without any margin.

    Args:
        keypoints: (..., 21, 2) pixels.
        visible: (..., 21) bool; all visible when None.

    Returns:
        (..., 4) float32; NaN where no key-point is visible.
    """
    keypoints = np.asarray(keypoints, np.float32)
    if visible is None:
        visible = np.ones(keypoints.shape[:-1], bool)
    shown = np.asarray(visible, bool)[..., None]
    low = np.where(shown, keypoints, np.inf).min(-2)
    high = np.where(shown, keypoints, -np.inf).max(-2)
    box = np.concatenate([low, high], -1).astype(np.float32)
    return np.where(np.isfinite(box), box, np.nan).astype(np.float32)


def box_side(keypoints: np.ndarray, visible: np.ndarray | None = None) -> np.ndarray:
    """Longer side of the key-points' tight box in pixels, shape (...,); NaN where nothing is visible."""
    box = tight_box(keypoints, visible)
    return np.maximum(box[..., 2] - box[..., 0], box[..., 3] - box[..., 1])


def counted(target: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """Which labels count, (..., 21) bool, once it is certain that they can (Chapter 8).

    Args:
        target: (..., 21, 2) labels. visible: (..., 21) bool, or numbers of which 0 is not visible, as COCO's.

    Raises:
        ValueError: shapes that do not fit, visibilities that are no finite numbers, or a label that is visible and not
            finite.
    """
    target, visible = np.asarray(target), np.asarray(visible)
    if target.shape[-2:] != (NUM_JOINTS, 2) or visible.shape != target.shape[:-1]:
        raise ValueError(f"labels {target.shape} and visible {visible.shape} must be (N, 21, 2) and (N, 21)")
    if visible.dtype.kind not in "buif" or not np.isfinite(visible).all():
        raise ValueError("visible must hold booleans or finite numbers")
    if not np.isfinite(target[visible := visible.astype(bool)]).all():
        raise ValueError("a visible joint has a label that is not finite; mark it as not visible, or mend it")
    return visible


def unit_length(keypoints: np.ndarray, visible: np.ndarray | None = None, floor: float = SCALE_FLOOR) -> np.ndarray:
    """The paper's unit of length s (eq. 1): the index finger's proximal bone, MCP to PIP, in pixels.

    The bone shrinks to nothing when the finger points at the camera, so s is never taken below
    ``floor`` times the longer side of the hand's key-point box. Where one of the two joints is not
    visible its coordinates mean nothing, and the floor alone is the scale.

    Args:
        keypoints: (..., 21, 2) pixels.
        visible: (..., 21) bool; all visible when None.
        floor: part of the box's longer side; 0 gives the paper's bare definition.

    Returns:
        (...,) float32, pixels.
    """
    keypoints = np.asarray(keypoints, np.float32)
    bone = np.linalg.norm(keypoints[..., INDEX_PIP, :] - keypoints[..., INDEX_MCP, :], axis=-1)
    if visible is not None:
        visible = np.asarray(visible, bool)
        bone = np.where(visible[..., INDEX_MCP] & visible[..., INDEX_PIP], bone, 0)
    return np.maximum(bone, floor * box_side(keypoints, visible)).astype(np.float32)
