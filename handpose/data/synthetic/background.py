"""Backgrounds: drawn from nothing (`clutter`, `plain`) or cut from the pictures of a folder (`Folder`)."""

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from handpose.data.synthetic import scenery
from handpose.data.synthetic.scenery import colour, natural, ramp


def plain(rng: np.random.Generator, size: int) -> np.ndarray:
    """A calm wall, lighter to one side: (size, size, 3) float32 sRGB in 0..1."""
    base = rng.uniform(0.62, 0.9) + rng.normal(0, 0.025, 3)
    slope = rng.normal(0, 0.06, 2)
    y, x = np.mgrid[:size, :size].astype(np.float32) / size - 0.5
    return np.clip(base + (slope[0] * x + slope[1] * y)[..., None], 0, 1).astype(np.float32)


def _sheet(rng, size):
    """White paper, often burnt out."""
    tint = rng.uniform(0.86, 1.06) + rng.normal(0, 0.012, 3)
    return tint.astype(np.float32) * ramp(rng, size, 0.04)


def _wall(rng, size):
    """A calm wall with stains and plaster, darker to one side; sometimes its edge, a corner or a skirting board."""
    base = rng.uniform(0.4, 0.92) + rng.normal(0, 0.02, 3) if rng.random() < 0.7 else colour(rng)
    image = base.astype(np.float32) * ramp(rng, size, 0.22)
    image = image * (1 + rng.uniform(0, 0.03) * natural(rng, size, rng.uniform(1, 4)))[..., None]
    if rng.random() < 0.35:
        at = int(rng.uniform(0.1, 0.9) * size)
        part = [image[at:], image[:at], image[:, at:], image[:, :at]][rng.integers(4)]
        part *= rng.uniform(0.5, 1.1) if rng.random() < 0.6 else (colour(rng) / base.clip(0.05)).astype(np.float32)
    return image


def _cloth(rng, size):
    """Wood, carpet, table-cloth, plaster, leaves: one texture all over."""
    if rng.random() < 0.45:
        return scenery.planks(rng, size)
    a = colour(rng).astype(np.float32)
    b = np.clip(a + rng.normal(0, 0.18, 3) + rng.normal(0, 0.08), 0, 1).astype(np.float32)
    if rng.random() < 0.4:  # woven or striped
        y, x = np.mgrid[:size, :size].astype(np.float32) / size
        angle, pitch = rng.uniform(0, np.pi), rng.uniform(8, 50)
        wave = np.sin(2 * np.pi * pitch * (x * np.cos(angle) + y * np.sin(angle)) + natural(rng, size, 3))
        if rng.random() < 0.4:
            wave = wave * np.sin(2 * np.pi * pitch * (y * np.cos(angle) - x * np.sin(angle)))
        t = 0.5 + 0.5 * wave
    else:
        t = 0.5 + rng.uniform(0.2, 0.6) * natural(rng, size, rng.uniform(0.3, 2), rng.uniform(1, 3))
    return (a + np.clip(t, 0, 1).astype(np.float32)[..., None] * (b - a)) * ramp(rng, size, 0.2)


def clutter(rng: np.random.Generator, size: int, *, hands: bool = True) -> np.ndarray:
    """One of many backgrounds: (size, size, 3) float32 sRGB in 0..1.

    White sheets (1 in 8), walls (1 in 4), floors and cloths (1 in 8), rooms (1 in 4), rooms with a person
    (1 in 4). Rooms are drawn at half the size, because nearly all are out of focus. Now and
    then a distant hand is in a room, unless `hands` is False.
    """
    kind = rng.choice(5, p=[0.12, 0.24, 0.12, 0.26, 0.26])
    if kind < 3:
        image = (_sheet, _wall, _cloth)[kind](rng, size)
        blur = rng.uniform(0, 2) * size / 256 if rng.random() < 0.5 else 0
    else:
        half = max(24, size // 2)
        drawn = scenery.room(rng, half)
        if kind == 4:
            scenery.person(rng, drawn)
        if rng.random() < 0.15 and hands:
            scenery.other_hand(rng, drawn)
        image = drawn.astype(np.float32) * np.float32(1 / 255)
        image *= ramp(rng, half, 0.35) * (1 + rng.uniform(0.03, 0.1) * natural(rng, half, 1.5))[..., None]
        blur = 0
        if rng.random() < 0.8:  # out of focus
            image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 3.5) * half / 128)
        image = cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)
        image *= 1 + np.float32(rng.uniform(0, 0.03)) * natural(rng, size, 0.7)[..., None]
    if blur > 0.3:
        image = cv2.GaussianBlur(image, (0, 0), blur)
    return np.clip(image, 0, 1).astype(np.float32, copy=False)


@lru_cache(maxsize=64)
def _read(path: str, at_least: int) -> np.ndarray | None:
    """(H, W, 3) uint8 RGB, shrunk so that its shorter side is about ``at_least``; None if it is no picture."""
    image = cv2.imread(path, cv2.IMREAD_COLOR)
    if image is None:
        return None
    scale = at_least / min(image.shape[:2])
    if scale < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(image[..., ::-1])


class Folder:
    """The pictures of a folder, and of the folders in it, as backgrounds: a function of (generator, size).

    Raises:
        ValueError: the folder does not exist or holds no readable picture.
    """

    KINDS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise ValueError(f"no folder of background pictures at {folder}")
        files = sorted(f for f in self.folder.rglob("*") if f.suffix.lower() in self.KINDS and f.is_file())
        self.files = [f for f in files if cv2.haveImageReader(str(f))]
        if not self.files:
            raise ValueError(f"{folder} holds no readable picture ({', '.join(self.KINDS)}) to be a background")

    def __repr__(self) -> str:
        """Names the pictures with their sizes and dates, so that a cache made from others is not taken for this one."""
        stats = [(str(f.relative_to(self.folder)), f.stat().st_size, f.stat().st_mtime_ns) for f in self.files]
        return f"Folder({str(self.folder.resolve())!r}, {stats})"

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """A random square of a random picture, at times mirrored: (size, size, 3) uint8."""
        for i in rng.permutation(len(self.files)):
            image = _read(str(self.files[i]), 2 * size)
            if image is not None:
                break
        else:
            raise ValueError(f"{self.folder} holds no readable picture any more")
        side = int(rng.uniform(0.5, 1) * min(image.shape[:2]))
        y, x = (rng.integers(0, n - side + 1) for n in image.shape[:2])
        part = cv2.resize(image[y : y + side, x : x + side], (size, size), interpolation=cv2.INTER_AREA)
        return part[:, ::-1] if rng.random() < 0.5 else part
