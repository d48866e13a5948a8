"""What the readers share: where data lies, how a picture is read, and the errors that name the culprit."""

import json
import os
from pathlib import Path

import cv2
import numpy as np

from handpose import skeleton
from handpose.data.sample import Sample

MAX_PIXELS = 100_000_000  # a larger picture is refused


class DataError(ValueError):
    """A file of a data set, or a user's picture, that cannot be used; the message names it and says why."""


def locate(name: str, path: str | os.PathLike | None) -> Path:
    """The folder of a data set: `path`, else `$HANDPOSE_DATA/name`.

    Raises:
        DataError: there is no such folder.
    """
    if path is None:
        root = os.environ.get("HANDPOSE_DATA")
        if not root:
            raise DataError(
                f"where is {name}? Write {name}:PATH, or set HANDPOSE_DATA to the folder that holds {name}/"
            )
        path = Path(root) / name
    path = Path(path)
    if not path.is_dir():
        raise DataError(f"{path}: no such folder; it should hold the {name} data set")
    return path


def one_line(error: Exception) -> str:
    """What an error says, whatever a damaged file made it say: one line of at most 200 printable characters."""
    reason = (str(error).splitlines() or [""])[0][:200] or type(error).__name__
    return ascii(reason)[1:-1]


def read_json(file: Path, *, missing: str = "", damaged: str = "") -> object:
    """The content of a JSON file.

    Args:
        missing, damaged: what to do then, to follow the reason.

    Raises:
        DataError: it cannot be read, or holds no JSON.
    """
    try:
        return json.loads(file.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror or error}){missing}") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file}: damaged, or no JSON ({one_line(error)}){damaged}") from None


def numbers(value: object, shape: tuple[int, ...]) -> np.ndarray | None:
    """Nested lists as an array of integers or floats, shaped as `shape` says; None where they are anything else."""
    try:
        array = np.array(value)
    except ValueError:  # lists of different lengths
        return None
    return array if array.shape == shape and array.dtype.kind in "fiu" else None


def read_square(file: Path, side: int) -> np.ndarray:
    """A picture (side, side, 3) uint8 RGB of a set whose pictures all are side x side pixels; see `read_image`.

    Raises:
        DataError: also for another size, for which the set's labels would not hold.
    """
    image = read_image(file)
    if image.shape[:2] != (side, side):
        raise DataError(f"{file}: is {image.shape[1]}x{image.shape[0]}, not {side}x{side} pixels as published")
    return image


def read_image(path: str | os.PathLike) -> np.ndarray:
    """A picture file as (H, W, 3) uint8 RGB, upright (EXIF rotation applied).

    Grey, 16-bit and transparent pictures are converted (transparency lies on white).

    Raises:
        DataError: missing, empty, truncated, not a picture, or too large.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None
    return decode_image(data, str(path))


def decode_image(data: bytes, name: str) -> np.ndarray:
    """The same as `read_image`, (H, W, 3) uint8 RGB, from bytes in memory; `name` appears in errors."""
    if not data:
        raise DataError(f"{name}: the file is empty")
    if data[:2] == b"\xff\xd8" and not _jpeg_ends(data):
        # OpenCV fills the missing part of a JPEG with grey and only warns.
        raise DataError(f"{name}: a truncated JPEG (its end marker is missing); copy or download it again")
    try:
        transparent = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        # Only this mode applies the EXIF rotation, and it makes three 8-bit channels of anything.
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        transparent = image = None
    if image is None:
        raise DataError(f"{name}: not a picture that OpenCV can read; save it as JPEG or PNG")
    if image.shape[0] * image.shape[1] > MAX_PIXELS:
        raise DataError(f"{name}: {image.shape[1]}x{image.shape[0]} pixels are too many; shrink it first")
    if transparent.ndim == 3 and transparent.shape[2] == 4 and transparent.shape[:2] == image.shape[:2]:
        top = np.iinfo(transparent.dtype).max if transparent.dtype != np.float32 else 1
        alpha = transparent[..., 3:].astype(np.float32) / top
        image = np.rint(image * alpha + 255 * (1 - alpha)).astype(np.uint8)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _jpeg_ends(data: bytes) -> bool:
    """Whether an end marker follows the picture's own data, which comes after the header's segments.

    The header may hold a thumbnail with an end marker of its own, and other data may follow the picture's end.
    """
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        if data[at + 1] == 0xDA:  # start of scan
            return data.find(b"\xff\xd9", at) >= 0
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return False


def make_sample(image: np.ndarray, points: np.ndarray, labelled: np.ndarray, **known) -> Sample:
    """A Sample from a picture and its labels; `visible` and `box` follow from them.

    Args:
        image: (H, W, 3) uint8 RGB.
        points: (21, 2) pixels of the picture, canonical order.
        labelled: (21,) bool: the joints that have a label.
        known: further fields of `Sample`.
    """
    points = np.asarray(points, np.float32)
    height, width = image.shape[:2]
    x, y = points[:, 0], points[:, 1]
    with np.errstate(invalid="ignore"):
        inside = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
    visible = np.asarray(labelled, bool) & inside
    return Sample(
        image=image,
        keypoints=points,
        visible=visible,
        box=skeleton.tight_box(points, visible).astype(np.float32),
        **known,
    )
