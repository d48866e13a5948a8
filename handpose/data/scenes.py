"""Pictures with boxes for the detector: composed scenes of zero to four hands, and windows without a hand.

A scene is a drawn background onto which cut-outs of masked hands (rendered, or Massey's) are laid, each with its exact
box. `Scenes(seed, split)[i]` is the same picture every time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from handpose import augment, crop, data
from handpose.data import crops
from handpose.data.synthetic import background
from handpose.detector import GREY, SIZE, body_box

SPLITS = {"train": 0, "val": 1, "test": 2}
MOST = 4  # hands in a scene
POOL = 128  # cut-outs are kept as for a network that sees this many pixels
HIDDEN = 0.5  # a hand of which other hands cover more than this is drawn but not labelled


@dataclass
class Picture:
    """What the detector learns from and is scored on."""

    image: np.ndarray  # (H, W, 3) uint8
    boxes: np.ndarray  # (n, 4) float32 pixels
    group: str
    id: str

    @property
    def box(self) -> np.ndarray:
        """One box around all hands, (4,)."""
        return np.concatenate([self.boxes[:, :2].min(0), self.boxes[:, 2:].max(0)])


class Scenes:
    """Composed scenes as `Picture`s.

    Args:
        seed: any whole number from 0.
        split: "train", "val" or "test": of the scenes, and of the hands in them.
        length: number of scenes.
        size: side in pixels.
        also: further masked `Crops` to take hands from.
        hands: number of hands in every scene; None draws 0 to 4.
        pool: number of rendered hands to take from; None takes all of the split.
    """

    def __init__(self, seed: int = 0, split: str = "train", length: int = 500, size: int = SIZE, *, also=(),
                 hands: int | None = None, pool: int | None = None) -> None:  # fmt: skip
        self.seed, self.split, self.length, self.size, self.hands = seed, split, length, size, hands
        rendered = data.open("synthetic" if pool is None else f"synthetic:{pool}", split)
        self.pools = [crops.build("synthetic", rendered, POOL, progress=pool is None), *also]

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Picture:
        if not 0 <= index < self.length:
            raise IndexError(f"index {index} is not in 0..{self.length - 1}")
        rng = np.random.default_rng([self.seed, SPLITS[self.split], index])
        size, number = self.size, int(rng.integers(MOST + 1)) if self.hands is None else self.hands
        image = background.clutter(rng, size, hands=False)
        # The more hands, the smaller: else one would lie on the others.
        sides = size * np.exp(rng.uniform(np.log(0.12), np.log(0.9 if number < 2 else 0.55), number))
        placed: list[tuple[np.ndarray, np.ndarray]] = []  # box, mask
        for side in np.sort(sides)[::-1]:
            for _ in range(8):
                layer, box = self._cut_out(rng, side)
                covered = [(m * (layer[..., 3] > 0.5)).sum() / max(m.sum(), 1) for _, m in placed]
                if not covered or max(covered) < HIDDEN:
                    break
            else:
                continue
            image += layer[..., 3:] * (layer[..., :3] - image)
            mask = layer[..., 3] > 0.5
            placed = [(b, m & ~mask) for b, m in placed] + [(box, mask)]
        boxes = np.array([b for b, _ in placed], np.float32).reshape(-1, 4)
        picture = (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
        if rng.random() < 0.5:
            quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 95))]
            picture = cv2.imdecode(cv2.imencode(".jpg", picture, quality)[1], cv2.IMREAD_COLOR)
        return Picture(picture, boxes, f"scene-{index // 25}", f"scene-{self.split}-{self.seed}-{index:06d}")

    def _cut_out(self, rng: np.random.Generator, side: float) -> tuple[np.ndarray, np.ndarray]:
        """A hand whose body box is about `side` pixels: (S, S, 4) float32 RGB and alpha, and its box."""
        pool = self.pools[rng.integers(len(self.pools))]
        k = int(rng.integers(len(pool)))
        points, seen = pool.points[k].numpy(), pool.visible[k].numpy()
        own = body_box(points, seen)
        scale = max(own[2:] - own[:2]) / side
        half = (own[2:] - own[:2]) / scale / 2
        # The whole box within the picture, mostly; now and then up to a third of it leaves.
        slack = np.where(rng.random() < 0.15, half / 3, 0)
        low, high = np.minimum(half - slack, self.size / 2), np.maximum(self.size - half + slack, self.size / 2)
        centre = rng.uniform(low, high)
        matrix = crop.affine((own[:2] + own[2:]) / 2, scale * self.size, self.size, flip=rng.random() < 0.5)
        matrix[:, 2] += centre - (self.size - 1) / 2
        rgba = crop.cut(pool.images[k].numpy(), matrix, self.size, outside=0).astype(np.float32) / 255
        rgba[..., :3] *= np.float32(rng.uniform(0.7, 1.25))
        box = body_box(crop.apply(matrix, points), seen)
        return rgba, np.clip(box, -0.5, self.size - 0.5)


def labelled(samples) -> list[Picture]:
    """Samples as pictures with one box each: hand-drawn where the source has such, else the body box."""
    pictures = []
    for i in range(len(samples)):
        sample = samples[i]
        height, width = sample.image.shape[:2]
        if hasattr(samples, "boxes"):
            boxes = samples.boxes(i)
        elif sample.visible.any():
            boxes = body_box(sample.keypoints, sample.visible)[None]
        else:
            continue
        boxes = np.clip(boxes, -0.5, np.array([width, height] * 2) - 0.5).astype(np.float32)
        pictures.append(Picture(sample.image, boxes, sample.group, sample.id))
    return pictures


def windows(pictures: Sequence[Picture], *, limit: int = 400, size: int = SIZE, seed: int = 0) -> list[Picture]:
    """Windows of photographs beside the labelled hand: pictures without a hand (but for second, unlabelled ones)."""
    with_hands = [p for p in pictures if len(p.boxes)]
    kept = crops.backgrounds(with_hands, round(size / crops.OVERSAMPLE), limit=limit, seed=seed)
    none = np.zeros((0, 4), np.float32)
    return [Picture(w.numpy(), none, f"window-{i}", f"window-{i:04d}") for i, w in enumerate(kept)]


def batch(
    images: torch.Tensor, boxes: list[torch.Tensor], rng: augment.Random, how: augment.config.Augment
) -> tuple[torch.Tensor, list[torch.Tensor]]:  # fmt: skip
    """Augmented input for a training step: scaled, stretched, shifted, mirrored and recoloured; nothing is turned.

    Two in five end early at the right or at the bottom, in grey, as pictures that are not square do.

    Args:
        images: (B, S, S, 3) uint8. boxes: (n, 4) each.
        how: `scale`, `stretch`, `flip`, the colours and `cutout` are used.

    Returns:
        Images (B, 3, S, S) in [0, 1]; boxes clipped to them, without those of which less than a third is left.
    """
    B, size = len(images), images.shape[1]
    stretch, zoom = 2 ** (rng.uniform(-how.stretch, how.stretch, B) / 2), 2 ** rng.uniform(-how.scale, how.scale, B)
    mirror = torch.where(rng.chance(how.flip, B), -1.0, 1.0)
    linear = torch.diag_embed(torch.stack([mirror * zoom * stretch, zoom / stretch], -1))
    centre = torch.full((B, 2), (size - 1) / 2, device=images.device)
    # Zoomed in, another part of the picture is seen; zoomed out, the picture lies anywhere in the input.
    room = ((zoom - 1).abs() / 2 * size)[:, None]
    offset = centre + rng.uniform(-1, 1, B, 2) * room - (linear @ centre[..., None])[..., 0]
    out = augment.sample(images.permute(0, 3, 1, 2).float().contiguous(), linear, offset, size) / 255
    ends = torch.full((B, 2), float(size), device=images.device)
    short = torch.arange(B, device=images.device), rng.index(2, B)
    ends[short] = torch.where(rng.chance(0.4, B), rng.uniform(0.55, 0.95, B) * size, ends[short]).round()
    moved = []
    for b, scale, shift, end in zip(boxes, linear.diagonal(dim1=1, dim2=2), offset, ends, strict=True):
        corners = b.view(-1, 2, 2) * scale + shift
        b = torch.cat([corners.amin(1), corners.amax(1)], 1)
        inside = torch.minimum(b.clamp(min=-0.5), (end - 0.5).repeat(2))
        area = [(x[:, 2:] - x[:, :2]).clamp(min=0).prod(-1) for x in (inside, b)]
        moved.append(inside[area[0] > area[1] / 3])
    out = augment.colours(out, rng, how)
    at = torch.arange(size, device=images.device)
    seen = (at < ends[:, :1])[:, None, None, :] & (at < ends[:, 1:])[:, None, :, None]
    return torch.where(seen, out, GREY / 255), moved
