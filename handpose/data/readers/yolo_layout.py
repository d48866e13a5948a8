"""Where the pictures and label files of a YOLO-pose set lie: in the usual folders, or where its yaml file says."""

import os
from pathlib import Path, PurePosixPath

from handpose.data.common import DataError
from handpose.data.readers import exports, simple_yaml

PARTS = ("train", "val", "test")
SUFFIXES = {".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".avif", ".heic", ".heif",
            ".jp2", ".mpo"}  # fmt: skip


def described(path: Path) -> tuple[Path, dict]:
    """The folder of a set, and what its yaml file says ({} without one)."""
    if not path.is_dir():
        return path.parent, simple_yaml.read(path)
    found = [file for pattern in ("*.yaml", "*.yml") for file in sorted(path.glob(pattern))]
    named = [file for file in found if file.stem in ("data", "dataset")]
    if len(named or found) > 1:
        raise DataError(f"{path}: holds {exports.listed([f.name for f in found])}; name the one that is meant")
    return (path, simple_yaml.read((named or found)[0])) if found else (path, {})


def images(root: Path, about: dict, split: str) -> tuple[list[Path], bool, list[str]]:
    """The pictures of a split, or with "all" of every one that is there.

    What is not divided is every split: a folder without parts, or with one part alone, or whose yaml file names the
    same pictures as train and val.

    Args:
        root: the set's folder.
        about: what its yaml file says.

    Returns:
        Pictures; whether the set is not divided; where it stands for a split that is not there, a line that says so.

    Raises:
        DataError: there are none, or the yaml file names a place that is not there.
    """
    found: dict[str, list[Path]] = {}
    for part in PARTS:
        value = _value_of(about, part)
        names = value if isinstance(value, list) else [value] if value else _usual(root, part)
        try:
            files = [file for name in names for file in _listed(root, str(about.get("path") or ""), str(name))]
        except DataError:  # yaml files name parts that were not exported
            if part == split:
                raise
            files = []
        found[part] = list(dict.fromkeys(files))
    if not any(found.values()):
        for folder in (root / "images", root):
            if files := [file for file in _within(folder) if label_of(file).is_file()] and _within(folder):
                return files, True, []
    present = [part for part, files in found.items() if files]
    if len(present) == 1 and split not in present and not _value_of(about, split):
        note = f"there is no split but {present[0]}, which is taken as a set without splits"
        return found[present[0]], True, [note] if split != "all" else []
    if found["train"] and set(found["train"]) == set(found["val"]) and split in ("train", "val"):
        return found["train"], True, ["train and val are the same pictures, which are taken as a set without splits"]
    chosen = list(dict.fromkeys(f for files in found.values() for f in files)) if split == "all" else found[split]
    if not chosen:
        others = f", only of {', '.join(present)}" if present else " in images/SPLIT or SPLIT/images"
        raise DataError(f"{root}: has no pictures of split {split!r}{others}")
    alone = len(present) == 1 and not any(_value_of(about, part) for part in PARTS if part not in present)
    return chosen, alone, []


def _value_of(about: dict, part: str) -> object:
    """The place or places of a part that a yaml file names."""
    return next((about[key] for key in (part, {"val": "valid"}.get(part, part)) if about.get(key)), None)


def _usual(root: Path, part: str) -> list[Path]:
    """The folder of a part, where there is no yaml file that says it."""
    for folder, below in ((root / "images", ""), (root, "images")):
        for inside in sorted(folder.iterdir()) if folder.is_dir() else []:
            if exports.SYNONYMS.get(inside.name.lower()) == part and (inside / below).is_dir():
                return [inside / below]
    return []


def _listed(root: Path, base: str, name: str) -> list[Path]:
    """The pictures of a folder, or in a text file of names, that a yaml file or `_usual` names."""
    name, base = name.replace("\\", "/"), base.replace("\\", "/")
    bare = "/".join(part for part in name.split("/") if part != "..")  # Roboflow writes ../train/images, and means ./
    candidates = [
        root / base / name,
        root.parent / base / name,
        root / name,
        root / bare,
        root / "/".join(bare.split("/")[-2:]),
    ]
    found = next((p for p in candidates if p.exists()), None)
    if found is None:
        raise DataError(f"{root}: there is no {name[:200]} in it, as its yaml file says")
    if found.is_dir():
        return _within(found)
    if found.suffix == ".txt":
        names = found.read_text(encoding="utf-8", errors="replace").split("\n")
        return [_named(found, line.strip().replace("\\", "/").lstrip("\ufeff")) for line in names if line.strip()]
    return [found]


def _named(file: Path, name: str) -> Path:
    """A picture that a text file names, wherever the set lay when it was written: "data/images/train/a.jpg" of CVAT."""
    parts = PurePosixPath(name).parts
    ways = [file.parent / name, *(file.parent.joinpath(*parts[i:]) for i in range(1, len(parts)))]
    found = next((way for way in ways if os.path.isfile(way)), None)  # also of names that no file can have
    if found is None:
        raise DataError(f"{file}: there is no picture {ways[0]}")
    return found


def _within(folder: Path) -> list[Path]:
    """The pictures in a folder and below, by name."""
    return sorted(f for f in folder.rglob("*") if f.suffix.lower() in SUFFIXES and not f.name.startswith("."))


def label_of(image: Path) -> Path:
    """The label file of a picture: in labels/ instead of images/, else beside it."""
    parts = list(image.parts)
    for at in range(len(parts) - 2, -1, -1):
        if parts[at] == "images":
            return Path(*parts[:at], "labels", *parts[at + 1 : -1], image.stem + ".txt")
    return image.with_suffix(".txt")
