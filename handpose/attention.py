"""Multi-head self-attention over the cells of a feature map: the readable form and the fused one (Chapter 6).

Section 3.2 puts "a multihead self-attention module as the intermediate bottleneck" into the
network and shows it in a figure, without sizes. Our reading: one pre-norm residual block,

    x + W_o MHSA(LayerNorm(x)),

with a two-dimensional position encoding added to what queries and keys are made of.

Shapes in this module: B images, C channels, h x w cells, L = h * w, H heads, D = C / H.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

POSITIONS = ("sine", "learned", "none")
TABLE_SIDE = 32  # the learned encoding is a table for the paper's 32x32 map, interpolated to others


def attend(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Scaled dot-product attention, written out.

    Args:
        q, k, v: (B, H, L, D).

    Returns:
        The output (B, H, L, D) and the weights (B, H, L, L): row i says how much cell i reads from each cell.
    """
    scores = q @ k.transpose(-2, -1)  # (B, H, L, D) x (B, H, D, L) -> (B, H, L, L)
    weights = torch.softmax(scores / math.sqrt(q.shape[-1]), dim=-1)
    return weights @ v, weights  # (B, H, L, L) x (B, H, L, D) -> (B, H, L, D)


def attend_fused(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """The same output as `attend`, from PyTorch's fused kernel, which never stores the weights.

    On a processor always in float32: with heads this narrow its backward pass takes two to three times as long in
    bfloat16, a fifth of a whole training step (24 crops, 8 heads of 8 channels, a processor with AMX).

    Args:
        q, k, v: (B, H, L, D).

    Returns:
        The output (B, H, L, D), in the type of q.
    """
    if q.device.type == "cpu" and q.dtype == torch.bfloat16:
        with torch.autocast("cpu", enabled=False):  # which would turn them back
            return F.scaled_dot_product_attention(q.float(), k.float(), v.float()).to(q.dtype)
    return F.scaled_dot_product_attention(q, k, v)


def sine_encoding(height: int, width: int, channels: int, start: tuple[float, float] = (0.0, 0.0)) -> Tensor:
    """Two-dimensional sine encoding, (L, C) float32: half the channels for y, half for x.

    A coordinate runs from 0 to 1 over the map, whatever the number of cells, so that a network trained on one
    grid can be used on another. Frequencies grow geometrically from half a turn to 16 turns over the map, the
    finest that a 32-cell grid can still tell apart (after Vaswani et al. 2017, there over word positions).

    Args:
        height, width: of the map, in cells.
        channels: C, a multiple of four.
        start: the coordinates (y, x) of the map's upper left corner, where it is not the usual 0.

    Raises:
        ValueError: the number of channels is not a multiple of four.
    """
    if channels % 4:
        raise ValueError(f"the sine encoding needs a multiple of 4 channels, not {channels}")
    turns = torch.logspace(math.log2(0.5), math.log2(16), channels // 4, base=2)

    def waves(cells: int, first: float) -> Tensor:
        position = first + (torch.arange(cells) + 0.5) / cells
        angle = 2 * math.pi * position[:, None] * turns  # (cells, C/4)
        return torch.cat([angle.sin(), angle.cos()], dim=1)  # (cells, C/2)

    y = waves(height, start[0])[:, None].expand(height, width, -1)
    x = waves(width, start[1])[None].expand(height, width, -1)
    return torch.cat([y, x], dim=-1).flatten(0, 1)


class SelfAttention2d(nn.Module):
    """Residual multi-head self-attention on a feature map; the output has the input's shape (Chapter 6).

    Args:
        channels: C of the map; a multiple of `heads` (and of 4 for the sine encoding).
        heads: number of heads H.
        position: "sine", "learned" (a 32x32 table, interpolated to other grids) or "none".

    Raises:
        ValueError: channels do not divide by heads, or the position encoding is unknown.
    """

    def __init__(self, channels: int, *, heads: int = 8, position: str = "sine") -> None:
        super().__init__()
        if heads < 1 or channels % heads:
            raise ValueError(f"{channels} channels cannot be shared among {heads} heads")
        if position not in POSITIONS:
            raise ValueError(f"position is {position!r}; choose one of {', '.join(POSITIONS)}")
        self.heads, self.position = heads, position
        self.norm = nn.LayerNorm(channels)
        self.query = nn.Linear(channels, channels)
        self.key = nn.Linear(channels, channels)
        self.value = nn.Linear(channels, channels)
        self.out = nn.Linear(channels, channels)
        if position == "learned":
            self.table = nn.Parameter(0.02 * torch.randn(1, channels, TABLE_SIDE, TABLE_SIDE))
        self._sines: dict[tuple, Tensor] = {}  # made once per grid
        self.recorder: Callable[[Tensor], None] | None = None  # see `record`

    def encoding(self, height: int, width: int, like: Tensor) -> Tensor:
        """The position encoding (L, C) for a grid, on `like`'s device and in its type."""
        if self.position == "learned":
            table = self.table
            if table.shape[-2:] != (height, width):
                table = F.interpolate(table, (height, width), mode="bilinear", align_corners=False)
            return table.flatten(2)[0].T.to(like.dtype)
        key = (height, width, like.device, like.dtype)
        if key not in self._sines:
            self._sines[key] = sine_encoding(height, width, like.shape[-1]).to(like)
        return self._sines[key]

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C, h, w)."""
        B, C, h, w = x.shape
        tokens = x.flatten(2).transpose(1, 2)  # (B, C, h, w) -> (B, L, C): one token a cell
        normed = self.norm(tokens)
        placed = normed if self.position == "none" else normed + self.encoding(h, w, normed)

        def split(t: Tensor) -> Tensor:  # (B, L, C) -> (B, L, H, D) -> (B, H, L, D)
            return t.view(B, h * w, self.heads, -1).transpose(1, 2)

        q, k, v = split(self.query(placed)), split(self.key(placed)), split(self.value(normed))
        if self.recorder is None:
            read = attend_fused(q, k, v)
        else:
            read, weights = attend(q, k, v)
            self.recorder(weights.detach())  # the very weights that made this output
        read = read.transpose(1, 2).reshape(B, h * w, C)  # (B, H, L, D) -> (B, L, C): heads side by side again
        tokens = tokens + self.out(read)
        return tokens.transpose(1, 2).reshape(B, C, h, w)


class ResidualConvolution(nn.Module):
    """The control: two 3x3 convolutions in place of attention (Chapter 9): x + W_2 ReLU(W_1 LayerNorm(x)).

    With `control_width` hidden channels it has the parameters, or the operations, of the attention block that it
    replaces. It reads from 5x5 cells, not from all.

    Args:
        channels: C of the map. hidden: channels between the two convolutions.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.inner = nn.Conv2d(channels, hidden, 3, padding=1)
        self.out = nn.Conv2d(hidden, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C, h, w)."""
        normed = self.norm(x.movedim(1, -1)).movedim(-1, 1)
        return x + self.out(F.relu(self.inner(normed)))


def control_width(channels: int, cells: int | None = None) -> int:
    """Hidden channels with which `ResidualConvolution` matches `SelfAttention2d` (Chapter 9).

    Attention has 4 C^2 weights and makes 4 C^2 L + 2 C L^2 multiplications, the two convolutions 18 C M and 18 C M L.

    Args:
        channels: C.
        cells: L, to match the operations on a map of so many cells; None matches the parameters.
    """
    return round((4 * channels + (2 * cells if cells else 0)) / 18)


def blocks(model: nn.Module) -> list[SelfAttention2d]:
    """The attention blocks of a network, in the order of computation (Chapter 6)."""
    return [module for module in model.modules() if isinstance(module, SelfAttention2d)]


@contextmanager
def record(model: nn.Module) -> Iterator[list[Tensor]]:
    """Collect the attention weights of every forward pass made inside the `with` block (Chapter 6).

    Yields:
        A list that each forward pass extends by one (B, H, L, L) tensor per attention block, in the order of
        computation. The model's outputs and their type stay what they were; leaving the block detaches.
    """
    weights: list[Tensor] = []
    before = [(block, block.recorder) for block in blocks(model)]
    try:
        for block, _ in before:
            block.recorder = weights.append
        yield weights
    finally:
        for block, recorder in before:
            block.recorder = recorder
