"""Photographs that a camera stored turned, with an EXIF note of how: on which pixels were their labels made?

Most tools of today show them upright, some do not. A size in the label file tells which, unless the photograph is
square or was only mirrored or stood on its head.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from handpose.data.common import read_image

ORIENTATION = 274  # the number of EXIF's field


def stored(file: str | os.PathLike) -> tuple[int, tuple[int, int] | None]:
    """EXIF orientation of a picture, 1 to 8, and (width, height) of the pixels as they are stored.

    (1, None) for what Pillow cannot open: then whoever decodes it says what is wrong.
    """
    try:
        with Image.open(file) as image:
            found = image.getexif().get(ORIENTATION, 1)
            return (found if found in range(1, 9) else 1), image.size
    except Exception:  # a damaged header can raise almost anything
        return 1, None


def turn_back(image: np.ndarray, orientation: int) -> np.ndarray:
    """The pixels as they were stored, of an upright (H, W, 3) picture; of 5 to 8 the sides are exchanged."""
    match orientation:
        case 2:
            image = image[:, ::-1]
        case 3:
            image = image[::-1, ::-1]
        case 4:
            image = image[::-1]
        case 5:
            image = image.swapaxes(0, 1)
        case 6:
            image = np.rot90(image)
        case 7:
            image = image[::-1, ::-1].swapaxes(0, 1)
        case 8:
            image = np.rot90(image, -1)
    return np.ascontiguousarray(image)


class Photos:
    """Labelled photographs of which some may be stored turned.

    Args:
        sizes: (width, height) that the labels say of each picture; None where they do not.
        unturned: the labels were made on the pixels as they are stored, whatever the sizes.
    """

    def __init__(self, sizes: Mapping[Path, tuple[int, int] | None], unturned: bool = False) -> None:
        self.back: dict[Path, int] = {}  # orientation of what is turned back
        self.sizes: dict[Path, tuple[int, int]] = {}  # (width, height) as `read` gives them, where that is known
        shown: list[Path] = []
        unclear: list[Path] = []
        for file, stated in sizes.items():
            orientation, size = stored(file)
            if size:
                self.sizes[file] = size
            if orientation == 1 or size is None:
                continue
            clear = orientation >= 5 and stated is not None and size[0] != size[1] and stated in (size, size[::-1])
            if unturned or (clear and stated == size):
                self.back[file] = orientation
                continue
            self.sizes[file] = size[::-1] if orientation >= 5 else size
            (shown if clear else unclear).append(file)
        #: What is to be said of them, a line each.
        self.notes = []
        for files, text in (
            (list(self.back), "are read un-turned, " + ("as asked for" if unturned else "as their labels' size says")),
            (shown, "are read upright, as their labels' size says"),
            (unclear, "are read upright, which their labels' size cannot confirm; if they were labelled un-turned, add "
                      "--unturned"),
        ):  # fmt: skip
            if files:
                self.notes.append(
                    f"{len(files)} with an EXIF rotation ({files[0].name}{', ...' * (len(files) > 1)}) {text}"
                )

    def read(self, file: Path) -> np.ndarray:
        """A picture (H, W, 3) uint8 RGB on whose pixels the labels were made; see `read_image`."""
        image = read_image(file)
        return turn_back(image, self.back[file]) if file in self.back else image
