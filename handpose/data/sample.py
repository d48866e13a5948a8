"""One labelled picture: the form that every data source of this package yields."""

from dataclasses import dataclass

import numpy as np


@dataclass
class Sample:
    """One hand in one picture (Chapter 11). Coordinates are (x, y) pixels, pixel centres at whole numbers."""

    image: np.ndarray  # (H, W, 3) uint8 RGB
    keypoints: np.ndarray  # (21, 2) float32, canonical order
    visible: np.ndarray  # (21,) bool: labelled and inside the picture
    box: np.ndarray  # (4,) float32: tight box of the visible key-points, no margin
    group: str  # person, sequence or block of frames: the unit that is resampled and split by
    id: str
    occluded: np.ndarray | None = None  # (21,) bool: hidden behind something, where the source knows
    hand: str | None = None  # "left" or "right"
    keypoints3d: np.ndarray | None = None  # (21, 3) float32, mm, camera frame
    mask: np.ndarray | None = None  # (H, W) uint8, 255 on the hand
    camera: np.ndarray | None = None  # (3, 3) float32
    shape: str | None = None  # name of the hand shape or letter
