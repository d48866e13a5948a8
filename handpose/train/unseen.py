"""What finished weights may be scored on: never, unasked, pictures of one's own that they were trained on."""

import os
import sys
from typing import Any

from tqdm import tqdm

from handpose import data, pretrained
from handpose.data import division


def scored(samples, about: dict | None):
    """Of a validation set, what a run was scored on, by the entry "division" of its record: a part of it, or all.

    Raises:
        handpose.data.DataError: the set has changed since.
    """
    if not about:
        return samples
    divided = division.divide(samples, about["fraction"])
    if sorted(divided.held_out) != sorted(about["held_out"]):  # in another order they are the same hands
        raise data.DataError("the set is another than when the run began: other hands would be held out of it now")
    return divided.val


def unseen(
    samples, split: str, weights: str | os.PathLike | None, *, progress: bool = True,
    way_out: str = "name another one, or --split all to score what was trained on",
) -> tuple[Any, dict[str, list[str]]]:  # fmt: skip
    """Of a set, what weights may be scored on: hands in pictures of one's own that they were trained on are left out.

    Those of the splits "train" and "all", by which one asks for them, are not, but they are said.

    Args:
        samples: the set, with ``len`` and ``[i] -> Sample``.
        split: its name.
        weights: their file; None for the bundled ones.
        progress: show a bar.
        way_out: what to do where nothing is left, for the error.

    Returns:
        The set or a `division.Part` of it; ids that are left out, by the reason.

    Raises:
        handpose.data.DataError: nothing is left, or a picture cannot be used.
    """
    known = pretrained.trained_on(weights)
    if not known:
        return samples, {}
    keys, ids = [], []
    for i in tqdm(range(len(samples)), desc="comparing", disable=not progress, unit="hand", leave=False):
        sample = samples[i]
        keys.append(division.original_key(samples, i, sample)[: pretrained.KEY])
        ids.append(sample.id)
    trained = [name for name, key in zip(ids, keys, strict=True) if key in known]
    if trained and split in ("train", "all"):
        print(f"note: {len(trained)} of the {len(ids)} hands lie in pictures that {weights} was trained on",
              file=sys.stderr)  # fmt: skip
    if not trained or split in ("train", "all"):
        return samples, {}
    if len(trained) == len(ids):
        raise data.DataError(f"{weights} was trained on all pictures of this set; {way_out}")
    left = [i for i, key in enumerate(keys) if key not in known]
    return division.Part(samples, left), {"in pictures that these weights were trained on": trained}
