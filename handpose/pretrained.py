"""Weights in safetensors files, which hold numbers and text and cannot run code.

A file carries in its header what is needed to build the network: its constructor's options and the size of
the crops it was trained on. Matrices are stored as float16; normalisation stays float32.
"""

import json
import os
from importlib import resources
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from handpose.posenet import PoseEstimationNet

FORMAT = "handpose.PoseEstimationNet/1"
DEFAULT = "laptop"  # the bundled weights that are used when none are named


class WeightsError(ValueError):
    """A weights file that cannot be used; the message names it and says why."""


def bundled(name: str = DEFAULT) -> Path:
    """The file of weights that come with the package."""
    return Path(str(resources.files("handpose") / "weights" / f"{name}.safetensors"))


def save(path: str | os.PathLike, net: PoseEstimationNet, size: int, **about: str) -> None:
    """Write a network's weights; nothing under `path` is touched until the new file is complete.

    Args:
        size: side in pixels of the crops it was trained on.
        about: further text for the header.
    """
    path = Path(path)
    tensors = {
        name: (t.to(torch.float16) if t.is_floating_point() and t.ndim >= 2 else t).contiguous().cpu()
        for name, t in net.state_dict().items()
    }
    header = {"format": FORMAT, "options": json.dumps(net.options), "size": str(size), **about}
    unfinished = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, unfinished, header)
        os.replace(unfinished, path)
    except (OSError, SafetensorError) as error:
        unfinished.unlink(missing_ok=True)
        raise WeightsError(f"{path}: the weights could not be written ({error})") from None


def load(path: str | os.PathLike | None = None, device: torch.device | str = "cpu") -> tuple[PoseEstimationNet, int]:
    """A network from a file of weights, in evaluation mode and float32, and the size of its crops.

    Args:
        path: a file, or None for the bundled weights.

    Raises:
        WeightsError: missing, truncated, not safetensors, or made for something else.
    """
    path = bundled() if path is None else Path(path)
    if not path.is_file():
        raise WeightsError(f"{path}: no such weights file")
    try:
        with safe_open(path, "pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{path}: not a whole safetensors file ({error})") from None
    if header.get("format") != FORMAT:
        raise WeightsError(f"{path}: holds {header.get('format', 'no handpose weights')!r}, not {FORMAT!r}")
    try:
        options = json.loads(header["options"])
        options["attention"] = tuple(options["attention"]) if options["attention"] else False
        net, size = PoseEstimationNet(**options), int(header["size"])
        net.load_state_dict({name: t.float() if t.is_floating_point() else t for name, t in tensors.items()})
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[-1].strip()
        raise WeightsError(f"{path}: the weights do not fit the network they name ({reason})") from None
    return net.eval().to(device), size
