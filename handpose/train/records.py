"""Records: what was run, on what, with which result; one JSON file a run."""

import math
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

import handpose
from handpose import devices
from handpose.attention import SelfAttention2d
from handpose.train.config import Config


def versions(device: torch.device, *, training: bool = False) -> dict:
    """What a bit-for-bit repetition depends on; of a training also the arithmetic, which is chosen by measurement."""
    arithmetic = {"arithmetic": devices.arithmetic(device)} if training else {}
    return {
        "python": platform.python_version(), "torch": str(torch.__version__), "numpy": np.__version__,
        "opencv": cv2.__version__, "handpose": handpose.__version__, "threads": torch.get_num_threads(),
        "device": devices.describe(device), **arithmetic,
    }  # fmt: skip


def commit() -> str | None:
    """The repository's commit, with a + when files differ from it; None outside a repository."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=Path(__file__).parent, capture_output=True, text=True,
                              check=True, timeout=10).stdout.strip()  # fmt: skip

    try:
        return git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain", "--", ".") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def read_metadata(experiment: str, method: str, seed: int, device: torch.device) -> dict:
    """What every record of ours begins with: what was run, and on what."""
    known = versions(device)
    return {"experiment": experiment, "method": method, "seed": seed, "commit": commit(),
            "device": known["device"], "threads": known["threads"], "versions": known}  # fmt: skip


def method(config: Config) -> str:
    """The name of a configuration's method in records: "msahp", "none" without attention, "control", or the kind."""
    network = config.network
    if network.kind != "msahp":
        return network.kind
    return "none" if not network.attention else "control" if network.control else "msahp"


def short_names(sources: Sequence[str]) -> list[str]:
    """Data sets "NAME[:PATH]" without their paths, where that tells them apart."""
    short = [source.partition(":")[0] for source in sources]
    return [name if short.count(name) == 1 else source for name, source in zip(short, sources, strict=True)]


def macs(net: nn.Module, size: int) -> int:
    """Multiply-accumulate operations of one forward pass on one picture, attention's products included."""
    total = 0

    def count(module: nn.Module, inputs: tuple, output: Tensor) -> None:
        nonlocal total
        if isinstance(module, nn.Conv2d):
            total += output[0].numel() * module.in_channels * math.prod(module.kernel_size)
        elif isinstance(module, nn.Linear):
            total += output[0].numel() * module.in_features
        elif isinstance(module, SelfAttention2d):
            cells = output.shape[-2] * output.shape[-1]
            total += 2 * cells * cells * output.shape[1]  # q k^T and weights times v

    hooks = [m.register_forward_hook(count) for m in net.modules()]
    was_training = net.training
    try:
        with torch.no_grad():
            net.eval()(torch.zeros(1, 3, size, size, device=next(net.parameters()).device))
    finally:
        net.train(was_training)
        for hook in hooks:
            hook.remove()
    return total
