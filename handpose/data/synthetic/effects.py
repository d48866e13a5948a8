"""What a camera does to a picture: movement, focus, few pixels, sharpening, exposure, cast, noise, compression."""

from functools import lru_cache

import cv2
import numpy as np


def _line(length: float, angle: float) -> np.ndarray:
    """A kernel that smears along a short centred line."""
    half = int(np.ceil(length / 2)) + 1
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    d = 0.5 * length * np.array([np.cos(angle), np.sin(angle)])
    ends = np.round((np.array([half - d, half + d])) * 16).astype(int)
    cv2.line(kernel, ends[0].tolist(), ends[1].tolist(), 1.0, 1, cv2.LINE_AA, 4)
    return kernel / kernel.sum()


def motion(rng: np.random.Generator, image: np.ndarray, longest: float) -> np.ndarray:
    """Smear an (H, W, C) picture along a random short line, centred, so that labels stay true."""
    kernel = _line(rng.uniform(1.5, max(longest, 1.6)), rng.uniform(0, np.pi))
    return cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REPLICATE)


@lru_cache(maxsize=1)
def _grain() -> np.ndarray:
    """(1024, 1024, 3) float32 of deviation 1; pieces of it are every picture's noise: faster than fresh numbers."""
    return np.random.default_rng(6).standard_normal((1024, 1024, 3), np.float32)


def noise(rng: np.random.Generator, size: int) -> np.ndarray:
    """(size, size, 3) float32 sensor noise of deviation about 1: fine, or a few pixels coarse as from a phone."""
    if size > 512:
        return rng.standard_normal((size, size, 3), np.float32)
    y, x = rng.integers(0, 1024 - size, 2)
    piece = _grain()[y : y + size, x : x + size]
    return 1.9 * cv2.GaussianBlur(piece, (0, 0), 0.8 * size / 256 + 0.1) if rng.random() < 0.5 else piece


def camera_effects(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """The whole chain on (H, W, 3) float32 sRGB in 0..1; returns uint8."""
    size = len(image)
    warm, green = rng.normal(0, 0.04), rng.normal(0, 0.015)
    image = image * np.array([1 + warm, 1 + green, 1 - warm], np.float32)
    if rng.random() < 0.5:
        image = np.maximum(image, 0) ** np.float32(np.exp(rng.normal(0, 0.2))) * np.float32(np.exp(rng.normal(0, 0.12)))
    if rng.random() < 0.1:  # veiled, as by stray light
        haze = np.float32(rng.uniform(0.05, 0.3))
        image = haze * np.float32(rng.uniform(0.5, 1)) + (1 - haze) * image
    if rng.random() < 0.04:  # near grey
        grey = image.mean(2, keepdims=True)
        image = grey + rng.uniform(0, 0.4) * (image - grey)
    if rng.random() < 0.3:  # out of focus
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.5) * size / 256)
    if rng.random() < 0.08:  # the camera moved
        image = motion(rng, image, 0.05 * size)
    deviation = np.float32(rng.choice([0.003, 0.008, 0.016, 0.03], p=[0.42, 0.37, 0.18, 0.03]))
    if rng.random() < 0.35:  # a hand far from a webcam has few pixels
        few = int(size * rng.uniform(0.3, 0.85))
        image = cv2.resize(image, (few, few), interpolation=cv2.INTER_AREA)
        image = image + deviation * noise(rng, few)
        enlarged = cv2.INTER_CUBIC if rng.random() < 0.5 else cv2.INTER_LINEAR
        image = cv2.resize(image, (size, size), interpolation=enlarged)
    else:
        image = image + deviation * noise(rng, size)
    if rng.random() < 0.3:  # sharpened in the camera, with bright seams
        soft = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.8, 2.0) * size / 256 + 0.2)
        image = image + np.float32(rng.uniform(0.3, 1.3)) * (image - soft)
    out = (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
    if rng.random() < 0.7:
        quality = int(rng.uniform(35, 95))
        code = cv2.imencode(".jpg", out[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        decoded = cv2.imdecode(code, cv2.IMREAD_COLOR)
        assert decoded is not None  # it was encoded just now
        out = decoded[..., ::-1]
    return np.ascontiguousarray(out)


def ground_shadow(rng: np.random.Generator, behind: np.ndarray, alpha: np.ndarray, towards: tuple) -> np.ndarray:
    """Darken the background where a hand near it, with the lamp at ``towards``, throws its soft shadow."""
    size = len(behind)
    low = cv2.resize(alpha, (size // 4, size // 4), interpolation=cv2.INTER_AREA)
    away = rng.uniform(0.005, 0.09) * size / 4
    shift = np.array([[1, 0, -away * towards[0]], [0, 1, -away * towards[1]]], np.float32)
    low = cv2.warpAffine(low, shift, low.shape[::-1])
    low = cv2.GaussianBlur(low, (0, 0), (0.4 * away + rng.uniform(0.004, 0.02) * size / 4) + 0.3)
    dark = np.float32(rng.uniform(0.1, 0.55)) * cv2.resize(low, (size, size), interpolation=cv2.INTER_LINEAR)
    return behind * (1 - dark[..., None] * np.array([0.9, 1, 1.05], np.float32))
