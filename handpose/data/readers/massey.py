"""Massey University's ASL images (Barczak et al. 2011): 36 hand shapes, 5 hands, cut out on black.

Layout: ``<shape>/hand<subject>_<shape>_<light>_seg_<n>_cropped.jpeg`` with shapes 0-9 and a-z, and a
``keypoints.csv`` made by a production tracker. The cut-out gives a mask, so the hand can be put on other
backgrounds.
"""

import os
import re

import cv2
import numpy as np

from handpose.data.common import DataError, locate, make_sample, read_image
from handpose.data.readers import pointlist
from handpose.data.sample import Sample

SPLITS = ("train", "val", "all")
BLACK = 20  # a pixel whose brightest channel is below this is background
VAL_SUBJECT = "5"  # the hand kept for validation


def mask_of(image: np.ndarray) -> np.ndarray:
    """For a picture (H, W, 3) uint8, (H, W) uint8: 255 on the hand, 0 on the black around it, soft at the edge.

    The rim, a mixture of skin and black left by JPEG and by the cutting out, would show as a dark line on any
    other background, so three pixels are taken off. Small dark specks within the hand are filled.
    """
    hand = (image.max(-1) >= BLACK).astype(np.uint8)
    hand = cv2.morphologyEx(hand, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(hand)
    if count > 1:  # label 0 is the background
        hand = (labels == 1 + stats[1:, cv2.CC_STAT_AREA].argmax()).astype(np.uint8)
    hand = cv2.erode(hand * 255, np.ones((7, 7), np.uint8), borderType=cv2.BORDER_REPLICATE)
    return cv2.GaussianBlur(hand, (5, 5), 0)


class Massey:
    """The set as `Sample`s with `mask` and `shape`; a group is one hand in one shape.

    Args:
        path: the folder with the 36 class folders; None looks for ``$HANDPOSE_DATA/massey-asl``.
        split: "train" (hands 1-4), "val" (hand 5) or "all".
        min_score: rows of ``keypoints.csv`` with a lower score are left out.
    """

    def __init__(self, path: str | os.PathLike | None = None, split: str = "train", *, min_score: float = 0.9) -> None:
        if split not in SPLITS:
            raise DataError(f"massey has no split {split!r}; choose one of {', '.join(SPLITS)}")
        self.root, self.split = locate("massey-asl", path), split
        self.rows = []
        for name, keypoints in pointlist.read(self.root / "keypoints.csv", min_score):
            match = re.fullmatch(r"([0-9a-z])/hand(\d+)_\1_\w+\.jpe?g", name)
            if not match:
                raise DataError(
                    f"{self.root / 'keypoints.csv'}: {name!r} is not <shape>/hand<subject>_<shape>_....jpeg"
                )
            if split == "all" or (match[2] == VAL_SUBJECT) == (split == "val"):
                self.rows.append((name, keypoints, match[1], match[2]))
        if not self.rows:
            raise DataError(f"{self.root}: no pictures for split {split!r}")

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Sample:
        name, keypoints, shape, subject = self.rows[index]
        image = read_image(self.root / name)
        return make_sample(
            image,
            keypoints,
            np.ones(21, bool),
            group=f"hand{subject}-{shape}",
            id=name,
            mask=mask_of(image),
            shape=shape,
        )
