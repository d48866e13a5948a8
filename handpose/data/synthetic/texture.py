"""What is painted on the skin: creases, nails, redness and fine noise, as pictures laid over the rest pose.

The rest pose is flat and its fingers are straight, so two pictures suffice: one seen from the palm's
side and one from the back. The thumb lies at an angle to the palm and has a place of its own in both.
"""

from functools import lru_cache

import cv2
import numpy as np

from handpose.data.synthetic.anatomy import REST_FRAMES, Identity, rest_joints
from handpose.data.synthetic.surface import smooth
from handpose.data.synthetic.worn import wear

TEXEL = 0.4  # mm
ORIGIN = np.array([-110.0, -45.0])  # mm: the pictures' first row and column
SIZE = (640, 680)  # columns (x), rows (y)
THUMB_AT = np.array([100.0, 20.0])  # mm: where the thumb's CMC joint is put

# The palm's three main creases in mm: distal ("heart"), proximal ("head") and thenar ("life").
PALM_LINES = (
    [(-42, 62), (-30, 66), (-14, 69), (0, 75), (9, 86)],
    [(28, 74), (14, 70), (-4, 60), (-20, 50), (-30, 42)],
    [(28, 75), (17, 66), (8, 50), (3, 32), (5, 14)],
)


def chart(rest: np.ndarray, thumb: np.ndarray) -> np.ndarray:
    """Where points of the rest pose lie in the pictures: (N, 3) mm, (N,) bool -> (N, 2) mm."""
    at = rest[:, :2].copy()
    frame = REST_FRAMES[0].astype(np.float32)
    at[thumb] = (rest[thumb] - rest_joints()[1].astype(np.float32)) @ frame[:, :2] + THUMB_AT.astype(np.float32)
    return at


