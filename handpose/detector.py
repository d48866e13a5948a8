"""HandDecNet: a small SSD that finds hands (section 3.1; Chapter 3).

The paper names the method, SSD, without details. This is the single shot detector of Liu et al. (2016) with one class:
a grid of default boxes ("anchors"), each of which says how likely it holds a hand and how it should move to fit it.
Backbone: rows 1-10 of Table 1, a quarter as wide; three coarser maps follow. Boxes: (x0, y0, x1, y1), input pixels.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from handpose.arrays import BODY, SIZE, box_to_keypoint_extent, detect, keypoints_to_box, nms
from handpose.posenet import TABLE1

__all__ = ["BODY", "EMPTY", "MATCH", "NEGATIVES", "RATIOS", "SIDES", "SIZE", "STRIDES", "VARIANCES", "DetectionLoss",
           "HandDecNet", "anchors", "at_least_one_pixel", "box_to_keypoint_extent", "decode", "detect", "encode", "iou",
           "keypoints_to_box", "match", "nms"]  # fmt: skip
STRIDES = (8, 16, 32, 64)  # pixels per cell of the four maps
SIDES = ((0.09, 0.13), (0.19, 0.27), (0.38, 0.52), (0.66, 0.86))  # of each map's anchors, as parts of the input's side
RATIOS = (0.4, 0.75, 1.35)  # width over height
VARIANCES, MATCH = (0.1, 0.2), 0.5  # SSD's scale of the offsets, of centre and size; least IoU of a positive anchor
FEWEST, LOOSE = 6, 0.3  # a hand that fewer anchors fit by MATCH gets its best six, down to this IoU
NEGATIVES, EMPTY = 3, 12  # hard negatives for every positive; in a picture without a hand


class HandDecNet(nn.Module):
    """The detector: for every anchor a logit ("a hand") and four offsets (Chapter 3).

    Args:
        width: factor on the channels of Table 1's rows 1-10.

    Raises:
        ValueError: a width that leaves no channels.
    """

    def __init__(self, *, width: float = 0.25) -> None:
        super().__init__()
        if round(64 * width) < 1:
            raise ValueError(f"width {width} leaves no channels")
        self.options = dict(width=width)

        def block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
            convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=1)
            return nn.Sequential(convolution, nn.ReLU(inplace=True), nn.BatchNorm2d(outputs))

        layers: list[nn.Module] = []
        inputs = 3
        for row in range(1, 11):
            name, _, channels, _ = TABLE1[row]
            pool = name == "maxpool"
            layers.append(nn.MaxPool2d(2) if pool else block(inputs, inputs := round(channels * width)))
        steps, widths = [nn.Sequential(*layers)], [inputs]
        for factor in (1.5, 2, 2):
            outputs = round(256 * width * factor)
            steps.append(nn.Sequential(block(widths[-1], outputs, stride=2), block(outputs, outputs)))
            widths.append(outputs)
        per_cell = len(RATIOS) * len(SIDES[0])
        self.steps = nn.ModuleList(steps)
        self.heads = nn.ModuleList(nn.Conv2d(n, 5 * per_cell, 3, padding=1) for n in widths)
        for head in self.heads:
            nn.init.normal_(head.get_parameter("weight"), std=0.01)
            nn.init.zeros_(head.get_parameter("bias"))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and offsets of every anchor, in the order of `anchors`.

        Args:
            images: (B, 3, S, S) float in [0, 1]; S a multiple of 64.

        Returns:
            Logits (B, A), offsets (B, A, 4).

        Raises:
            ValueError: the input has another shape.
        """
        if images.ndim != 4 or images.shape[1] != 3 or images.shape[2] != images.shape[3] or images.shape[2] % 64:
            raise ValueError(f"images must have shape (B, 3, S, S) with S a multiple of 64, not {tuple(images.shape)}")
        x, found = (images - 0.5) / 0.25, []
        for step, head in zip(self.steps, self.heads, strict=True):
            x = step(x)
            found.append(head(x).permute(0, 2, 3, 1).reshape(x.shape[0], -1, 5))  # cells row by row, then anchors
        joined = torch.cat(found, 1)
        return joined[..., 0], joined[..., 1:]


