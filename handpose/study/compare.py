"""Which of several trained networks is better: paired differences, as Chapter 9 makes them, from their runs' records.

Two methods are compared on the same pictures with the same boxes. Runs of one method with different seeds belong
together: a difference counts only if it holds for other people and for other seeds.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from handpose import data, metrics, pretrained
from handpose.train import evaluate
from handpose.train.reading import Opener, as_options
from handpose.train.unseen import scored, unseen

FEWEST = 3  # seeds of each method, before one is called better


class CompareError(ValueError):
    """Records that cannot be compared; the message names one and says why."""


@dataclass
class Run:
    """A finished run: its record, and the file of its weights beside it."""

    file: Path
    record: dict

    @property
    def weights(self) -> Path:
        return self.file.with_name("weights.safetensors")

    def setting(self) -> dict:
        """What makes the method: the configuration, the data, how they are read and divided, the start. No seed."""
        older = {"split": "train", "reading": {}}  # of records that do not say
        keys = ("method", "config", "data", "split", "reading", "init")
        about = {key: self.record.get(key, older.get(key)) for key in keys}
        return about | {"val_fraction": (self.record.get("division") or {}).get("fraction")}


def read(file: Path) -> Run:
    """A run by its ``record.json``, or by the folder that holds it.

    Raises:
        CompareError: no such file, no record of a training, or no weights beside it.
    """
    file = file / "record.json" if file.is_dir() else file
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CompareError(f"{file}: cannot be read as a record ({error})") from None
    lacking = {"method", "config", "seed", "validation", "validation_split"} - set(
        record if isinstance(record, dict) else ()
    )
    if lacking:
        raise CompareError(f"{file}: no record of a training, for it has no {min(lacking)!r}")
    run = Run(file, record)
    if not run.weights.is_file():
        raise CompareError(f"{file}: there is no weights.safetensors beside it, as in the folder of a run")
    return run


def methods(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Runs by method, each in the order of its seeds; methods of one name but other settings are told apart by folder.

    Raises:
        CompareError: fewer than two methods, or the same run twice.
    """
    found: list[list[Run]] = []
    for run in runs:
        same = next((group for group in found if group[0].setting() == run.setting()), None)
        if same is None:
            found.append([run])
        elif any(run.record["seed"] == other.record["seed"] for other in same):
            raise CompareError(
                f"{run.file}: a run with seed {run.record['seed']} and the same settings was given already"
            )
        else:
            same.append(run)
    if len(found) < 2:
        raise CompareError("all these runs have the same settings; give the records of two or more methods")
    names = _names([group[0] for group in found])
    return {name: sorted(group, key=lambda run: run.record["seed"]) for name, group in zip(names, found, strict=True)}


def _names(runs: Sequence[Run]) -> list[str]:
    """What methods are called, by a run of each: no two alike, or one would be lost.

    That is the method's own name; of several with one name, the end of the folder that tells it apart.
    """
    names, folders = [run.record["method"] for run in runs], [run.file.parent.resolve() for run in runs]
    paths = [folder / run.file.name if folders.count(folder) > 1 else folder
             for run, folder in zip(runs, folders, strict=True)]  # fmt: skip
    alone = {name for name in names if names.count(name) == 1}
    found = []
    for name, path in zip(names, paths, strict=True):
        for length in range(1, len(path.parts) + 1) if name not in alone else ():
            end = path.parts[-length:]
            if sum(other.parts[-length:] == end for other in paths) == 1 and "/".join(end) not in alone:
                name = Path(*end).as_posix()
                break
        found.append(name)
    return found


def compare(
    files: Sequence[Path], source: str | None = None, split: str | None = None, reading: dict | None = None
) -> dict:
    """Score all runs on one set, and take differences of every pair of methods.

    Args:
        files: the runs' records.
        source, split: the set; those that the first run was validated on by default.
        reading: `joint_order` and `unturned` of `data.open`; by default those of the runs' records, for a set that they
            were validated on.

    Returns:
        ``{"data", "split", "notes", "images", "scores": {method: {seed: metrics}}, "comparisons": [{"first", "second",
        "seeds", "pck_bone", "pck_box"}]}``, the last two as in `handpose.metrics.paired`; the notes are the reader's.

    Raises:
        CompareError: see `read` and `methods`.
        handpose.data.DataError: the set cannot be read.
    """
    given = [read(file) for file in files]
    groups, first = methods(given), given[0].record
    source, split = source or first["validation"], split or first["validation_split"]
    opener = Opener([source], reading or _recorded(source, given))
    samples, cut = opener(source, split), {}
    if (source, split) == (first["validation"], first["validation_split"]):
        samples = scored(samples, first.get("division"))
    for run in [run for runs in groups.values() for run in runs]:  # only what none of them was trained on
        samples, left_out = unseen(samples, split, run.weights)
        for reason, ids in left_out.items():
            print(f"note: left out: {len(ids)} hands {reason} ({run.weights})", file=sys.stderr)
    predicted: dict[str, np.ndarray] = {}
    scores: dict[str, dict[str, dict]] = {}
    for name, runs in groups.items():
        rows = []
        for run in runs:
            net, size = pretrained.load(run.weights)
            if size not in cut:
                cut[size] = evaluate.crop_dataset(samples, size, progress=True)
            rows.append(evaluate.predict(net, cut[size])[-1])
            found = metrics.summarise(rows[-1], cut[size].keypoints, cut[size].visible)
            scores.setdefault(name, {})[str(run.record["seed"])] = found
        predicted[name] = np.stack(rows)
    hands = next(iter(cut.values()))
    pairs = [
        {"first": a, "second": b, "seeds": [len(predicted[a]), len(predicted[b])]}
        | metrics.paired(predicted[a], predicted[b], hands.keypoints, hands.visible, hands.groups)
        for a, b in combinations(groups, 2)
    ]
    return {"data": source, "split": split, "notes": opener.notes.get(source, []), "images": len(hands.ids),
            "scores": scores, "comparisons": pairs}  # fmt: skip


def _recorded(source: str, runs: Sequence[Run]) -> dict:
    """How the runs read a set that they were validated on, by the first that was; nothing for another set.

    What is decided for the user is said on stderr.
    """
    readings = [(run, run.record.get("reading") or {}) for run in runs]
    if source.partition(":")[0] not in data.FORMS or not any(reading for _, reading in readings):
        return {}
    chosen = next((reading for run, reading in readings if run.record["validation"] == source), {})
    print(f"note: {source} is read with {as_options(chosen)}", file=sys.stderr)
    for run, reading in readings:
        if reading != chosen:
            print(f"note: {run.file} was made with {as_options(reading)}", file=sys.stderr)
    return chosen
