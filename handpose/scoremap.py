"""Score maps: key-points as Gaussians on a grid of cells, and back (section 3.2; Chapter 4).

A cell is `STRIDE` = 8 pixels of the network's input. Points here are in cells, cell centres at whole
numbers; `to_cells` and `to_pixels` convert from and to pixels of the crop.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

#: The paper's "variance of 30 pixels", read as exp(-d^2 / 30^2) on the 256-pixel crop, as a part of the crop's side.
PAPER_SPREAD = 30 / 256


def sigma_in_cells(cells: float, spread: float = PAPER_SPREAD) -> float:
    """Standard deviation in cells of exp(-d^2 / r^2), where r is `spread` times the crop's side.

    For the paper's 30 of 256 pixels: 2.65 cells on a 32-cell map, 1.33 on a 16-cell one.
    """
    return cells * spread / math.sqrt(2)


def to_cells(points: Tensor, stride: float = 8) -> Tensor:
    """Points (..., 2) from pixels of the crop to cells, (..., 2); both count centres at whole numbers."""
    return (points + 0.5) / stride - 0.5


def to_pixels(points: Tensor, stride: float = 8) -> Tensor:
    """Points (..., 2) from cells to pixels of the crop, (..., 2)."""
    return (points + 0.5) * stride - 0.5


def encode(points: Tensor, visible: Tensor, size: int | tuple[int, int], sigma: float) -> Tensor:
    """Gaussian target maps with peak value 1 (Chapter 4).

    Args:
        points: (B, 21, 2) as (x, y) in cells.
        visible: (B, 21) bool; the map of an invisible joint is zero everywhere.
        size: cells of the map, (h, w) or one number for both.
        sigma: standard deviation in cells.

    Returns:
        (B, 21, h, w) in [0, 1]. Values between the cells are sampled, so the largest value in the map is 1
        only where the point sits on a cell's centre.

    Raises:
        ValueError: sigma is not positive, the shapes do not fit, `visible` is no bool, or a visible point on the
            processor is not finite.
    """
    if not sigma > 0:
        raise ValueError(f"sigma is {sigma}; a Gaussian needs a positive one")
    if visible.dtype != torch.bool:
        raise ValueError(f"visible is {visible.dtype}; it must be torch.bool, such as COCO's v > 0")
    if points.shape[-1] != 2 or visible.shape != points.shape[:-1]:
        raise ValueError(f"points {tuple(points.shape)} and visible {tuple(visible.shape)} do not fit together")
    if points.device.type == "cpu" and not points[visible].isfinite().all():  # elsewhere, looking would wait
        raise ValueError("a visible joint has a coordinate that is not finite; mark it as not visible, or mend it")
    height, width = (size, size) if isinstance(size, int) else size
    points = torch.where(visible[..., None], points, 0).to(torch.float32)  # an invisible joint may carry NaN
    x = torch.arange(width, device=points.device) - points[..., 0, None]  # (B, 21, w)
    y = torch.arange(height, device=points.device) - points[..., 1, None]  # (B, 21, h)
    along_x, along_y = torch.exp(-(x**2) / (2 * sigma**2)), torch.exp(-(y**2) / (2 * sigma**2))
    return along_y[..., :, None] * along_x[..., None, :] * visible[..., None, None]


def decode(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Key-points from a network's score maps: the highest cell, refined below a cell (Chapter 4).

    The logarithm of a Gaussian is a parabola, so a parabola is put through the logarithm of the score
    sigmoid(z) at the peak and its two neighbours, along x and along y. At a border the three cells are the
    outermost ones. For a sampled Gaussian the result is exact.

    Args:
        logits: (B, 21, h, w); sides of at least 3 cells.

    Returns:
        Points (B, 21, 2) as (x, y) in cells, at most half a cell from a cell of the map, and scores (B, 21),
        sigmoid of the peak.

    Raises:
        ValueError: a map smaller than 3x3.
    """
    logits = logits.float()
    points, peak = _decode(F.logsigmoid(logits), logits)
    return points, torch.sigmoid(peak)


def decode_maps(maps: Tensor) -> tuple[Tensor, Tensor]:
    """The same from score maps in [0, 1], such as `encode` returns (Chapter 4).

    Args:
        maps: (B, 21, h, w); sides of at least 3 cells.

    Returns:
        Points (B, 21, 2) as (x, y) in cells, and scores (B, 21), the peaks.

    Raises:
        ValueError: a map smaller than 3x3, or a value outside [0, 1].
    """
    maps = maps.float()
    if not ((maps >= 0) & (maps <= 1)).all():
        raise ValueError("a score map lies between 0 and 1; `decode` takes a network's logits")
    return _decode(maps.clamp(min=1e-30).log(), maps)


def _decode(log_score: Tensor, height: Tensor) -> tuple[Tensor, Tensor]:
    """Points (B, 21, 2) in cells and peaks (B, 21), from logarithms of scores and what rises as they do."""
    B, J, h, w = height.shape
    if h < 3 or w < 3:
        raise ValueError(f"a map of {h}x{w} cells is too small to decode; 3x3 is the least")
    peak, index = height.flatten(2).max(-1)  # (B, J)
    column, row = index % w, index // w

    def refine(line: Tensor, at: Tensor) -> Tensor:
        """`line` (B, J, n) holds values along one axis through the peak at `at` (B, J)."""
        middle = at.clamp(1, line.shape[-1] - 2)
        left, centre, right = (line.gather(-1, (middle + d)[..., None])[..., 0] for d in (-1, 0, 1))
        curvature = left - 2 * centre + right
        vertex = middle + 0.5 * (left - right) / torch.where(curvature < 0, curvature, -1)
        vertex = torch.where(curvature < -1e-9, vertex, at.float())  # flat or hollow: no peak to refine
        return torch.maximum(torch.minimum(vertex, at + 0.5), at - 0.5)

    across = log_score.gather(2, row[..., None, None].expand(B, J, 1, w))[:, :, 0]  # (B, J, w): the peak's row
    down = log_score.gather(3, column[..., None, None].expand(B, J, h, 1))[..., 0]  # (B, J, h): its column
    return torch.stack([refine(across, column), refine(down, row)], dim=-1), peak
