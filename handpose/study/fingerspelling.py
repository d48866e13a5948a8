"""From images to letters (section 4.1): find the hand, estimate its points, freeze that, train a classifier on top.

A sign is one picture and one letter. What a score means depends on who was seen before: `leave_one_out` keeps a whole
person out; in `random_split`, which the paper allows, person and recording stand on both sides (Chapters 10, 12).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from handpose import crop, gesturenet, metrics, skeleton
from handpose.data import DataError
from handpose.data.readers.rwth import Rwth
from handpose.data.sample import Sample
from handpose.detector import HandDecNet, box_to_keypoint_extent, detect
from handpose.pipeline import HandPose
from handpose.posenet import predict_crops

#: Signs that are one shape of the hand, so that no picture of it tells which was meant: named together.
ALIKE = {"0": "0/o", "o": "0/o", "2": "2/v", "v": "2/v", "6": "6/w", "w": "6/w", "9": "9/f", "f": "9/f"}
Reader = Callable[[np.ndarray], np.ndarray]  # normalised points (N, 21, 2) to labels (N,)


@dataclass
class Signs:
    """Signs as a reader gets them (Chapter 10)."""

    keypoints: np.ndarray  # (N, 21, 2) normalised
    labels: np.ndarray  # (N,) str
    persons: np.ndarray  # (N,) str
    ids: list[str]

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, chosen: np.ndarray) -> "Signs":
        """Those of a mask or of a list of indices."""
        index = np.arange(len(self))[chosen]
        return Signs(self.keypoints[index], self.labels[index], self.persons[index], [self.ids[i] for i in index])


def labelled_box(sample: Sample) -> np.ndarray:
    """The tight box of the labelled key-points: the true box."""
    return sample.box


def mask_box(sample: Sample) -> np.ndarray:
    """The box of a cut-out hand, less the flesh beyond its joints: it needs no key-points."""
    y, x = np.nonzero(np.asarray(sample.mask) > 127)
    return box_to_keypoint_extent(np.array([[x.min(), y.min(), x.max(), y.max()]], np.float32))[0]


def detected_box(detector: HandDecNet, threshold: float = 0.2) -> Callable[[Sample], np.ndarray]:
    """A function that gives the detector's most confident hand, and the whole picture where it finds none."""

    def find(sample: Sample) -> np.ndarray:
        ((boxes, _),) = detect(detector, [sample.image], threshold=threshold)
        height, width = sample.image.shape[:2]
        return box_to_keypoint_extent(boxes)[0] if len(boxes) else np.array([0, 0, width - 1, height - 1], np.float32)

    return find


@dataclass
class Pictures:
    """Signs cut out for a pose network of one input size (Chapter 12)."""

    crops: list[crop.Crop]
    labels: np.ndarray  # (N,) str
    persons: np.ndarray  # (N,) str
    ids: list[str]


def cut(
    samples, size: int, find: Callable[[Sample], np.ndarray] = labelled_box, *,
    person: Callable[[Sample], str] = lambda sample: sample.group, progress: bool = False,
) -> Pictures:  # fmt: skip
    """Cut the hands out of `Sample`s with `shape`.

    Args:
        size: side of the crops in pixels.
        find: a sample to the box (4,) of its hand.
        person: a sample to whose hand it is.

    Raises:
        ValueError: a sample without a shape, or none at all.
    """
    rows = []
    for i in tqdm(range(len(samples)), desc="looking", disable=not progress, unit="sign", leave=False):
        sample = samples[i]
        if sample.shape is None:
            raise ValueError(f"{sample.id}: nobody says which letter this is")
        rows.append((crop.crop_box(sample.image, find(sample), size), sample.shape, person(sample), sample.id))
    if not rows:
        raise ValueError("there is no sign to look at")
    crops, labels, persons, ids = zip(*rows, strict=True)
    return Pictures(list(crops), np.array(labels), np.array(persons), list(ids))


def look(net: nn.Module, images: Pictures) -> Signs:
    """Signs as a frozen pose network sees them."""
    keypoints, _ = predict_crops(net, np.stack([t.image for t in images.crops]))
    keypoints = np.stack([t.to_image(p) for t, p in zip(images.crops, keypoints[-1], strict=True)])
    return Signs(gesturenet.normalise(keypoints), images.labels, images.persons, images.ids)


def find_signs(
    hp: HandPose, samples, box: Callable[[Sample], np.ndarray] | None = None, *,
    person: Callable[[Sample], str] = lambda sample: sample.group, progress: bool = False,
) -> Signs:  # fmt: skip
    """Signs as `HandPose` sees them, in their own boxes or where it finds a hand; else the points are NaN."""
    rows = []
    for i in tqdm(range(len(samples)), desc="looking", disable=not progress, unit="sign", leave=False):
        sample = samples[i]
        hands = hp(sample.image, boxes=None if box is None else [box(sample)])
        try:
            keypoints = gesturenet.normalise(hands[0].keypoints)
        except (IndexError, ValueError):
            keypoints = np.full((skeleton.NUM_JOINTS, 2), np.nan, np.float32)
        rows.append((keypoints, sample.shape, person(sample), sample.id))
    stacked, labels, persons, ids = zip(*rows, strict=True)
    return Signs(np.stack(stacked), np.array(labels), np.array(persons), list(ids))


def read_signs(net: gesturenet.GestureNet | gesturenet.FullyConnected, signs: Signs) -> np.ndarray:
    """What is read of each sign, (N,) labels; "" where no hand was found."""
    read, _ = gesturenet.read(net, np.nan_to_num(signs.keypoints))
    return np.where(np.isnan(signs.keypoints).any((1, 2)), "", read)


