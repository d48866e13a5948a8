"""What data sets there are, whether a folder holds a whole one, and a sheet of its pictures: ``handpose data``."""

import argparse
import os
from collections import Counter
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from handpose import crop, data, files
from handpose.book import figures
from handpose.data import catalogue, checks, common
from handpose.data.sample import Sample

TILE = 256  # pixels of a picture on the sheet
COLUMNS = 4


def run_list(_: argparse.Namespace) -> int:
    """Every set that can be opened, with its terms, and whether it is here."""
    root = os.environ.get("HANDPOSE_DATA")
    for name in data.SOURCES:
        entry = catalogue.SETS.get(name)
        if entry is None:
            print(f"{name:16}{OWN[name]}")
            continue
        print(f"{name:16}{entry.title} ({entry.citation}): {entry.shows}")
        here = root and (Path(root) / entry.place).is_dir()
        place = ("here", Path(root) / entry.place) if here else ("to get it", script_of(name) or entry.manual)
        about = (("terms", entry.licence), ("size", checks.in_words(entry.bytes)), ("splits", ", ".join(entry.splits)))
        for what, text in (*about, place):
            print(f"{'':16}{what}: {text}")
    if not root:
        print("HANDPOSE_DATA is not set: it names the folder that sets given without a path are looked for in")
    return 0


#: What is read but has no publisher.
OWN = {
    "synthetic": "rendered hands, without end; needs no files (synthetic:N gives N of them)",
    "labelled": "your photographs, labelled with data_scripts/label_keypoints.py: labelled:FILE.json",
    "coco-hands": "any set in COCO's form with 21 joints: coco-hands:FILE.json",
}


def script_of(name: str) -> str | None:
    """The command that fetches a set; None where there is none."""
    script = Path(__file__).resolve().parent.parent / "data_scripts" / f"download_{name.replace('-', '_')}.py"
    return f"python data_scripts/{script.name}" if script.exists() else None


def run_check(chosen: argparse.Namespace) -> int:
    """Read every picture's header, count them folder by folder, and open the set with its reader."""
    name, _, path = chosen.data.partition(":")
    entry = catalogue.SETS.get(name)
    if name not in data.SOURCES:
        data.open(chosen.data)  # says which there are
    if entry is None:
        raise ValueError(f"{name} has no published form to be checked against; data show {chosen.data} opens it")
    folder = common.locate(entry.place, path or None)
    there, whole = counts(folder), dict(entry.whole)
    for place in sorted({*there, *whole}):
        print(f"{place:40}{there.get(place, 0):8,}" + (f" of {whole[place]:,}" if place in whole else ""))
    print(checks.check_set(name, folder))
    short = [place for place, number in whole.items() if there.get(place, 0) < number]
    if short:
        print(f"not the whole set: in {len(short)} of {len(whole)} folders there are fewer than published")
    elif whole:
        print("the whole set")
    return 0


def counts(folder: Path) -> dict[str, int]:
    """Pictures and videos in every folder below, in the order of names."""
    found: Counter[str] = Counter()
    for place, below, names in os.walk(folder):
        below.sort()
        number = sum(name.lower().endswith((*checks.PICTURES, ".mpg")) for name in names if not name.startswith("."))
        if number:
            found[Path(place).relative_to(folder).as_posix()] += number
    return dict(found)


def run_show(chosen: argparse.Namespace) -> int:
    """A sheet of samples from a split, first to last, with their labels drawn."""
    name = chosen.data.partition(":")[0]
    if chosen.number < 1:
        raise ValueError(f"--number {chosen.number}: at least one picture is needed")
    samples = data.open(chosen.data, chosen.split)
    out = chosen.out or Path(f"{name}-{chosen.split}.png")
    files.check(out)
    if out.suffix.lower() not in (".png", ".jpg", ".pdf"):
        raise ValueError(f"--out {out}: give a name that ends in .png, .jpg or .pdf")
    number = min(chosen.number, len(samples))
    chosen_ones = np.linspace(0, len(samples) - 1, number).round().astype(int)
    rows = -(-number // COLUMNS)
    fig, axes = figures.new(COLUMNS, rows=rows, height=2.6, width=2.5 * COLUMNS, pictures=True)
    for ax, i in zip(axes, chosen_ones.tolist(), strict=False):
        draw(ax, samples[i])
    fig.suptitle(f"{name}, {chosen.split}: {number} of {len(samples):,}", fontsize=11)
    with files.writing(out) as unfinished:
        fig.savefig(unfinished, format=out.suffix[1:].lower(), facecolor="white", bbox_inches="tight")
    plt.close(fig)
    print(f"{out}: {number} of {len(samples):,} samples; joints that are hidden are drawn pale")
    return 0


def draw(ax, sample: Sample) -> None:
    """One sample: cut out around its hand where it has one, with bones, joints and the outline of a mask."""
    height, width = sample.image.shape[:2]
    there = np.isfinite(sample.box).all()
    box = sample.box if there else np.array([0, 0, width - 1, height - 1], np.float32)
    taken = crop.take(sample.image, box, TILE, margin=1.6 if there else 1.0)
    ax.imshow(taken.image)
    if sample.mask is not None:
        mask = crop.cut(sample.mask[..., None], taken.matrix, TILE, outside=0)[..., 0]
        ax.contour(mask, levels=[127], colors="white", linewidths=0.8)
    points = crop.apply(taken.matrix, sample.keypoints)
    hidden = np.zeros(21, bool) if sample.occluded is None else sample.occluded
    if sample.visible.any():
        figures.plot_hand(ax, None, points, sample.visible, size=2.5, line=1.2, alpha=0.45)
        figures.plot_hand(ax, None, points, sample.visible & ~hidden, size=3.5, line=1.6)
    ax.set(xlim=(-0.5, TILE - 0.5), ylim=(TILE - 0.5, -0.5))
    ax.set_axis_off()
    ax.set_title("  ".join(filter(None, (sample.id[-28:], sample.hand, sample.shape))), fontsize=7)


def add(commands: argparse._SubParsersAction) -> None:
    """The command ``data`` with its three parts."""
    command = commands.add_parser("data", help="list, check or show data sets", description="What data sets there are, "
                                  "whether a folder holds a whole one, and what its labels look like.")  # fmt: skip
    parts = command.add_subparsers(dest="part", required=True, metavar="list | check | show")
    parts.add_parser("list", help="every set, with its terms and where it is").set_defaults(run=run_list)
    check = parts.add_parser("check", help="read every picture's header, count, and open the set")
    check.add_argument("data", metavar="NAME[:PATH]")
    check.set_defaults(run=run_check)
    show = parts.add_parser("show", help="write a sheet of pictures with their labels drawn")
    show.add_argument("data", metavar="NAME[:PATH]")
    show.add_argument("--split", default="train", help="default: train")
    show.add_argument("--number", type=int, default=12, metavar="N", help="how many (default: 12), first to last")
    show.add_argument("--out", type=Path, metavar="F", help=".png, .jpg or .pdf (default: NAME-SPLIT.png)")
    show.set_defaults(run=run_show)
