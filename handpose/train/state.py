"""All that changes during a training run, and so all that a checkpoint must hold (Chapter 13)."""

import dataclasses
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor, nn
from torch.optim import Adam, AdamW, Optimizer

from handpose.train.schedule import Schedule


@dataclass
class TrainState:
    """A network under training (Chapter 13).

    Attributes:
        net: on its device, in channels-last order.
        schedule: its steps and rates; the number of steps may be set during the run, see `schedule.ending`.
        optimiser: Adam, with decoupled weight decay where the schedule has one.
        average: the running average of the weights, by name; None where the schedule asks for none.
        step: steps that were taken.
        seconds: time that they took.
        history: what was noted on the way, each with its "step".
    """

    net: nn.Module
    schedule: Schedule
    optimiser: Optimizer
    average: dict[str, Tensor] | None = None
    step: int = 0
    seconds: float = 0.0
    history: list[dict] = field(default_factory=list)

    @classmethod
    def begin(cls, net: nn.Module, schedule: Schedule, device: torch.device) -> "TrainState":
        """The state before the first step."""
        net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in the stubs
        if schedule.weight_decay:
            optimiser: Optimizer = AdamW(net.parameters(), fused=True, weight_decay=schedule.weight_decay)
        else:
            optimiser = Adam(net.parameters(), fused=True)
        average = {k: v.detach().clone() for k, v in net.state_dict().items()} if schedule.average else None
        return cls(net, schedule, optimiser, average)

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.net.parameters()).device

    @torch.no_grad()
    def update_average(self) -> None:
        """Move the running average towards the weights; early steps count more, so that it forgets the beginning."""
        if self.average is None:
            return
        decay = min(self.schedule.average, (1 + self.step) / (10 + self.step))
        averages, weights = [], []
        for name, value in self.net.state_dict().items():
            if value.is_floating_point():
                averages.append(self.average[name])
                weights.append(value)
            else:
                self.average[name].copy_(value)
        torch._foreach_lerp_(averages, weights, 1 - decay)

    def averaged(self) -> nn.Module:
        """The network to evaluate and keep: with the running average of the weights where there is one."""
        if self.average is None:
            return self.net
        net = type(self.net)(**cast(dict, self.net.options))
        net.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in the stubs
        net.load_state_dict(self.average)
        return net

    def as_dict(self) -> dict:
        """For a checkpoint."""
        return {"net": self.net.state_dict(), "average": self.average, "optimiser": self.optimiser.state_dict(),
                "schedule": dataclasses.asdict(self.schedule), "step": self.step, "seconds": self.seconds,
                "history": self.history}  # fmt: skip

    def restore(self, saved: dict) -> None:
        """Go on from what `as_dict` gave."""
        self.net.load_state_dict(saved["net"])
        self.optimiser.load_state_dict(saved["optimiser"])
        if self.average is not None:
            self.average = {name: value.to(self.device) for name, value in saved["average"].items()}
        self.schedule = Schedule(**saved["schedule"])
        self.step, self.seconds, self.history = saved["step"], saved["seconds"], saved["history"]
