"""What attention reads, what moves when a finger is covered, and what is lost without a head (Chapter 9).

Weights say how values were mixed, not what mattered for the answer (Jain and Wallace 2019), so each measurement of
weights here has an intervention beside it: cover a part of the picture, silence a head, compare trained networks.

Shapes in this module: B images, H heads, h x w cells, L = h * w, J = 21 joints. Points are (x, y) in cells, cell
centres at whole numbers, as in `handpose.scoremap`; heads are counted from 0.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from handpose import attention, metrics, skeleton
from handpose.attention import SelfAttention2d

FILLS = ("mean", "noise")


def attention_distance(
    weights: Tensor, size: int | tuple[int, int], asks: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Mean distance between a cell and what it reads, per head, beside that of uniform attention.

    Args:
        weights: (B, H, L, L), each row summing to 1, as `handpose.attention.record` gives them.
        size: cells of the map, (h, w) or one number for both.
        asks: (B, L), how much each asking cell counts; all alike when None.

    Returns:
        (H,) and (), both in cells; divided by the map's side they are parts of it.

    Raises:
        ValueError: the weights are not of a map of this size.
    """
    height, width = _sides(size, weights)
    places = torch.cartesian_prod(torch.arange(height), torch.arange(width)).to(weights)  # (L, 2)
    between = torch.cdist(places, places)  # (L, L)
    asks = weights.new_ones(len(weights), len(places)) if asks is None else asks.to(weights)
    asks = asks / asks.sum()
    mean = torch.einsum("bhij,bi->hij", weights, asks)  # (H, L, L)
    return (mean * between).sum((1, 2)), (asks.sum(0) * between.mean(1)).sum()


