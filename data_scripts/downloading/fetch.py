"""A whole public data set: its terms shown and agreed to, its files fetched, verified and unpacked, the result checked.

In the set's folder, ``archives`` keeps what was fetched, the hashes, and for each archive that is unpacked a note
NAME.unpacked, by which a later run knows that nothing is left to do. An archive may be deleted once it is unpacked;
its two notes should stay.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from downloading import terms, unpack
from downloading.transfer import download
from downloading.verify import FetchError, beside, check_room, verify
from handpose import data, files
from handpose.data.check import check_set, in_words
from handpose.data.dataset import Archive, Dataset

UNPACKED = 1.2  # bytes that an archive of pictures is expected to unpack to, as a multiple of its own


def target_of(entry: Dataset, archive: Archive, folder: Path) -> Path:
    """Where a file of the set is kept: an archive in ``archives``, a plain file where it is read."""
    return folder / "archives" / archive.file if archive.unpack else folder / archive.into / archive.file


def assign(entry: Dataset, names: list[str], what: str) -> dict[str, str]:
    """Which file of a set is meant by each path or address: by its name, else the only one of its kind.

    Raises:
        FetchError: none, or one named twice.
    """
    found: dict[str, str] = {}
    for name in names:
        last = unquote(urlsplit(name).path if "://" in name else name).replace("\\", "/").rstrip("/").split("/")[-1]
        exact = [a.file for a in entry.archives if a.file == last]
        kind = [a.file for a in entry.archives if a.unpack != last.endswith(".json")]
        if not exact and len(kind) != 1:
            known = ", ".join(a.file for a in entry.archives)
            raise FetchError(f"{what} {name}: which file of {entry.name} is it? Name it as one of {known}")
        file = (exact or kind)[0]
        if file in found:
            raise FetchError(f"{what} {name}: {file} is given already by {found[file]}; give one")
        found[file] = name
    return found


def is_done(archive: Archive, target: Path) -> bool:
    """Whether an archive was unpacked whole, or a plain file stands there as it was at first use."""
    if archive.unpack:
        with contextlib.suppress(OSError, ValueError):
            return "sha256" in json.loads(beside(target, ".unpacked").read_text(encoding="utf-8"))
        return False
    return target.is_file()


def is_made_by_hand(entry: Dataset, folder: Path) -> bool:
    """Whether there is something of the set in a folder, and nothing that a download left behind."""
    archives = folder / "archives"
    left = [path for path in archives.iterdir() if path.name != ".lock"] if archives.is_dir() else []
    return entry.name in data.SOURCES and not left and any((folder / name).exists() for name in entry.top)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep a second process out of a set's folder meanwhile; where the system has no such locks, trust the user."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    lock = folder / "archives" / ".lock"
    files.check(lock)  # makes the folder, or says why it cannot be made
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise FetchError(f"{folder}: another process is fetching into it; wait for that one") from None
        yield


def download_dataset(
    entry: Dataset,
    folder: Path,
    *,
    yes: bool = False,
    urls: list[str] | None = None,
    given: list[str] | None = None,
    **options,
) -> str:
    """Make a set complete in a folder.

    Args:
        entry: of the catalogue.
        folder: the set's, made when missing.
        yes: the terms are agreed to.
        urls: further mirrors, tried before those recorded.
        given: archives fetched by hand; they are verified, unpacked, and stay where they are.
        **options: for `transfer.download`: timeout, tries, pause.

    Returns:
        what `check_set` found.

    Raises:
        FetchError: whatever keeps the set from being complete; what was fetched until then stays.
        DataError: what was unpacked is damaged; the next call unpacks it again.
    """
    mirrors, own = assign(entry, urls or [], "--url"), assign(entry, given or [], "--from")
    if not (urls or given) and is_made_by_hand(entry, folder):
        try:
            return check_set(entry.name, folder)
        except data.DataError as error:
            print(f"note: what stands in {folder} is not the whole set ({error})")
    use, fetch, missing = [], [], []
    for archive in (a for a in entry.archives if not is_done(a, target_of(entry, a, folder))):
        target = target_of(entry, archive, folder)
        sources = ([mirrors[archive.file]] if archive.file in mirrors else []) + list(archive.urls)
        if archive.file in own or target.is_file():
            use.append((archive, Path(own.get(archive.file, target))))
        elif sources:
            fetch.append((archive, sources))
        else:
            missing.append(archive.file)
    if use or fetch or missing:
        print(terms.facts(entry))
    if missing:
        print(f"  by hand   {', '.join(missing)}")
    with alone(folder) if use or fetch else contextlib.nullcontext():
        for archive, file in use:
            _use(entry, archive, file, folder)
        if fetch:
            _fetch(entry, fetch, folder, yes, options)
        if missing or not entry.archives:
            raise FetchError(f"no program can fetch {', '.join(missing) or entry.name}: {entry.manual}")
        try:
            return check_set(entry.name, folder)
        except data.DataError:
            for archive in entry.archives:  # so that the next run unpacks them again
                beside(target_of(entry, archive, folder), ".unpacked").unlink(missing_ok=True)
            raise


def _fetch(entry: Dataset, wanted: list[tuple[Archive, list[str]]], folder: Path, yes: bool, options: dict) -> None:
    """Fetch and unpack files, after the room on the disk and the user's agreement."""
    sizes = [archive.bytes or 0 for archive, _ in wanted]
    parts = [beside(target_of(entry, archive, folder), ".part") for archive, _ in wanted]
    have = sum(part.stat().st_size for part in parts if part.is_file())
    for archive, sources in wanted:
        print(f"  to fetch  {archive.file} ({in_words(archive.bytes)}) from {sources[0]}")
    print(f"  into      {folder}")
    unpacked = sum(size * UNPACKED for size, (archive, _) in zip(sizes, wanted, strict=True) if archive.unpack)
    check_room(folder, max(sum(sizes) - have, 0) + unpacked, f"{entry.name}, fetched and unpacked,")
    terms.agree(yes)
    for archive, sources in wanted:
        target = target_of(entry, archive, folder)
        probe = unpack.probe if archive.unpack else None
        manual = f"give another mirror with --url; by hand: {entry.manual}"
        download(sources, target, size=archive.size, sha256=archive.sha256, probe=probe, manual=manual, **options)
        _use(entry, archive, target, folder)


def _use(entry: Dataset, archive: Archive, file: Path, folder: Path) -> None:
    """Verify a file that is there, and unpack it, or copy it to its place."""
    target = target_of(entry, archive, folder)
    if not file.is_file():
        raise FetchError(f"--from {file}: no such file; give the path of {archive.file}")
    try:
        digest = verify(file, target, size=archive.size, sha256=archive.sha256)
    except FetchError as error:
        if file != target:
            raise FetchError(f"--from {file}: {error}; it was not used: fetch it again") from None
        os.replace(target, beside(target, ".wrong"))
        raise FetchError(f"{error}; it was set aside as {target.name}.wrong: run the same command again") from None
    if archive.unpack:
        try:
            number, size = unpack.unpack(file, folder / archive.into, top=() if archive.into else entry.top)
        except FetchError:
            beside(target, ".sha256").unlink(missing_ok=True)  # not the hash to hold a better file to
            raise
        with files.writing(beside(target, ".unpacked")) as unfinished:
            unfinished.write_text(json.dumps({"sha256": digest, "files": number, "bytes": size}), encoding="utf-8")
        print(f"{archive.file}: {number:,} files, {in_words(size)}, unpacked into {folder / archive.into}")
    elif file.resolve() != target.resolve():
        with files.writing(target) as unfinished:
            shutil.copyfile(file, unfinished)
