"""Augmentation of a whole batch at once, on whatever device trains (Chapter 7).

The paper moves the crop's centre and lets the crop grow until it holds every key-point (section 3.3).
Beyond that it lists nothing; everything else here is ours and is zero in the `paper` configuration.

Flipping mirrors the picture. A mirrored left hand is a right hand, and its thumb is still joint 1 to 4:
joint indices never change.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from handpose.crop import MARGIN


@dataclass(frozen=True)
class Crop:
    """The crop that the network is trained on (Chapter 7)."""

    size: int = 256  # pixels of the crop's side
    noise: float = 8 / 256  # standard deviation of the centre's shift per axis, as a part of the crop's side


@dataclass(frozen=True)
class Augment:
    """Everything beyond the paper's centre noise; all zero is the paper's (Chapter 7)."""

    rotation: float = 0.0  # degrees, standard deviation
    turn: float = 0.0  # probability of a turn by any angle instead
    scale: float = 0.0  # the crop's side is multiplied by 2**u, u uniform in +- this
    stretch: float = 0.0  # ratio of width to height multiplied by 2**u, u uniform in +- this
    flip: float = 0.0  # probability
    colour: float = 0.0  # strength of brightness, contrast, saturation and colour cast, 0 to 1
    grey: float = 0.0  # probability of a grey picture
    blur: float = 0.0  # probability
    noise: float = 0.0  # largest standard deviation of pixel noise in half of the pictures, 0 to 1
    cutout: float = 0.0  # probability of a rectangle painted over
    background: float = 0.0  # probability that a hand with a mask is put on another background


class Random:
    """All random numbers of one step, by (seed, step): a resumed run draws what it would have drawn (Chapter 7)."""

    def __init__(self, seed: int, step: int, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self.small = torch.Generator().manual_seed(seed * 1_000_003 + step)  # same numbers on every device
        self.large = self.small if self.device.type == "cpu" else torch.Generator(self.device).manual_seed(step)

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Numbers between `low` and `high`; a tensor of any shape asked for."""
        return (low + (high - low) * torch.rand(shape, generator=self.small)).to(self.device)

    def normal(self, scale: float, *shape: int) -> Tensor:
        """Normal numbers with the standard deviation `scale`; a tensor of any shape asked for."""
        return (scale * torch.randn(shape, generator=self.small)).to(self.device)

    def number(self, low: float, high: float) -> float:
        """One number between `low` and `high`, on no device."""
        return low + (high - low) * torch.rand((), generator=self.small).item()

    def chance(self, probability: float, *shape: int) -> Tensor:
        """True with a probability; a bool tensor of any shape asked for."""
        return (torch.rand(shape, generator=self.small) < probability).to(self.device)

    def some(self, probability: float, size: int) -> Tensor:
        """Indices (n,) of those of `size` that were chosen; counted here, so that no device is waited for."""
        return (torch.rand(size, generator=self.small) < probability).nonzero()[:, 0].to(self.device)

    def index(self, size: int, *shape: int) -> Tensor:
        """Whole numbers from 0 to below `size`; a tensor of any shape asked for."""
        return torch.randint(size, shape, generator=self.small).to(self.device)

    def pixels(self, *shape: int) -> Tensor:
        """Normal numbers with standard deviation 1, drawn on the device itself; a tensor of any shape asked for."""
        return torch.randn(shape, generator=self.large, device=self.device)


