"""What is checked of a file that is downloaded: room on the disk before it, its length and hash after it."""

import contextlib
import errno
import hashlib
import re
from pathlib import Path

from tqdm import tqdm

from handpose import files
from handpose.data.check import free_space, in_words

FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


class FetchError(ValueError):
    """A file that cannot be fetched or used; the message says why in one line, and what to do."""


def check_room(folder: Path, needed: float, what: str) -> None:
    """Raise a FetchError when `folder`, which need not exist yet, has fewer than `needed` bytes free."""
    _, free = free_space(folder)
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


def read_hash(path: Path) -> str | None:
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
    before = read_hash(known)
    if (wanted := sha256 or before) and digest != wanted.lower():
        source = f"noted at first use in {beside(known, '.sha256')} (delete it if a newer file is meant)"
        source = "recorded" if sha256 else source
        raise FetchError(f"{path.name} has the SHA-256 {digest[:12]}..., not {wanted[:12].lower()}... as {source}")
    if before != digest:
        with files.writing(beside(known, ".sha256")) as unfinished:  # as sha256sum -c reads it
            unfinished.write_text(f"{digest}  {known.name}\n", encoding="utf-8")
    return digest
