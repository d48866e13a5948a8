"""Rooms, walls, floors and people behind the hand, drawn from nothing: OpenCV shapes on 8-bit pictures.

Photographs of hands are mostly taken before a white sheet, a calm wall, or a room and a person out of focus.
What makes a drawn room look drawn is flat colour: here every thing carries a gradient, and one texture with
the spectrum of natural pictures (amplitude falling as 1/frequency) lies over all of it.
"""

from functools import lru_cache

import cv2
import numpy as np

TILE = 512


@lru_cache(maxsize=1)
def tile() -> np.ndarray:
    """(TILE, TILE) float32 of mean 0 and deviation 1 whose amplitude falls as 1/frequency; it repeats seamlessly."""
    f = np.hypot(np.fft.fftfreq(TILE)[:, None], np.fft.rfftfreq(TILE)[None])
    f[0, 0] = 1
    spectrum = np.fft.rfft2(np.random.default_rng(5).normal(size=(TILE, TILE))) / f**1.1
    spectrum[0, 0] = 0
    out = np.fft.irfft2(spectrum)
    return (out / out.std()).astype(np.float32)


def natural(rng: np.random.Generator, size: int, zoom: float = 1.0, stretch: float = 1.0) -> np.ndarray:
    """(size, size) float32: a piece of the texture, enlarged ``zoom`` times, and ``stretch`` times more along x."""
    high, wide = (int(np.clip(size / z, 4, TILE)) for z in (zoom, zoom * stretch))
    y, x = rng.integers(0, TILE - high + 1), rng.integers(0, TILE - wide + 1)
    return cv2.resize(tile()[y : y + high, x : x + wide], (size, size), interpolation=cv2.INTER_LINEAR)


def colour(rng: np.random.Generator) -> np.ndarray:
    """(3,) RGB in 0..1 of a thing indoors: whites, greys, blacks, woods, near-skin tones, seldom a pure colour."""
    kind = rng.choice(6, p=[0.25, 0.25, 0.12, 0.15, 0.08, 0.15])
    if kind == 0:
        c = rng.uniform(0.62, 0.97) + rng.normal(0, 0.025, 3)
    elif kind == 1:
        c = rng.uniform(0.15, 0.62) + rng.normal(0, 0.03, 3)
    elif kind == 2:
        c = rng.uniform(0.02, 0.15) + rng.normal(0, 0.015, 3)
    elif kind == 3:
        c = np.array([0.62, 0.44, 0.28]) * rng.uniform(0.4, 1.5) + rng.normal(0, 0.03, 3)
    elif kind == 4:
        c = np.array([0.85, 0.62, 0.5]) * rng.uniform(0.35, 1.12) + rng.normal(0, 0.03, 3)
    else:
        c = rng.random(3)
        c = c + rng.uniform(0.2, 0.9) * (c.mean() - c)
    return np.clip(c, 0.01, 1)


def ramp(rng: np.random.Generator, size: int, strength: float) -> np.ndarray:
    """(size, size, 1) float32 about 1: light that falls off to one side, curved a little."""
    x = np.linspace(-0.5, 0.5, size, dtype=np.float32)
    a, b, c = rng.normal(0, strength, 3).astype(np.float32)
    return np.maximum(1 + a * x[:, None] + b * x[None] + c * (x[:, None] ** 2 + x[None] ** 2), 0.05)[..., None]


def block(rng, image, x0, y0, x1, y1, c, contrast=0.25):
    """Fill a rectangle (any corners; what lies outside is cut off) with a colour that changes across it."""
    x0, x1 = sorted((int(x0), int(x1)))
    y0, y1 = sorted((int(y0), int(y1)))
    part = image[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)]
    if part.size:
        down = 1 + rng.normal(0, contrast) * np.linspace(-0.5, 0.5, part.shape[0], dtype=np.float32)
        right = 1 + rng.normal(0, contrast) * np.linspace(-0.5, 0.5, part.shape[1], dtype=np.float32)
        shade = (255 * down[:, None] * right[None])[..., None] * np.asarray(c, np.float32)
        np.copyto(part, np.clip(shade, 0, 255), casting="unsafe")


def planks(rng: np.random.Generator, size: int) -> np.ndarray:
    """A wooden floor or table seen aslant, or a carpet: (size, size, 3) float32 in 0..1."""
    base = np.array([0.66, 0.46, 0.27]) * rng.uniform(0.45, 1.3) if rng.random() < 0.7 else colour(rng)
    grain = natural(rng, size, rng.uniform(0.4, 1.0), rng.uniform(4, 12))
    rows = int(rng.integers(3, 14))
    y = np.arange(size) * rows // size
    board = rng.normal(0, 0.07, rows)[y].astype(np.float32)
    seam = np.where(np.diff(y, prepend=y[0]) > 0, -0.25, 0).astype(np.float32)
    value = 1 + 0.07 * grain + (board + seam)[:, None]
    image = np.clip(value[..., None] * base.astype(np.float32), 0, 1)
    turn = cv2.getRotationMatrix2D((size / 2, size / 2), rng.uniform(0, 180), 1.5)
    view = np.vstack([turn, [0, rng.uniform(0, 0.7) / size, 1]])
    return cv2.warpPerspective(image, view, (size, size), borderMode=cv2.BORDER_REFLECT)


