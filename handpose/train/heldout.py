"""What a run is scored on: read and tried before the first step, and never what it is trained on (Chapter 7)."""

import dataclasses
import functools
import os
import sys
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from handpose.data import crops, division
from handpose.posenet import STRIDE
from handpose.pretrained import KEY
from handpose.train import distributed, evaluate
from handpose.train.checkpoint import TrainingError
from handpose.train.reading import Opener
from handpose.train.unseen import unseen

EVALUATED = 500  # at most this many validation hands during a run; all of them at its end
LEAK = 0.5  # so large a part of the pictures that are scored must not be trained on, whatever the sets' own splits


def watched(name: str) -> tuple[str, str]:
    """Set and split of "NAME[:PATH]/SPLIT".

    Raises:
        TrainingError: no split.
    """
    source, _, split = name.rpartition("/")
    if not source or not split:
        raise TrainingError(f"{name}: name the split of a set to be watched, as in wild/val or asl-letters/all")
    return source, split


@dataclass
class HeldOut:
    """The sets that a run is scored on, by name; the validation set comes first."""

    parts: dict[str, division.Part]
    strict: list[bool]  # of each source: whether it, or the validation set, has no splits of its own
    divided: division.Division | None = None  # of the source that is also the validation set
    cut: dict[str, evaluate.CroppedDataset] = field(default_factory=dict)  # filled by `read`
    notes: dict[str, list[str]] = field(default_factory=dict)  # what readers said of their sets

    def read(self, size: int, progress: bool = True, init: str | None = None) -> None:
        """Read and cut all hands, and score them once with a network that knows nothing.

        Whatever would end the scoring after the last step (a picture that is not there or has another size, a hand
        that has no scale) does so now.

        Args:
            size: side of the crops in pixels.
            progress: show progress bars.
            init: weights that the run starts from; what they were trained on is left out, and said.

        Raises:
            TrainingError: hands that cannot be scored, by their ids.
            handpose.data.DataError: a picture that cannot be used, or the start weights were trained on all.
        """
        for number, name in enumerate(self.parts):
            left_out = self._leave_out(number, name, init, progress) if init else {}
            part = self.parts[name]
            hands = evaluate.crop_dataset(part, size, progress=progress)
            try:
                evaluate.evaluate(_Ignorant(), hands)
            except ValueError as error:
                raise TrainingError(f"{name}: cannot be scored ({error}){_culprits(hands)}") from None
            hands.left_out |= left_out
            self.cut[name] = hands

    def _leave_out(self, number: int, name: str, init: str, progress: bool) -> dict[str, list[str]]:
        """Leave out of a set what the start weights were trained on; ids of these hands, by the reason."""
        # To watch a split "all" or "train" is to ask for such hands; nobody asks to be validated on them.
        split = name.rpartition("/")[2] if number else "val"
        way_out = "watch its split all to score them" if number else "name another set with --validate"
        number_before = len(self.parts[name])
        self.parts[name], left_out = unseen(self.parts[name], split, init, progress=progress, way_out=way_out)
        for reason, ids in left_out.items():
            print(f"note: {name}: left out: {len(ids)} of {number_before} hands {reason} ({init})", file=sys.stderr)
        return left_out

    def scorer(self, size: int, progress: bool = True) -> Callable[[nn.Module], tuple[dict, str]]:
        """A function that scores a network during the run, on at most `EVALUATED` hands of each set.

        It returns what goes into the history (the watched sets under "watch"), and a line to print.
        """
        few = {name: self.cut[name] if len(part) <= EVALUATED else
               evaluate.crop_dataset(part, size, limit=EVALUATED, progress=progress)
               for name, part in self.parts.items()}  # fmt: skip

        def score(net: nn.Module) -> tuple[dict, str]:
            scores, lines = {}, []
            for name, hands in few.items():
                found = evaluate.evaluate(net, hands, intervals=False)["metrics"]
                bone, box = round(found["pck_bone"]["0.2"], 4), round(found["pck_box"]["0.1"], 4)
                scores[name] = {"pck_bone_0.2": bone, "pck_box_0.1": box}
                lines.append(
                    f"PCK at 0.2 of s {bone:.3f}, at 0.1 of the box {box:.3f} on {len(hands.ids)} hands of {name}"
                )
            first = scores.pop(next(iter(few)))
            return first | ({"watch": scores} if scores else {}), "; ".join(lines)

        return score

    def digests(self) -> dict[str, dict[str, str]]:
        """By which a run that is resumed knows what it is scored on again; rendered hands need no such thing."""
        return {f"{name} (scored)": part.digests() for name, part in self.parts.items()
                if part.image_keys and not getattr(part.samples, "cache_key", None)}  # fmt: skip

    def shared(self, sets: Sequence[crops.Crops], before: Set[str] = frozenset()) -> dict[str, int]:
        """How many pictures of each set, by their content, are also trained on; sets that share none are left out.

        Args:
            sets: what is trained on, in the order of the sources.
            before: keys of what the start weights were trained on, see `handpose.pretrained.trained_on`.

        Raises:
            TrainingError: the validation set is trained on: one picture of a set without splits, or half of any.
        """
        trained, found = {key[:KEY] for c in sets for key in c.image_keys} | before, {}
        guarded = {key[:KEY] for c, strict in zip(sets, self.strict, strict=True) if strict for key in c.image_keys}
        for number, (name, part) in enumerate(self.parts.items()):
            scored = {key[:KEY] for key in part.image_keys.values()}
            if not (both := len(scored & trained)):
                continue
            message = f"{name}: {both} of the {len(scored)} pictures that it is scored on are also trained on"
            if number == 0 and (scored & guarded or both >= LEAK * len(scored)):
                raise TrainingError(f"{message}, whatever their files are called; name another set with --validate, or "
                                    "leave it out to divide a set that has no splits (--val-fraction)")  # fmt: skip
            print(f"note: {message}", file=sys.stderr)
            found[name] = both
        return found


