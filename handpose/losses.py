"""The loss of section 3.3: cross-entropy and squared error on score maps, weighted by alpha (eqs. 2-4; Chapter 7).

Printed, both terms take "21 points", which cannot be what a softmax cross-entropy works on. Our reading:

* eq. (2): for each joint, softmax over the cells of its map against the Gaussian scaled to sum 1. It starts
  at ln(cells) and cannot fall below the Gaussian's own entropy.
* eq. (3): squared difference between sigmoid(z) and the Gaussian g with peak 1, divided by the sum of g^2,
  so that both terms are of the order of 1 and alpha means something.
* eq. (4): alpha times the first plus (1 - alpha) times the second.

Joints that are not visible have no target and count in neither.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from handpose import scoremap


class PoseLoss(nn.Module):
    """Eqs. (2)-(4) over every stage's score maps (Chapter 7).

    Args:
        alpha: weight of the cross-entropy, 0 to 1.
        spread: r of the target exp(-d^2 / r^2) as a part of the crop's side; the paper's is 30/256.
        every_stage: compare every stage's maps with the target ("intermediate supervision"); False only the last's.

    Raises:
        ValueError: alpha outside [0, 1].
    """

    def __init__(self, alpha: float = 0.7, *, spread: float = scoremap.PAPER_SPREAD, every_stage: bool = True) -> None:
        super().__init__()
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha is {alpha}; it weighs two parts and lies between 0 and 1")
        self.alpha, self.spread, self.every_stage = alpha, spread, every_stage

    def forward(self, maps: list[Tensor], points: Tensor, visible: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of one batch.

        Args:
            maps: logits (B, 21, h, w), one tensor a stage.
            points: (B, 21, 2), pixels of the crop that the network saw (8 per cell).
            visible: (B, 21) bool. A visible joint without finite coordinates is refused on the processor; on a
                device, where looking would wait for it, the loss becomes NaN.

        Returns:
            The total (stages added, divided by batch x 21), and its parts, each a scalar without gradient:
            ``cross_entropy`` and ``squared_error`` of the last stage averaged over its visible joints,
            ``entropy`` (the floor under the cross-entropy, averaged alike) and ``stage1``, ``stage2``, ...
            (the loss of each stage).
        """
        height, width = maps[-1].shape[-2:]
        if points.shape != (*maps[-1].shape[:2], 2) or visible.shape != maps[-1].shape[:2]:
            raise ValueError(
                f"maps {tuple(maps[-1].shape)} need points {(*maps[-1].shape[:2], 2)} and visible "
                f"{tuple(maps[-1].shape[:2])}, not {tuple(points.shape)} and {tuple(visible.shape)}"
            )
        sigma = scoremap.sigma_in_cells(max(height, width), self.spread)
        target = scoremap.encode(scoremap.to_cells(points), visible, (height, width), sigma)
        mass = target.sum((-2, -1))  # (B, 21); 0 for an invisible joint, or one far outside the map
        counted = visible & ~(mass <= 1e-6)  # NaN counts, and shows in the loss
        share = (target / mass.clamp(min=1e-6)[..., None, None]).flatten(2)  # sums to 1 over the cells
        energy = target.square().sum((-2, -1)).clamp(min=1e-6)
        number = counted.sum().clamp(min=1)

        parts: dict[str, Tensor] = {}
        total = target.new_zeros(())
        for stage, logits in enumerate(maps, 1):
            logits = logits.float()  # under autocast the maps are bfloat16; logarithms need more digits
            cross_entropy = -(share * F.log_softmax(logits.flatten(2), -1)).sum(-1)  # (B, 21)
            squared = (torch.sigmoid(logits) - target).square().sum((-2, -1)) / energy  # (B, 21)
            each = torch.where(counted, self.alpha * cross_entropy + (1 - self.alpha) * squared, 0)
            loss = each.sum() / counted.numel()
            if self.every_stage or stage == len(maps):
                total = total + loss
            parts[f"stage{stage}"] = loss.detach()
        with torch.no_grad():
            parts["cross_entropy"] = torch.where(counted, cross_entropy, 0).sum() / number
            parts["squared_error"] = torch.where(counted, squared, 0).sum() / number
            parts["entropy"] = torch.where(counted, torch.special.entr(share).sum(-1), 0).sum() / number
        return total, parts
