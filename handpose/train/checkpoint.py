"""Checkpoints: the whole state of a run in one file, written so that it is either old or new, never half.

They are read with PyTorch's restricted unpickler, which builds tensors and plain containers and nothing else.
"""

import sys
from pathlib import Path

import torch

from handpose import files


class TrainingError(RuntimeError):
    """A run that cannot go on; the message says at which step and what to do."""


def write(path: Path, state: dict) -> None:
    """Write a checkpoint, whole or not at all.

    Raises:
        TrainingError: the disk is full or read-only; the checkpoint before this one is untouched.
    """
    try:
        with files.writing(path) as unfinished:
            torch.save(state, unfinished)
    except (files.OutputError, RuntimeError) as error:  # PyTorch's writer reports a full disk in its own way
        raise TrainingError(
            f"step {state['step']} could not be saved ({str(error).splitlines()[0]}); make room, then go on with "
            "--resume from the checkpoint before it"
        ) from None


def read(path: Path, identity: dict, versions: dict) -> dict:
    """The state in a checkpoint, if it belongs to this run.

    Args:
        identity: what must agree: configuration, data, seed.
        versions: what should agree for the same weights to the bit; a difference is noted on stderr.

    Raises:
        TrainingError: no checkpoint, not a whole one, or one of another run.
    """
    if not path.exists():
        raise TrainingError(f"{path}: nothing to resume; leave --resume out to start a run there")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        known = {key: state[key] for key in identity}
    except Exception as error:  # whatever a broken file makes the unpickler raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TrainingError(
            f"{path}: not a whole checkpoint ({reason.split('.')[0][:120]}); start again in another --out"
        ) from None
    for key, mine in identity.items():
        if known[key] != mine:
            what = difference(known[key], mine) if key == "config" else f"{known[key]!r}, not {mine!r}"
            raise TrainingError(
                f"{path}: made with another {key} ({what}); resume with the same, or choose another --out"
            )
    for key, value in versions.items():
        if state["versions"].get(key) != value:
            print(f"note: the run began with {key} {state['versions'].get(key)}, this is {value}; "
                  "its weights will not be the same to the bit", file=sys.stderr)  # fmt: skip
    return state


def schedule(path: Path) -> dict:
    """The schedule of the run that a checkpoint belongs to; empty where there is none, which `read` then says."""
    try:
        return dict(torch.load(path, map_location="cpu", weights_only=True)["config"]["schedule"])
    except Exception:  # whatever a broken file makes the unpickler raise
        return {}


def difference(old: dict, new: dict, prefix: str = "") -> str:
    """The first key in which two configurations differ, in words."""
    for key in new:
        if old.get(key) != new[key]:
            if isinstance(new[key], dict) and isinstance(old.get(key), dict) and prefix == "":
                return difference(old[key], new[key], f"{key}.")
            return f"{prefix}{key} was {old.get(key)!r}, is {new[key]!r}"
    return "a key is missing"
