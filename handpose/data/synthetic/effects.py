"""What a camera does to a picture: movement, focus, exposure, colour cast, noise and compression."""

import cv2
import numpy as np


def motion(rng: np.random.Generator, premultiplied: np.ndarray, longest: float) -> np.ndarray:
    """Smear (H, W, 4) colours times alpha and alpha along a random short line, centred, so that labels stay true."""
    length = rng.uniform(1.5, max(longest, 1.6))
    angle = rng.uniform(0, np.pi)
    half = int(np.ceil(length / 2)) + 1
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    d = 0.5 * length * np.array([np.cos(angle), np.sin(angle)])
    ends = np.round((np.array([half - d, half + d])) * 16).astype(int)
    cv2.line(kernel, ends[0].tolist(), ends[1].tolist(), 1.0, 1, cv2.LINE_AA, 4)
    return cv2.filter2D(premultiplied, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)


def camera_effects(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Cast, exposure, contrast, softness, noise and JPEG on (H, W, 3) float32 sRGB in 0..1; returns uint8."""
    size = len(image)
    warm, green = rng.normal(0, 0.04), rng.normal(0, 0.02)
    image = image * np.array([1 + warm, 1 + green, 1 - warm], np.float32)
    if rng.random() < 0.5:
        image = np.maximum(image, 0) ** np.float32(np.exp(rng.normal(0, 0.2))) * np.float32(np.exp(rng.normal(0, 0.12)))
    if rng.random() < 0.05:  # near grey
        grey = image.mean(2, keepdims=True)
        image = grey + rng.uniform(0, 0.4) * (image - grey)
    if rng.random() < 0.35:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.3) * size / 256)
    grain = np.float32(rng.choice([0.003, 0.008, 0.02, 0.035], p=[0.3, 0.35, 0.25, 0.1]))
    image = image + grain * rng.standard_normal(image.shape, np.float32)
    out = (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
    if rng.random() < 0.7:
        quality = int(rng.uniform(35, 95))
        code = cv2.imencode(".jpg", out[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        out = cv2.imdecode(code, cv2.IMREAD_COLOR)[..., ::-1]
    return np.ascontiguousarray(out)
