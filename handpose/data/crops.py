"""Crops held in memory as one array, so that the data never holds up a training step.

Each sample is cut out once, with enough around the hand that rotating, shifting and scaling it later
stays within the crop, at about the resolution at which the network will see it. From then on a batch is
an index into a tensor, on whatever device trains.
"""

import dataclasses
import functools
import hashlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from handpose import crop, files
from handpose.data import division, drawing
from handpose.data.common import one_line
from handpose.files import cache_folder

CONTEXT = 1.8  # side of a kept crop over the longer side of the key-points' box
OVERSAMPLE = CONTEXT / crop.MARGIN  # so that a kept crop has the resolution of the network's input
SEVERAL = 400  # from so many drawn or packed hands on, other processes are worth their start of some seconds


@dataclass
class Crops:
    """Kept crops of one source."""

    name: str
    images: Tensor  # (N, S, S, 4) uint8: RGB and a mask, 255 everywhere where the source has none
    keypoints: Tensor  # (N, 21, 2) float32, pixels of the kept crop
    visible: Tensor  # (N, 21) bool
    masked: bool  # whether the source has masks
    parts: Tensor  # (N,) int64: which part of the source, for balanced sampling
    ids: list[str]
    digest: str | None = None  # what `fingerprint` found: it reads everything, and some runs share their crops
    #: Of what was read from files, `division.picture_key` and `division.label_key` of each hand.
    image_keys: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.images)

    def to(self, device: torch.device | str) -> "Crops":
        """The same crops on a device."""
        tensors = {k: getattr(self, k).to(device) for k in ("images", "keypoints", "visible", "parts")}
        return dataclasses.replace(self, **tensors)

    def digests(self) -> dict[str, str]:
        """Keys of all "labels" and "pictures" that were read from files, the same on every machine."""
        return {"labels": division.combined(self.labels), "pictures": division.combined(self.image_keys)}

    def fingerprint(self) -> str:
        """SHA-256 over pictures and labels: two runs with the same value saw the same data."""
        if self.digest is None:
            digest = hashlib.sha256()
            for tensor in (self.images, self.keypoints, self.visible):
                digest.update(np.ascontiguousarray(tensor.cpu().numpy()).data)
            self.digest = digest.hexdigest()
        return self.digest