def room(rng: np.random.Generator, size: int) -> np.ndarray:
    """Wall, floor, ceiling, window, door, shelves, screens, furniture: (size, size, 3) uint8."""
    wall = colour(rng) if rng.random() < 0.4 else rng.uniform(0.5, 0.95) + rng.normal(0, 0.03, 3)
    image = np.empty((size, size, 3), np.uint8)
    block(rng, image, 0, 0, size, size, np.clip(wall, 0, 1), 0.3)
    if rng.random() < 0.5:  # the room's corner
        x = rng.uniform(0, 1) * size
        block(rng, image, 0, 0, x, size, np.clip(wall * rng.uniform(0.65, 0.95), 0, 1), 0.3)
    if rng.random() < 0.3:  # an office ceiling with lights
        y = rng.uniform(0.05, 0.4) * size
        block(rng, image, 0, 0, size, y, rng.uniform(0.55, 0.9) * np.ones(3))
        for _ in range(rng.integers(1, 6)):
            a, b = rng.uniform((0, 0), (size, y))
            width, height = rng.uniform(0.02, 0.25, 2) * (size, 0.3 * size)
            block(rng, image, a, b, a + width, b + height, np.ones(3), 0.02)
    if rng.random() < 0.5:
        y = int(rng.uniform(0.5, 0.95) * size)
        np.copyto(image[y:], 255 * planks(rng, size)[: size - y], casting="unsafe")
    for _ in range(rng.integers(1, 5)):
        kind = rng.integers(5)
        x, y = rng.uniform(-0.2, 1.0, 2) * size
        w, h = rng.uniform((0.1, 0.2), (0.6, 0.9)) * size
        if kind == 0:  # a window, brighter than all else, with its bars
            block(rng, image, x - 0.03 * w, y - 0.03 * w, x + 1.03 * w, y + h, colour(rng))
            for i in range(n := int(rng.integers(1, 4))):
                sky = rng.uniform(0.85, 1.0) * np.array([0.94, 0.98, 1.0])
                block(rng, image, x + i * w / n, y, x + (i + 0.92) * w / n, y + 0.97 * h, sky, 0.1)
        elif kind == 1:  # door or cupboard
            c = colour(rng)
            block(rng, image, x, y, x + w, y + 1.5 * h, c * 0.6)
            for i in range(n := int(rng.integers(1, 4))):
                block(rng, image, x + (i + 0.04) * w / n, y + 2, x + (i + 0.96) * w / n, y + 1.5 * h, c, 0.15)
        elif kind == 2:  # shelves with books, boxes, bottles
            block(rng, image, x, y, x + w, y + h, colour(rng) * 0.6)
            step = max(3, int(rng.uniform(0.06, 0.2) * size))
            for bottom in range(int(y) + step, int(y + h), step):
                at = x
                while at < x + w:
                    wide = rng.uniform(0.08, 0.6) * step
                    if rng.random() < 0.85:
                        block(rng, image, at, bottom - rng.uniform(0.4, 0.9) * step, at + wide, bottom - 1, colour(rng))
                    at += wide + 1
        elif kind == 3:  # a screen or picture
            block(rng, image, x, y, x + w, y + 0.6 * w, rng.uniform(0.02, 0.2) * np.ones(3))
            block(rng, image, x + 0.04 * w, y + 0.04 * w, x + 0.96 * w, y + 0.54 * w, colour(rng), 0.6)
        else:  # a curtain
            folds = 1 + 0.25 * np.sin(np.arange(size) * rng.uniform(0.1, 0.6) + 3 * natural(rng, size, 4)[0])
            c = 255 * colour(rng) * 0.8
            left, right = int(np.clip(x, 0, size)), int(np.clip(x + 0.5 * w, 0, size))
            np.copyto(image[:, left:right], np.clip(folds[None, left:right, None] * c, 0, 255), casting="unsafe")
    for _ in range(rng.integers(0, 9)):  # chairs, lamps, bags: dark and rounded things below, small ones above
        at, axes = rng.uniform((0, 0.3), (1, 1.1)) * size, rng.uniform(0.02, 0.2, 2) * size + 1
        c = (255 * colour(rng) * rng.uniform(0.4, 1)).tolist()
        cv2.ellipse(image, at.astype(int).tolist(), axes.astype(int).tolist(), rng.uniform(0, 180), 0, 360, c, -1)
        if rng.random() < 0.5:
            end = at + rng.normal(0, 0.25, 2) * size
            cv2.line(image, at.astype(int).tolist(), end.astype(int).tolist(), c, int(rng.integers(1, 2 + size // 40)))
    return image


def person(rng: np.random.Generator, image: np.ndarray):
    """Head, hair, neck and clothed shoulders, lit from one side, drawn into a uint8 picture."""
    size = len(image)
    skin = np.array([0.88, 0.65, 0.53]) * (1, rng.uniform(0.9, 1.03), rng.uniform(0.85, 1.03)) * rng.uniform(0.25, 1.1)
    hair = np.clip(np.array([0.30, 0.20, 0.13]) * rng.uniform(0.1, 1.8), 0.02, 0.8)
    r = rng.uniform(0.09, 0.38) * size
    x, y = rng.uniform(-0.05, 1.05) * size, rng.uniform(0.0, 0.65) * size
    cloth, lean, side = colour(rng), rng.normal(0, 8), rng.choice([-1, 1])

    def blob(cx, cy, a, b, c, angle=0.0, start=0, end=360):
        at = (int(x + cx * r), int(y + cy * r))
        axes = (max(1, int(a * r)), max(1, int(b * r)))
        c = (255 * np.clip(c, 0, 1)).tolist()
        cv2.ellipse(image, at, axes, angle + lean, start, end, c, -1, cv2.LINE_AA)

    if rng.random() < 0.4:  # long hair
        blob(0, 0.5, 1.05, rng.uniform(1.2, 1.7), hair * 0.8)
    for i in range(4):  # shoulders, darker to one side
        blob(0.28 * side * i, 3.6 + 0.1 * i, 2.3 - 0.2 * i, 2.1 - 0.15 * i, cloth * (0.78 + 0.08 * i))
    for _ in range(5):  # folds
        fold = rng.uniform((-1.6, 2.3, 0.3, -50), (1.6, 5, 0.9, 50))
        blob(fold[0], fold[1], 0.06, fold[2], cloth * 0.7, fold[3])
    blob(0, 1.15, 0.40, 0.75, skin * 0.66)
    blob(0, -0.12, 0.92, 1.2, hair)
    for i in range(6):  # the face, from its dark side to its light one
        blob(0.06 * side * i, 0.02, 0.76 - 0.08 * i, 1.05 - 0.1 * i, skin * (0.74 + 0.06 * i))
    if rng.random() < 0.35:
        blob(0, 0.72, 0.5, 0.36, 0.5 * hair + 0.3 * skin)  # beard
    blob(0, -0.85, 0.74, 0.42, hair)
    for eye in (-1, 1):
        blob(0.3 * eye, -0.13, 0.2, 0.12, skin * 0.68)
        blob(0.3 * eye, -0.12, 0.1, 0.05, (0.75, 0.72, 0.7))
        blob(0.3 * eye, -0.12, 0.05, 0.05, (0.1, 0.07, 0.05))
        blob(0.3 * eye, -0.33, 0.19, 0.045, 0.6 * hair)
    if rng.random() < 0.3:  # glasses
        for eye in (-1, 1):
            at = (int(x + 0.32 * eye * r), int(y - 0.1 * r))
            axes = (max(1, int(0.25 * r)), max(1, int(0.19 * r)))
            cv2.ellipse(image, at, axes, lean, 0, 360, (20, 20, 22), 1 + int(r / 40))
    blob(0.1 * side, 0.22, 0.12, 0.28, skin * 1.02)
    blob(-0.06 * side, 0.42, 0.15, 0.06, skin * 0.62)
    blob(0, 0.62, 0.26, 0.07, skin * (0.8, 0.55, 0.55))


def other_hand(rng: np.random.Generator, image: np.ndarray):
    """A distant hand and arm in skin tone, drawn into a uint8 picture."""
    size = len(image)
    skin = 255 * np.clip(np.array([0.85, 0.63, 0.52]) * rng.uniform(0.35, 1.1), 0, 1)
    at, r, up = rng.uniform(0, 1, 2) * size, rng.uniform(0.03, 0.08) * size, rng.uniform(0, 2 * np.pi)

    def stroke(a, b, width, tone=1.0):
        c = np.clip(skin * tone, 0, 255).tolist()
        cv2.line(image, a.astype(int).tolist(), b.astype(int).tolist(), c, max(1, int(width)), cv2.LINE_AA)

    stroke(at, at - 6 * r * np.array([np.cos(up), np.sin(up)]), r * 1.6, 0.85)
    cv2.circle(image, at.astype(int).tolist(), int(r * 1.2), skin.tolist(), -1, cv2.LINE_AA)
    for k in range(5):
        angle, length = up + (k - 2) * rng.uniform(0.12, 0.3), rng.uniform(1.4, 3.0) * r
        end = at + length * np.array([np.cos(angle), np.sin(angle)])
        stroke(at, end, r * 0.55, rng.uniform(0.85, 1.05))
