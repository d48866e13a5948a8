"""What is checked before and after a data set is fetched: room on the disk, lengths, hashes, the pictures' headers."""

import contextlib
import errno
import hashlib
import os
import re
import shutil
from pathlib import Path

from tqdm import tqdm

from handpose import data, files
from handpose.data import catalogue

FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
PICTURES = (".jpg", ".jpeg", ".png")
LOOKED_AT = 20  # samples of a split that are decoded, from its first to its last
ANEW = "run the download script again, which unpacks it anew"
TAIL = 4096  # bytes in which a picture's end is looked for; some programs write a little behind it


class FetchError(ValueError):
    """A file that cannot be fetched or used; the message says why in one line, and what to do."""


def in_words(size: float | None) -> str:
    """A number of bytes for people."""
    if size is None:
        return "not recorded"
    unit, divisor = next(((u, d) for u, d in (("kB", 1e3), ("MB", 1e6)) if size < 1000 * d), ("GB", 1e9))
    return f"{size / divisor:.1f} {unit}"


def room(folder: Path) -> tuple[Path, int]:
    """The nearest folder above that is there, or the folder itself, and the bytes that are free in it."""
    there = next(p for p in (folder, *folder.absolute().parents) if p.is_dir())
    return there, shutil.disk_usage(there).free


def check_room(folder: Path, needed: float, what: str) -> None:
    """Raise a FetchError when `folder`, which need not exist yet, has fewer than `needed` bytes free."""
    _, free = room(folder)
    if free < needed:
        raise FetchError(f"{folder}: {what} needs {in_words(needed)}, and {in_words(free)} are free; make room there, "
                         "or choose another folder with --out")  # fmt: skip


def no_room(error: OSError, path: Path) -> FetchError:
    """What to say of a file that could not be written."""
    if error.errno in FULL:
        return FetchError(f"{path}: the disk is full; make room, then the same command goes on from there")
    return FetchError(f"{path}: cannot be written ({error.strerror or error}); mend that, or choose another --out")


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits; with a bar for a large one."""
    digest, size = hashlib.sha256(), path.stat().st_size
    quiet = True if size < 1e8 else None  # None: only where stderr is no terminal
    with path.open("rb") as file, tqdm(total=size, unit="B", unit_scale=True, desc="SHA-256", disable=quiet) as bar:
        while block := file.read(1 << 20):
            digest.update(block)
            bar.update(len(block))
    return digest.hexdigest()


def beside(path: Path, ending: str) -> Path:
    """The file whose name is that of `path` with an ending more."""
    return path.with_name(path.name + ending)


def noted(path: Path) -> str | None:
    """The hash in NAME.sha256 beside a file; None when there is none, or it is not one."""
    with contextlib.suppress(OSError):
        match = re.match(r"[0-9a-f]{64}\b", beside(path, ".sha256").read_text(encoding="utf-8", errors="replace"))
        return match and match[0]
    return None


def verify(path: Path, known: Path, *, size: int | None = None, sha256: str | None = None) -> str:
    """Check a file's length and hash; a hash that is not recorded is written down at first use, and checked then.

    Args:
        path: the file.
        known: the file beside which NAME.sha256 holds, or gets, the hash: where `path` is to stand in the end.
        size: bytes, where recorded.
        sha256: hexadecimal digits, where recorded.

    Returns:
        its SHA-256.

    Raises:
        FetchError: another length or hash, or a file that cannot be read.
    """
    try:
        length = path.stat().st_size
        if size is not None and length != size:
            raise FetchError(f"{path.name} has {length:,} bytes, not {size:,}")
        digest = sha256_of(path)
    except OSError as error:
        raise FetchError(f"{path}: cannot be read ({error.strerror or error})") from None
    before = noted(known)
    if (wanted := sha256 or before) and digest != wanted.lower():
        source = f"noted at first use in {beside(known, '.sha256')} (delete it if a newer file is meant)"
        source = "recorded" if sha256 else source
        raise FetchError(f"{path.name} has the SHA-256 {digest[:12]}..., not {wanted[:12].lower()}... as {source}")
    if before != digest:
        with files.writing(beside(known, ".sha256")) as unfinished:  # as sha256sum -c reads it
            unfinished.write_text(f"{digest}  {known.name}\n", encoding="utf-8")
    return digest


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels, from a JPEG's or PNG's header alone; its end is looked for too.

    That finds files that are empty, cut off or no pictures, a thousand times as fast as decoding them.

    Raises:
        FetchError: not a JPEG or PNG, a size of 0, or no end.
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
                raise FetchError(f"{path}: {kind}; {ANEW}")
            file.seek(max(file.seek(0, os.SEEK_END) - TAIL, 0))
            tail = file.read()
    except OSError as error:
        raise FetchError(f"{path}: cannot be read ({error.strerror or error})") from None
    if 0 in size:
        raise FetchError(f"{path}: its header gives no size; {ANEW}")
    if end not in tail:
        raise FetchError(f"{path}: is cut off, its end is missing; {ANEW}")
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
        FetchError: naming the first file, in the order of names, that is broken, or what the reader says.
    """
    entry, pictures = catalogue.find(name), 0
    for place, below, names in os.walk(folder):
        below[:] = sorted(name for name in below if name != "archives" and not name.startswith("."))
        for file in sorted(names):
            if file.lower().endswith(PICTURES) and not file.startswith("."):
                picture_size(Path(place, file))
                pictures += 1
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
        except data.DataError as error:
            raise FetchError(str(error)) from None
    return f"{name}: {pictures:,} picture files; {', '.join(found) or 'no splits'}"