class Joined:
    """The crops of several sources, numbered one source after the other; they are not copied into one array.

    Args:
        sources: whose crops have one size.
        device: where they are kept.
    """

    def __init__(self, sources: list[Crops], device: torch.device | str = "cpu") -> None:
        moved = [source.to(device) for source in sources]
        self.sources = [(source.images, source.keypoints, source.visible) for source in moved]
        self.ends = torch.tensor([len(source) for source in sources]).cumsum(0)

    def __getitem__(self, samples: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Images, key-points and visible, as in `Crops`, of samples (n,) int64 on the CPU, in their order."""
        which = torch.bucketize(samples, self.ends, right=True)
        images, keypoints, visible = (t.new_empty((len(samples), *t.shape[1:])) for t in self.sources[0])
        for k, tensors in enumerate(self.sources):
            places = (which == k).nonzero()[:, 0]
            rows = samples[places] - (self.ends[k] - len(tensors[0]))
            for into, tensor in zip((images, keypoints, visible), tensors, strict=True):
                into[places.to(into.device)] = tensor[rows.to(tensor.device)]
        return images, keypoints, visible


def kept_side(size: int) -> int:
    """Side in pixels of a kept crop for a network input of `size` pixels."""
    return 8 * round(size * OVERSAMPLE / 8)


def load_crops(name: str, samples, size: int, *, progress: bool = True) -> Crops:
    """Cut every sample of a data set for a network that sees `size` pixels.

    A source that draws its pictures (it has a `cache_key`) is kept on disk as well; see `cache_folder`. Whatever is
    wrong there is at worst a note on stderr, and the pictures are drawn anew.
    Samples without a visible joint are left out.
    """
    side = kept_side(size)
    key = getattr(samples, "cache_key", None)
    file = cache_folder() / f"{name}-{key}-{side}-2.npz" if key else None  # 2: cut by `crop.warp` as it is now
    if file and (cached := _load_cached(file, name, side)):
        return cached

    number, used, masked = len(samples), 0, False
    images = np.empty((number, side, side, 4), np.uint8)
    keypoints, visible = np.zeros((number, 21, 2), np.float32), np.zeros((number, 21), bool)
    part_names, parts, ids, keys = list(getattr(samples, "parts", [])), [], [], []
    kinds = sorted(set(part_names)) or [None]
    apart = key is not None or getattr(samples, "IN_MEMORY", False)  # a reader of files may not stand several processes
    rows = _rows(samples, side, several=apart and number >= SEVERAL)
    for i, row in enumerate(tqdm(rows, total=number, desc=f"cutting {name}", disable=not progress, unit="hand")):
        if row is None:
            continue
        images[used], keypoints[used], visible[used], has_mask, identifier, *both = row
        masked = masked or has_mask
        parts.append(kinds.index(part_names[i] if part_names else None))
        ids.append(identifier)
        keys.append(both)
        used += 1
    result = Crops(name, torch.from_numpy(images[:used]), torch.from_numpy(keypoints[:used]),
                   torch.from_numpy(visible[:used]), masked, torch.tensor(parts), ids)  # fmt: skip
    if file:
        _keep(file, result)
    else:
        result.image_keys, result.labels = [k for k, _ in keys], [k for _, k in keys]
    return result


def _load_cached(file: Path, name: str, side: int) -> Crops | None:
    """The crops that a file of the cache holds; None where there is none, or none that can be read."""
    try:
        if not file.is_file():
            return None
        with np.load(file) as stored:
            arrays = [torch.from_numpy(stored[k]) for k in ("images", "points", "visible", "parts")]
            masked, ids = bool(stored["masked"]), stored["ids"].tolist()
        forms = [((len(ids), side, side, 4), torch.uint8), ((len(ids), 21, 2), torch.float32),
                 ((len(ids), 21), torch.bool), ((len(ids),), torch.int64)]  # fmt: skip
        if [(tuple(a.shape), a.dtype) for a in arrays] != forms:
            raise ValueError("other arrays than ours are in it")
        images, keypoints, visible, parts = arrays
        return Crops(name, images, keypoints, visible, masked, parts, ids)
    except Exception as error:  # another user's, cut short, of an older version: a damaged file can raise anything
        print(f"note: {file} cannot be used ({one_line(error)}); its hands are drawn anew", file=sys.stderr)
        return None


def _rows(samples, side: int, *, several: bool) -> Iterator[tuple | None]:
    """`_cut` of every sample, in order."""
    task, processes = functools.partial(_cut, samples, side), drawing.cores()
    if several and processes > 1:
        return drawing.several(task, len(samples), processes)
    return map(task, range(len(samples)))


def _cut(samples, side: int, i: int) -> tuple | None:
    """Picture and mask, points, visible, whether there is a mask, id, both keys; None without a visible joint."""
    sample = samples[i]
    if not sample.visible.any():
        return None
    side_in_image = CONTEXT * max(sample.box[2] - sample.box[0], sample.box[3] - sample.box[1], 1.0)
    matrix = crop.affine((sample.box[:2] + sample.box[2:]) / 2, side_in_image, side)
    image = np.full((side, side, 4), 255, np.uint8)
    image[..., :3] = crop.warp(sample.image, matrix, side)
    if sample.mask is not None:
        image[..., 3] = crop.warp(sample.mask[..., None], matrix, side, outside=0)[..., 0]
    keys = division.original_key(samples, i, sample), division.label_key(sample)
    return image, crop.apply(matrix, sample.keypoints), sample.visible, sample.mask is not None, sample.id, *keys


def _keep(file: Path, crops: Crops) -> None:
    try:
        with files.writing(file) as unfinished, open(unfinished, "wb") as stream:
            np.savez(stream, images=crops.images.numpy(), points=crops.keypoints.numpy(), visible=crops.visible.numpy(),
                     parts=crops.parts.numpy(), masked=crops.masked, ids=np.array(crops.ids))  # fmt: skip
    except (files.OutputError, OSError) as error:  # a full or read-only disk costs time next time, nothing else
        print(f"note: rendered hands are not kept on disk ({error})", file=sys.stderr)


def backgrounds(samples, size: int, *, limit: int = 400, seed: int = 0) -> Tensor:
    """Windows of photographs without the labelled hand, to put other hands on: (M, S, S, 3) uint8.

    From each picture the largest square beside the hand's box (grown by a third) is taken, if it is at
    least 80 pixels wide. A second, unlabelled hand may be in it: clutter, as in life.
    """
    side, windows = kept_side(size), []
    for i in np.random.default_rng(seed).permutation(len(samples)):
        sample = samples[int(i)]
        height, width = sample.image.shape[:2]
        x0, y0, x1, y1 = sample.box
        grow = (x1 - x0) / 3, (y1 - y0) / 3
        x0, x1, y0, y1 = int(x0 - grow[0]), int(x1 + grow[0]), int(y0 - grow[1]), int(y1 + grow[1])
        beside = [(0, 0, x0, height), (x1, 0, width, height), (0, 0, width, y0), (0, y1, width, height)]
        a, b, c, d = max(beside, key=lambda r: min(r[2] - r[0], r[3] - r[1]))
        n = min(c - a, d - b)
        if n >= 80:
            windows.append(cv2.resize(sample.image[b : b + n, a : a + n], (side, side), interpolation=cv2.INTER_LINEAR))
        if len(windows) == limit:
            break
    return torch.from_numpy(np.stack(windows)) if windows else torch.zeros(0, side, side, 3, dtype=torch.uint8)


@functools.lru_cache(maxsize=1)
def drawn_backgrounds(size: int, *, number: int = 150, seed: int = 0) -> Tensor:
    """Drawn scenes without a hand in the foreground, (number, S, S, 3) uint8, in the same form as `backgrounds`."""
    from handpose.data.synthetic import background  # here, because it is not needed to cut photographs

    side = kept_side(size)
    scenes = [background.clutter(np.random.default_rng([seed, i]), side) for i in range(number)]
    return torch.from_numpy((np.stack(scenes).clip(0, 1) * 255).astype(np.uint8))
