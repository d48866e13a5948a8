"""What is named on the command line: which files that means, what of a folder is left out, where drawings go."""

import glob
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from handpose.apply.formats import DRAWN, FILMED, PICTURES, VIDEOS
from handpose.data import pictures

STDIN = Path("-")  # in place of a file: a picture on the standard input
NAMED = 3  # of the files that are left out for one reason, so many are named in print


@dataclass
class Listing:
    """Files, and what of the folders is none of them."""

    files: list[tuple[Path | int | str, Path]] = field(default_factory=list)  # each with its name below what was named
    left_out: list[tuple[Path, str]] = field(default_factory=list)  # with the reason

    def lines(self) -> list[str]:
        """What is left out, in print."""
        reasons: dict[str, list[str]] = {}
        for path, reason in self.left_out:
            reasons.setdefault(reason, []).append(path.name)
        more = {reason: f" and {len(names) - NAMED} more" * (len(names) > NAMED) for reason, names in reasons.items()}
        return [f"not read, {why} ({len(names)}): {', '.join(names[:NAMED])}{more[why]}"
                for why, names in reasons.items()]  # fmt: skip


def list_files(names: list[str]) -> Listing:
    """The files named, and the pictures in the folders named, found by their content and sorted.

    A pattern such as ``photos/*.jpg`` is followed where the shell did not. A folder's videos are left out: one of them
    may take longer than all photos.

    Raises:
        ValueError: an address, a folder without pictures, a pattern that nothing fits.
    """
    found = Listing()
    for name in names:
        if pictures.ADDRESS.match(name):
            raise ValueError(f"{name}: is an address; download it first (a camera is named with --camera)")
        expanded = [name]
        if glob.has_magic(name) and not Path(name).exists():
            expanded = sorted(glob.glob(name, recursive=True))
            if not expanded:
                raise ValueError(f"{name}: no file fits this pattern")
        for path in map(Path, expanded):
            if path.is_dir():
                _list_folder(path, found)
            else:
                found.files.append((path, Path("stdin" if path == STDIN else path.name)))
    found.files = list(dict(found.files).items())
    return found


def _list_folder(folder: Path, found: Listing) -> None:
    """Add a folder's files."""
    before, inside = len(found.files), sorted(_below(folder))
    for path in inside:
        kind = kind_of(path)
        if not path.is_file():
            found.left_out.append((path, "no file" if path.exists() else "a link to nothing"))
        elif kind == "picture":
            found.files.append((path, path.relative_to(folder)))
        else:
            found.left_out.append((path, "a video: name it by itself" if kind == "video" else "no picture"))
    if len(found.files) == before:
        raise ValueError(
            f"{folder}: no pictures in this folder (of other files: {len(inside)}); name videos one by one"
        )


def _below(folder: Path) -> list[Path]:
    """All files below a folder. Links to folders are followed, each folder once, by its own name if it has one here."""
    roots, entered, inside = [folder], set(), []
    for root in roots:  # links are put behind what is walked through
        for parent, folders, names in os.walk(root):
            if (real := os.path.realpath(parent)) in entered:
                folders.clear()
                continue
            entered.add(real)
            inside += [Path(parent, name) for name in names]
            roots += [path for name in sorted(folders) if (path := Path(parent, name)).is_symlink()]
    return inside


def kind_of(path: Path) -> str | None:
    """ "picture", "video" or None, by what is in a file; where that does not tell, by its name."""
    try:
        with pictures.opened(path) as file:
            kind = pictures.kind(file.read(64))
    except (OSError, pictures.DataError):
        kind = None
    end = path.suffix.lower()
    if kind or path.name.startswith("._"):  # notes that macOS puts beside a file
        return kind
    return "picture" if end in PICTURES else "video" if end in VIDEOS else None


def is_video(name: Path | int | str) -> bool:
    """Whether this is a video file, or a camera's number or address."""
    return not isinstance(name, Path) or (name != STDIN and kind_of(name) == "video")


def drawings(files: list[tuple[Path | int | str, Path]], out: Path, several: bool) -> dict[Path | int | str, Path]:
    """Where the drawing of each photo or video goes: `out` itself for one, a file in the folder `out` for several.

    Two photos whose drawings would have one name give ``x.jpg.png`` and ``x.png.png``, and if that is taken,
    ``x-2.png`` and so on.

    Raises:
        ValueError: a drawing would replace a photo or video, or its kind cannot be written.
    """
    if several or out.is_dir():
        if out.suffix.lower() in (*DRAWN, *FILMED) and not out.is_dir():
            kind = "video" if out.suffix.lower() in FILMED else "picture"
            raise ValueError(f"--draw {out}: several photos need a folder, and this is the name of a {kind}")
        if out.exists() and not out.is_dir():
            raise ValueError(f"--draw {out}: must be a folder for several photos, and this is a file")
        targets = {file: out / name for file, name in _apart(files).items()}
    else:
        kinds = FILMED if is_video(files[0][0]) else DRAWN
        if out.suffix.lower() not in kinds:
            raise ValueError(f"--draw {out}: give a name that ends in {', '.join(kinds)}")
        targets = {files[0][0]: out}
    inputs = {file.resolve(): file for file, _ in files if isinstance(file, Path)}
    for target in targets.values():
        if target.resolve() in inputs:
            raise ValueError(f"--draw: {target} would replace {inputs[target.resolve()]}; choose another place")
    return targets


def _apart(files: list[tuple[Path | int | str, Path]]) -> dict[Path | int | str, Path]:
    """Names of drawings, no two the same, also where a disk takes small letters and capitals for one."""
    ends = {file: ".mp4" if is_video(file) else ".png" for file, _ in files}
    wanted = {file: name.with_suffix(ends[file]) for file, name in files}
    often = Counter(str(name).casefold() for name in wanted.values())
    used = {name for name, times in often.items() if times == 1}
    for file, name in files:
        number = 1
        if often[str(wanted[file]).casefold()] > 1:
            wanted[file] = name.with_name(name.name + ends[file])
            while str(wanted[file]).casefold() in used:
                number += 1
                wanted[file] = name.with_name(f"{name.stem}-{number}{ends[file]}")
            used.add(str(wanted[file]).casefold())
    return wanted
