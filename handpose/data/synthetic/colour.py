"""The colour of skin, nails and sleeve: a skin tone, and the pictures of `texture` laid over the rest pose."""

import cv2
import numpy as np

from handpose.data.synthetic.anatomy import REST_FRAMES, Identity, rest_joints
from handpose.data.synthetic.surface import smooth
from handpose.data.synthetic.texture import ORIGIN, TEXEL, THUMB_AT, images
from handpose.data.synthetic.worn import wear

# sRGB anchors from palest to darkest skin: the back of the hand.
_TONES = (
    np.array(
        [(245, 203, 184), (236, 184, 158), (223, 163, 131), (201, 138, 104)]
        + [(168, 108, 77), (130, 79, 56), (94, 58, 42), (64, 42, 33)]
    )
    / 255
)
_PALM = np.array([224, 156, 136]) / 255


def chart(rest: np.ndarray, thumb: np.ndarray) -> np.ndarray:
    """Where points of the rest pose lie in the pictures: (N, 3) mm, (N,) bool -> (N, 2) mm."""
    at = rest[:, :2].copy()
    frame = REST_FRAMES[0].astype(np.float32)
    at[thumb] = (rest[thumb] - rest_joints()[1].astype(np.float32)) @ frame[:, :2] + THUMB_AT.astype(np.float32)
    return at


def lookup(image: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The values of a (rows, columns, C) picture at (N, 2) mm, interpolated; the border's beyond."""
    if not len(at):  # OpenCV refuses an empty picture of places
        return np.zeros((0, image.shape[2]), image.dtype)
    row = 1024  # OpenCV wants a picture of places, not a list
    places = np.zeros((-(-len(at) // row) * row, 2), np.float32)
    places[: len(at)] = (at - ORIGIN.astype(np.float32)) * np.float32(1 / TEXEL)
    grid = places.reshape(-1, row, 2)  # holds x and y, so there is no second map, which OpenCV's stubs ask for
    found = cv2.remap(image, grid, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
    return found.reshape(-1, image.shape[2])[: len(at)]


def tones(skin: float, redness: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Linear RGB albedo (3,) of back, palm and the reddened parts for a skin tone in 0..1 (palest to darkest)."""
    at = np.linspace(0, 1, len(_TONES))
    back = np.array([np.interp(skin, at, _TONES[:, i]) for i in range(3)])
    palm = back + (0.30 + 0.25 * skin) * (_PALM - back) * (1 if skin > 0.3 else 0.8)
    back = back * (1 + (redness - 0.5) * np.array([0.06, -0.08, -0.12]))
    red = palm * 0.55 + back * 0.45
    red = red * np.array([1.0, 0.80, 0.78])
    return back**2.2, palm**2.2, red**2.2


def surface_colour(rest: np.ndarray, volar: np.ndarray, thumb: np.ndarray, identity: Identity, grain: float):
    """The colour of skin, nails and sleeve.

    Args:
        rest: (P, 3) float32 mm: points of the rest pose.
        volar: (P,): from -1, the back of the hand, to 1, its palm's side.
        thumb: (P,) bool: on the thumb.
        grain: mm of skin that a pixel covers; the pictures are taken softened to match.

    Returns:
        linear RGB albedo (P, 3) and gloss (P,), 1 on the back of the hand.
    """
    art, at = images(), chart(rest, thumb)
    level = 0 if grain < 0.6 else 1 if grain < 1.3 else 2
    back, palm, red = (c.astype(np.float32) for c in tones(identity.skin, identity.redness))
    side = smooth(volar * np.float32(1.6) + np.float32(0.35))
    albedo = back + side[:, None] * (palm - back)
    marks = lookup(art["back"][level], at)
    marks += side[:, None] * (lookup(art["palm"][level], at) - marks)
    crease, redder, nail, moon = marks.T
    albedo += np.clip((0.25 + 0.6 * identity.redness) * redder, -0.25, 0.9)[:, None] * (red - albedo)
    ij = ((at + np.float32(300 + identity.grain % 251)) * np.float32(2.2)).astype(np.int32) & 511
    noise = art["noise"].reshape(-1, 3)[ij[:, 1] * 512 + ij[:, 0]]
    # Blood shows through in patches: where the skin is brighter it is also less red.
    patch = np.float32(0.10 * (0.5 + identity.redness)) * noise[:, 2:] * np.array([0.1, -0.8, -0.6], np.float32)
    albedo *= 1 + np.clip(patch, -0.3, 0.3)
    mottle = 1 + noise @ np.array([0.022, 0.024, 0.03], np.float32)
    fold = np.float32(0.55 * identity.creases) * crease
    albedo *= mottle[:, None] * (1 - fold[:, None] * np.array([0.85, 1.05, 1.1], np.float32))
    plate = 0.5 * red + 0.5 * palm + 0.03 if identity.nail is None else np.array(identity.nail, np.float32) ** 2.2
    plate = plate.astype(np.float32) + (np.float32(0.16) * moon[:, None] if identity.nail is None else 0)
    albedo += (0.85 * nail)[:, None] * (plate - albedo)
    gloss = 1 - 0.4 * side + 2.2 * nail
    wear(albedo, gloss, rest, volar, noise, identity)
    return np.clip(albedo, 0.004, 1), gloss
