"""Each head by itself: which joint reads where, what decides that, and what is lost without the head (Chapter 9).

A mean over heads hides what they differ in, and a mean over hands what changes with the hand. So nothing here averages
heads, and what a head reads is set beside what it reads of another hand: that baseline keeps where joints mostly lie
and where the head looks whatever it is shown.

Shapes as in `handpose.study.analysis`: B hands, H heads, L = h * w cells, J = 21 joints.
"""

import dataclasses

import numpy as np
import torch
from torch import Tensor, nn

from handpose import attention, crop, metrics, scoremap, skeleton
from handpose.study import analysis
from handpose.train import evaluate
from handpose.train.evaluate import CroppedDataset

PARTS = ("place", "joint", "picture", "both")
GROUPS = {"wrist": (0,)} | skeleton.FINGER_JOINTS


def look(net: nn.Module, hands: CroppedDataset) -> tuple[Tensor, Tensor, Tensor]:
    """The weights of the first attention block, (B, H, L, L), the true joints (B, 21, 2) in cells, visible (B, 21).

    Raises:
        ValueError: the network has no attention block.
    """
    with attention.record(net) as recorded:
        evaluate.predict(net, hands)
    if not recorded:
        raise ValueError("this network has no attention block, so there is no head to look at")
    every = slice(None, None, len(attention.blocks(net)))  # the first block's
    pairs = zip(hands.matrices, hands.keypoints, strict=True)
    inside = np.stack([crop.apply(m, p) for m, p in pairs])
    return torch.cat(recorded[every]), scoremap.to_cells(torch.from_numpy(inside)), torch.from_numpy(hands.visible)


def readings(
    weights: Tensor, keypoints: Tensor, visible: Tensor, size: int, *, others: int = 5, window: int = 3
) -> tuple[Tensor, Tensor]:
    """`analysis.joint_dependency` of each head, and the same with the weights of other hands.

    Args:
        weights, keypoints, visible, size, window: as there.
        others: how many other hands are averaged for the baseline.

    Returns:
        Two tensors (B, H, 21, 21), row reads, column is read: from this hand's weights, and from other hands' weights
        read at this hand's joints.

    Raises:
        ValueError: fewer hands than are to be read beside each.
    """
    if not 1 <= others < len(weights):
        raise ValueError(f"{others} other hands are asked for, of {len(weights)} in all")
    own, _ = analysis.joint_dependency(weights, keypoints, visible, size, window=window)
    strange = torch.zeros_like(own)
    for k in range(1, others + 1):
        strange += analysis.joint_dependency(weights.roll(k, 0), keypoints, visible, size, window=window)[0] / others
    return own, strange


def shares(weights: Tensor, keypoints: Tensor, visible: Tensor, size: int) -> Tensor:
    """What decides where a head reads: shares of the variance of its weights at the joints' cells.

    Every weight is the sum of a mean for its cell of the crop, of what the asking joint changes in that, of what the
    picture changes for all joints alike, and of the rest, which takes both. The four parts are orthogonal, so that
    their variances add up. Hands with a joint out of sight are left out.

    Args:
        weights, keypoints, visible, size: as in `analysis.joint_dependency`.

    Returns:
        (H, 4), in the order of `PARTS`; each row sums to 1.

    Raises:
        ValueError: fewer than two hands with all joints visible.
    """
    keep = visible.all(1)
    if keep.sum() < 2:
        raise ValueError("at least two hands with all joints visible are needed")
    cells = keypoints[keep].round().long().clamp(0, size - 1)
    token = (cells[..., 1] * size + cells[..., 0])[:, None, :, None]  # (B, 1, J, 1)
    chosen = weights[keep]
    rows = chosen.gather(2, token.expand(-1, chosen.shape[1], -1, chosen.shape[-1])).double()  # (B, H, J, L)
    rows = rows - rows.mean(3, keepdim=True)
    by_cell = rows.mean((0, 2), keepdim=True)
    joint = rows.mean(0, keepdim=True) - by_cell
    image = rows.mean(2, keepdim=True) - by_cell
    parts = [by_cell, joint, image, rows - by_cell - joint - image]
    variance = torch.stack([p.expand_as(rows).square().mean((0, 2, 3)) for p in parts], 1)  # (H, 4)
    return variance / variance.sum(1, keepdim=True)


def lost_without(net: nn.Module, hands: CroppedDataset, *, repeats: int = 1000) -> dict[str, list[dict]]:
    """PCK at 0.2 of s, last stage, that each head's silence costs, by the joints of `GROUPS`.

    Returns:
        For each of `GROUPS`, and "all": one {"difference", "interval"} a head, fractions; intervals over the groups of
        the hands, None for too few of them.
    """
    reach = 0.2 * skeleton.unit_length(hands.keypoints, hands.visible)[:, None]
    heads = attention.blocks(net)[0].heads

    def right() -> np.ndarray:  # (N, 21) correct and visible
        return (metrics.errors(evaluate.predict(net, hands)[-1], hands.keypoints) <= reach) & hands.visible

    intact = right()
    found: dict[str, list] = {name: [] for name in (*GROUPS, "all")}
    for head in range(heads):
        with analysis.knock_out(net, [head]):
            lost = intact.astype(int) - right()
        for name, joints in (*GROUPS.items(), ("all", range(skeleton.NUM_JOINTS))):
            own, count = lost[:, list(joints)].sum(1), hands.visible[:, list(joints)].sum(1)

            def share(times: np.ndarray, own=own, count=count) -> np.ndarray:
                return np.array([times @ own / (times @ count)])

            (ends,) = metrics.ends_of(hands.groups, share, repeats=repeats)
            found[name].append({"difference": float(share(np.ones(len(own)))[0]), "interval": ends})
    return found


def describe(net: nn.Module, size: int, samples, *, limit: int | None = None) -> dict:
    """What a record keeps of a network's heads; the samples are hands with exact labels, each a group of its own.

    Args:
        net, size: the network, and the side of its crops in pixels.
        samples, limit: as in `handpose.train.evaluate.crop_dataset`.

    Returns:
        ``{"hands", "shares": (H, 4) in the order of `PARTS`, "columns": (H,) share of each corrected matrix's variance
        between its columns, "lost": as `lost_without`}``.
    """
    hands = evaluate.crop_dataset(samples, size, limit=limit)
    hands = dataclasses.replace(hands, groups=hands.ids)
    recorded = look(net, hands)
    own, strange = readings(*recorded, size // 8)
    corrected = (own - strange).nanmean(0)  # (H, 21, 21)
    return {
        "hands": len(hands.ids), "shares": shares(*recorded, size // 8).tolist(),
        "columns": [between_columns(m) for m in corrected], "lost": lost_without(net, hands),
    }  # fmt: skip


def between_columns(matrix: Tensor) -> float:
    """Share of the variance of a matrix (21, 21) that lies between its columns: 1 where all joints read the same."""
    return (matrix.mean(0).var(correction=0) / matrix.var(correction=0)).item()
