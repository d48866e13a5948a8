"""Training: configuration, schedule, loop, checkpoints, evaluation and records (sections 3.3 and 4)."""
