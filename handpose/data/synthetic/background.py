"""Backgrounds made from nothing: walls, rooms, textures, people and skin-coloured things."""

import cv2
import numpy as np


def _noise(rng, size, cells, channels=1):
    small = rng.normal(0, 1, (cells + 2, cells + 2, channels)).astype(np.float32)
    big = cv2.resize(small, (size, size), interpolation=cv2.INTER_CUBIC)
    return big.reshape(size, size, channels)


def colour(rng: np.random.Generator) -> np.ndarray:
    """(3,) RGB in 0..1: whites, greys, woods, skin-like and free colours."""
    kind = rng.choice(5, p=[0.25, 0.2, 0.2, 0.1, 0.25])
    if kind == 0:
        c = rng.uniform(0.7, 1.0) + rng.normal(0, 0.03, 3)
    elif kind == 1:
        c = rng.uniform(0.05, 0.7) + rng.normal(0, 0.03, 3)
    elif kind == 2:
        c = np.array([0.62, 0.44, 0.28]) * rng.uniform(0.4, 1.5) + rng.normal(0, 0.03, 3)
    elif kind == 3:
        c = np.array([0.85, 0.62, 0.5]) * rng.uniform(0.35, 1.12) + rng.normal(0, 0.03, 3)
    else:
        c = rng.random(3)
        c = c + rng.uniform(0, 0.8) * (c.mean() - c)  # pure colours are rare indoors
    return np.clip(c, 0.01, 1)


def plain(rng: np.random.Generator, size: int) -> np.ndarray:
    """A calm wall, lighter to one side: (size, size, 3) float32 sRGB in 0..1."""
    base = rng.uniform(0.62, 0.9) + rng.normal(0, 0.025, 3)
    slope = rng.normal(0, 0.06, 2)
    y, x = np.mgrid[:size, :size].astype(np.float32) / size - 0.5
    return np.clip(base + (slope[0] * x + slope[1] * y)[..., None], 0, 1).astype(np.float32)


def _wall(rng, size):
    a, b = colour(rng), colour(rng)
    if rng.random() < 0.6:
        b = np.clip(a + rng.normal(0, 0.1, 3), 0, 1)
    y, x = np.mgrid[:size, :size].astype(np.float32) / size
    angle = rng.uniform(0, 2 * np.pi)
    t = np.clip((x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle) + 0.5, 0, 1)[..., None]
    return (a + t * (b - a)).astype(np.float32) + 0.02 * rng.random() * _noise(rng, size, 4)


def _texture(rng, size):
    """Wood, stripes, checks, bricks, foliage."""
    a, b = colour(rng), colour(rng)
    y, x = np.mgrid[:size, :size].astype(np.float32) / size
    angle, pitch = rng.uniform(0, np.pi), rng.uniform(4, 40)
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    kind = rng.integers(5)
    if kind == 0:
        t = 0.5 + 0.5 * np.sin(
            2 * np.pi * (0.5 * pitch * u + 0.8 * _noise(rng, size, 5)[..., 0] + 0.15 * _noise(rng, size, 40)[..., 0])
        )
        b = np.clip(a * rng.uniform(0.6, 0.95), 0, 1)
    elif kind == 1:
        t = (np.mod(u * pitch, 1) < rng.uniform(0.2, 0.8)).astype(np.float32)
    elif kind == 2:
        t = 0.5 * (np.mod(u * pitch, 1) < 0.5) + 0.5 * (np.mod(v * pitch, 1) < 0.5)
    elif kind == 3:
        row = np.floor(y * pitch)
        t = ((np.mod(y * pitch, 1) < 0.12) | (np.mod(x * pitch * 0.45 + 0.5 * np.mod(row, 2), 1) < 0.06)).astype(
            np.float32
        )
    else:
        t = np.clip(
            0.5 + 0.4 * _noise(rng, size, int(rng.integers(8, 60)))[..., 0] + 0.3 * _noise(rng, size, 12)[..., 0], 0, 1
        )
    return (a + np.asarray(t, np.float32)[..., None] * (b - a)).astype(np.float32)


