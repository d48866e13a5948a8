"""Zip and tar archives, unpacked without trust: nothing outside the folder, no links, no bombs, all of it or nothing.

`zipfile` and `tarfile` with its data filter write the files, to a temporary folder in the target's, which is then
renamed. What they leave to their caller stands here: how much may be written, names that mean something else on
another system, a file that comes twice, damage that they take for the end, and links. No link is ever made: one that
names a file already unpacked becomes a copy of it, any other ends the unpacking.
"""

import gzip
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from downloading.verify import FetchError, check_room, no_room

RATIO, SLACK = 20, 200_000_000  # an archive of n bytes may unpack to RATIO n + SLACK; pictures hardly shrink
FILES = 1_000_000  # and to so many files and folders
CHUNK = 1 << 20
GZIP = b"\x1f\x8b"
BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, gzip.BadGzipFile)
AGAIN = "delete it and fetch it again"
REFUSED = "do not use it, and fetch it from another place"


@dataclass
class _Meter:
    """What has been unpacked of an archive, and how much may be."""

    archive: Path
    most: int  # bytes
    entries: int  # files and folders
    written: int = 0
    made: int = 0
    files: set[Path] = field(default_factory=set)

    def check(self, size: int) -> None:
        """Refuse a total that is more than an honest archive of this size holds."""
        if size > self.most:
            raise FetchError(f"{self.archive}: unpacks to more than {self.most:,} bytes, far more than such an archive "
                             f"should; {REFUSED}")  # fmt: skip

    def target(self, name: str, folder: Path) -> Path:
        """Where an entry belongs, whose name must stay in the folder on every system; counts it."""
        self.made += 1
        if self.made > self.entries:
            raise FetchError(f"{self.archive}: holds more than {self.entries:,} files; {REFUSED}")
        parts = PurePosixPath(name).parts
        if name.startswith("/") or ".." in parts or "\\" in name or "\0" in name or (parts and ":" in parts[0]):
            raise self.refuse(name, "would lie outside its folder")
        return folder.joinpath(*parts)

    def add(self, path: Path, size: int) -> None:
        """Count a file before it is written."""
        if path in self.files:
            raise self.refuse(path.name, "is in it twice")
        self.files.add(path)
        self.written += size
        self.check(self.written)

    def copy(self, path: Path, wanted: str, name: str, folder: Path) -> None:
        """What a link becomes: a copy of the file that it names, if that came before it."""
        source = Path(os.path.normpath(folder / wanted))  # joining with an absolute path leads out, as it should
        if source not in self.files:
            raise self.refuse(name, "is a link to something outside, or not unpacked before it")
        self.add(path, source.stat().st_size)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, path)

    def refuse(self, name: str, why: str) -> FetchError:
        shown = ascii(name if len(name) < 80 else f"{name[:40]}...{name[-30:]}")
        return FetchError(f"{self.archive}: {shown} {why}; {REFUSED}")


def probe(archive: Path) -> None:
    """Raise a FetchError unless a file begins, and as far as a glance tells also ends, like a zip or tar archive."""
    with archive.open("rb") as file:
        head = file.read(512)
        file.seek(max(file.seek(0, os.SEEK_END) - 1024, 0))
        tail = file.read()
    if head.startswith(GZIP):
        return  # where it ends shows only when it is unpacked
    if head.startswith(b"PK"):
        intact = zipfile.is_zipfile(archive)
    elif head[257:262] == b"ustar":
        intact = not any(tail)  # a tar archive ends in zeros
    else:
        raise FetchError(f"{archive.name} is no zip or tar archive" if head else f"{archive.name} is empty")
    if not intact:
        raise FetchError(f"{archive.name} is cut off")


