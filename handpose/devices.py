"""Which device to use, and what its processor can do."""

import contextlib
import functools
import time
from collections.abc import Iterator

import torch

WORTH = 0.8  # of float32's time: what bfloat16 may take and be worth its digits


def choose(name: str | None = None) -> torch.device:
    """CUDA, then MPS, then CPU; or the device named."""
    if name:
        try:
            device = torch.device(name)
            torch.empty(1, device=device).cpu()  # "meta" has shapes and no numbers
        except (RuntimeError, AssertionError) as error:
            raise ValueError(f"device {name!r} cannot be used here ({str(error).splitlines()[0]})") from None
        return device
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def describe(device: torch.device) -> str:
    """The device in words, for records."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "cpu":
        try:
            with open("/proc/cpuinfo", encoding="utf-8") as file:
                model = next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
        except (OSError, StopIteration):
            model = "processor"
        threads = torch.get_num_threads()
        return f"CPU, {threads} thread{'s' * (threads > 1)} ({model})"
    return device.type


def half_precision(device: torch.device) -> bool:
    """Whether bfloat16 autocast is faster than float32: on CUDA where it is supported, on a processor as measured."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return device.type == "cpu" and bfloat16_share() < WORTH


def arithmetic(device: torch.device) -> str:
    """What training computes in there, in words, for records: it is part of what a result depends on."""
    return "bfloat16" if half_precision(device) else "float32"


@functools.cache
def bfloat16_share() -> float:
    """Time of a convolution in bfloat16 as a part of that in float32, on this processor; measured once, in 0.1 seconds.

    Where a processor has arithmetic for bfloat16 it is about a half, where it has none five to twenty: names and flags
    of processors do not tell what the library makes of them. One thread is measured, and the least of several turns
    counts, so that what else the machine does changes nothing: two threads wait for the slower of two cores.
    """
    least: dict[torch.dtype, float] = {}
    rng = torch.Generator().manual_seed(0)
    inputs, weights = torch.rand(4, 32, 32, 32, generator=rng), torch.rand(32, 32, 3, 3, generator=rng)
    with one_thread(), torch.inference_mode():
        for turn in range(6):
            for dtype in (torch.float32, torch.bfloat16):
                x, w = (t.to(dtype).contiguous(memory_format=torch.channels_last) for t in (inputs, weights))
                start = time.perf_counter()
                torch.nn.functional.conv2d(x, w, padding=1)
                seconds = time.perf_counter() - start
                if turn:  # the first also chooses how to compute
                    least[dtype] = min(seconds, least.get(dtype, seconds))
    return least[torch.bfloat16] / least[torch.float32]


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch in one thread inside the block: for networks so small that threads only wait for one another."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