def anchors(size: int = SIZE) -> Tensor:
    """The default boxes, (A, 4): map by map, cell by cell, and within a cell side by side, ratio by ratio."""
    boxes = []
    for stride, sides in zip(STRIDES, SIDES, strict=True):
        at = torch.arange(size // stride) * stride + (stride - 1) / 2  # centres of the cells; pixel centres are whole
        y, x = torch.meshgrid(at, at, indexing="ij")
        for_cell = [(s * size * r**0.5, s * size / r**0.5) for s in sides for r in RATIOS]
        extent = torch.tensor(for_cell).expand(*x.shape, -1, 2)
        centre = torch.stack([x, y], -1)[:, :, None].expand_as(extent)
        boxes.append(torch.cat([centre - extent / 2, centre + extent / 2], -1).reshape(-1, 4))
    return torch.cat(boxes)


def iou(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union of every pair: (N, 4), (M, 4) -> (N, M)."""
    low = torch.maximum(first[:, None, :2], second[None, :, :2])
    high = torch.minimum(first[:, None, 2:], second[None, :, 2:])
    common = (high - low).clamp(min=0).prod(-1)
    area = [(b[:, 2:] - b[:, :2]).clamp(min=0).prod(-1) for b in (first, second)]
    return common / (area[0][:, None] + area[1][None] - common).clamp(min=1e-9)


def match(boxes: Tensor, default: Tensor, threshold: float = MATCH) -> Tensor:
    """Which box each anchor answers for: (A,) int64 index into boxes, -1 for background.

    An anchor takes the box it overlaps most, if by at least `threshold`. For a box that fewer than six anchors reach,
    small or thin, the sixth best sets the threshold, but none below 0.3, after the "scale compensation" of S3FD (Zhang
    et al. 2017). The best anchor of every box takes it in any case, so that no hand goes without. Boxes thinner than a
    pixel count as one pixel thick.
    """
    if not len(boxes):
        return torch.full((len(default),), -1)
    overlap = iou(default, at_least_one_pixel(boxes))
    (best, chosen), forced = overlap.max(1), overlap.argmax(0)
    enough = overlap.topk(min(FEWEST, len(default)), 0).values[-1].clamp(LOOSE, threshold)  # (n,) each hand's own
    chosen[best < enough[chosen]] = -1
    order = overlap[forced, torch.arange(len(boxes))].argsort()  # where two boxes claim one anchor, the closer wins
    chosen[forced[order]] = order
    return chosen


def at_least_one_pixel(boxes: Tensor) -> Tensor:
    """Boxes (..., 4) in pixels, made at least one pixel wide and high about the same centres; (..., 4)."""
    centre, extent = (boxes[..., :2] + boxes[..., 2:]) / 2, (boxes[..., 2:] - boxes[..., :2]).clamp(min=1)
    return torch.cat([centre - extent / 2, centre + extent / 2], -1)


def encode(boxes: Tensor, default: Tensor) -> Tensor:
    """Boxes as offsets from anchors, (..., 4): shifts in units of the anchor, logarithms of the sizes' ratios."""
    boxes = at_least_one_pixel(boxes)
    extent, own = boxes[..., 2:] - boxes[..., :2], default[..., 2:] - default[..., :2]
    shift = (boxes[..., :2] + boxes[..., 2:] - default[..., :2] - default[..., 2:]) / 2 / own
    return torch.cat([shift / VARIANCES[0], (extent / own).log() / VARIANCES[1]], -1)


def decode(offsets: Tensor, default: Tensor) -> Tensor:
    """The inverse of `encode`: offsets (..., 4) from anchors (..., 4) as boxes (..., 4) in pixels.

    Growth is limited to a factor of 16, so that no offset overflows.
    """
    own, centre = default[..., 2:] - default[..., :2], (default[..., :2] + default[..., 2:]) / 2
    centre = centre + offsets[..., :2] * VARIANCES[0] * own
    extent = own * (offsets[..., 2:] * VARIANCES[1]).clamp(-2.8, 2.8).exp()
    return torch.cat([centre - extent / 2, centre + extent / 2], -1)


class DetectionLoss(nn.Module):
    """SSD's loss: cross-entropy on positives and hard negatives, smooth L1 on the positives' offsets (Chapter 3).

    SSD's softmax over two classes is a sigmoid of their difference, hence one logit an anchor. Nearly all anchors are
    background; only the hardest three for every positive count (twelve in a picture without a hand), or the easy
    thousands would drown the hands. Both sums are divided by the number of positives, at least one.

    Args:
        size: side of the input in pixels.
        negatives: hard negatives for every positive; None counts all of them.
    """

    def __init__(self, size: int = SIZE, *, negatives: int | None = NEGATIVES) -> None:
        super().__init__()
        self.negatives = negatives
        self.default = nn.Buffer(anchors(size))

    def forward(self, logits: Tensor, offsets: Tensor, boxes: list[Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a batch.

        Args:
            logits: (B, A).
            offsets: (B, A, 4).
            boxes: the hands of each picture, (n, 4) pixels each; n may be 0.

        Returns:
            Total, and its parts ``{"class", "box"}``, each a scalar, ().
        """
        chosen = torch.stack([match(b, self.default) for b in boxes])  # (B, A)
        hand = chosen >= 0
        wrong = F.binary_cross_entropy_with_logits(logits.float(), hand.float(), reduction="none")
        counted = hand.clone()
        if self.negatives is None:
            counted[:] = True
        else:
            count = hand.sum(1)
            count = torch.where(count > 0, self.negatives * count, EMPTY).clamp(max=hand.shape[1])
            rank = wrong.detach().masked_fill(hand, -1).argsort(1, descending=True).argsort(1)
            counted |= (rank < count[:, None]) & ~hand
        positives = hand.sum().clamp(min=1)
        goals = [b[c[h]] for b, c, h in zip(boxes, chosen, hand, strict=True) if len(b)]
        goal = torch.cat([*goals, self.default.new_zeros(0, 4)])
        own = self.default.expand(len(logits), -1, -1)[hand]
        class_loss = wrong[counted].sum() / positives
        box_loss = F.smooth_l1_loss(offsets.float()[hand], encode(goal, own), reduction="sum") / positives
        return class_loss + box_loss, {"class": class_loss, "box": box_loss}
