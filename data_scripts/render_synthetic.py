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
from multiprocessing import connection
from pathlib import Path
from typing import NoReturn

import cv2
from rendering import hand_keypoints, stereo
from rendering.writing import write
from tqdm import tqdm

from handpose import files
from handpose.data import synthetic

LAYOUTS = {"hand-keypoints": hand_keypoints, "stb": stereo}
MANIFEST = "rendered.json"  # what the folder's pictures are; a folder without it is not written to


# Processes


def work(job: tuple) -> None:
    """Draw one task; runs in a process of its own."""
    out, settings, task = job
    LAYOUTS[settings["layout"]].draw(out, settings, task)


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


def whole_number(least: int):
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
    top = OneLine(description="Write rendered hands to disk; a run that was killed continues when called again.")
    top.add_argument("out", type=Path, help="folder to write, new or of an earlier run with the same arguments")
    top.add_argument("--layout", required=True, choices=LAYOUTS, help="how the files are laid out")
    top.add_argument("-n", "--number", type=whole_number(1), required=True, metavar="N",
                     help="how many pictures (hand-keypoints), or frames of each of 12 sequences (stb)")  # fmt: skip
    top.add_argument("--seed", type=whole_number(0), default=0, help="each seed gives other hands (default: 0)")
    top.add_argument(
        "--size", type=whole_number(16), default=256, help="side of hand-keypoints pictures (default: 256 px)"
    )
    top.add_argument(
        "--workers",
        type=whole_number(1),
        default=os.cpu_count() or 1,
        help="number of processes (default: one per core)",
    )
    return top


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns the exit status."""
    asked = parser().parse_args(arguments)
    settings = {"layout": asked.layout, "number": asked.number, "seed": asked.seed}
    if asked.layout == "hand-keypoints":
        settings["size"] = asked.size
    settings["renderer"] = renderer_version()
    try:
        layout, is_stb = LAYOUTS[asked.layout], asked.layout == "stb"
        tasks = layout.tasks(asked.number)
        claim(asked.out, settings)
        missing = [task for task in tasks if not all(f.exists() for f in layout.paths(asked.out, task))]
        jobs = [(asked.out, settings, task) for task in missing]
        bar = tqdm(total=len(tasks), initial=len(tasks) - len(jobs), unit="frame" if is_stb else "picture")
        with bar, contextlib.closing(draw_all(jobs, asked.workers)) as drawn:
            for _ in drawn:
                bar.update()
        if is_stb:
            stereo.labels(asked.out, settings)
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
