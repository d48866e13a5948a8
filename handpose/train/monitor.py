"""What happens beside the steps: notes, looks at validation data, checkpoints, and stopping when asked (Chapter 13)."""

import math
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Self

import torch
from torch import Tensor, nn
from tqdm import tqdm

from handpose.train import checkpoint, curves, distributed
from handpose.train.checkpoint import TrainingError
from handpose.train.state import TrainState

HISTORY_EVERY = 10  # steps from one entry of the history to the next


class Interrupted(TrainingError):
    """Ctrl-C or SIGTERM: the run was saved and can be resumed."""


@dataclass
class Monitor:
    """Stands beside `loop.fit` (Chapter 13).

    Args:
        state: the run.
        file: its checkpoint.
        identity: what a checkpoint must have been made with to be resumed, versions included.
        save_every, evaluation_every: steps.
        evaluation: scores a network during the run, as what goes into the history and a line to print; None for none.
        names: of the samples, for the error that says which batch broke the run.
        progress: show a bar.

    Raises:
        TrainingError: the loss is not finite, or the checkpoint cannot be written.
        Interrupted: Ctrl-C or SIGTERM; the run was saved.
    """

    state: TrainState
    file: Path
    identity: dict
    save_every: int
    evaluation_every: int
    evaluation: Callable[[nn.Module], tuple[dict, str]] | None = None
    names: Sequence[str] = ()
    progress: bool = True
    _asked: bool = False
    _handlers: dict[int, Any] = field(default_factory=dict)
    _pending: list[tuple[int, Tensor, Tensor]] = field(default_factory=list)  # losses that nobody has read yet

    def __enter__(self) -> Self:
        try:
            self._handlers[signal.SIGINT] = signal.signal(signal.SIGINT, self._ask)
            if distributed.ranks() == 1:  # among several, it means that another one was lost
                self._handlers[signal.SIGTERM] = signal.signal(signal.SIGTERM, self._ask)
        except ValueError:  # not the main thread, as in some notebooks
            pass
        schedule = self.state.schedule
        self._bar = tqdm(total=schedule.steps, initial=self.state.step, disable=not self.progress, unit="step")
        self._began, self._seconds_before = time.monotonic(), self.state.seconds
        self._events = curves.events(self.file.parent) if distributed.is_first() else None
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        if self._events:
            self._events.close()

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self._asked = True

    def after_step(self, rate: float, loss: Tensor, parts: dict[str, Tensor], samples: Tensor) -> None:
        """Note, look, save and stop, whatever is due.

        Args:
            rate: the step's learning rate.
            loss: () of the step.
            parts: () each, by name.
            samples: (B,) indices of those that made the batch.
        """
        state = self.state
        last = state.step == state.schedule.steps
        self._pending.append((state.step - 1, samples, distributed.mean(loss)))
        log_now = last or state.step % HISTORY_EVERY == 0
        # Several processes agree on stopping, and only now and then: asking waits for the device.
        stopping = (log_now or distributed.ranks() == 1) and distributed.any_of(self._asked, state.device)
        saving = stopping or last or state.step % self.save_every == 0
        if saving or log_now:  # reading a loss waits for the device, so not at every step
            value = self._checked()
        state.seconds = self._seconds_before + time.monotonic() - self._began
        if log_now:
            shown = {k: round(float(v.detach()), 4) for k, v in parts.items()}
            self._note({"rate": rate, "loss": round(value, 4), **shown})
            self._bar.set_postfix(loss=f"{value:.3f}", refresh=False)
        if self.evaluation and not last and state.step % self.evaluation_every == 0 and distributed.is_first():
            scores, line = self.evaluation(state.averaged())
            self._note(scores)
            self._bar.write(f"step {state.step}: {line}")
        self._bar.update()
        if saving:
            self.save()
        if stopping and not last:
            raise Interrupted(f"stopped at step {state.step} of {state.schedule.steps} and saved; go on with --resume")

    def _note(self, entry: dict) -> None:
        self.state.history.append({"step": self.state.step, **entry})
        if self._events:
            curves.add(self._events, self.state.history[-1])

    def save(self) -> None:
        """Write the checkpoint and the curves; the first of several processes does."""
        if distributed.is_first():
            checkpoint.write(self.file, self.state, self.identity)
            curves.write(self.file.parent, self.state.history)

    def _checked(self) -> float:
        """The last of the pending losses; raises TrainingError at the first that is not finite."""
        values = torch.stack([loss for _, _, loss in self._pending]).tolist()
        for (step, samples, _), value in zip(self._pending, values, strict=True):
            if not math.isfinite(value):
                last = (
                    f"the last good checkpoint is {self.file}" if self.file.exists() else "there is no checkpoint yet"
                )
                batch = ", ".join(self.names[i] for i in samples.tolist()) if self.names else "not named"
                raise TrainingError(f"the loss became {value} at step {step}; {last}; the batch was {batch}")
        self._pending.clear()
        return values[-1]