def open_sets(
    sources: Sequence[str], splits: tuple[str, str], validate: str, watch: Sequence[str], fraction: float | None,
    reading: Mapping, *, progress: bool = True,
) -> tuple[list, HeldOut]:  # fmt: skip
    """Open what is trained on and what is scored, and keep them apart.

    Where the validation set is one of the sources, or lies in the same label file under another name, and has no splits
    of its own, it is divided, see `handpose.data.division`.

    Args:
        sources, splits, validate, watch: as in `handpose.train.train`.
        fraction: the part of a set without splits that is scored; None for `division.FRACTION`.
        reading: `joint_order` and `unturned` of `data.open`, for those of the sets that take them.

    Returns:
        The sources' samples, in their order, and what is held out.

    Raises:
        TrainingError: a fraction by which nothing is divided.
        ValueError: a fraction that is none.
        handpose.data.DataError: a set that is not there, or holds one photo only.
    """
    watching = {name: watched(name) for name in watch}
    opener = Opener([*sources, validate, *(source for source, _ in watching.values())], reading)
    opened = [opener(name, splits[0]) for name in sources]
    scored, divided = opener(validate, splits[1]), None
    strict = [division.undivided(samples) or division.undivided(scored) for samples in opened]
    for i, samples in enumerate(opened):
        if division.undivided(samples) and _same_labels(samples, scored):
            bar = functools.partial(tqdm, desc="dividing", disable=not progress, unit="hand", leave=False)
            divided = division.divide(samples, fraction, name=sources[i], wrap=bar)
            opened[i] = divided.train
            if distributed.is_first():
                print(f"note: {sources[i]} has no splits of its own and is divided: {divided}", file=sys.stderr)
            break
    if fraction is not None and not divided:
        raise TrainingError(f"--val-fraction {fraction}: nothing is divided, for {validate} is not trained on or has "
                            "splits of its own")  # fmt: skip
    parts = {validate: divided.val if divided else division.Part(scored)}
    parts |= {name: division.Part(opener(*pair)) for name, pair in watching.items()}
    return opened, HeldOut(parts, strict, divided, notes=opener.notes)


def _same_labels(first, second) -> bool:
    """Whether two sets come from the same label file, by its place or its content."""
    files = [file for samples in (first, second) if (file := getattr(samples, "file", None)) is not None]
    if len(files) < 2:
        return False
    real = [Path(os.path.realpath(file)) for file in files]
    if real[0] == real[1]:
        return True
    try:
        return real[0].stat().st_size == real[1].stat().st_size and real[0].read_bytes() == real[1].read_bytes()
    except OSError:
        return False


def _culprits(hands: evaluate.CroppedDataset) -> str:
    """The hands that cannot be scored alone, by id; "" where each can."""
    found = []
    for i, name in enumerate(hands.ids):
        rows = {k: v for k, v in vars(hands).items() if v is not None and k not in ("left_out", "grouping")}
        one = dataclasses.replace(hands, **{k: v[i : i + 1] for k, v in rows.items()})
        try:
            evaluate.evaluate(_Ignorant(), one, intervals=False)
        except ValueError:
            found.append(name)
    return f": {', '.join(found[:5])}" + (f" and {len(found) - 5} more" if len(found) > 5 else "") if found else ""


class _Ignorant(nn.Module):
    """In place of a network: the same empty maps for every picture."""

    def __init__(self) -> None:
        super().__init__()
        self.nothing = nn.Parameter(torch.zeros(()))

    def forward(self, images: Tensor) -> list[Tensor]:
        """(B, 3, s, s) to one map of zeros, (B, 21, s/8, s/8)."""
        return [images.new_zeros(len(images), 21, *(side // STRIDE for side in images.shape[-2:]))]