def geometry(
    keypoints: Tensor, visible: Tensor, size: int, rng: Random, crop: Crop, augmentation: Augment
) -> tuple[Tensor, Tensor]:
    """Draw the affine map of each sample, from its kept crop to the network's input.

    Turn and stretch about the middle of the box, move the centre by noise, grow the square until it holds
    every visible key-point, then the margin and the change of scale; last the flip.

    Args:
        keypoints: (B, 21, 2) pixels of the kept crop.
        visible: (B, 21) bool, at least one a sample.
        size: pixels of the network's input.

    Returns:
        Linear part (B, 2, 2) and offset (B, 2): input = linear @ kept + offset.
    """
    B = len(keypoints)
    shown = visible[..., None]
    middle = (keypoints.masked_fill(~shown, math.inf).amin(1) + keypoints.masked_fill(~shown, -math.inf).amax(1)) / 2
    angle = torch.deg2rad(rng.normal(augmentation.rotation, B))
    if augmentation.turn:  # asked first, so that the numbers of configurations without it stay what they were
        angle = torch.where(rng.chance(augmentation.turn, B), rng.uniform(-math.pi, math.pi, B), angle)
    stretch = 2 ** (rng.uniform(-augmentation.stretch, augmentation.stretch, B) / 2)
    cos, sin = angle.cos(), angle.sin()
    turn = torch.stack([cos, -sin, sin, cos], -1).view(B, 2, 2)
    shape = torch.diag_embed(torch.stack([stretch, 1 / stretch], -1)) @ turn

    moved = (keypoints - middle[:, None]) @ shape.transpose(1, 2)  # about the middle of the box
    low, high = moved.masked_fill(~shown, math.inf).amin(1), moved.masked_fill(~shown, -math.inf).amax(1)
    centre = (low + high) / 2
    side = MARGIN * (high - low).amax(-1).clamp(min=4)
    centre = centre + rng.normal(crop.noise, B, 2) * side[:, None]
    reach = (moved - centre[:, None]).abs().masked_fill(~shown, 0).amax((1, 2))
    side = (2 * reach * MARGIN).clamp(min=4) * 2 ** rng.uniform(-augmentation.scale, augmentation.scale, B)

    mirror = torch.where(rng.chance(augmentation.flip, B), -1.0, 1.0)
    zoom = size / side
    linear = shape * zoom[:, None, None]
    offset = (size - 1) / 2 - (linear @ middle[..., None])[..., 0] - centre * zoom[:, None]
    # Mirroring x about the middle of the input: x -> (size - 1) - x.
    flips = torch.stack([mirror, torch.ones_like(mirror)], -1)
    linear = linear * flips[..., None]
    offset = (offset - (size - 1) / 2) * flips + (size - 1) / 2
    return linear, offset


