"""The command ``data``: what data sets there are, whether a folder holds a whole one, a sheet of its pictures."""

import argparse
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from handpose import files
from handpose.cli import check_drawing
from handpose.cli.evaluate import add_reading, opened
from handpose.data import SOURCES

if TYPE_CHECKING:
    from handpose.data.dataset import Dataset

HELP = "list, check or show data sets"
#: What is read but has no publisher.
OWN = {
    "synthetic": "rendered hands, without end; needs no files (synthetic:N gives N of them)",
    "labelled": "your photographs, labelled with data_scripts/label_keypoints.py: labelled:FILE.json",
    "coco": "your labels as CVAT, Label Studio, FiftyOne or MMPose write them: coco:FILE.json or coco:FOLDER",
    "yolo-pose": "your labels in YOLO-pose form: yolo-pose:data.yaml or yolo-pose:FOLDER",
}


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The command's three parts, and the arguments of each."""
    command.description = "List the data sets, check whether a folder is complete, or show what its labels look like."
    parts = command.add_subparsers(dest="part", required=True, metavar="list | check | show")
    parts.add_parser("list", help="list every set, with its terms and where it is")
    checked = parts.add_parser("check", help="count the pictures, read the header of each, and open the set")
    checked.add_argument("data", metavar="NAME[:PATH]")
    show = parts.add_parser("show", help="write a sheet of pictures with their labels drawn")
    show.add_argument("data", metavar="NAME[:PATH]")
    show.add_argument("--split", default="train", help="split of the set (default: train)")
    add_reading(show)
    show.add_argument(
        "--number",
        type=int,
        default=12,
        metavar="N",
        help="number of pictures, spread from first to last (default: 12)",
    )
    show.add_argument(
        "--out", type=Path, metavar="F", help=".png, .jpg or .pdf; replaces only sheets (default: NAME-SPLIT.png)"
    )


def main(arguments: argparse.Namespace) -> int:
    """Run the part that was asked for."""
    return {"list": run_list, "check": run_check, "show": run_show}[arguments.part](arguments)


def run_list(_: argparse.Namespace) -> int:
    """Every set that can be opened, with its terms, and whether it is here."""
    from handpose.data import catalogue, check

    root = os.environ.get("HANDPOSE_DATA")
    for name in SOURCES:
        entry = catalogue.SETS.get(name)
        if entry is None:
            print(f"{name:16}{OWN[name]}")
            continue
        print(f"{name:16}{entry.title} ({entry.citation}): {entry.shows}")
        folder = Path(root) / entry.folder_name if root else None
        where = ("here", folder) if folder and folder.is_dir() else ("to get it", script_of(entry) or entry.manual)
        about = (("terms", entry.licence), ("size", check.in_words(entry.bytes)), ("splits", ", ".join(entry.splits)))
        for what, text in (*about, where):
            print(f"{'':16}{what}: {text}")
    if not root:
        print("HANDPOSE_DATA is not set: it names the folder that sets given without a path are looked for in")
    return 0


def script_of(entry: "Dataset") -> str | None:
    """The command that downloads a set; None where no program can, or in a package without its repository."""
    script = Path(__file__).resolve().parents[2] / "data_scripts" / "download.py"
    return f"python data_scripts/download.py {entry.name}" if entry.archives and script.exists() else None


def run_check(chosen: argparse.Namespace) -> int:
    """Read every picture's header, count them folder by folder, and open the set with its reader."""
    from handpose import data
    from handpose.data import catalogue, check, common

    name, _, path = chosen.data.partition(":")
    entry = catalogue.SETS.get(name)
    if name not in SOURCES:
        data.open(chosen.data)  # says which there are
    if entry is None:
        raise ValueError(f"{name} has no published form to be checked against; data show {chosen.data} opens it")
    folder = common.locate(entry.folder_name, path or None)
    present, published = counts(folder), dict(entry.published_counts)
    for part in sorted({*present, *published}):
        print(f"{part:40}{present.get(part, 0):8,}" + (f" of {published[part]:,}" if part in published else ""))
    print(check.check_set(name, folder))
    short = [part for part, number in published.items() if present.get(part, 0) < number]
    if short:
        print(f"not the whole set: in {len(short)} of {len(published)} folders there are fewer than published")
    elif published:
        print("the whole set")
    return 0


def counts(folder: Path) -> dict[str, int]:
    """Pictures and videos in every folder below, in the order of names."""
    from handpose.data import check

    found: Counter[str] = Counter()
    for parent, below, names in os.walk(folder):
        below.sort()
        number = sum(name.lower().endswith((*check.PICTURES, ".mpg")) for name in names if not name.startswith("."))
        if number:
            found[Path(parent).relative_to(folder).as_posix()] += number
    return dict(found)


def run_show(chosen: argparse.Namespace) -> int:
    """A sheet of samples from a split, first to last, with their labels drawn."""
    from handpose.study import sheet

    name = chosen.data.partition(":")[0]
    if chosen.number < 1:
        raise ValueError(f"--number {chosen.number}: at least one picture is needed")
    samples = opened(chosen.data, chosen.split, chosen)
    out = chosen.out or Path(f"{name}-{chosen.split}.png")
    if out.suffix.lower() not in (".png", ".jpg", ".pdf"):
        raise ValueError(f"--out {out}: give a name that ends in .png, .jpg or .pdf")
    check_drawing("--out", out)
    number = min(chosen.number, len(samples))
    fig = sheet.draw(samples, number, f"{name}, {chosen.split}: {number} of {len(samples):,}")
    with files.drawing(out) as unfinished:
        fig.savefig(unfinished, format=out.suffix[1:].lower(), facecolor="white", bbox_inches="tight")
    print(f"{out}: {number} of {len(samples):,} samples; joints that are hidden are drawn pale")
    return 0
