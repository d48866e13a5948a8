"""What a bug report needs: ``python -m handpose doctor`` looks at the machine and says what is missing or odd."""

import argparse
import os
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

import torch

from handpose import devices, pretrained
from handpose.data import catalogue, checks, crops
from handpose.detector import HandDecNet
from handpose.gesturenet import GestureNet
from handpose.posenet import PoseEstimationNet
from handpose.train import records

LEAST_ROOM = 2e9  # bytes that an environment and a training run want


def findings() -> Iterator[tuple[str, str, str | None]]:
    """What, how it is, and what to do about it; None where nothing needs doing."""
    device = devices.choose()
    versions = records.versions(device)
    named = ", ".join(f"{key} {versions[key]}" for key in ("handpose", "python", "torch", "numpy", "opencv"))
    yield "versions", f"{named}, commit {records.commit() or 'unknown'}", None
    yield "system", platform.platform(), None
    yield "device", versions["device"], None
    exact = "bfloat16" if devices.half_precision(device) else "float32"
    yield "training in", exact, None
    cores, threads = os.cpu_count() or 1, torch.get_num_threads()
    few = f"PyTorch uses {threads} of {cores}; is OMP_NUM_THREADS set?" if 2 * threads < cores else None
    yield "processor cores", f"{cores}, of which PyTorch uses {threads}", few
    for what, place in (("room here", Path.cwd()), ("room for drawn hands", crops.cache_folder())):
        there, free = checks.room(place)
        wrong = f"make room: {checks.in_words(LEAST_ROOM)} are wanted" if free < LEAST_ROOM else None
        if not os.access(there, os.W_OK):
            wrong = f"{there} cannot be written"
        yield what, f"{checks.in_words(free)} in {place}", wrong
    for name, kind in ((pretrained.DEFAULT, PoseEstimationNet), (pretrained.DETECTOR, HandDecNet),
                       (pretrained.GESTURES, GestureNet)):  # fmt: skip
        try:
            pretrained.load(pretrained.bundled(name), kind=kind)
            yield f"weights {name}", "whole", None
        except pretrained.WeightsError as error:
            yield f"weights {name}", "cannot be used", str(error)
    root = os.environ.get("HANDPOSE_DATA")
    if not root:
        yield "HANDPOSE_DATA", "not set", None
    else:
        found = [entry.name for entry in catalogue.SETS.values() if (Path(root) / entry.place).is_dir()]
        wrong = None if found else "no data set is in it; python -m handpose data list names their folders"
        yield "HANDPOSE_DATA", f"{root}: {', '.join(found) or 'nothing known'}", wrong
    yield "chromium", shutil.which("chromium") or "not on the PATH: the tests open no pages", None


def run(_: argparse.Namespace) -> int:
    """Print all findings, what needs doing last."""
    wrong = []
    for what, how, advice in findings():
        print(f"{what:22}{how}")
        wrong += [f"{what}: {advice}"] if advice else []
    for line in wrong or ["nothing is amiss"]:
        print(line)
    return 0


def add(commands: argparse._SubParsersAction) -> None:
    """The command ``doctor``."""
    about = "Print what a bug report needs: versions, device, threads, disk, weights and data found."
    command = commands.add_parser("doctor", help="look at this machine, for a bug report", description=about)
    command.set_defaults(run=run)
