"""Train a pose network on labelled hands (sections 3.3 and 4; Chapters 7 and 13).

A run lives in one folder: ``checkpoint.pt`` while it goes on, ``weights.safetensors`` and ``record.json`` when it has
ended, ``history.csv`` and ``curves.png`` all the while. Under ``torchrun`` several processes share the work, see
`distributed`.
"""

import contextlib
import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from handpose import devices, files, pretrained
from handpose.data import augment, crops
from handpose.losses import PoseLoss
from handpose.train import checkpoint, distributed, evaluate, records, schedule
from handpose.train.checkpoint import TrainingError
from handpose.train.config import Config, build
from handpose.train.loop import BatchLoss, fit
from handpose.train.monitor import Monitor
from handpose.train.reading import open_sets
from handpose.train.sampler import Sampler
from handpose.train.state import TrainState

EVALUATED = 500  # at most this many validation hands during a run; all of them at its end


@dataclass(frozen=True)
class Plan:
    """What is trained, on what, and what it is scored on; see `train`."""

    config: Config
    sources: list[str]
    out: Path
    seed: int
    validate: str
    splits: tuple[str, str]
    watch: list[str]
    init: str | None
    reading: dict  # `joint_order` and `unturned` of `data.open`, where given

    def identity(self) -> dict:
        """What a checkpoint must have been made with to be resumed."""
        return {"config": self.config.as_dict(), "sources": self.sources, "seed": self.seed, "validate": self.validate,
                "init": self.init, "splits": list(self.splits), "watch": self.watch} | self.reading  # fmt: skip

    @property
    def checkpoint(self) -> Path:
        """The file of its checkpoint."""
        return self.out / "checkpoint.pt"

    def held_out(self) -> dict[str, tuple[str, str]]:
        """What it is scored on: name, and set and split; the validation set comes first."""
        return {self.validate: (self.validate, self.splits[1])} | {name: watched(name) for name in self.watch}


def watched(name: str) -> tuple[str, str]:
    """Set and split of "NAME[:PATH]/SPLIT".

    Raises:
        TrainingError: no split.
    """
    source, _, split = name.rpartition("/")
    if not source or not split:
        raise TrainingError(f"{name}: name the split of a set to be watched, as in wild/val or asl-letters/all")
    return source, split


def train(
    config: Config, sources: Sequence[str], out: str | os.PathLike, *, seed: int = 0, validate: str | None = None,
    splits: tuple[str, str] = ("train", "val"), watch: Sequence[str] = (), init: str | os.PathLike | None = None,
    device: str | None = None, resume: bool = False, branch: str | os.PathLike | None = None,
    decay: int | None = None, progress: bool = True, kept: dict[str, crops.Crops] | None = None,
    reading: dict | None = None,
) -> dict:  # fmt: skip
    """One training run, to the end of its schedule, scored on the whole validation split (Chapters 7 and 13).

    Args:
        config: what to train.
        sources: data sets as on the command line, "NAME[:PATH]".
        out: folder of the run; made if needed.
        seed: reaches every random choice.
        validate: data set scored during and after the run; the first source by default.
        splits: what is trained on, and what is scored.
        watch: further sets that are scored during and after the run, "NAME[:PATH]/SPLIT".
        init: a file of weights to start from, for fine-tuning; its network must be the configuration's.
        device: None chooses CUDA, MPS or CPU.
        resume: go on from the checkpoint in `out`.
        branch: a checkpoint of another folder to go on from instead; `out` holds the rest of the run.
        decay: of a "stable" schedule: so many steps are left, in which the rate falls.
        progress: show progress bars.
        kept: crops of the sources by name, cut before, so that several runs in one process share them.
        reading: `joint_order` and `unturned` of `data.open`, for those of the sets that take them.

    Returns:
        The record, also written to ``record.json``; the weights are in ``weights.safetensors``. An empty one in
        processes other than the first.

    Raises:
        TrainingError: the folder cannot be written, holds another run or is being written to; the loss is not finite;
            another process was lost.
        Interrupted: Ctrl-C or SIGTERM; the run was saved.
        handpose.data.DataError: a data set is not there.
    """
    plan = _plan(config, sources, out, seed, validate, splits, watch, init, reading or {})
    place, progress = devices.choose(distributed.device(device)), progress and distributed.is_first()
    identity = plan.identity() | {"versions": records.versions(place) | {"ranks": distributed.ranks()}}
    saved = _saved(plan, identity, branch or (plan.checkpoint if resume else None))
    opened, held_out, notes = open_sets(plan.sources, splits[0], plan.held_out(), plan.reading)
    state = _begin(plan, place, saved, decay)
    commit, alone = (
        records.commit(),
        checkpoint.locked(plan.out) if distributed.is_first() else contextlib.nullcontext(),
    )
    with alone, distributed.group(place):
        sets = [(kept or {}).get(name) or crops.load_crops(name, source, config.crop.size, progress=progress)
                for name, source in opened]  # fmt: skip
        fingerprints = {c.name: c.fingerprint() for c in sets}
        names = [f"{c.name}/{i}" for c in sets for i in c.ids]
        batch_loss = _batch_loss(plan, state, sets, _scenery(plan, opened, place))
        del sets  # they are on the device now
        look = None
        if config.evaluate_every < state.schedule.steps and distributed.is_first():
            look = _look(plan, held_out, progress)
        monitor = Monitor(state, plan.checkpoint, identity, config.checkpoint_every, config.evaluate_every, look, names,
                          progress)  # fmt: skip
        fit(state, batch_loss, monitor, seed=seed)
        if not distributed.is_first():
            return {}
        about = {"data_sha256": fingerprints, "commit": commit, "versions": identity["versions"], "notes": notes}
        return _finish(plan, state, held_out, about, progress)


