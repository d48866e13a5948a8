"""What is painted on the skin: creases, nails, redness and fine noise, as pictures laid over the rest pose.

The rest pose is flat and its fingers are straight, so two pictures suffice: one seen from the palm's
side and one from the back. The thumb lies at an angle to the palm and has a place of its own in both.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from handpose.data.synthetic.anatomy import REST_FRAMES, rest_joints

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


class _Art(NamedTuple):
    """The pictures while they are drawn: (2, rows, columns), palm and back, or (rows, columns), all float32."""

    creases: np.ndarray
    red: np.ndarray
    nail: np.ndarray
    moon: np.ndarray


class _Strip(NamedTuple):
    """A finger in the pictures: `mark(s, u)` is the place s mm along it and u mm across."""

    mark: Callable
    joints: np.ndarray  # (4,) mm: where they lie along it
    girth: float  # mm


def _strip(c: int) -> _Strip:
    """Finger c, 0 the thumb."""
    chain = rest_joints()[4 * c + 1 : 4 * c + 5]
    if c == 0:
        start, along = THUMB_AT, np.array([0.0, 1.0])
    else:
        start, along = chain[0, :2], REST_FRAMES[c][:2, 1]
    across = np.array([along[1], -along[0]])
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(chain, axis=0), axis=1))])
    return _Strip(lambda s, u: start + s * along + u * across, length, 11 if c == 0 else 9.5)


def _draw_palm(art: _Art, rng: np.random.Generator) -> None:
    """The three main creases, finer lines, and the folds of the wrist."""
    for line in PALM_LINES:
        line = np.array(line, float)
        fine = np.stack([np.interp(np.linspace(0, 4, 30), range(5), line[:, i]) for i in (0, 1)], 1)
        fine = cv2.GaussianBlur(fine.reshape(-1, 1, 2), (1, 9), 2, borderType=cv2.BORDER_REPLICATE).reshape(-1, 2)
        _stroke(art.creases[0], fine, 1.0, 0.9)
    for _ in range(26):  # finer lines across the palm
        a = rng.uniform((-38, 8), (26, 82))
        _stroke(art.creases[0], [a, a + rng.normal(0, 9, 2)], 0.4, rng.uniform(0.15, 0.4))
    _stroke(art.creases[0], [(-24, 0), (0, -3), (22, 0)], 0.8, 0.8)
    _stroke(art.creases[0], [(-22, -7), (0, -9), (20, -6)], 0.6, 0.4)


def _draw_folds(art: _Art, c: int, strip: _Strip, rng: np.random.Generator) -> None:
    """Folds on the palm's side of a finger, wrinkles and redness over its knuckles."""
    mark, length, girth = strip
    folds = (
        [(length[2], 0.9), (length[1], 0.5)]
        if c == 0
        else [(length[2], 0.7), (length[1] - 1.2, 0.9), (length[1] + 1.6, 0.6), (length[0] + 21, 0.8)]
    )
    for s, depth in folds:
        bow = rng.uniform(-0.8, 0.8)
        _stroke(art.creases[0], [mark(s, -girth), mark(s + bow, 0), mark(s, girth)], 0.8, depth)
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
            _stroke(art.creases[1], points, 0.5, rng.uniform(0.3, 0.7) * (1 - 0.18 * abs(i)))
        _spot(art.red[1], mark(length[k], 0), 5.5, 0.8)
    if c:
        _spot(art.red[1], mark(0, 0), 7, 0.6)
    for side in (0, 1):
        _spot(art.red[side], mark(length[3], 0), 6.5, 0.9)


def _draw_nail(art: _Art, c: int, strip: _Strip) -> None:
    """A finger's nail, with its moon and edge."""
    mark, length, _ = strip
    wide, tall = (7.0, 5.6, 5.8, 5.6, 4.6)[c], 7.8 if c == 0 else 6.8
    turn = np.linspace(0, 2 * np.pi, 40)
    round_box = [np.sign(f(turn)) * np.abs(f(turn)) ** 0.7 for f in (np.cos, np.sin)]
    middle = length[3] - 2.2
    ring = np.stack([mark(middle + tall * v, wide * u) for u, v in zip(*round_box, strict=True)])
    plate = np.zeros(art.nail.shape, np.uint8)
    cv2.fillPoly(plate, [_pixels(ring)], 255, cv2.LINE_AA, 4)
    art.nail[:] += plate / np.float32(255)
    _stroke(art.creases[1], np.concatenate([ring, ring[:1]]), 0.6, 1.0)
    _spot(art.moon, mark(middle - tall + 1, 0), 2.0, 0.8)
    _stroke(art.moon, [mark(middle + tall - 0.8, u) for u in (-wide + 1.5, 0, wide - 1.5)], 1.4, 1.2)


def _draw_back(art: _Art, rng: np.random.Generator) -> None:
    """Tendons and veins."""
    joints = rest_joints()
    for c in range(1, 5):  # tendons: a pale ridge with a darker hollow on either side
        end = joints[4 * c + 1, :2]
        start = np.array([0.25 * end[0], 18.0])
        for off, tone, width in ((0, -0.28, 1.6), (-3.2, 0.22, 2.2), (3.2, 0.22, 2.2)):
            _stroke(art.red[1], [start + (off, 0), 0.5 * (start + end) + (off, 0), end + (off, -8)], width, tone)
    for u, v in (((-14, 20), (-12, 84)), ((6, 25), (12, 84)), ((-20, 30), (-30, 74)), ((-8, 40), (8, 60))):
        bent = [u, 0.5 * np.add(u, v) + rng.normal(0, 3, 2), v]
        _stroke(art.red[1], bent, 2.0, -0.5)  # veins are the contrary of red


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
def images() -> dict:
    """The skin's pictures, drawn once.

    Returns:
        palm, back: three each, for pixels that cover ever more skin: (rows, columns, 4) float32 with
        crease, redness, nail and the nail's pale moon and edge; noise: (512, 512, 3), fine to coarse, tiling.
    """
    rng, shape = np.random.default_rng(7), (SIZE[1], SIZE[0])
    art = _Art(*(np.zeros(s, np.float32) for s in ((2, *shape), (2, *shape), shape, shape)))
    _draw_palm(art, rng)
    for c in range(5):
        strip = _strip(c)
        _draw_folds(art, c, strip, rng)
        _draw_nail(art, c, strip)
    _draw_back(art, rng)
    noise = rng.normal(0, 1, (512, 512))
    layers = [_blur(noise, sigma) for sigma in (0.8, 4, 16)]
    layers = np.stack([a / a.std() for a in layers], -1).astype(np.float32)
    creases, red, nail, moon = art
    sides = [np.dstack([creases[i], red[i], nail * i, moon * nail * i]).astype(np.float32) for i in (0, 1)]
    palm, back = ([a] + [cv2.GaussianBlur(a, (0, 0), sigma) for sigma in (1.2, 2.6)] for a in sides)
    return dict(palm=palm, back=back, noise=layers)
