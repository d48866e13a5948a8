"""The training loop of section 3.3, for every network of the book (Chapters 7 and 13)."""

import ctypes
from collections.abc import Callable

from torch import Tensor

from handpose.data.augment import Random
from handpose.train.monitor import Monitor
from handpose.train.schedule import learning_rate, set_rate
from handpose.train.state import TrainState

#: The loss of a step from its random numbers: total, parts by name, and which samples (B,) made the batch.
BatchLoss = Callable[[Random], tuple[Tensor, dict[str, Tensor], Tensor]]


def fit(state: TrainState, batch_loss: BatchLoss, monitor: Monitor, *, seed: int) -> None:
    """All steps of the schedule that are left.

    All random choices of step t follow from (seed, t) alone, so a run that was killed and resumed draws what it would
    have drawn.

    Args:
        state: changed in place.
        batch_loss: draws a batch of B samples, runs the network, and says what is wrong with its answers: the loss (),
            its parts () by name, and the samples' indices (B,).
        monitor: notes, looks, saves, and stops the run where it is asked to; see there for what it raises.
        seed: reaches every random choice.
    """
    keep_freed_memory()
    with monitor:
        state.net.train()
        while state.step < state.schedule.steps:
            rate = learning_rate(state.schedule, state.step)
            set_rate(state.optimiser, rate)
            loss, parts, samples = batch_loss(Random(seed, state.step, state.device))
            state.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            state.optimiser.step()
            state.step += 1
            state.update_average()
            monitor.after_step(rate, loss.detach(), parts, samples)


def keep_freed_memory() -> None:
    """Tell glibc to keep freed blocks of up to 32 MB: handing a step's buffers back and forth costs a tenth of it."""
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(-3, 32 * 2**20)  # M_MMAP_THRESHOLD: below this, use the heap
        libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD: do not give its end back
    except (OSError, AttributeError):
        pass  # another system, another allocator