def _plan(config, sources, out, seed, validate, splits, watch, init, reading) -> Plan:
    """A plan whose parts fit together."""
    if not sources:
        raise TrainingError("no data set to train on was named")
    validate = validate or sources[0]
    if validate in sources and validate.startswith("labelled:"):
        raise TrainingError(f"{validate} is one set without a split; validate on another set (--validate)")
    if not 0 <= seed < 2**31:
        raise TrainingError(f"the seed is {seed}; it must lie between 0 and 2**31 - 1")
    distributed.part(config.schedule.batch)  # raises where the batch cannot be divided
    return Plan(config, list(sources), Path(out), seed, validate, tuple(splits), list(watch),
                str(init) if init else None, reading)  # fmt: skip


def _saved(plan: Plan, identity: dict, file: str | os.PathLike | None) -> dict | None:
    """The checkpoint to go on from; None for a run that begins."""
    begins_here = file is None or Path(file) != plan.checkpoint
    if begins_here and plan.checkpoint.exists():
        raise TrainingError(f"{plan.out} holds a run; add --resume to go on with it, or choose another --out")
    if begins_here and (plan.out / "record.json").exists():
        raise TrainingError(f"{plan.out} holds a finished run; choose another --out")
    return checkpoint.read(Path(file), identity) if file else None


def _begin(plan: Plan, device: torch.device, saved: dict | None, decay: int | None) -> TrainState:
    """The state before the first step that is left."""
    torch.manual_seed(plan.seed)
    net = build(plan.config.network)
    if plan.init:
        start, _ = pretrained.load(plan.init)
        if type(start) is not type(net) or start.options != net.options:
            what = checkpoint.difference(
                {"kind": type(start).__name__} | start.options, {"kind": type(net).__name__} | net.options
            )
            raise TrainingError(f"{plan.init}: weights of another network than the configuration's ({what})")
        net.load_state_dict(start.state_dict())
    state = TrainState.begin(net, plan.config.schedule, device)
    if saved:
        state.restore(saved)
    if decay is not None:
        if not saved:
            raise TrainingError("--decay ends a run that is resumed: add --resume or --branch")
        try:
            state.schedule = schedule.ending(state.schedule, state.step, decay)
        except ValueError as error:
            raise TrainingError(f"{plan.out}: {error}") from None
    return state


