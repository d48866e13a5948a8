"""A set without splits of its own, divided into hands to train on and hands to score (Chapter 11).

Whether two sets share hands is asked of their content: what a picture shows, and what its label says. Names of files,
forms of labels and readers do not matter.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from handpose.data.common import DataError
from handpose.data.sample import Sample

FRACTION = 0.2  # of the hands, to be scored
SEED = 0  # of every division: runs with other seeds are scored on the same hands, or they could not be compared
ENOUGH = 5  # groups, to be divided by group; with fewer, whole photos are divided
ROWS = 64  # of a picture that are looked at to know it again


def image_key(image: np.ndarray) -> str:
    """What a picture (H, W, 3) uint8 is known by, wherever it lies and however it is called: 24 hexadecimal digits."""
    rows = np.ascontiguousarray(image[:: max(1, len(image) // ROWS)])
    return hashlib.blake2b(rows.data, digest_size=12, person=str(image.shape[:2]).encode()[:16]).hexdigest()


def original_key(samples, index: int, sample: Sample) -> str:
    """`image_key` of the whole picture that a sample lies in; a pack holds parts of pictures, and these keys beside."""
    known = getattr(samples, "picture_keys", None)
    return known[index] if known else image_key(sample.image)


def label_key(sample: Sample) -> str:
    """What a label is known by, its id included: 24 hexadecimal digits, the same on every machine."""
    digest = hashlib.blake2b(sample.id.encode("utf-8", "surrogateescape"), digest_size=12)
    digest.update(np.where(sample.visible[:, None], sample.keypoints, 0).astype(np.float32).tobytes())
    digest.update(np.asarray(sample.visible, bool).tobytes())
    return digest.hexdigest()


def combined(keys: list[str]) -> str:
    """One key of many, in their order."""
    return hashlib.sha256("".join(keys).encode()).hexdigest()


@dataclass
class Part:
    """Some samples of a set, as a set. It remembers the keys of what was read from it.

    Args:
        samples: the set.
        indices: which of its samples; None for all.
    """

    samples: Any
    indices: list[int] = None  # type: ignore[assignment]  # `__post_init__` fills it
    image_keys: dict[int, str] = field(default_factory=dict)  # of those read, `picture_key` by their place in this part
    labels: dict[int, str] = field(default_factory=dict)  # likewise `label_key`

    def __post_init__(self) -> None:
        if self.indices is None:
            self.indices = list(range(len(self.samples)))
        if names := getattr(self.samples, "parts", None):
            self.parts = [names[i] for i in self.indices]
        if keys := getattr(self.samples, "picture_keys", None):
            self.picture_keys = [keys[i] for i in self.indices]
        self.grouping = getattr(self.samples, "grouping", None)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Sample:
        sample = self.samples[self.indices[index]]
        if index not in self.image_keys:
            self.image_keys[index] = original_key(self.samples, self.indices[index], sample)
            self.labels[index] = label_key(sample)
        return sample

    def digests(self) -> dict[str, str]:
        """Keys of all that was read: "labels" and "pictures"."""
        return {"labels": combined([self.labels[i] for i in sorted(self.labels)]),
                "pictures": combined([self.image_keys[i] for i in sorted(self.image_keys)])}  # fmt: skip


@dataclass(frozen=True)
class Division:
    """A set in two, see `divide`."""

    train: Part
    val: Part
    by: str  # "group" or "photo": what was never cut through
    units: tuple[int, int]  # how many of these there are in either
    fraction: float
    held_out: list[str]  # ids of the hands in `val`

    def about(self) -> dict:
        """For the record of a run."""
        return {"by": self.by, "fraction": self.fraction, "seed": SEED, "train": len(self.train),
                "val": len(self.val), "held_out": self.held_out}  # fmt: skip

    def __str__(self) -> str:
        few = "" if self.by == "group" else f"; there are fewer than {ENOUGH} groups, so the same people, or the same "
        few += "" if self.by == "group" else "minutes, are probably on both sides"
        return (f"{len(self.train)} hands to train on and {len(self.val)} to be scored, {self.units[0]} and "
                f"{self.units[1]} {self.by}s{few}")  # fmt: skip


def undivided(samples) -> bool:
    """Whether a set has no splits of its own, which its reader says: "train" and "val" then are the same hands."""
    return bool(getattr(samples, "undivided", False))


def divide(samples, fraction: float | None = None, *, name: str = "", wrap: Callable = iter) -> Division:
    """Divide a set by group where there are at least `ENOUGH`, else by photo; at random, always the same way.

    Pictures with the same content are one photo, and their groups are one group. All pictures are read.

    Args:
        samples: with ``len`` and ``[i] -> Sample``.
        fraction: of the hands, to be scored; between 0 and 1. None takes `FRACTION`.
        name: for the error.
        wrap: shows progress: it gets the list of indices, as tqdm does.

    Raises:
        DataError: a picture that cannot be used, or the set holds one photo only.
        ValueError: a fraction that is none.
    """
    fraction = FRACTION if fraction is None else fraction
    if not 0 < fraction < 1:
        raise ValueError(f"--val-fraction {fraction}: no part that can be held out; name one between 0 and 1")
    groups, photos, ids = [], [], []
    for i in wrap(list(range(len(samples)))):
        sample = samples[i]
        groups.append(sample.group)
        photos.append(original_key(samples, i, sample))
        ids.append(sample.id)
    units, by = _together(groups, photos), "group"
    if len(set(units)) < ENOUGH:
        # With few groups whole photos are held out; a group that is one is held out with its copies.
        units, by = units if getattr(samples, "grouping", None) == "photograph" else photos, "photo"
    names = sorted(set(units))
    if len(names) < 2:
        raise DataError(f"{name}: holds a single photo, which cannot be divided; name another set to validate on")
    held_out: set[str] = set()
    count = 0
    for unit in np.random.default_rng(SEED).permutation(names).tolist():
        size = units.count(unit)
        # The first one in any case; a further one where that brings the number nearer to what was asked for.
        nearer = abs(count + size - fraction * len(units)) < abs(count - fraction * len(units))
        if len(held_out) < len(names) - 1 and (not held_out or nearer):
            held_out.add(unit)
            count += size
    chosen = [unit in held_out for unit in units]
    train = Part(samples, [i for i, out in enumerate(chosen) if not out])
    val = Part(samples, [i for i, out in enumerate(chosen) if out])
    return Division(
        train, val, by, (len(names) - len(held_out), len(held_out)), fraction, [ids[i] for i in val.indices]
    )


def _together(groups: list[str], photos: list[str]) -> list[str]:
    """The groups, those that share a photo under one name."""
    leader = {group: group for group in groups}

    def find(group: str) -> str:
        while leader[group] != group:
            group = leader[group]
        return group

    first: dict[str, str] = {}
    for group, photo in zip(groups, photos, strict=True):
        a, b = sorted((find(group), find(first.setdefault(photo, group))))
        leader[b] = a
    return [find(group) for group in groups]