def unpack(
    archive: Path,
    target: Path,
    *,
    top: tuple[str, ...] = (),
    most: int | None = None,
    files: int = FILES,
) -> tuple[int, int]:
    """Unpack an archive into a folder, where files of the same name are replaced and others stay.

    Args:
        archive: .zip, .tar or .tar.gz; its first bytes tell which.
        target: the folder; made when missing.
        top: names that belong into `target`. A single folder around everything, as many archives have it, is left
            out unless it is one of these.
        most: bytes that it may unpack to; None takes `RATIO` times its length, and `SLACK`.
        files: entries that it may hold.

    Returns:
        the number of files and of bytes written.

    Raises:
        FetchError: it is cut off, damaged, encrypted or hostile, or the disk is full; `target` is as it was.
    """
    work = target / f".unpacking-{archive.name}"
    try:
        try:
            probe(archive)
        except FetchError as error:
            raise FetchError(f"{error}; {AGAIN}") from None
        meter = _Meter(archive, archive.stat().st_size * RATIO + SLACK if most is None else most, files)
        target.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(work, ignore_errors=True)  # of a process that was killed
        work.mkdir()
        with archive.open("rb") as file:
            (_unzip if file.read(2) == b"PK" else _untar)(archive, work, meter)
        if not meter.files:
            raise EOFError("there is no file in it")
        shutil.rmtree(work / "__MACOSX", ignore_errors=True)  # a Mac's notes on each file
        root = work
        while len(inner := list(root.iterdir())) == 1 and inner[0].is_dir() and inner[0].name not in top:
            root = inner[0]
        _move(root, target)
    except BROKEN as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise FetchError(f"{archive}: is cut off or damaged ({reason}); {AGAIN}") from None
    except NotImplementedError as error:
        raise FetchError(f"{archive}: cannot be unpacked here ({error}); unpack it by hand into {target}") from None
    except OSError as error:
        raise no_room(error, target) from None
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return len(meter.files), meter.written


def _unzip(archive: Path, work: Path, meter: _Meter) -> None:
    with zipfile.ZipFile(archive) as file:
        entries = file.infolist()
        file.fp.seek(max(archive.stat().st_size - 66_000, 0))
        end = file.fp.read().rpartition(b"PK\5\6")[2]  # says how many entries there are; zipfile does not compare
        if int.from_bytes(end[6:8], "little") not in (0xFFFF, len(entries) & 0xFFFF):
            raise zipfile.BadZipFile("its list of files is not whole")
        total = sum(entry.file_size for entry in entries)
        meter.check(total)
        check_room(work, total, f"unpacking {archive.name}")
        for entry in tqdm(entries, desc=archive.name, unit="file", disable=None):
            kind, path = stat.S_IFMT(entry.external_attr >> 16), meter.target(entry.orig_filename, work)
            if entry.flag_bits & 1:
                raise FetchError(f"{archive}: is encrypted; unpack it by hand with its password into {work.parent}")
            if kind == stat.S_IFLNK:
                with file.open(entry) as source:
                    wanted = PurePosixPath(entry.filename).parent / os.fsdecode(source.read(4096))
                meter.copy(path, str(wanted), entry.filename, work)
            elif entry.is_dir() and kind in (0, stat.S_IFDIR):
                file.extract(entry, work)
            elif kind in (0, stat.S_IFREG):
                meter.add(path, entry.file_size)
                length = os.path.getsize(file.extract(entry, work))
                if length != entry.file_size:  # zipfile compares check sums only
                    raise EOFError(f"{ascii(path.name)} has {length:,} of {entry.file_size:,} bytes")
            else:
                raise meter.refuse(entry.filename, "is a device or a pipe")


class _Strict(tarfile.TarInfo):
    """tarfile takes any damage behind the first header for the end of the archive; here only zeros are."""

    @classmethod
    def fromtarfile(cls, tar):
        try:
            return super().fromtarfile(tar)
        except tarfile.EOFHeaderError:
            raise
        except tarfile.HeaderError as error:
            raise EOFError(str(error)) from None


def _untar(archive: Path, work: Path, meter: _Meter) -> None:
    with archive.open("rb") as file:
        opener = gzip.open if file.read(2) == GZIP else open
    check_room(work, archive.stat().st_size, f"unpacking {archive.name}")  # at least
    with opener(archive, "rb") as stream:
        with tarfile.open(fileobj=stream, mode="r|", tarinfo=_Strict) as tar:
            for entry in tqdm(tar, desc=archive.name, unit="file", disable=None):
                path = meter.target(entry.name, work)
                if entry.issym():
                    meter.copy(path, str(PurePosixPath(entry.name).parent / entry.linkname), entry.name, work)
                elif entry.islnk():
                    meter.copy(path, entry.linkname, entry.name, work)
                else:
                    if not entry.isdir():
                        meter.add(path, entry.size)
                    try:
                        tar.extract(entry, work, filter="data")
                    except tarfile.FilterError as error:  # a device, a pipe
                        raise FetchError(f"{archive}: {error}; {REFUSED}") from None
        padding = 0  # follows; and behind it a packed stream has its check sum
        while block := stream.read(CHUNK):
            padding += len(block)
            meter.check(meter.written + padding)


def _move(source: Path, target: Path) -> None:
    """Rename all that a folder holds into another one, which may hold some of the same folders already."""
    for path in source.iterdir():
        destination = target / path.name
        if path.is_dir() and destination.is_dir():
            _move(path, destination)
        else:
            os.replace(path, destination)
