"""Checkpoints: the whole state of a run in one file, written so that it is either old or new, never half.

They are read with PyTorch's restricted unpickler, which builds tensors and plain containers and nothing else.
"""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from handpose import files
from handpose.train.reading import as_options
from handpose.train.state import TrainState


class TrainingError(RuntimeError):
    """A run that cannot go on; the message says at which step and what to do."""


def write(path: Path, state: TrainState, identity: dict) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        identity: what must agree when it is read, and "versions", which should.

    Raises:
        TrainingError: the disk is full or read-only; a checkpoint before this one is untouched.
    """
    try:
        with files.writing(path) as unfinished:
            torch.save(state.as_dict() | identity, unfinished)
    except (files.OutputError, RuntimeError) as error:  # PyTorch's writer reports a full disk in its own way
        then = "start again, for there is no checkpoint before it"
        if path.exists():
            then = "go on with --resume from the checkpoint before it"
        raise TrainingError(
            f"step {state.step} could not be saved ({str(error).splitlines()[0]}); make room, then {then}"
        ) from None


def check_free(folder: Path) -> None:
    """Raise a TrainingError where a folder, in which a run is to begin, holds one."""
    if (folder / "checkpoint.pt").exists():
        raise TrainingError(f"{folder} holds a run; add --resume to go on with it, or choose another --out")
    check_unfinished(folder)


def check_unfinished(folder: Path) -> None:
    """Raise a TrainingError where a folder holds a run that has ended."""
    if (folder / "record.json").exists():
        raise TrainingError(f"{folder} holds a finished run, which cannot go on; choose another --out, with --init "
                            f"{folder / 'weights.safetensors'} to start from its weights")  # fmt: skip


def read(path: Path, identity: dict) -> dict:
    """What a checkpoint holds, if it belongs to this run.

    Args:
        identity: what must agree: configuration (but for its name, which its file has), data, seed. Under "versions"
            stands what should agree for the same weights to the bit; a difference there is noted on stderr.

    Raises:
        TrainingError: no checkpoint, not a whole one, or one of another run.
    """
    if not path.exists():
        check_unfinished(path.parent)
        raise TrainingError(f"{path}: nothing to resume; leave --resume out to start a run there")
    try:
        saved = _completed(torch.load(path, map_location="cpu", weights_only=True))
        known = {key: saved[key] for key in (*identity, "net", "optimiser", "step", "schedule")}
    except Exception as error:  # whatever a broken file makes the unpickler raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TrainingError(
            f"{path}: not a whole checkpoint ({reason.split('.')[0][:120]}); start again in another --out"
        ) from None
    moved = "data_digests" in saved  # by which data are known again wherever they lie, see `check_data`
    for key, own in identity.items():
        if key == "versions" or (found := _known_by(key, known[key], moved)) == (own := _known_by(key, own, moved)):
            continue
        if key == "reading":
            what = f"{as_options(found)}, now {as_options(own)} is given"
        else:
            what = f"another {key} ({difference(found, own) if key == 'config' else f'{found!r}, not {own!r}'})"
        raise TrainingError(f"{path}: made with {what}; resume with the same, or choose another --out")
    for key, value in identity.get("versions", {}).items():
        if known["versions"].get(key, value) != value:  # an older one may not say
            print(f"note: the run began with {key} {known['versions'][key]}, this is {value}; "
                  "its weights will not be the same to the bit", file=sys.stderr)  # fmt: skip
    return saved


def _completed(saved: dict) -> dict:
    """A checkpoint with what older ones lack: they had `joint_order` and `unturned` by themselves, where given."""
    reading = {key: saved[key] for key in ("joint_order", "unturned") if key in saved}
    return {"val_fraction": None, "reading": reading} | saved


def _known_by(key: str, value: Any, moved: bool) -> Any:
    """Of a configuration all but its name: a file that was renamed is no other configuration.

    If data may have `moved`, of a set "NAME[:PATH][/SPLIT]" all but its path; a number of rendered hands is no path.
    """
    if key == "config":
        return {k: v for k, v in value.items() if k != "name"}
    if not moved or key not in ("sources", "validate", "watch"):
        return value
    if isinstance(value, list):
        return [_known_by(key, one, moved) for one in value]
    name, _, path = value.partition(":")
    if path.partition("/")[0].isdigit():
        return value
    return f"{name}/{path.rpartition('/')[2]}" if path and key == "watch" else name


def check_data(path: Path, saved: dict, current: dict[str, dict[str, str]]) -> None:
    """Compare the data that a run goes on with to those that it began with, by `Crops.digests` of each set.

    Other pixels under the same labels are noted only: another version of the decoder makes them too.

    Raises:
        TrainingError: labels have changed.
    """
    known = saved.get("data_digests")
    if known is None:  # of an older version
        print(f"note: {path} does not say what data it was made with; that they are the same is not checked",
              file=sys.stderr)  # fmt: skip
        return
    if len(known) == len(current):  # in the same order, under names that may hold a path; an older one lacks sets
        known = dict(zip(current, known.values(), strict=True))
    for name, digests in current.items():
        before = known.get(name, digests)
        if before["labels"] != digests["labels"]:
            raise TrainingError(f"{path}: the labels of {name} have changed since the run began; resume with those of "
                                "then, or begin anew in another --out")  # fmt: skip
        if before["pictures"] != digests["pictures"]:
            print(f"note: pictures of {name} have changed since the run began, or are decoded otherwise here",
                  file=sys.stderr)  # fmt: skip


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """No second training writes into the folder for as long as the block lasts; it is made if needed.

    Raises:
        TrainingError: one does already, or the folder cannot be written.
    """
    try:
        files.check(folder / "checkpoint.pt")
        with FileLock(folder / ".lock", timeout=0):
            try:
                yield
            finally:
                (folder / ".lock").unlink(missing_ok=True)
    except Timeout:
        raise TrainingError(f"another training is writing into {folder}; choose another --out") from None
    except files.OutputError as error:
        raise TrainingError(f"{error}; choose another --out") from None


def difference(old: dict, new: dict, prefix: str = "") -> str:
    """The first key in which two configurations differ, in words."""
    for key in new:
        if old.get(key) != new[key]:
            if isinstance(new[key], dict) and isinstance(old.get(key), dict) and prefix == "":
                return difference(old[key], new[key], f"{key}.")
            return f"{prefix}{key} was {old.get(key)!r}, is {new[key]!r}"
    gone = next((key for key in old if key not in new), None)
    return f"{prefix}{gone} was {old[gone]!r}, is not given" if gone else "a key is missing"
