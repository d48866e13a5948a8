"""What the catalogue knows of a data set and of each of its files."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Archive:
    """One file of a set.

    Args:
        file: its name.
        urls: where it is fetched from, in this order; none when no address gives it to a program.
        size: exact bytes, checked; None where not recorded.
        about: bytes as a page states them, for the question and the room on the disk.
        sha256: hexadecimal digits; None where not recorded.
        unpack: False for a plain file.
        into: folder of the set that it is unpacked to, or put into; "" for the set's own.
    """

    file: str
    urls: tuple[str, ...] = ()
    size: int | None = None
    about: int | None = None
    sha256: str | None = None
    unpack: bool = True
    into: str = ""

    @property
    def bytes(self) -> int | None:
        """Its length, exact or about; None where neither is recorded."""
        return self.size or self.about


@dataclass(frozen=True)
class Dataset:
    """What is known of a set.

    Args:
        name: as `handpose.data.open` and `data_scripts/download.py` take it.
        title: what its authors call it.
        shows: the pictures, with their number.
        citation: authors and year.
        licence: the terms.
        labels: what is labelled, and by whom.
        layout: folders and files that its reader expects.
        top: names in its folder, which tell its own folders from one that an archive puts around everything.
        splits: that the reader offers.
        archives: its files.
        faults: what a user should know.
        manual: what to do when no link works.
        home: the page it is announced on; "" where not recorded.
        published_counts: folders of the whole set with the number of their pictures, for `handpose data check`.
        folder: its name below `$HANDPOSE_DATA`; `name` where not given.
    """

    name: str
    title: str
    shows: str
    citation: str
    licence: str
    labels: str
    layout: str
    top: tuple[str, ...]
    splits: tuple[str, ...]
    archives: tuple[Archive, ...]
    faults: tuple[str, ...]
    manual: str
    home: str = ""
    published_counts: tuple[tuple[str, int], ...] = ()
    folder: str = ""

    @property
    def folder_name(self) -> str:
        """Name of its folder below `$HANDPOSE_DATA`."""
        return self.folder or self.name

    @property
    def bytes(self) -> int | None:
        """Bytes of all its files, exact or about; None when one of them is not recorded."""
        sizes = [archive.bytes for archive in self.archives]
        known = [size for size in sizes if size is not None]
        return sum(known) if known and len(known) == len(sizes) else None
