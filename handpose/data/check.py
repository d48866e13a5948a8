"""Whether a folder holds a data set: every picture's header is read, and the set is opened with its reader."""

import os
import shutil
from pathlib import Path

from handpose import data
from handpose.data import catalogue
from handpose.data.common import DataError

PICTURES = (".jpg", ".jpeg", ".png")
LOOKED_AT = 20  # samples of a split that are decoded, from its first to its last
ANEW = "run data_scripts/download.py again, which unpacks it anew"
TAIL = 4096  # bytes in which a picture's end is looked for; some programs write a little behind it


def in_words(size: float | None) -> str:
    """A number of bytes for people."""
    if size is None:
        return "not recorded"
    unit, divisor = next(((u, d) for u, d in (("kB", 1e3), ("MB", 1e6)) if size < 1000 * d), ("GB", 1e9))
    return f"{size / divisor:.1f} {unit}"


def free_space(folder: Path) -> tuple[Path, int]:
    """The nearest folder above that is there, or the folder itself, and the bytes that are free in it."""
    existing = next(p for p in (folder, *folder.absolute().parents) if p.is_dir())
    return existing, shutil.disk_usage(existing).free


def image_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels, from a JPEG's or PNG's header alone; its end is looked for too.

    That finds files that are empty, cut off or no pictures, a thousand times as fast as decoding them.

    Raises:
        DataError: not a JPEG or PNG, a size of 0, or no end.
    """
    try:
        with path.open("rb") as file:
            head = file.read(26)
            if head[:3] == b"\xff\xd8\xff":
                end, size = b"\xff\xd9", _jpeg_size(file)
            elif head[:8] == b"\x89PNG\r\n\x1a\n" and head[12:16] == b"IHDR":
                end, size = b"IEND\xaeB`\x82", (int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big"))
            else:
                kind = "is empty" if not head else "is neither a JPEG nor a PNG"
                raise DataError(f"{path}: {kind}; {ANEW}")
            file.seek(max(file.seek(0, os.SEEK_END) - TAIL, 0))
            tail = file.read()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None
    if 0 in size:
        raise DataError(f"{path}: its header gives no size; {ANEW}")
    if end not in tail:
        raise DataError(f"{path}: is cut off, its end is missing; {ANEW}")
    return size


def _jpeg_size(file) -> tuple[int, int]:
    """(width, height) from the frame's segment, which stands behind others; (0, 0) when there is none."""
    at = 2
    while True:
        file.seek(at)
        segment = file.read(9)
        if len(segment) < 9 or segment[0] != 0xFF or segment[1] == 0xDA:
            return 0, 0
        if segment[1] == 0xFF:  # filling
            at += 1
        elif 0xC0 <= segment[1] <= 0xCF and segment[1] not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(segment[7:9], "big"), int.from_bytes(segment[5:7], "big")
        else:
            at += 2 + int.from_bytes(segment[2:4], "big")


def check_set(name: str, folder: Path) -> str:
    """Open a set with its reader, decode a few samples of each split, and read every picture's header.

    Args:
        name: as in the catalogue.
        folder: the set's, as its reader takes it.

    Returns:
        what was found, in a line.

    Raises:
        DataError: naming the first file, in the order of names, that is broken, or what the reader says.
    """
    entry, images = catalogue.find(name), 0
    for parent, below, names in os.walk(folder):
        below[:] = sorted(name for name in below if name != "archives" and not name.startswith("."))
        for file in sorted(names):
            if file.lower().endswith(PICTURES) and not file.startswith("."):
                image_size(Path(parent, file))
                images += 1
    found = []
    # "all" holds all the others but those with a name of their own, such as "evaluation".
    apart = [split for split in entry.splits if split not in ("train", "val", "test") and "-" not in split]
    for split in apart or entry.splits:
        try:
            if name not in data.SOURCES:
                raise ImportError
            samples = data.open(f"{name}:{folder}", split)
            for i in range(LOOKED_AT if len(samples) > LOOKED_AT else len(samples)):
                samples[i * (len(samples) - 1) // max(min(LOOKED_AT, len(samples)) - 1, 1)]
            found.append(f"split {split} with {len(samples):,} samples")
        except ImportError:
            found = ["this version has no reader of that name, so only the pictures' headers were checked"]
            break
    return f"{name}: {images:,} picture files; {', '.join(found) or 'no splits'}"