def _batch_loss(plan: Plan, state: TrainState, kept: list[crops.Crops], scenery: Tensor | None) -> BatchLoss:
    """One step's batch, prediction and loss, of crops that are held on the device."""
    config, device = plan.config, state.device
    images, keypoints, visible = (
        torch.cat([getattr(c, k) for c in kept]).to(device) for k in ("images", "points", "visible")
    )
    sampler, loss = Sampler.of_crops(kept, config.balance), PoseLoss(**dataclasses.asdict(config.loss))
    net, use_bfloat16, part = (
        distributed.wrapped(state.net), devices.half_precision(device), distributed.part(config.schedule.batch)
    )  # fmt: skip

    def batch_loss(rng: augment.Random) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        samples = sampler.sample_batch(rng, config.schedule.batch)
        chosen = samples.to(device)
        inputs, targets, seen = augment.batch(
            images[chosen], keypoints[chosen], visible[chosen], size=config.crop.size, rng=rng, crop=config.crop,
            how=config.augment, backgrounds=scenery,
        )  # fmt: skip
        with torch.autocast(device.type, torch.bfloat16, enabled=use_bfloat16):
            maps = net(inputs[part].contiguous(memory_format=torch.channels_last))
        return *loss(maps, targets[part], seen[part]), samples

    return batch_loss


def _scenery(plan: Plan, opened: list, device: torch.device) -> Tensor | None:
    """Backgrounds for masked hands: windows of the photographs among the sources, and of drawn scenes."""
    if not plan.config.augment.background:
        return None
    size = plan.config.crop.size
    windows = [crops.backgrounds(s, size, seed=plan.seed) for name, s in opened if name == "hand-keypoints"]
    return torch.cat([*windows, crops.drawn_backgrounds(size, seed=plan.seed)]).to(device)


def _look(plan: Plan, held_out: dict, progress: bool):
    """A function that scores a network during the run: on the validation set and, under "watch", on the others."""
    cut = {name: evaluate.crop_dataset(samples, plan.config.crop.size, limit=EVALUATED, progress=progress)
           for name, samples in held_out.items()}  # fmt: skip

    def look(net: nn.Module) -> tuple[dict, str]:
        scores, lines = {}, []
        for name, hands in cut.items():
            found = evaluate.evaluate(net, hands, intervals=False)["metrics"]
            bone, box = round(found["pck_bone"]["0.2"], 4), round(found["pck_box"]["0.1"], 4)
            scores[name] = {"pck_bone_0.2": bone, "pck_box_0.1": box}
            lines.append(f"PCK at 0.2 of s {bone:.3f}, at 0.1 of the box {box:.3f} on {len(hands.ids)} hands of {name}")
        first = scores.pop(plan.validate)
        return first | ({"watch": scores} if scores else {}), "; ".join(lines)

    return look


def _finish(plan: Plan, state: TrainState, held_out: dict, about: dict, progress: bool) -> dict:
    """Keep the weights, score what is kept, write the record."""
    config = dataclasses.replace(plan.config, schedule=state.schedule)
    size = config.crop.size
    pretrained.save(plan.out / "weights.safetensors", state.averaged(), size)
    net, _ = pretrained.load(plan.out / "weights.safetensors", state.device)
    found, *others = [evaluate.evaluate(net, evaluate.crop_dataset(samples, size, progress=progress))
                      for samples in held_out.values()]  # fmt: skip
    record = {
        "experiment": config.name, "method": records.method(config), "scale": config.name,
        "config": config.as_dict(), "data": plan.sources, "split": plan.splits[0], "data_sha256": about["data_sha256"],
        "validation": plan.validate, "validation_split": plan.splits[1], "init": plan.init,
        "notes": about["notes"], "reading": plan.reading,
        "seed": plan.seed, "steps": state.step, "commit": about["commit"],
        "device": about["versions"]["device"], "threads": about["versions"]["threads"], "versions": about["versions"],
        "seconds": round(state.seconds, 1), "params": sum(p.numel() for p in net.parameters()),
        "gmac": round(records.macs(net, size) / 1e9, 4),
    } | found  # fmt: skip
    if others:
        record["elsewhere"] = dict(zip(plan.watch, others, strict=True))
    record["history"] = state.history
    files.write_json(plan.out / "record.json", record)
    plan.checkpoint.unlink(missing_ok=True)
    return record
