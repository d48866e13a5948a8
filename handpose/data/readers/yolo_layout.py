"""Where the pictures and label files of a YOLO-pose set lie: in the usual folders, or where its yaml file says."""

from collections.abc import Callable
from pathlib import Path

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


def pictures(root: Path, about: dict, split: str) -> list[Path]:
    """The pictures of a split, or with "all" of every one that is there; a folder without parts is every split.

    Args:
        root: the set's folder.
        about: what its yaml file says.

    Raises:
        DataError: there are none, or the yaml file names a place that is not there.
    """
    found: dict[str, list[Path]] = {}
    for part in PARTS:
        said = next((about[key] for key in (part, {"val": "valid"}.get(part, part)) if about.get(key)), None)
        places = said if isinstance(said, list) else [said] if said else _usual(root, part)
        try:
            files = [file for place in places for file in _listed(root, str(about.get("path") or ""), str(place))]
        except DataError:  # yaml files name parts that were not exported
            if part == split:
                raise
            files = []
        found[part] = list(dict.fromkeys(files))
    if not any(found.values()) and (root / "labels").is_dir():
        return _within(root / "images")
    chosen = list(dict.fromkeys(f for files in found.values() for f in files)) if split == "all" else found[split]
    if not chosen:
        there = ", ".join(part for part, files in found.items() if files)
        raise DataError(f"{root}: has no pictures of split {split!r}"
                        + (f", only of {there}" if there else " in images/SPLIT or SPLIT/images"))  # fmt: skip
    return chosen


def _usual(root: Path, part: str) -> list[Path]:
    """The folder of a part, where there is no yaml file that says it."""
    words = [word for word, meant in exports.SYNONYMS.items() if meant == part]
    ways: list[Callable[[str], Path]] = [lambda w: root / "images" / w, lambda w: root / w / "images"]
    return next(([way(word)] for word in words for way in ways if way(word).is_dir()), [])


def _listed(root: Path, base: str, name: str) -> list[Path]:
    """The pictures of a folder, or in a text file of names, that a yaml file or `_usual` names."""
    name, base = name.replace("\\", "/"), base.replace("\\", "/")
    bare = "/".join(part for part in name.split("/") if part != "..")  # Roboflow writes ../train/images, and means ./
    places = [
        root / base / name,
        root.parent / base / name,
        root / name,
        root / bare,
        root / "/".join(bare.split("/")[-2:]),
    ]
    there = next((p for p in places if p.exists()), None)
    if there is None:
        raise DataError(f"{root}: there is no {name[:200]} in it, as its yaml file says")
    if there.is_dir():
        return _within(there)
    if there.suffix == ".txt":
        names = there.read_text(encoding="utf-8", errors="replace").split("\n")
        files = [there.parent / line.strip().replace("\\", "/") for line in names if line.strip()]
        missing = next((file for file in files if not file.is_file()), None)
        if missing:
            raise DataError(f"{there}: there is no picture {missing}")
        return files
    return [there]


def _within(folder: Path) -> list[Path]:
    """The pictures in a folder and below, by name."""
    return sorted(f for f in folder.rglob("*") if f.suffix.lower() in SUFFIXES and not f.name.startswith("."))


def label_of(picture: Path) -> Path:
    """The label file of a picture: in labels/ instead of images/, else beside it."""
    parts = list(picture.parts)
    for at in range(len(parts) - 2, -1, -1):
        if parts[at] == "images":
            return Path(*parts[:at], "labels", *parts[at + 1 : -1], picture.stem + ".txt")
    return picture.with_suffix(".txt")
