"""Pictures with boxes for the detector: composed scenes of zero to four hands, and windows without a hand.

A scene is a drawn background onto which cut-outs of masked hands (rendered, or Massey's) are laid, each with its exact
box. `Scenes(seed, split)[i]` is the same picture every time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from handpose import crop, data
from handpose.crop import GREY
from handpose.data import augment, crops
from handpose.data.readers.wild import Wild
from handpose.data.synthetic import background
from handpose.detector import BODY, SIZE, keypoints_to_box

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
    outlines: np.ndarray | None = None  # (n, 21, 2) points whose extent is the box, also when the picture is turned

    def __post_init__(self) -> None:
        if self.outlines is None:
            self.outlines = ellipses(self.boxes)

    @property
    def box(self) -> np.ndarray:
        """One box around all hands, (4,)."""
        return np.concatenate([self.boxes[:, :2].min(0), self.boxes[:, 2:].max(0)])


def ellipses(boxes: np.ndarray) -> np.ndarray:
    """(n, 21, 2) points, in pixels, of the ellipse in each box (n, 4): what a hand fills if only its box is known."""
    angle = np.arange(21) / 20 * 2 * np.pi
    middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    circle = np.stack([np.cos(angle), np.sin(angle)], -1)
    return (middle[:, None] + half[:, None] * circle).astype(np.float32)


def outline(keypoints: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """The visible key-points of (21, 2), in pixels, moved outwards until their extent is the body box; (21, 2).

    Those that are not visible lie on one of these.
    """
    keypoints = np.where(visible[:, None], keypoints, keypoints[visible][0])
    middle = (keypoints.min(0) + keypoints.max(0)) / 2
    return (middle + (1 + 2 * BODY) * (keypoints - middle)).astype(np.float32)


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
        self.pools = [crops.load_crops("synthetic", rendered, POOL, progress=pool is None), *also]

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
        pixels = (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
        if rng.random() < 0.5:
            quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 95))]
            decoded = cv2.imdecode(cv2.imencode(".jpg", pixels, quality)[1], cv2.IMREAD_COLOR)
            assert decoded is not None  # it was encoded just now
            pixels = decoded
        return Picture(pixels, boxes, f"scene-{index // 25}", f"scene-{self.split}-{self.seed}-{index:06d}")

    def _cut_out(self, rng: np.random.Generator, side: float) -> tuple[np.ndarray, np.ndarray]:
        """A hand whose body box is about `side` pixels: (S, S, 4) float32 RGB and alpha, and its box."""
        pool = self.pools[rng.integers(len(self.pools))]
        k = int(rng.integers(len(pool)))
        keypoints, visible = pool.keypoints[k].numpy(), pool.visible[k].numpy()
        own = keypoints_to_box(keypoints, visible)
        scale = max(own[2:] - own[:2]) / side
        half = (own[2:] - own[:2]) / scale / 2
        # The whole box within the picture, mostly; now and then up to a third of it leaves.
        slack = np.where(rng.random() < 0.15, half / 3, 0)
        low, high = np.minimum(half - slack, self.size / 2), np.maximum(self.size - half + slack, self.size / 2)
        centre = rng.uniform(low, high)
        matrix = crop.affine((own[:2] + own[2:]) / 2, scale * self.size, self.size, flip=rng.random() < 0.5)
        matrix[:, 2] += centre - (self.size - 1) / 2
        rgba = crop.warp(pool.images[k].numpy(), matrix, self.size, outside=0).astype(np.float32) / 255
        rgba[..., :3] *= np.float32(rng.uniform(0.7, 1.25))
        box = keypoints_to_box(crop.apply(matrix, keypoints), visible)
        return rgba, np.clip(box, -0.5, self.size - 0.5)


def labelled(samples) -> list[Picture]:
    """Samples as pictures with one box each: hand-drawn where the source has such, else the body box."""
    images = []
    for i in range(len(samples)):
        sample, outlines = samples[i], None
        if hasattr(samples, "boxes"):
            boxes = samples.boxes(i)
        elif sample.visible.any():
            boxes = keypoints_to_box(sample.keypoints, sample.visible)[None]
            outlines = outline(sample.keypoints, sample.visible)[None]
        else:
            continue
        images.append(Picture(sample.image, _clipped(boxes, sample.image), sample.group, sample.id, outlines))
    return images


def photographs(samples: Wild) -> list[Picture]:
    """Whole photographs with all their hands."""
    images = []
    for indices in samples.images():
        hands = [samples[i] for i in indices]
        hands = [hand for hand in hands if hand.visible.any()]
        boxes = np.stack([keypoints_to_box(hand.keypoints, hand.visible) for hand in hands])
        outlines = np.stack([outline(hand.keypoints, hand.visible) for hand in hands])
        image, first = hands[0].image, hands[0]
        images.append(Picture(image, _clipped(boxes, image), first.group, first.id.partition("#")[0], outlines))
    return images


def _clipped(boxes: np.ndarray, image: np.ndarray) -> np.ndarray:
    return np.clip(boxes, -0.5, np.array(image.shape[1::-1] * 2) - 0.5).astype(np.float32)


def windows(images: Sequence[Picture], *, limit: int = 400, size: int = SIZE, seed: int = 0) -> list[Picture]:
    """Windows of photographs beside the labelled hand: pictures without a hand (but for second, unlabelled ones)."""
    with_hands = [p for p in images if len(p.boxes)]
    backgrounds = crops.backgrounds(with_hands, round(size / crops.OVERSAMPLE), limit=limit, seed=seed)
    none = np.zeros((0, 4), np.float32)
    return [Picture(w.numpy(), none, f"window-{i}", f"window-{i:04d}") for i, w in enumerate(backgrounds)]


def batch(
    images: torch.Tensor, outlines: list[torch.Tensor], rng: augment.Random, augmentation: augment.Augment
) -> tuple[torch.Tensor, list[torch.Tensor]]:  # fmt: skip
    """Augmented input for a training step: turned, scaled, stretched, shifted, mirrored and recoloured.

    Three in ten are turned by at most `augmentation.rotation` degrees, the others by any angle; boxes are the extents
    of the turned outlines, so that a turned hand's box is as tight as an upright one's. Two in five end early at the
    right or at the bottom, in grey, as pictures that are not square do.

    Args:
        images: (B, S, S, 3) uint8.
        outlines: (n, 21, 2) pixels each, see `Picture`.
        augmentation: `rotation` (0: nothing is turned), `scale`, `stretch`, `flip`, the colours, `cutout` are used.

    Returns:
        Images (B, 3, S, S) in [0, 1]; boxes (n, 4) clipped to them, without those of which less than a third is left.
    """
    B, size = len(images), images.shape[1]
    stretch = 2 ** (rng.uniform(-augmentation.stretch, augmentation.stretch, B) / 2)
    zoom = 2 ** rng.uniform(-augmentation.scale, augmentation.scale, B)
    mirror = torch.where(rng.chance(augmentation.flip, B), -1.0, 1.0)
    linear = torch.diag_embed(torch.stack([mirror * zoom * stretch, zoom / stretch], -1))
    if augmentation.rotation:
        limit = torch.where(rng.chance(0.3, B), augmentation.rotation, 180.0)
        angle = torch.deg2rad(limit * rng.uniform(-1, 1, B))
        cos, sin = angle.cos(), angle.sin()
        linear = linear @ torch.stack([cos, -sin, sin, cos], -1).view(B, 2, 2)
    centre = torch.full((B, 2), (size - 1) / 2, device=images.device)
    # Zoomed in, another part of the picture is seen; zoomed out, the picture lies anywhere in the input.
    room = ((zoom - 1).abs() / 2 * size)[:, None]
    offset = centre + rng.uniform(-1, 1, B, 2) * room - (linear @ centre[..., None])[..., 0]
    out = augment.sample(images.permute(0, 3, 1, 2).float().contiguous(), linear, offset, size) / 255
    ends = torch.full((B, 2), float(size), device=images.device)
    short = torch.arange(B, device=images.device), rng.index(2, B)
    ends[short] = torch.where(rng.chance(0.4, B), rng.uniform(0.55, 0.95, B) * size, ends[short]).round()
    moved = []
    for keypoints, turn, shift, end in zip(outlines, linear, offset, ends, strict=True):
        keypoints = keypoints.to(turn) @ turn.T + shift
        b = torch.cat([keypoints.amin(1), keypoints.amax(1)], 1)
        inside = torch.minimum(b.clamp(min=-0.5), (end - 0.5).repeat(2))
        area = [(x[:, 2:] - x[:, :2]).clamp(min=0).prod(-1) for x in (inside, b)]
        moved.append(inside[area[0] > area[1] / 3])
    out = augment.colours(out, rng, augmentation)
    at = torch.arange(size, device=images.device)
    within = (at < ends[:, :1])[:, None, None, :] & (at < ends[:, 1:])[:, None, :, None]
    return torch.where(within, out, GREY / 255), moved
