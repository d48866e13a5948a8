"""Which samples make a batch (Chapter 13)."""

import torch
from torch import Tensor

from handpose.data.augment import Random
from handpose.data.crops import Crops


class Sampler:
    """Sources by share, the parts of a source equally, then any sample (Chapter 13).

    Args:
        sizes: for each source its parts: for each part the indices of its samples, counted over all sources joined.
        shares: one a source; they need not sum to 1.
    """

    def __init__(self, sizes: list[list[Tensor]], shares: list[float]) -> None:
        self.members = [part for parts in sizes for part in parts]
        self.weights = torch.tensor(
            [share / len(parts) for parts, share in zip(sizes, shares, strict=True) for _ in parts]
        )

    @classmethod
    def of_crops(cls, sources: list[Crops], balance: dict[str, float]) -> "Sampler":
        """Of crops joined in this order; a source that `balance` does not name has a share of 1."""
        sizes, start = [], 0
        for source in sources:
            sizes.append([start + (source.parts == part).nonzero()[:, 0] for part in source.parts.unique()])
            start += len(source)
        return cls(sizes, [balance.get(source.name, 1.0) for source in sources])

    def sample_batch(self, rng: Random, batch: int) -> Tensor:
        """Indices (batch,) into all sources joined."""
        strata = torch.multinomial(self.weights, batch, replacement=True, generator=rng.small)
        u = torch.rand(batch, generator=rng.small)
        return torch.stack([self.members[s][int(v * len(self.members[s]))] for s, v in zip(strata, u, strict=True)])