def lookup(picture: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The values of a (rows, columns, C) picture at (N, 2) mm, interpolated; the border's beyond."""
    if not len(at):  # OpenCV refuses an empty picture of places
        return np.zeros((0, picture.shape[2]), picture.dtype)
    row = 1024  # OpenCV wants a picture of places, not a list
    places = np.zeros((-(-len(at) // row) * row, 2), np.float32)
    places[: len(at)] = (at - ORIGIN.astype(np.float32)) * np.float32(1 / TEXEL)
    found = cv2.remap(picture, places.reshape(-1, row, 2), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return found.reshape(-1, picture.shape[2])[: len(at)]


def _pixels(points) -> np.ndarray:
    return np.round((np.asarray(points, float) - ORIGIN) / TEXEL * 16).astype(np.int32)


def _stroke(canvas, points, width, depth):
    line = np.zeros(canvas.shape, np.uint8)
    cv2.polylines(line, [_pixels(points)], False, 255, max(1, round(width / TEXEL)), cv2.LINE_AA, 4)
    fold = cv2.GaussianBlur(line, (0, 0), 0.7).astype(np.float32) + 1.6 * cv2.GaussianBlur(
        line, (0, 0), 4.0
    )  # line and hollow
    keep = np.maximum if depth > 0 else np.minimum
    keep(canvas, depth / 255 * np.minimum(fold, 255), out=canvas)


def _spot(canvas, centre, radius, height):
    y, x = np.mgrid[: SIZE[1], : SIZE[0]].astype(np.float32)
    cx, cy = (np.asarray(centre) - ORIGIN) / TEXEL
    canvas += height * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * (radius / TEXEL) ** 2))


def _blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur of a picture that tiles; the same numbers on every processor, which OpenCV does not promise."""
    radius = int(4 * sigma + 0.5)
    weights = np.exp(-0.5 / sigma**2 * np.arange(-radius, radius + 1) ** 2)
    weights /= weights.sum()
    for _ in range(2):  # down, then across
        wide, n = np.pad(image, ((radius, radius), (0, 0)), mode="wrap"), len(image)
        image = wide[radius : radius + n] * weights[radius]
        for k in range(radius):
            image = image + (wide[k : k + n] + wide[2 * radius - k : 2 * radius - k + n]) * weights[k]
        image = image.T
    return image


@lru_cache(maxsize=1)
def pictures() -> dict:
    """The skin's pictures, drawn once.

    Returns:
        palm, back: three each, for pixels that cover ever more skin: (rows, columns, 4) float32 with
        crease, redness, nail and the nail's pale moon and edge; noise: (512, 512, 3), fine to coarse, tiling.
    """
    rng = np.random.default_rng(7)
    creases, red = np.zeros((2, SIZE[1], SIZE[0]), np.float32), np.zeros((2, SIZE[1], SIZE[0]), np.float32)
    nail = np.zeros((SIZE[1], SIZE[0]), np.float32)
    moon = np.zeros_like(nail)
    joints = rest_joints()
    for line in PALM_LINES:
        line = np.array(line, float)
        fine = np.stack([np.interp(np.linspace(0, 4, 30), range(5), line[:, i]) for i in (0, 1)], 1)
        fine = cv2.GaussianBlur(fine.reshape(-1, 1, 2), (1, 9), 2, borderType=cv2.BORDER_REPLICATE).reshape(-1, 2)
        _stroke(creases[0], fine, 1.0, 0.9)
    for _ in range(26):  # finer lines across the palm
        a = rng.uniform((-38, 8), (26, 82))
        _stroke(creases[0], [a, a + rng.normal(0, 9, 2)], 0.4, rng.uniform(0.15, 0.4))
    _stroke(creases[0], [(-24, 0), (0, -3), (22, 0)], 0.8, 0.8)
    _stroke(creases[0], [(-22, -7), (0, -9), (20, -6)], 0.6, 0.4)
    for c in range(5):
        chain = joints[4 * c + 1 : 4 * c + 5]
        if c == 0:
            start, along = THUMB_AT, np.array([0.0, 1.0])
        else:
            start, along = chain[0, :2], REST_FRAMES[c][:2, 1]
        across = np.array([along[1], -along[0]])
        length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(chain, axis=0), axis=1))])
        girth = 11 if c == 0 else 9.5

        def mark(s, u, start=start, along=along, across=across):
            return start + s * along + u * across

        folds = (
            [(length[2], 0.9), (length[1], 0.5)]
            if c == 0
            else [(length[2], 0.7), (length[1] - 1.2, 0.9), (length[1] + 1.6, 0.6), (length[0] + 21, 0.8)]
        )
        for s, depth in folds:
            bow = rng.uniform(-0.8, 0.8)
            _stroke(creases[0], [mark(s, -girth), mark(s + bow, 0), mark(s, girth)], 0.8, depth)
        for k in (1, 2):  # wrinkles over the knuckles, on the back
            for i in np.arange(-3, 4):
                spread = (1.7 if k == 1 else 1.1) * i
                wide = girth * rng.uniform(0.45, 0.8)
                bow = rng.normal(0, 0.5) + 0.12 * i * abs(i)
                points = [
                    mark(length[k] + spread, -wide),
                    mark(length[k] + spread + bow, 0),
                    mark(length[k] + spread, wide),
                ]
                _stroke(creases[1], points, 0.5, rng.uniform(0.3, 0.7) * (1 - 0.18 * abs(i)))
            _spot(red[1], mark(length[k], 0), 5.5, 0.8)
        if c:
            _spot(red[1], mark(0, 0), 7, 0.6)
        for side in (0, 1):
            _spot(red[side], mark(length[3], 0), 6.5, 0.9)
        wide, tall = (7.0, 5.6, 5.8, 5.6, 4.6)[c], 7.8 if c == 0 else 6.8
        turn = np.linspace(0, 2 * np.pi, 40)
        round_box = [np.sign(f(turn)) * np.abs(f(turn)) ** 0.7 for f in (np.cos, np.sin)]
        middle = length[3] - 2.2
        ring = np.stack([mark(middle + tall * v, wide * u) for u, v in zip(*round_box, strict=True)])
        plate = np.zeros(nail.shape, np.uint8)
        cv2.fillPoly(plate, [_pixels(ring)], 255, cv2.LINE_AA, 4)
        nail += plate / np.float32(255)
        _stroke(creases[1], np.concatenate([ring, ring[:1]]), 0.6, 1.0)
        _spot(moon, mark(middle - tall + 1, 0), 2.0, 0.8)
        _stroke(moon, [mark(middle + tall - 0.8, u) for u in (-wide + 1.5, 0, wide - 1.5)], 1.4, 1.2)
    for c in range(1, 5):  # tendons: a pale ridge with a darker hollow on either side
        end = joints[4 * c + 1, :2]
        start = np.array([0.25 * end[0], 18.0])
        for off, tone, width in ((0, -0.28, 1.6), (-3.2, 0.22, 2.2), (3.2, 0.22, 2.2)):
            _stroke(red[1], [start + (off, 0), 0.5 * (start + end) + (off, 0), end + (off, -8)], width, tone)
    for u, v in (((-14, 20), (-12, 84)), ((6, 25), (12, 84)), ((-20, 30), (-30, 74)), ((-8, 40), (8, 60))):
        _stroke(red[1], [u, 0.5 * np.add(u, v) + rng.normal(0, 3, 2), v], 2.0, -0.5)  # veins are the contrary of red
    noise = rng.normal(0, 1, (512, 512))
    layers = [_blur(noise, sigma) for sigma in (0.8, 4, 16)]
    layers = np.stack([a / a.std() for a in layers], -1).astype(np.float32)
    sides = [np.dstack([creases[i], red[i], nail * i, moon * nail * i]).astype(np.float32) for i in (0, 1)]
    palm, back = ([a] + [cv2.GaussianBlur(a, (0, 0), sigma) for sigma in (1.2, 2.6)] for a in sides)
    return dict(palm=palm, back=back, noise=layers)


# sRGB anchors from palest to darkest skin: the back of the hand.
_TONES = (
    np.array(
        [(245, 203, 184), (236, 184, 158), (223, 163, 131), (201, 138, 104)]
        + [(168, 108, 77), (130, 79, 56), (94, 58, 42), (64, 42, 33)]
    )
    / 255
)
_PALM = np.array([224, 156, 136]) / 255


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
    art, at = pictures(), chart(rest, thumb)
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
