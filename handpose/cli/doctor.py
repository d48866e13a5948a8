"""The command ``doctor``: what a bug report needs. It looks at the machine and says what is missing or odd.

It must also run where the installation is broken, so each look imports what it needs by itself.
"""

import argparse
import importlib
import os
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

import handpose

HELP = "describe this machine, for a bug report"
LEAST_ROOM = 2e9  # bytes that an environment and a training run want
PACKAGES = ("torch", "numpy", "cv2", "PIL", "matplotlib", "safetensors", "scipy", "tqdm")

#: What, how it is, and what to do about it; None where nothing needs doing.
Findings = Iterator[tuple[str, str, str | None]]


def versions() -> Findings:
    """Of the packages that can be imported; the others are named one by one."""
    found, broken = {"handpose": handpose.__version__, "python": platform.python_version()}, {}
    for name in PACKAGES:
        try:
            found[name] = importlib.import_module(name).__version__
        except (ImportError, OSError) as error:  # OSError: one of the libraries under it
            broken[name] = (str(error).splitlines() or [type(error).__name__])[0]
    yield "versions", ", ".join(f"{name} {version}" for name, version in found.items()), None
    for name, reason in broken.items():
        yield f"package {name}", f"cannot be imported ({reason})", None
    if broken:
        yield "missing", ", ".join(broken), "make env installs what requirements.txt names"


def system() -> Findings:
    """What it runs on."""
    yield "system", platform.platform(), None
    yield "chromium", shutil.which("chromium") or "not on the PATH: the tests open no pages", None


def commit() -> Findings:
    """Of the repository that the package stands in."""
    from handpose.train import records

    yield "commit", records.commit() or "unknown", None


def device() -> Findings:
    """What PyTorch would compute on."""
    import torch

    from handpose import devices

    chosen = devices.choose()
    yield "device", devices.describe(chosen), None
    yield "training in", devices.arithmetic(chosen), None
    cores, threads = os.cpu_count() or 1, torch.get_num_threads()
    few = f"PyTorch uses {threads} of {cores}; is OMP_NUM_THREADS set?" if 2 * threads < cores else None
    yield "processor cores", f"{cores}, of which PyTorch uses {threads}", few


def prediction() -> Findings:
    """What runs the networks in `HandPose` and `predict`."""
    from handpose.apply import prepared

    described = prepared.describe() if prepared.on_processor(None) else ("PyTorch, on the device above", None)
    yield ("networks run by", *described)


def room(what: str, folder: Path) -> Findings:
    """On the disk that holds a folder, or will hold it."""
    from handpose.data import check

    existing, free = check.free_space(folder)
    wrong = f"make room: {check.in_words(LEAST_ROOM)} are wanted" if free < LEAST_ROOM else None
    if not os.access(existing, os.W_OK):
        wrong = f"{existing} cannot be written"
    yield what, f"{check.in_words(free)} in {folder}", wrong


def room_here() -> Findings:
    """In the folder that this was called in."""
    yield from room("room here", Path.cwd())


def room_for_drawn_hands() -> Findings:
    """They are drawn once and kept."""
    from handpose import files

    yield from room("room for rendered hands", files.cache_folder())


def weights() -> Findings:
    """Whether the bundled networks are whole."""
    from handpose import detector, gesturenet, posenet, pretrained

    for name, kind in ((pretrained.DEFAULT, posenet.PoseEstimationNet), (pretrained.DETECTOR, detector.HandDecNet),
                       (pretrained.GESTURES, gesturenet.GestureNet)):  # fmt: skip
        try:
            pretrained.load(pretrained.bundled(name), kind=kind)
            yield f"weights {name}", "whole", None
        except pretrained.WeightsError as error:
            yield f"weights {name}", "cannot be used", str(error)


def data_sets() -> Findings:
    """Which of the known sets are here."""
    root = os.environ.get("HANDPOSE_DATA")
    if not root:
        yield "HANDPOSE_DATA", "not set", None
        return
    from handpose.data import catalogue

    found = [entry.name for entry in catalogue.SETS.values() if (Path(root) / entry.folder_name).is_dir()]
    wrong = None if found else "no data set is in it; python -m handpose data list names their folders"
    yield "HANDPOSE_DATA", f"{root}: {', '.join(found) or 'nothing known'}", wrong


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The command has none."""
    command.description = (
        "Print what a bug report needs: versions, device, threads, disk, and the weights and data that it finds."
    )


def main(_: argparse.Namespace) -> int:
    """Print all findings, what needs doing last."""
    wrong = []
    for finding in (versions, system, commit, device, prediction, room_here, room_for_drawn_hands, weights, data_sets):
        try:
            for what, state, advice in finding():
                print(f"{what:22}{state}")
                wrong += [f"{what}: {advice}"] if advice else []
        except (ImportError, OSError) as error:  # `versions` has said which package is missing
            print(f"{finding.__name__.replace('_', ' '):22}not known: {(str(error).splitlines() or [''])[0]}")
    for line in wrong or ["nothing is amiss"]:
        print(line)
    return 0
