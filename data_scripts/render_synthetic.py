"""Write rendered hands to disk, for programs that read files, or for training without drawing.

    python data_scripts/render_synthetic.py OUT --layout hand-keypoints --number 5000
    python data_scripts/render_synthetic.py OUT --layout stb --number 1500

hand-keypoints: N square pictures with YOLO-pose text; read them with --data hand-keypoints:OUT. One in ten, under an
id of the validation blocks, comes from the validation stream. stb: 12 sequences of N frames each in the layout of the
Stereo Hand Pose benchmark, left and right camera, 640x480, with labels/*.mat; read them with --data stb:OUT. Original
sequences have 1500 frames.

Kill it at any time and call it again with the same arguments: finished pictures are kept, the rest are drawn. What a
picture shows does not depend on the number of processes.
"""

import argparse
import contextlib
import hashlib
import itertools
import json
import multiprocessing
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from multiprocessing import connection
from pathlib import Path
from typing import NoReturn

import cv2
import numpy as np
from tqdm import tqdm

from handpose import data, files
from handpose.data import synthetic
from handpose.data.readers import stb
from handpose.data.readers.hand_keypoints import PART_STARTS, VAL_STARTS
from handpose.data.sample import Sample

LAYOUTS = ("hand-keypoints", "stb")
MANIFEST = "rendered.json"  # what the folder's pictures are; a folder without it is not written to
VAL_PART = 0.1  # of the pictures in the hand-keypoints layout


# One file


def write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    with files.writing(path) as unfinished:
        unfinished.write_bytes(content)


def encoded(kind: str, image: np.ndarray, *options: int) -> bytes:
    """(H, W, 3) uint8 RGB as the content of a .jpg or .png file."""
    return cv2.imencode(kind, image[..., ::-1], options)[1].tobytes()


# The Hand Keypoints layout


def ids(split: str) -> Iterator[int]:
    """The ids that the block split counts as "train" (30,300 of them) or "val" (without end)."""
    ends = dict(zip("AB", list(PART_STARTS.values())[1:], strict=True))
    for part in "BCA":  # the largest ranges first, so that a small set lies in one
        if split == "train":
            yield from range(max(PART_STARTS[part], 1), VAL_STARTS[part])
        elif part == "B":
            yield from range(VAL_STARTS[part], ends[part])
        elif part == "C":
            yield from itertools.count(VAL_STARTS[part])


def hand_keypoints_tasks(number: int) -> list[tuple[str, int, int]]:
    """(split, index in its stream, id) of every picture."""
    held_back = round(VAL_PART * number) if number > 1 else 0
    tasks = [("train", i, id) for i, id in zip(range(number - held_back), ids("train"), strict=False)]
    if len(tasks) < number - held_back:
        room = int(len(tasks) / (1 - VAL_PART))
        raise files.OutputError(f"--number {number} is too many: the layout's block split has ids for about {room}")
    return tasks + [("val", i, id) for i, id in zip(range(held_back), ids("val"), strict=False)]


def label_line(sample: Sample) -> str:
    """``class cx cy w h (x y v) * 21`` as parts of the picture; v: 2 seen, 1 hidden by the hand itself, 0 outside."""
    height, width = sample.image.shape[:2]
    x0, y0, x1, y1 = (np.nan_to_num(sample.box) + 0.5) / [width, height, width, height]
    numbers = [(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0]
    for point, visible, hidden in zip(sample.keypoints, sample.visible, sample.occluded, strict=True):
        numbers += [*((point + 0.5) / [width, height]), 2 - int(hidden)] if visible else [0, 0, 0]
    return "0 " + " ".join(f"{n:.7g}" for n in numbers) + "\n"


def hand_keypoints_files(out: Path, task: tuple) -> list[Path]:
    """The picture, which is written last, so that a picture has its label."""
    split, _, id = task
    return [out / "images" / split / f"IMG_{id:08d}.jpg"]


@lru_cache(maxsize=4)
def stream(seed: int, split: str, size: int) -> synthetic.SyntheticHands:
    """The rendered hands that `handpose.data.open("synthetic")` gives, at another size."""
    settings = {k: v for k, v in data.SYNTHETIC[split].items() if k != "length"}
    return synthetic.SyntheticHands(seed, split, **(settings | {"size": size}))


def draw_hand_keypoints(out: Path, settings: dict, task: tuple) -> None:
    split, index, id = task
    sample = stream(settings["seed"], split, settings["size"])[index]
    write(out / "labels" / split / f"IMG_{id:08d}.txt", label_line(sample).encode())
    write(hand_keypoints_files(out, task)[0], encoded(".jpg", sample.image, cv2.IMWRITE_JPEG_QUALITY, 95))


# The Stereo Hand Pose layout


def stb_tasks(number: int) -> list[tuple[str, int]]:
    """(sequence, frame) of every pair of pictures."""
    return [(name, frame) for name in stb.SEQUENCES for frame in range(number)]


def stb_files(out: Path, task: tuple) -> list[Path]:
    """The left and the right picture."""
    return [out / "images" / task[0] / f"{view}_{task[1]}.png" for view in ("BB_left", "BB_right")]


@lru_cache(maxsize=2)
def stereo_sequence(seed: int, name: str, frames: int):
    """A whole sequence's motion; kept, because its frames come one after the other."""
    from handpose.data.synthetic.sequence import StereoSequence

    return StereoSequence(seed, name, frames)


def draw_stb(out: Path, settings: dict, task: tuple) -> None:
    sequence = stereo_sequence(settings["seed"], task[0], settings["number"])
    for file in stb_files(out, task):
        if not file.exists():
            image = sequence.picture(task[1], file.stem.rsplit("_", 1)[0])
            write(file, encoded(".png", image, cv2.IMWRITE_PNG_COMPRESSION, 3))


def stb_labels(out: Path, settings: dict) -> None:
    """All label files. They come last: without them a reader sees that pictures are still being drawn."""
    from scipy.io import savemat

    for name in stb.SEQUENCES:
        file = out / "labels" / f"{name}_BB.mat"
        if not file.exists():
            para = stereo_sequence(settings["seed"], name, settings["number"]).hand_para()
            with files.writing(file) as unfinished, open(unfinished, "wb") as stream:
                savemat(stream, {"handPara": para})


# Processes


def work(job: tuple) -> None:
    """Draw one task; runs in a process of its own."""
    out, settings, task = job
    (draw_stb if settings["layout"] == "stb" else draw_hand_keypoints)(out, settings, task)


def start_worker() -> None:
    """One thread a process; Ctrl-C is the parent's business; a worker does not outlive its parent."""
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process().sentinel

    def watch():
        connection.wait([parent])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def draw_all(jobs: list[tuple], workers: int) -> Iterator[None]:
    """Do the jobs, yielding after each."""
    if workers == 1 or len(jobs) < 2:
        cv2.setNumThreads(1)
        yield from map(work, jobs)
        return
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ[f"{library}_NUM_THREADS"] = "1"  # read when a worker starts
    # Started afresh rather than forked: a forked copy of a program with threads may hang.
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(jobs)), fresh, initializer=start_worker) as pool:
        try:
            yield from pool.map(work, jobs, chunksize=4)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


