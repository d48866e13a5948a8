"""How a pose network does on hands at any angle, in one pass and with the refinement pass (Chapter 8)."""

import numpy as np
from torch import nn

from handpose import metrics, skeleton
from handpose.data import scenes
from handpose.pipeline import HandPose
from handpose.study.detection import turn

ANGLES = (0, 45, 90, 135, 180)  # degrees


def score(net: nn.Module, size: int, samples, angles: tuple[int, ...] = ANGLES) -> dict[str, dict]:
    """PCK on pictures that were turned, the box of the turned key-points given.

    Args:
        net, size: the pose network, and the side of its crops in pixels.
        samples: a data set; hands with a joint out of sight are left out.
        angles: degrees, clockwise.

    Returns:
        ``{"90": {"one pass": {"pck_bone_0.2", "pck_box_0.1"}, "refined": {...}}, ...}``, fractions.
    """
    hands = [samples[i] for i in range(len(samples))]
    hands = [hand for hand in hands if hand.visible.all()]
    result: dict[str, dict] = {}
    for angle in angles:
        images, keypoints = [], []
        for hand in hands:
            # Its own key-points as outlines: they are turned with the picture.
            as_image = scenes.Picture(hand.image, hand.box[None], hand.group, hand.id, hand.keypoints[None])
            images.append(turned := turn(as_image, angle))
            assert turned.outlines is not None
            keypoints.append(turned.outlines[0])
        target, visible = np.stack(keypoints), np.ones((len(keypoints), 21), bool)
        bone, side = skeleton.unit_length(target, visible), skeleton.box_side(target, visible)
        result[str(angle)] = {}
        for name, refine in (("one pass", False), ("refined", True)):
            hp = HandPose(net, size, refine=refine)
            found = np.stack([hp(p.image, boxes=p.boxes)[0].keypoints for p in images])
            result[str(angle)][name] = {
                "pck_bone_0.2": float(metrics.pck(found, target, visible, bone, [0.2])[0]),
                "pck_box_0.1": float(metrics.pck(found, target, visible, side, [0.1])[0]),
            }
    return result
