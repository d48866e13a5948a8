"""From a picture to the square crop that the network sees, and back (section 3.3; Chapters 3, 4, 5 and 11).

A crop is an affine map from pixels of the picture to pixels of the crop, a (2, 3) float64 array. All
pixel coordinates count centres at whole numbers, OpenCV's way.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from handpose import skeleton

MARGIN = 1.25  # crop side over the side of the square around the key-points
WRIST, MIDDLE = 0, 9  # the joints between which the palm lies: its direction is the hand's
PAPER_NOISE = 8 / 256  # "variance of 8 pixels" read as a standard deviation, as a part of the crop's side
SMALLEST = 8  # pixels; no 21 joints can be told apart in less
LARGEST = 20  # times the picture's longer side; no box of a hand reaches so far beyond it
GREY = 127  # around pictures that are not square


def check_box(box: np.ndarray | Sequence[float], width: int, height: int) -> np.ndarray:
    """A box as float32 (4,), or a ValueError that says what is wrong with it.

    It must be four finite numbers, x0 < x1 and y0 < y1, must overlap the picture, and must have a size that a hand in
    it can have.
    """
    try:
        box = np.asarray(box, np.float32).reshape(-1)
    except (TypeError, ValueError):
        raise ValueError(f"box {box!r} is not four numbers x0,y0,x1,y1") from None
    shown = ",".join(f"{v:g}" for v in box)
    if box.shape != (4,) or not np.isfinite(box).all():
        raise ValueError(f"box {shown} is not four finite numbers x0,y0,x1,y1")
    if box[0] >= box[2] or box[1] >= box[3]:
        raise ValueError(f"box {shown} is empty or in the wrong order; give x0,y0,x1,y1 with x0 < x1 and y0 < y1")
    if box[0] >= width or box[1] >= height or box[2] <= 0 or box[3] <= 0:
        raise ValueError(f"box {shown} lies outside the picture, which is {width} wide and {height} high")
    side = max(box[2:] - box[:2])
    if side < SMALLEST:
        raise ValueError(
            f"box {shown} is {side:.3g} pixels large; at least {SMALLEST} are needed, in pixels of the picture"
        )
    if side > LARGEST * max(width, height):
        raise ValueError(f"box {shown} is far larger than the picture, which is {width} wide and {height} high")
    return box


def check_angles(angles: Sequence[float] | np.ndarray, number: int) -> np.ndarray:
    """The angles of given boxes as float64 (n,).

    Raises:
        ValueError: another number of them, an angle that is no finite number, or one beyond a full turn.
    """
    try:
        found = np.asarray(angles, np.float64)
    except (TypeError, ValueError):
        found = np.array(np.nan)
    if found.shape != (number,) or not np.isfinite(found).all():
        raise ValueError(f"angles {angles!r}: as many finite numbers are needed as there are boxes, {number}")
    if (abs(found) > 2 * np.pi).any():
        raise ValueError(f"angles {angles!r}: an angle beyond a full turn; give radians, not degrees")
    return found


def square_around(
    box: np.ndarray,
    keypoints: np.ndarray | None = None,
    *,
    noise: tuple[float, float] = (0.0, 0.0),
    margin: float = MARGIN,
) -> tuple[np.ndarray, float]:
    """The square to cut out: the box's centre, moved, and grown until it holds what it must.

    The paper moves the centre by noise and then changes the size "accordingly to contain all hand
    keypoints"; that is what `noise` and `keypoints` do. Without points, the square holds the box.

    Args:
        box: (4,) tight box.
        keypoints: (n, 2) visible key-points to hold, or None.
        noise: shift of the centre in pixels of the picture.
        margin: factor on the side.

    Returns:
        Centre (2,) and side, pixels. The side is at least one pixel.
    """
    box = np.asarray(box, np.float64)
    centre = (box[:2] + box[2:]) / 2 + noise
    if keypoints is None:
        keypoints = box.reshape(2, 2)
    half = np.abs(np.asarray(keypoints, np.float64) - centre).max() if len(keypoints) else 0.5
    return centre, float(max(2 * half * margin, 1.0))


def affine(centre: np.ndarray, side: float, size: int, *, rotation: float = 0.0, flip: bool = False) -> np.ndarray:
    """The map from the picture to a crop of `size` x `size` pixels.

    Args:
        centre: (2,) of the square in the picture, pixels.
        side: of the square, pixels of the picture.
        size: pixels of the crop's side.
        rotation: radians; the hand turns clockwise on the screen.
        flip: mirror left and right, after the rotation. Joint indices stay; a left hand becomes a right one.

    Returns:
        (2, 3): crop = A[:, :2] @ picture + A[:, 2].
    """
    scale = size / side
    cos, sin = np.cos(rotation) * scale, np.sin(rotation) * scale
    linear = np.array([[cos, -sin], [sin, cos]])
    if flip:
        linear[0] *= -1
    offset = (size - 1) / 2 - linear @ np.asarray(centre, np.float64)
    return np.concatenate([linear, offset[:, None]], axis=1)


def apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map points (..., 2); float32."""
    return (np.asarray(points, np.float64) @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)