def with_labels(samples, *, person: Callable[[Sample], str] = lambda sample: sample.group) -> Signs:
    """Signs with the key-points that the source itself gives, in place of a network's."""
    every = (samples[i] for i in range(len(samples)))  # one by one: the pictures of all would fill the memory
    rows = [(gesturenet.normalise(s.keypoints, s.visible), s.shape, person(s), s.id) for s in every]
    stacked, labels, persons, ids = zip(*rows, strict=True)
    return Signs(np.stack(stacked), np.array(labels), np.array(persons), list(ids))


def network_reader(kind: type = gesturenet.GestureNet, *, seed: int = 0, steps: int = 3000, **options):
    """A maker of readers: `Signs` to learn from in, a `Reader` out."""

    def make(known: Signs) -> Reader:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            net = kind(sorted(set(known.labels)), **options)
        gesturenet.fit(net, known.keypoints, known.labels, steps=steps, seed=seed)
        return lambda keypoints: gesturenet.read(net, keypoints)[0]

    return make


def neighbour_reader(known: Signs) -> Reader:
    """The humble maker of readers."""
    return gesturenet.NearestNeighbour(known.keypoints, known.labels)


def leave_one_out(signs: Signs, make: Callable[[Signs], Reader], tested: Signs | None = None) -> np.ndarray:
    """What is read of each sign by a reader that has never seen that person: (N,) labels.

    Args:
        signs: to learn from.
        tested: to read, the same signs seen otherwise (with other points); None reads `signs`.

    Raises:
        ValueError: only one person.
    """
    tested = signs if tested is None else tested
    persons = sorted(set(signs.persons))
    if len(persons) < 2:
        raise ValueError(f"only {', '.join(persons)}: somebody must be left to learn from")
    found = np.empty(len(tested), dtype=signs.labels.dtype)
    for person in persons:
        out = tested.persons == person
        found[out] = make(signs[signs.persons != person])(tested.keypoints[out])
    return found


def random_split(signs: Signs, make: Callable[[Signs], Reader], share: float, seed: int = 0):
    """What the paper's words allow: a random part of all pictures is read; (n,) read labels and (n,) true ones."""
    order = np.random.default_rng(seed).permutation(len(signs))
    number = round(share * len(signs))
    return make(signs[order[number:]])(signs.keypoints[order[:number]]), signs.labels[order[:number]]


def in_turns(order: Sequence[int], labels: Sequence[str]) -> list[int]:
    """Indices in an order, label by label in turn: among the first of them no label has two more than another that is
    not used up."""
    by_label: dict[str, list[int]] = {}
    for i in order:
        by_label.setdefault(labels[i], []).append(int(i))
    return [some[k] for k in range(max(map(len, by_label.values()))) for some in by_label.values() if k < len(some)]


def merged(labels: Sequence[str], pairs: dict[str, str]) -> np.ndarray:
    """Labels with look-alikes made one, as {"0": "o", "2": "v", "6": "w"} or `ALIKE`."""
    return np.array([pairs.get(name, name) for name in labels])


def confusion(found: Sequence[str], true: Sequence[str], labels: Sequence[str]) -> np.ndarray:
    """Counts (labels, labels): row the true letter, column what was read."""
    index_of = {name: i for i, name in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(counts, ([index_of[t] for t in true], [index_of[f] for f in found]), 1)
    return counts


def report(found: np.ndarray, signs: Signs, pairs: dict[str, str] | None = None) -> dict:
    """Word error rates with 95 % Wilson intervals: of all signs, with look-alikes merged, and person by person.

    The interval takes signs for independent, which those of one person are not: with few persons, their spread says
    more about a new one.
    """

    def entry(chosen: np.ndarray, alike: dict[str, str]) -> dict:
        rate, interval = metrics.word_error_rate(merged(found[chosen], alike), merged(signs.labels[chosen], alike))
        return {"wer": rate, "interval": list(interval), "signs": int(chosen.sum())}

    everyone = np.ones(len(signs), bool)
    result = entry(everyone, {})
    if pairs:
        result["merged"] = entry(everyone, pairs)
    result["persons"] = {p: entry(signs.persons == p, {}) for p in sorted(set(signs.persons))}
    return result


def score_rwth(
    net: nn.Module, size: int, detector: HandDecNet, path: str | None, split: str, *, steps: int = 3000, seed: int = 0
) -> dict:
    """Section 4.1 on the RWTH database: the frozen networks look, a new reader learns, the split's signs are read.

    Args:
        net, size: the pose network, fine-tuned or not.
        path: as for `handpose.data.readers.rwth.Rwth`.
        split: "val", whose signers the reader has not seen, or "paper-val", random pictures.

    Raises:
        handpose.data.DataError: another split, or a folder that cannot be used.
    """
    learned = {"val": "train", "paper-val": "paper-train"}.get(split)
    if learned is None:
        raise DataError(f"letters of rwth are read on val or paper-val, not on {split!r}")
    sets = [Rwth(path, part) for part in (learned, split)]
    known, tested = (look(net, cut(s, size, detected_box(detector), progress=True)) for s in sets)
    found = network_reader(steps=steps, seed=seed)(known)(tested.keypoints)
    skipped = dict(entry for s in sets for entry in s.skipped)
    return {"learned_from": len(known), "skipped": sorted(skipped)} | report(found, tested)