def sample(images: Tensor, linear: Tensor, offset: Tensor, size: int) -> Tensor:
    """Look up (B, C, S, S) float pictures at every pixel of the inputs; outside, the edge's colour."""
    side = images.shape[-1]
    inverse = torch.linalg.inv(linear)  # input -> kept crop
    shift = -(inverse @ offset[..., None])[..., 0]
    # `affine_grid` counts from -1 to 1 over the outer edges of the pixels: u = (2 x + 1) / size - 1.
    ratio = size / side
    start = inverse @ torch.full((2, 1), (size - 1) / 2, device=inverse.device) + shift[..., None]
    theta = torch.cat([inverse * ratio, (2 * start + 1) / side - 1], dim=2)
    grid = F.affine_grid(theta, [len(images), 1, size, size], align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def batch(
    images: Tensor,
    keypoints: Tensor,
    visible: Tensor,
    *,
    size: int,
    rng: Random,
    crop: Crop,
    augmentation: Augment,
    backgrounds: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Kept crops to network input.

    Args:
        images: (B, S, S, 4) uint8, RGB and mask.
        keypoints, visible: (B, 21, 2) pixels of the kept crop, (B, 21).
        size: pixels of the network's input.
        backgrounds: (M, S, S, 3) uint8 to put masked hands on.

    Returns:
        Images (B, 3, size, size) in [0, 1], points (B, 21, 2) in their pixels, visible (B, 21): labelled and
        inside the input.
    """
    B = len(images)
    linear, offset = geometry(keypoints, visible, size, rng, crop, augmentation)
    out = sample(images.permute(0, 3, 1, 2).float().contiguous(), linear, offset, size) / 255
    out, mask = out[:, :3], out[:, 3:]
    keypoints = keypoints @ linear.transpose(1, 2) + offset[:, None]
    visible = visible & ((keypoints >= -0.5) & (keypoints <= size - 0.5)).all(-1)

    if augmentation.background and backgrounds is not None and len(backgrounds):
        # The scenery is turned and scaled on its own, by up to a factor of 2.
        scenery = backgrounds[rng.index(len(backgrounds), B)].permute(0, 3, 1, 2).float().contiguous()
        side = backgrounds.shape[1]
        zoom = size / side * 2 ** rng.uniform(-0.3, 1, B)
        flips = torch.where(rng.chance(0.5, B), -1.0, 1.0)
        scale = torch.diag_embed(torch.stack([zoom * flips, zoom], -1))
        centre = (side - 1) / 2 + rng.uniform(-0.15, 0.15, B, 2) * side
        scenery = sample(scenery, scale, (size - 1) / 2 - (scale @ centre[..., None])[..., 0], size) / 255
        mask = torch.where(rng.chance(augmentation.background, B)[:, None, None, None], mask, 1.0)
        out = torch.lerp(scenery, out, mask)

    return colours(out, rng, augmentation), keypoints, visible


def colours(images: Tensor, rng: Random, augmentation: Augment) -> Tensor:
    """Light, colour, blur, noise and a painted rectangle, on (B, 3, s, s) in [0, 1]."""
    B, _, size, _ = images.shape
    if augmentation.colour:
        # Saturation, colour cast, contrast and brightness are linear in the three colours: one 3x3 matrix and
        # one offset a sample, so that the pixels are touched once.
        c = augmentation.colour

        def factor(strength: float, *shape: int) -> Tensor:
            return 2 ** rng.uniform(-strength * c, strength * c, B, *shape)

        saturation, contrast = factor(1.5, 1, 1), factor(1, 1, 1)
        third = images.new_full((1, 3, 3), 1 / 3)
        linear = third + saturation * (torch.eye(3, device=images.device) - third)
        linear = factor(0.7, 3, 1) * linear * contrast
        mean = (linear @ images.mean((2, 3))[..., None]).mean(1, keepdim=True) / contrast  # (B, 1, 1)
        offset = mean * (factor(1.5, 1, 1) - contrast)
        images = torch.baddbmm(offset.expand(B, 3, 1), linear, images.flatten(2)).view_as(images)
        images = images.clamp_(1e-3, 1) ** factor(0.8, 1, 1, 1)  # gamma
    if augmentation.grey:
        some = rng.some(augmentation.grey, B)
        images[some] = images[some].mean(1, keepdim=True).expand(-1, 3, -1, -1)
    if augmentation.blur and (some := rng.some(augmentation.blur, B)).numel():
        # As if the hand had been small in the picture: shrunk by up to 3, and enlarged again.
        small = max(8, round(size / rng.number(1.5, 3)))
        coarse = F.interpolate(images[some], (small, small), mode="bilinear", antialias=True, align_corners=False)
        images[some] = F.interpolate(coarse, (size, size), mode="bilinear", align_corners=False)
    if augmentation.noise and (some := rng.some(0.5, B)).numel():
        images[some] += rng.pixels(len(some), 3, size, size) * rng.uniform(0, augmentation.noise, len(some), 1, 1, 1)
    if augmentation.cutout:
        at, extent = rng.uniform(0, size, B, 2), rng.uniform(0.08, 0.3, B, 2) * size
        steps = torch.arange(size, device=images.device)
        across = (steps - at[:, :1]).abs() < extent[:, :1] / 2  # (B, size)
        down = (steps - at[:, 1:]).abs() < extent[:, 1:] / 2
        covered = (down[:, :, None] & across[:, None]) & rng.chance(augmentation.cutout, B)[:, None, None]
        images = torch.where(covered[:, None], rng.uniform(0, 1, B, 3, 1, 1), images)
    return images.clamp(0, 1)
