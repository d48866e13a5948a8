"""Training: configuration, schedule, loop, checkpoints, evaluation and records (sections 3.3 and 4)."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handpose.train.pose import train

__all__ = ["train"]


def __getattr__(name: str):
    if name == "train":  # imported when asked for: it needs PyTorch, and the names of configurations do not
        from handpose.train.pose import train

        return train
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
