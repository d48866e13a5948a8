"""What every measurement here shares: medians taken in turns, and the limits of the machine."""

import contextlib
import os
import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import nn

from handpose.train import records


def wait(device: torch.device) -> None:
    """Until the device has done what it was given; a processor has already."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def alternate(repeats: int, device: torch.device, **tasks: Callable[[], object]) -> dict[str, float]:
    """Median seconds of each task, run in turns after one warm-up round."""
    seconds = {name: [] for name in tasks}
    for round_ in range(repeats + 1):
        for name, task in tasks.items():
            start = time.perf_counter()
            task()
            wait(device)
            if round_:
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def limits(device: torch.device, repeats: int) -> dict[str, float]:
    """What the device does at best, measured: multiplications of large matrices, and copies of large arrays."""
    n = 8192 if device.type == "cuda" else 1536
    found = {}
    for dtype in (torch.float32, torch.bfloat16):
        a, b = (torch.randn(n, n, device=device).to(dtype) for _ in range(2))
        seconds = alternate(repeats, device, product=lambda a=a, b=b: a @ b)["product"]
        found[f"gflops_{str(dtype)[6:]}"] = 2 * n**3 / seconds / 1e9
    array = torch.ones((2**30 if device.type == "cuda" else 2**27) // 4, device=device)
    other = torch.empty_like(array)
    seconds = alternate(repeats, device, copy=lambda: other.copy_(array))["copy"]
    found["gbytes_per_second"] = 2 * 4 * array.numel() / seconds / 1e9  # read once, written once
    return found


def floor(net: nn.Module, size: int, limit: dict[str, float], *, training: bool, half: bool = False) -> float:
    """Least seconds for one picture, worked out on paper.

    A training step multiplies three times as much as a forward pass: once forward, once for the gradient of the
    inputs, once for that of the weights. It reads each convolution's input twice and its output's gradient twice, and
    writes the output and the input's gradient; a forward pass reads once and writes once. Everything else is taken to
    cost nothing, and arithmetic and memory to work at the same time.
    """
    numbers = 0

    def count(_: nn.Module, inputs: tuple, output: torch.Tensor) -> None:
        nonlocal numbers
        numbers += inputs[0].numel() + output.numel()

    hooks = [m.register_forward_hook(count) for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    operations = 2 * records.macs(net, size)  # one forward pass on one picture, so the hooks count it
    for hook in hooks:
        hook.remove()
    rate = limit["gflops_bfloat16" if half else "gflops_float32"] * 1e9
    arithmetic = (3 if training else 1) * operations / rate
    memory = (3 if training else 1) * numbers * (2 if half else 4) / (limit["gbytes_per_second"] * 1e9)
    return max(arithmetic, memory)


@contextlib.contextmanager
def few_cores(threads: int) -> Iterator[None]:
    """This process and those that it starts on so many cores, and as many threads of PyTorch."""
    before = torch.get_num_threads(), os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    torch.set_num_threads(threads)
    if before[1]:
        os.sched_setaffinity(0, sorted(before[1])[:threads])
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        if before[1]:
            os.sched_setaffinity(0, before[1])


def milliseconds(seconds: np.ndarray) -> dict:
    """Median, what nine in ten stay below, and mean."""
    median, high = 1000 * np.quantile(seconds, [0.5, 0.9])
    return {"median_ms": round(float(median), 2), "p90_ms": round(float(high), 2),
            "mean_ms": round(float(1000 * np.mean(seconds)), 2)}  # fmt: skip