def joint_dependency(
    weights: Tensor, keypoints: Tensor, visible: Tensor, size: int | tuple[int, int], *, window: int = 3
) -> tuple[Tensor, Tensor]:
    """How much the cell at joint i reads from the cells around joint j, for each hand.

    Windows of near joints overlap and leave most of the map out, so a row does not sum to 1.

    Args:
        weights: (B, H, L, L).
        keypoints: (B, 21, 2) in cells; one that lies off the map counts at its border.
        visible: (B, 21) bool.
        size: cells of the map, (h, w) or one number for both.
        window: side in cells of the square around joint j, odd; at the border it is cut off.

    Returns:
        (B, H, 21, 21), row i reads, column j is read, and (B, 21, 21), what uniform attention would give: the
        window's share of the map. NaN where i or j is not visible; `nanmean(0)` averages a set.

    Raises:
        ValueError: the weights are not of a map of this size, or the window is even.
    """
    height, width = _sides(size, weights)
    if window % 2 == 0:
        raise ValueError(f"window is {window}; it must be odd, so that it has a middle")
    cells = torch.where(visible[..., None], keypoints, 0).round().long().to(weights.device)
    x, y = cells[..., 0].clamp(0, width - 1), cells[..., 1].clamp(0, height - 1)  # (B, J)
    token = (y * width + x)[:, None, :, None].expand(-1, weights.shape[1], -1, weights.shape[-1])
    rows = weights.gather(2, token)  # (B, H, L, L) -> (B, H, J, L): what the joints' cells read
    cell, reach = torch.arange(height * width, device=weights.device), window // 2
    near = ((cell % width - x[..., None]).abs() <= reach) & ((cell // width - y[..., None]).abs() <= reach)
    near = near.to(weights)  # (B, J, L)
    missing = ~(visible[:, :, None] & visible[:, None]).to(weights.device)  # (B, J, J)
    found = rows @ near.transpose(1, 2)[:, None]  # (B, H, J, L) x (B, 1, L, J) -> (B, H, J, J)
    uniform = near.mean(-1)[:, None].expand_as(missing)
    return found.masked_fill(missing[:, None], torch.nan), uniform.masked_fill(missing, torch.nan)


def _sides(size: int | tuple[int, int], weights: Tensor) -> tuple[int, int]:
    height, width = (size, size) if isinstance(size, int) else size
    if weights.ndim != 4 or weights.shape[2:] != (height * width,) * 2:
        raise ValueError(f"weights {tuple(weights.shape)} are not (B, H, L, L) of a map of {height}x{width} cells")
    return height, width


@contextmanager
def knock_out(net: nn.Module, heads: Sequence[int]) -> Iterator[None]:
    """Silence heads inside the `with` block: what they read is zero before the last linear map.

    The residual path, the other heads and the last map's bias stay. With several attention blocks, the heads of each
    are silenced. Leaving the block restores the network, after an error as well.

    Raises:
        ValueError: the network has no attention block, or a block has no such head.
    """
    blocks = attention.blocks(net)
    if not blocks:
        raise ValueError("this network has no attention block, so no head can be silenced")
    if wrong := [k for k in heads if not 0 <= k < min(b.heads for b in blocks)]:
        raise ValueError(f"there is no head {wrong[0]}; the heads are 0 to {min(b.heads for b in blocks) - 1}")

    def silencer(block: SelfAttention2d):
        def silence(_module: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
            read = inputs[0].unflatten(-1, (block.heads, -1)).clone()  # (B, L, C) -> (B, L, H, D)
            read[:, :, list(heads)] = 0
            return (read.flatten(2),)

        return silence

    hooks = [block.out.register_forward_pre_hook(silencer(block)) for block in blocks]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def cover(
    image: np.ndarray, keypoints: np.ndarray, joints: Sequence[int], *, radius: float, fill: str = "mean", seed: int = 0
) -> np.ndarray:
    """The picture with a band over some joints, such as those of a finger.

    Args:
        image: (s, s, 3) uint8.
        keypoints: (21, 2) in its pixels.
        joints: covered in this order: discs on the joints and bands between one and the next.
        radius: half the band's width, pixels.
        fill: "mean", the mean colour of a ring as wide as the band around it, or "noise", uniform noise.

    Returns:
        A new (s, s, 3) uint8 array.

    Raises:
        ValueError: an unknown fill.
    """
    if fill not in FILLS:
        raise ValueError(f"fill is {fill!r}; choose one of {', '.join(FILLS)}")

    def band(half: float) -> np.ndarray:
        drawn = np.zeros(image.shape[:2], np.uint8)
        line = np.round(np.asarray(keypoints, np.float64)[list(joints)]).astype(np.int32)
        cv2.polylines(drawn, [line], False, 1, max(1, round(2 * half)))
        for centre in line.tolist():
            cv2.circle(drawn, centre, max(1, round(half)), 1, -1)
        return drawn.astype(bool)

    covered, inside = image.copy(), band(radius)
    if fill == "noise":
        noise = np.random.default_rng(seed).integers(0, 256, image.shape, dtype=np.uint8)
        covered[inside] = noise[inside]
    else:
        ring = band(3 * radius) & ~inside
        covered[inside] = image[ring if ring.any() else inside].mean(0).round()
    return covered


def moved_attention(
    before: Tensor, after: Tensor, *, groups: Sequence[str], repeats: int = 1000
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean change of `joint_dependency` between two passes over the same hands, with 95 % bootstrap intervals.

    Args:
        before, after: (B, ...) of the same shape, such as (B, 21, 21) after a mean over heads.
        groups: (B,) what is resampled; independent hands are groups of their own.

    Returns:
        The mean change and the ends of its interval, each (...); NaN hands are left out.
    """
    change = (after - before).double().cpu().numpy()
    finite, change = np.isfinite(change), np.nan_to_num(change)

    def statistic(times: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return np.tensordot(times, change, 1) / np.tensordot(times, finite, 1)

    return statistic(np.ones(len(change))), *metrics.bootstrap(groups, statistic, repeats=repeats)


def hidden_gain(
    first: np.ndarray, second: np.ndarray, target: np.ndarray, visible: np.ndarray, occluded: np.ndarray,
    groups: Sequence[str], *, threshold: float = 0.2, repeats: int = 1000, seed: int = 0,
) -> dict:  # fmt: skip
    """PCK of one method minus that of another on hidden joints, on joints in sight, and the first minus the second.

    Drawn like `handpose.metrics.paired`: every draw resamples groups, the same for both methods, and the runs of each.

    Args:
        first, second: (runs, N, 21, 2) predictions, one row a seed.
        target, visible, groups: as in `handpose.metrics`.
        occluded: (N, 21) bool.
        threshold: of s, eq. (1).

    Returns:
        ``{"hidden", "in_sight", "growth"}``, each ``{"difference", "interval"}``, as fractions. "growth" is above zero
        where the gain is larger on hidden joints. The interval is None for fewer than `handpose.metrics.FEWEST` groups.
    """
    visible, occluded = np.asarray(visible, bool), np.asarray(occluded, bool)
    found = gain_apart(first, second, target, visible, occluded & visible, ~occluded & visible, groups,
                       threshold=threshold, repeats=repeats, seed=seed)  # fmt: skip
    return {"hidden": found["hard"], "in_sight": found["easy"], "growth": found["growth"]}


def gain_apart(
    first: np.ndarray, second: np.ndarray, target: np.ndarray, visible: np.ndarray, hard: np.ndarray, easy: np.ndarray,
    groups: Sequence[str], *, threshold: float = 0.2, repeats: int = 1000, seed: int = 0,
) -> dict:  # fmt: skip
    """As `hidden_gain`, for any joints: the gain in PCK on hard ones, on easy ones, and the first minus the second.

    Args:
        first, second, target, visible, groups, threshold: as there.
        hard, easy: (N, 21) bool, of the visible joints; one may be neither.

    Returns:
        ``{"hard", "easy", "growth"}``, each ``{"difference", "interval"}``, as fractions.
    """
    reach = threshold * skeleton.unit_length(target, visible)[:, None]  # (N, 1)
    kinds = np.stack([hard, easy], 1)  # (N, 2, J)

    def hits(predicted: np.ndarray) -> np.ndarray:  # (runs, N, 2) correct joints an image, hard and easy
        right = np.stack([np.where(visible, metrics.errors(p, target), np.inf) for p in predicted]) <= reach
        return (right[:, :, None] & kinds).sum(-1)

    hits_first, hits_second, count = hits(first), hits(second), kinds.sum(-1)
    rng = np.random.default_rng(seed)

    def difference(times: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            on_hard, on_easy = times @ (a - b) / (times @ count)
        return np.array([on_hard, on_easy, on_hard - on_easy])

    def statistic(times: np.ndarray) -> np.ndarray:
        return difference(times, *(h[rng.integers(len(h), size=len(h))].mean(0) for h in (hits_first, hits_second)))

    ends = metrics.ends_of(groups, statistic, repeats=repeats, seed=seed)
    found = difference(np.ones(len(target)), hits_first.mean(0), hits_second.mean(0))
    return {
        name: {"difference": float(d), "interval": interval}
        for name, d, interval in zip(("hard", "easy", "growth"), found, ends, strict=True)
    }
