"""One file of a rendered set, whole or not at all."""

from pathlib import Path

import cv2
import numpy as np

from handpose import files


def write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    with files.writing(path) as unfinished:
        unfinished.write_bytes(content)


def encoded(kind: str, image: np.ndarray, *options: int) -> bytes:
    """(H, W, 3) uint8 RGB as the content of a .jpg or .png file."""
    return cv2.imencode(kind, image[..., ::-1], options)[1].tobytes()