def _things(rng, image, count):
    """Rectangles, discs, rods, books and writing, drawn into a uint8 picture."""
    size = len(image)
    for _ in range(count):
        kind = rng.integers(6)
        c = colour(rng) * 255
        x, y = rng.uniform(-0.1, 1.1, 2) * size
        w, h = rng.uniform(0.04, 0.5, 2) * size
        layer = image.copy() if rng.random() < 0.3 else image
        if kind in (0, 1):
            box = cv2.boxPoints(((x, y), (w, h), rng.choice([0, 90, rng.uniform(0, 180)])))
            cv2.fillConvexPoly(layer, np.round(box * 16).astype(np.int32), c.tolist(), cv2.LINE_AA, 4)
            if rng.random() < 0.5:
                cv2.polylines(layer, [np.round(box).astype(np.int32)], True, (c * 0.6).tolist(), 1, cv2.LINE_AA)
        elif kind == 2:
            axes = (int(w / 2) + 1, int((w if rng.random() < 0.5 else h) / 2) + 1)
            cv2.ellipse(layer, (int(x), int(y)), axes, rng.uniform(0, 180), 0, 360, c.tolist(), -1, cv2.LINE_AA)
        elif kind == 3:
            end = (int(x + rng.normal(0, 0.5) * size), int(y + rng.normal(0, 0.5) * size))
            cv2.line(layer, (int(x), int(y)), end, c.tolist(), int(rng.integers(1, max(2, size // 9))), cv2.LINE_AA)
        elif kind == 4:  # a row of books or bottles
            left, wide = int(x - w), 0
            while wide < 2 * w:
                step = int(rng.integers(2, max(3, size // 16)) + 1)
                top = int(y - h * rng.uniform(0.6, 1))
                cv2.rectangle(
                    layer, (left + wide, top), (left + wide + step - 1, int(y)), (255 * colour(rng)).tolist(), -1
                )
                wide += step
        else:
            word = "".join(rng.choice(list("ABCEHIKLMNOSTVWXaehknorstu0123789 "), 12))
            cv2.putText(
                layer, word, (int(x - w), int(y)), 0, rng.uniform(0.2, 1.5) * size / 256, c.tolist(), 1, cv2.LINE_AA
            )
        if layer is not image:
            cv2.addWeighted(layer, 0.6, image, 0.4, 0, image)


def _person(rng, image):
    """Head, hair, neck and clothed shoulders behind the hand, as a webcam sees them."""
    size = len(image)
    tone = (
        np.array([0.86, 0.64, 0.52])
        * np.array([1, rng.uniform(0.85, 1.05), rng.uniform(0.8, 1.05)])
        * rng.beta(3, 1.5)
        * 1.1
    )
    skin = np.clip(tone, 0.05, 1)  # drawn into a uint8 picture
    x, y, r = rng.uniform(-0.1, 1.1) * size, rng.uniform(-0.1, 0.75) * size, rng.uniform(0.1, 0.4) * size
    hair = np.clip(np.array([0.35, 0.22, 0.12]) * rng.uniform(0.1, 2) + rng.normal(0, 0.02, 3), 0.01, 0.9)
    cloth = colour(rng)

    def blob(cx, cy, a, b, c, angle=0.0):
        at = (int(x + cx * r), int(y + cy * r))
        cv2.ellipse(
            image,
            at,
            (max(1, int(a * r)), max(1, int(b * r))),
            angle,
            0,
            360,
            (255 * np.clip(c, 0, 1)).tolist(),
            -1,
            cv2.LINE_AA,
        )

    blob(0, -0.15, 0.95, 1.25, hair)
    if rng.random() < 0.4:
        blob(0, 0.6, 1.05, 1.3, hair)
    blob(0, 2.9, 2.3, 1.5, cloth)
    blob(0, 4.2, 2.5, 2.6, cloth)
    blob(0, 1.2, 0.42, 0.6, skin * 0.85)
    blob(0, 0, 0.78, 1.08, skin)
    blob(0.25, 0.1, 0.45, 0.85, np.clip(skin * 1.06, 0, 1))
    blob(0, -0.95, 0.75, 0.42, hair)
    for side in (-1, 1):
        blob(0.3 * side, -0.12, 0.14, 0.07, (0.9, 0.88, 0.86))
        blob(0.3 * side, -0.12, 0.06, 0.06, (0.15, 0.1, 0.08))
        blob(0.3 * side, -0.32, 0.2, 0.05, hair)
    blob(0, 0.2, 0.1, 0.22, skin * 0.9)
    blob(0, 0.56, 0.28, 0.09, skin * (0.85, 0.6, 0.6))


def _other_hand(rng, image):
    """A distant, blurred hand: strokes in skin tone."""
    size = len(image)
    skin = 255 * np.clip(np.array([0.85, 0.63, 0.52]) * rng.uniform(0.35, 1.1), 0, 1)
    at, r, up = rng.uniform(0, 1, 2) * size, rng.uniform(0.03, 0.07) * size, rng.uniform(0, 2 * np.pi)
    cv2.circle(image, tuple(int(v) for v in at), int(r * 1.3), skin.tolist(), -1, cv2.LINE_AA)
    for k in range(5):
        angle, length = up + (k - 2) * rng.uniform(0.15, 0.4), rng.uniform(1.5, 3.2) * r
        end = at + length * np.array([np.cos(angle), np.sin(angle)])
        shade = np.clip(skin * rng.uniform(0.8, 1.1), 0, 255)
        cv2.line(
            image,
            tuple(int(v) for v in at),
            tuple(int(v) for v in end),
            shade.tolist(),
            max(1, int(r * 0.55)),
            cv2.LINE_AA,
        )
    end = at - 5 * r * np.array([np.cos(up), np.sin(up)])
    cv2.line(
        image, tuple(int(v) for v in at), tuple(int(v) for v in end), skin.tolist(), max(1, int(r * 1.6)), cv2.LINE_AA
    )


def clutter(rng: np.random.Generator, size: int) -> np.ndarray:
    """One of many backgrounds: (size, size, 3) float32 sRGB in 0..1."""
    kind = rng.choice(5, p=[0.16, 0.12, 0.38, 0.28, 0.06])
    if kind == 0:  # a bare wall, often white
        base = rng.uniform(0.75, 1.0) + rng.normal(0, 0.02, 3) if rng.random() < 0.5 else colour(rng)
        image = np.clip(base + 0.03 * _noise(rng, size, 2) + 0.5 * (_wall(rng, size) - 0.5) * rng.uniform(0, 0.3), 0, 1)
    elif kind == 1:
        image = _texture(rng, size)
    elif kind == 4:
        image = 0.25 * sum(_noise(rng, size, n, 3) / i for i, n in enumerate((3, 8, 24, 70), 1))
        image = colour(rng) + image + rng.uniform(0.3, 0.9) * (image.mean(2, keepdims=True) - image)
    else:
        image = _wall(rng, size) if rng.random() < 0.7 else _texture(rng, size)
        image = np.ascontiguousarray(np.clip(image, 0, 1), np.float32)
        if rng.random() < 0.4:  # table or floor
            line = int(rng.uniform(0.45, 0.95) * size)
            image[line:] = (_texture if rng.random() < 0.5 else _wall)(rng, size)[line:]
        image = (image * 255).clip(0, 255).astype(np.uint8)  # OpenCV smooths edges of 8-bit pictures only
        _things(rng, image, int(rng.integers(2, 22)))
        if kind == 3:
            _person(rng, image)
        if rng.random() < 0.12:
            _other_hand(rng, image)
        image = image.astype(np.float32) / 255
    image = np.ascontiguousarray(np.clip(image, 0, 1), np.float32)
    if rng.random() < 0.75:  # out of focus
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 5) * size / 256)
    light = 1 + 0.18 * rng.random() * _noise(rng, size, 2)  # uneven room light
    grain = 1 + rng.uniform(0, 0.05) * rng.standard_normal((size, size, 1), np.float32)
    return np.clip(image * light * grain, 0, 1).astype(np.float32)
