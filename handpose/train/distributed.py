"""Several processes train one network: PyTorch's DistributedDataParallel, as ``torchrun`` starts it.

Every process draws the same numbers from (seed, step), so all know the whole batch; each trains on its part, and the
gradients are averaged. That is the gradient of the whole batch, because the loss divides by the number of joints in a
batch, visible or not. Only the first process, rank 0, validates, prints and writes.
"""

import contextlib
import os
import signal
from collections.abc import Iterator

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from handpose.train.checkpoint import TrainingError

LOST = "another process of this run was lost; go on from the last checkpoint with the same command and --resume"


def ranks() -> int:
    """How many processes torchrun started for this run; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", 1))


def rank() -> int:
    """The number of this process, from 0."""
    return int(os.environ.get("RANK", 0))


def is_first() -> bool:
    """Whether this process is the one that writes and reports."""
    return rank() == 0


def device(name: str | None) -> str | None:
    """The device of this process: with CUDA one each, by its number on the machine."""
    if ranks() > 1 and name in (None, "cuda") and torch.cuda.is_available():
        return f"cuda:{os.environ.get('LOCAL_RANK', 0)}"
    return name


def part(batch: int) -> slice:
    """This process' part of a batch.

    Raises:
        TrainingError: the batch cannot be divided evenly.
    """
    if batch % ranks():
        raise TrainingError(f"a batch of {batch} cannot be divided evenly among {ranks()} processes; "
                            "set schedule.batch to a multiple")  # fmt: skip
    size = batch // ranks()
    return slice(rank() * size, (rank() + 1) * size)


@contextlib.contextmanager
def group(device: torch.device) -> Iterator[None]:
    """Join the other processes for as long as the block lasts: NCCL between GPUs, gloo between processors.

    Raises:
        TrainingError: another process of the run was lost.
    """
    if ranks() == 1:
        yield
        return

    def end(*_: object) -> None:
        raise TrainingError(LOST)

    before = signal.signal(signal.SIGTERM, end)  # how torchrun ends the others
    try:
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        yield
    except RuntimeError as error:
        if isinstance(error, TrainingError) or not _is_loss(error):
            raise
        raise TrainingError(LOST) from None
    finally:
        signal.signal(signal.SIGTERM, before)
        if distributed.is_initialized():
            with contextlib.suppress(RuntimeError):
                distributed.destroy_process_group()


def _is_loss(error: RuntimeError) -> bool:
    """Whether an error says that a process has gone, as NCCL and gloo put it."""
    message = str(error).lower()
    return isinstance(error, distributed.DistError) or any(
        word in message for word in ("connection closed", "connection reset", "broken pipe", "timed out", "gloo")
    )


def wrapped(net: nn.Module) -> nn.Module:
    """A network whose gradients are averaged over the processes; the network itself when there is one process.

    Batch normalisation takes each process' own part for its statistics, and rank 0's running ones are kept: PyTorch's
    synchronised form exists for CUDA alone.
    """
    if ranks() == 1:
        return net
    device = next(net.parameters()).device
    return DistributedDataParallel(net, device_ids=[device.index] if device.type == "cuda" else None)


def any_of(asked: bool, device: torch.device) -> bool:
    """Whether any process asks for something, such as to stop; all get the same answer."""
    if ranks() == 1:
        return asked
    flag = torch.tensor([float(asked)], device=device)
    distributed.all_reduce(flag, distributed.ReduceOp.MAX)
    return bool(flag.item())


def mean(value: Tensor) -> Tensor:
    """The mean of a number (a tensor of any shape) over all processes, of the same shape as `value`."""
    if ranks() == 1:
        return value
    value = value.clone()
    distributed.all_reduce(value)
    return value / ranks()
