"""Training: configuration, schedule, loop, checkpoints, evaluation and records (sections 3.3 and 4)."""

from handpose.train.pose import train

__all__ = ["train"]