# The folder


def renderer_version() -> str:
    """Changes with the code that draws."""
    digest = hashlib.sha256()
    for file in sorted(Path(synthetic.__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def claim(out: Path, settings: dict) -> None:
    """Make the folder ours, or find that it is: begun with the same settings.

    Raises:
        OutputError: the folder cannot be written, holds something else, or was begun with other settings.
    """
    manifest = out / MANIFEST
    if manifest.exists():
        try:
            before = json.loads(manifest.read_text("utf-8"))
            different = [k for k in settings if before.get(k) != settings[k]]
        except (OSError, ValueError, AttributeError) as error:
            raise files.OutputError(f"{manifest}: cannot be read ({error}); name a new folder") from None
        if different == ["renderer"]:
            raise files.OutputError(f"{out}: was begun by another version of the renderer; name a new folder")
        if different:
            k = different[0]
            raise files.OutputError(
                f"{out}: was begun with {k} {before.get(k)}, not {settings[k]}; give the same arguments or a new folder"
            )
        return
    if out.is_dir() and any(out.iterdir()):
        raise files.OutputError(f"{out}: holds other files; name a new or empty folder")
    write(manifest, (json.dumps(settings, indent=1) + "\n").encode())


def tidy(out: Path) -> None:
    """Remove what killed runs left unfinished (see `files.writing`), once every file is there."""
    for kind in ("images", "labels"):
        for file in (out / kind).glob("**/.*"):
            if re.match(r"\.\d+-", file.name):
                file.unlink(missing_ok=True)


def whole(least: int):
    """For argparse: a whole number from ``least`` on."""

    def convert(text: str) -> int:
        if not re.fullmatch(r"-?\d+", text) or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} on")
        return int(text)

    return convert


class OneLine(argparse.ArgumentParser):
    """Says what is wrong on one line, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"render_synthetic: {message}\n")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = OneLine(description="Write rendered hands to disk; a killed run goes on where it was.")
    top.add_argument("out", type=Path, help="folder to write, new or of an earlier run with the same arguments")
    top.add_argument("--layout", required=True, choices=LAYOUTS, help="how the files are laid out")
    top.add_argument("-n", "--number", type=whole(1), required=True, metavar="N",
                     help="how many pictures (hand-keypoints), or frames of each of 12 sequences (stb)")  # fmt: skip
    top.add_argument("--seed", type=whole(0), default=0, help="another seed, other hands (default: 0)")
    top.add_argument("--size", type=whole(16), default=256, help="side of hand-keypoints pictures (default: 256 px)")
    top.add_argument("--workers", type=whole(1), default=os.cpu_count() or 1, help="processes (default: all cores)")
    return top


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns the exit status."""
    asked = parser().parse_args(arguments)
    settings = {"layout": asked.layout, "number": asked.number, "seed": asked.seed}
    if asked.layout == "hand-keypoints":
        settings["size"] = asked.size
    settings["renderer"] = renderer_version()
    try:
        is_stb = asked.layout == "stb"
        tasks = stb_tasks(asked.number) if is_stb else hand_keypoints_tasks(asked.number)
        claim(asked.out, settings)
        paths = stb_files if is_stb else hand_keypoints_files
        jobs = [(asked.out, settings, task) for task in tasks if not all(f.exists() for f in paths(asked.out, task))]
        bar = tqdm(total=len(tasks), initial=len(tasks) - len(jobs), unit="frame" if is_stb else "picture")
        with bar, contextlib.closing(draw_all(jobs, asked.workers)) as drawn:
            for _ in drawn:
                bar.update()
        if is_stb:
            stb_labels(asked.out, settings)
        tidy(asked.out)
    except (files.OutputError, OSError) as error:
        print(f"render_synthetic: {error}", file=sys.stderr)
        return 1
    except BrokenProcessPool:
        print("render_synthetic: a process was stopped from outside; is memory short? Try fewer --workers; "
              "the same command goes on from here", file=sys.stderr)  # fmt: skip
        return 1
    except KeyboardInterrupt:
        print("render_synthetic: stopped; the same command goes on from here", file=sys.stderr)
        return 130
    print(f"{asked.out}: complete; read it with --data {asked.layout}:{asked.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
