"""Which device to use, and what its processor can do."""

import contextlib
from collections.abc import Iterator

import torch


def choose(name: str | None = None) -> torch.device:
    """CUDA, then MPS, then CPU; or the device named."""
    if name:
        try:
            device = torch.device(name)
            torch.empty(1, device=device)
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
        return f"CPU, {torch.get_num_threads()} threads ({model})"
    return device.type


def half_precision(device: torch.device) -> bool:
    """Whether bfloat16 autocast is faster than float32: on CUDA, and on processors that multiply in bfloat16."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return device.type == "cpu" and bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch in one thread inside the block: for networks so small that threads only wait for one another."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