def invert(matrix: np.ndarray) -> np.ndarray:
    """The map back from the crop to the picture, (2, 3), of a map `matrix` (2, 3)."""
    return cv2.invertAffineTransform(matrix)


def warp(image: np.ndarray, matrix: np.ndarray, size: int, *, outside: int | None = None) -> np.ndarray:
    """Cut the crop out of the picture.

    What lies outside the picture is filled with its edge's colour, or with the value `outside` (a mask is 0 there).

    A crop much smaller than what it shows is made from a picture that is first shrunk by a whole number, each pixel the
    mean of a block: bilinear sampling alone would skip pixels.

    Args:
        image: (H, W, C) uint8, C of 1 to 4.
        matrix: (2, 3) from `affine`.
        size: side of the crop in pixels.

    Returns:
        (size, size, C) uint8.
    """
    shrink = 1 / np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    if shrink > 1.5:
        height, width = image.shape[:2]
        corners = apply(invert(matrix), np.array([(0, 0), (size - 1, 0), (0, size - 1), (size - 1, size - 1)]))
        x0, y0 = np.clip(np.floor(corners.min(0)) - 2, 0, [width - 1, height - 1]).astype(int)
        x1, y1 = np.clip(np.ceil(corners.max(0) + shrink) + 2, [x0 + 1, y0 + 1], [width, height]).astype(int)
        n = int(min(max(shrink, 2), x1 - x0, y1 - y0))
        across, down = (x1 - x0) // n, (y1 - y0) // n
        part = image[y0 : y0 + n * down, x0 : x0 + n * across]
        image = cv2.resize(part, (across, down), interpolation=cv2.INTER_AREA)
        # picture = n * small + (n - 1) / 2 + origin
        to_image = np.array([[n, 0, (n - 1) / 2 + x0], [0, n, (n - 1) / 2 + y0], [0, 0, 1]])
        matrix = np.asarray(matrix, np.float64) @ to_image
    border = cv2.BORDER_REPLICATE if outside is None else cv2.BORDER_CONSTANT
    out = cv2.warpAffine(
        image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=border, borderValue=outside or 0
    )
    return out.reshape(size, size, -1)


@dataclass
class Crop:
    """A crop with its map: what `crop_box` returns (Chapter 11)."""

    image: np.ndarray  # (size, size, C) uint8
    matrix: np.ndarray  # (2, 3), picture to crop

    def to_image(self, points: np.ndarray) -> np.ndarray:
        """Points of the crop (..., 2) in pixels of the picture."""
        return apply(invert(self.matrix), points)


def crop_box(image: np.ndarray, box: np.ndarray, size: int, *, margin: float = MARGIN, angle: float = 0.0) -> Crop:
    """The crop around a box, as evaluation and prediction make it: no noise.

    Args:
        image: (H, W, C) uint8.
        box: (4,) tight box, pixels of the picture, turned about its own centre by `angle`.
        size: side of the crop in pixels.
        margin: factor on the side of the square around the box.
        angle: radians clockwise; the crop shows a hand that is turned so far upright.
    """
    centre, side = square_around(box, margin=margin)
    matrix = affine(centre, side, size, rotation=-angle)
    return Crop(warp(image, matrix, size), matrix)


def angle_of(keypoints: np.ndarray) -> np.ndarray:
    """How far hands (..., 21, 2) are turned from upright, (...,): radians clockwise, from -pi to pi.

    Upright, the base of the middle finger lies straight above the wrist.
    """
    x, y = np.moveaxis(keypoints[..., MIDDLE, :] - keypoints[..., WRIST, :], -1, 0).astype(np.float64)
    return np.arctan2(x, -y)


def upright_box(keypoints: np.ndarray, box: np.ndarray | None = None) -> tuple[np.ndarray, float]:
    """The tight box of a hand's key-points along the hand's own axes, for `crop_box`.

    Args:
        keypoints: (21, 2) pixels.
        box: (4,) in which the hand was looked for. The centre is then midway between its centre and the key-points':
            what is wrong with the one is seldom wrong with the other.

    Returns:
        Box (4,) float32, to be turned about its own centre by the angle, radians clockwise.
    """
    angle = float(angle_of(keypoints))
    turn = affine(np.zeros(2), 1, 1, rotation=-angle)  # about the origin
    upright = skeleton.tight_box(apply(turn, keypoints))
    centre = apply(invert(turn), (upright[:2] + upright[2:]) / 2)
    if box is not None:
        centre = (centre + (box[:2] + box[2:]) / 2) / 2
    half = (upright[2:] - upright[:2]) / 2
    return np.concatenate([centre - half, centre + half]).astype(np.float32), angle


def letterbox(image: np.ndarray, size: int) -> tuple[np.ndarray, float]:
    """A picture (H, W, 3) uint8 shrunk or enlarged to fit the top left of a grey square, and the factor (Chapter 3)."""
    height, width = image.shape[:2]
    factor = size / max(height, width)
    out = warp(image, np.array([[factor, 0, (factor - 1) / 2], [0, factor, (factor - 1) / 2]]), size)
    out[max(1, round(height * factor)) :] = GREY
    out[:, max(1, round(width * factor)) :] = GREY
    return out, factor
