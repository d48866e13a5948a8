"""What the readers share: where data lies, how a picture is read, and what of it becomes a sample."""

import gzip
import json
import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from handpose import skeleton
from handpose.crop import SMALLEST
from handpose.data import pictures
from handpose.data.errors import DataError, one_line
from handpose.data.sample import Sample


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


def read_json(file: Path, *, missing: str = "", damaged: str = "") -> Any:
    """The content of a JSON file, packed with gzip or not.

    Args:
        missing, damaged: what to do then, to follow the reason.

    Raises:
        DataError: it cannot be read, or holds no JSON.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror or error}){missing}") from None
    if data[:4] == b"PK\3\4":
        raise DataError(f"{file}: is an archive; unpack it, and name the folder or the label file in it")
    try:
        data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        return json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError, OSError, EOFError, zlib.error) as error:
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
    """A picture file as (H, W, 3) uint8 RGB, upright; see `pictures.decode`. Warns where something is odd about it.

    Raises:
        DataError: missing, empty, truncated, damaged, of a kind that is not read, or too large.
    """
    return _at_full_size(pictures.read(path), str(path))


def decode_image(data: bytes, name: str) -> np.ndarray:
    """The same as `read_image`, (H, W, 3) uint8 RGB, from bytes in memory; `name` appears in errors."""
    return _at_full_size(pictures.decode(data, name), name)


def _at_full_size(image: pictures.Picture, name: str) -> np.ndarray:
    """The pixels themselves: labels are given in pixels of the photograph, so one that was shrunk will not do."""
    if image.scale > 1:
        raise DataError(f"{name}: {image.size[0]}x{image.size[1]} pixels are too many; shrink it first")
    image.warn(name)
    return image.image


def make_sample(image: np.ndarray, keypoints: np.ndarray, labelled: np.ndarray, **known) -> Sample:
    """A Sample from a picture and its labels; `visible` and `box` follow from them.

    Args:
        image: (H, W, 3) uint8 RGB.
        keypoints: (21, 2) pixels of the picture, canonical order.
        labelled: (21,) bool: the joints that have a label.
        known: further fields of `Sample`.
    """
    keypoints = np.asarray(keypoints, np.float32)
    height, width = image.shape[:2]
    x, y = keypoints[:, 0], keypoints[:, 1]
    with np.errstate(invalid="ignore"):
        inside = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
    visible = np.asarray(labelled, bool) & inside
    return Sample(
        image=image,
        keypoints=keypoints,
        visible=visible,
        box=skeleton.tight_box(keypoints, visible).astype(np.float32),
        **known,
    )


def given_image(image: object) -> np.ndarray | pictures.Picture:
    """A picture, given as an array, a path, or a picture of Pillow or of `pictures.read`. Warns as `read_image`.

    Returns:
        The picture, of which `pictures.Picture` keeps the size; an array stays (H, W, 3) uint8.

    Raises:
        DataError: it cannot be read or has the wrong form.
    """
    if isinstance(image, str | os.PathLike):
        name: object = image
        image = pictures.read(image)
        image.warn(name)
    elif isinstance(image, Image.Image):
        image = pictures.of_pil(image)
        image.warn("the picture")
    return image if isinstance(image, pictures.Picture) else check_image(image)


def check_image(image: object) -> np.ndarray:
    """The array itself if it is a picture that can hold a hand; of a grey one (H, W, 3).

    Raises:
        DataError: neither (H, W, 3) nor (H, W) uint8, or smaller than 8x8 pixels.
    """
    if not isinstance(image, np.ndarray):
        raise DataError("a picture must be an (H, W, 3) uint8 array, a path or a picture of Pillow, "
                        f"not {type(image).__name__}")  # fmt: skip
    image = np.asarray(image)  # a np.matrix would stay flat whatever is done to it
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.shape[2:] not in ((), (3,)):
        raise DataError(f"a picture must be (H, W, 3) uint8 RGB or (H, W) uint8 grey, not {image.shape} {image.dtype}")
    if min(image.shape[:2]) < SMALLEST:
        raise DataError(
            f"the picture has {image.shape[1]}x{image.shape[0]} pixels; at least {SMALLEST}x{SMALLEST} are needed"
        )
    return image if image.ndim == 3 else np.repeat(image[..., None], 3, 2)
