"""The learning rate at every step (section 3.3; Chapters 7 and 13)."""

import dataclasses
import math
from dataclasses import dataclass

from torch.optim import Optimizer


@dataclass(frozen=True)
class Schedule:
    """How many steps of how many samples, and at which rate (Chapters 7 and 13)."""

    kind: str = "paper"  # "paper", "one-cycle" or "stable"
    steps: int = 30_000  # of "stable": at most so many
    batch: int = 24
    peak: float = 2e-3  # highest learning rate of "one-cycle" and "stable"
    warmup: int = 500  # steps of "stable" in which the rate rises
    decay: int = 0  # steps of "stable" at the end in which it falls; `train --resume --decay N` adds them
    weight_decay: float = 0.0
    average: float = 0.0  # decay of the running average of the weights that is evaluated and kept; 0 for none


def learning_rate(schedule: Schedule, step: int) -> float:
    """Learning rate at a step, counted from 0.

    "paper" (section 3.3): linear warm-up over 2,000 steps, 3e-4 until 12,000, 3e-5 until 20,000, 3e-6 to
    30,000. The paper does not say whether the warm-up is part of the first 10,000; we count it before them. With
    another number of steps the corners move in proportion.
    "one-cycle": linear rise to the peak over the first tenth, then half a cosine to a thousandth of it.
    "stable": linear rise over `warmup` steps, then the peak for as long as one likes, and over the last `decay` of the
    steps, once their number is known, half a cosine to a thousandth.
    """
    if schedule.kind == "paper":
        at = step * 30_000 / schedule.steps
        if at < 2_000:
            return 3e-4 * (at + 30_000 / schedule.steps) / 2_000
        return 3e-4 if at < 12_000 else 3e-5 if at < 20_000 else 3e-6
    if schedule.kind == "stable":
        rise, fall = schedule.warmup, schedule.decay
    else:
        rise = max(1, schedule.steps // 10)
        fall = schedule.steps - rise
    if step < min(rise, schedule.steps - fall):
        return schedule.peak * (step + 1) / rise
    left = min(1, (schedule.steps - step) / max(1, fall))  # 1 until the rate falls, then to 0
    return schedule.peak * max(1e-3, 0.5 - 0.5 * math.cos(math.pi * left))


def set_rate(optimiser: Optimizer, rate: float) -> None:
    """Let an optimiser take its next step at this rate."""
    for group in optimiser.param_groups:
        group["lr"] = rate


def ending(schedule: Schedule, step: int, decay: int) -> Schedule:
    """A "stable" schedule whose rate falls from `step` on, over `decay` further steps, to its end.

    Raises:
        ValueError: another kind of schedule, one that ends already, or no steps.
    """
    if schedule.kind != "stable":
        raise ValueError(f'only a schedule of kind "stable" is ended with --decay, not {schedule.kind!r}')
    if decay < 1:
        raise ValueError(f"--decay {decay}: at least one step is needed")
    if schedule.decay:
        raise ValueError(f"its rate falls already, until step {schedule.steps}; leave --decay out")
    return dataclasses.replace(schedule, steps=step + decay, decay=decay)
