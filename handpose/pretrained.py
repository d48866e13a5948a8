"""Weights in safetensors files, which hold numbers and text and cannot run code.

A file carries in its header what is needed to build the network: its constructor's options and the size of
the crops it was trained on. Matrices are stored as float16; normalisation stays float32.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handpose import files

if TYPE_CHECKING:  # PyTorch is imported when a network is built: names and files of weights are wanted without it
    import torch
    from torch import nn

DEFAULT = "laptop"  # the bundled pose weights that are used when none are named
DETECTOR = "detector"  # the bundled detector
GESTURES = "gestures"  # the bundled classifier of letters
KEY = 12  # digits of a picture's key that are kept: enough to tell a million pictures apart


class WeightsError(ValueError):
    """A weights file that cannot be used; the message names it and says why."""


def bundled(name: str = DEFAULT) -> Path:
    """The file of weights that come with the package."""
    return Path(__file__).with_name("weights") / f"{name}.safetensors"


def weights_files(pose: str | os.PathLike | None = None) -> dict[str, Path]:
    """The files of the three networks, by kind: "pose" (the bundled one or another), "detector", "gesture"."""
    own = {"pose": DEFAULT, "detector": DETECTOR, "gesture": GESTURES}
    return {kind: bundled(name) for kind, name in own.items()} | ({"pose": Path(pose)} if pose else {})


def pose_networks() -> tuple[type, ...]:
    """The classes that weights of a pose network may be of."""
    from handpose import cpm, posenet

    return posenet.PoseEstimationNet, cpm.ConvolutionalPoseMachine, cpm.DirectRegression


def form(kind: type) -> str:
    """What a file of weights calls itself."""
    return f"handpose.{kind.__name__}/1"


def save(path: str | os.PathLike, net: "nn.Module", size: int, *, trained_on: Iterable[str] = ()) -> None:
    """Write a network's weights, whole or not at all.

    Args:
        size: side in pixels of the crops, or images, it was trained on; 0 for a classifier of key-points.
        trained_on: keys of pictures (see `handpose.data.division`) on which it is not to be scored.
    """
    import torch
    from safetensors.torch import save_file

    tensors = {
        name: (t.to(torch.float16) if t.is_floating_point() and t.ndim >= 2 else t).contiguous().cpu()
        for name, t in net.state_dict().items()
    }
    # One entry, because safetensors writes several in an order that changes from run to run.
    about = {"format": form(type(net)), "options": net.options, "size": size, "sha256": _digest(tensors)}
    if keys := sorted({key[:KEY] for key in trained_on}):
        about["trained_on"] = " ".join(keys)
    header = {"handpose": json.dumps(about)}
    with files.writing(path) as unfinished:
        save_file(tensors, unfinished, header)


def _digest(tensors: "dict[str, torch.Tensor]") -> str:
    """SHA-256 over all weights: safetensors itself would not notice a changed number."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode() + tensors[name].numpy().tobytes())
    return digest.hexdigest()


def trained_on(path: str | os.PathLike | None) -> set[str]:
    """The first `KEY` digits of the keys of pictures of one's own that weights were trained on; of most files, none.

    Raises:
        WeightsError: not safetensors.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path or bundled(), "pt") as file:
            return set(json.loads((file.metadata() or {}).get("handpose", "{}")).get("trained_on", "").split())
    except (SafetensorError, OSError, ValueError, AttributeError) as error:
        raise WeightsError(f"{path}: not a whole safetensors file ({error})") from None


def load(
    path: str | os.PathLike | None = None, device: "torch.device | str" = "cpu", *, kind: type | None = None
) -> "tuple[Any, int]":
    """A network from a file of weights, in evaluation mode and float32, and the size of its input.

    Args:
        path: a file, or None for the bundled weights.
        kind: `HandDecNet`, `GestureNet`, or None for any of `pose_networks`.

    Raises:
        WeightsError: missing, truncated, not safetensors, or made for something else.
    """
    import torch
    from safetensors import SafetensorError, safe_open

    if "://" in str(path):
        raise WeightsError(f"{path}: is an address; download it first")
    own = {"HandDecNet": DETECTOR, "GestureNet": GESTURES}.get(kind.__name__ if kind else "", DEFAULT)
    path = bundled(own) if path is None else Path(path)
    if not path.is_file():
        raise WeightsError(f"{path}: no such weights file")
    try:
        with safe_open(path, "pt") as file:
            header = json.loads((file.metadata() or {}).get("handpose", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{path}: not a whole safetensors file ({error})") from None
    known = {form(k): k for k in ((kind,) if kind else pose_networks())}
    if header.get("format") not in known:
        raise WeightsError(f"{path}: holds {header.get('format', 'no handpose weights')!r}, not {next(iter(known))!r}")
    if "sha256" in header and header["sha256"] != _digest(tensors):
        raise WeightsError(f"{path}: damaged (its weights do not match their checksum); copy or download it again")
    try:
        options = header["options"]
        if "attention" in options:
            options["attention"] = tuple(options["attention"]) if options["attention"] else False
        net, size = known[header["format"]](**options), int(header["size"])
        net.load_state_dict({name: t.float() if t.is_floating_point() else t for name, t in tensors.items()})
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[-1].strip()
        raise WeightsError(f"{path}: the weights do not fit the network they name ({reason})") from None
    # Pictures come as (H, W, 3), so their channels lie side by side; with weights in the same order a picture takes
    # about two thirds of the time on a processor.
    return net.eval().to(device, memory_format=torch.channels_last), size  # type: ignore[call-overload]  # not in stubs
