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
from typing import Any

import torch
from torch import Tensor

from handpose import devices, files, pretrained
from handpose.data import OWN, augment, crops
from handpose.data.division import Part
from handpose.losses import PoseLoss
from handpose.train import checkpoint, distributed, evaluate, records, schedule
from handpose.train.checkpoint import TrainingError
from handpose.train.config import Config, build
from handpose.train.heldout import HeldOut, open_sets
from handpose.train.loop import BatchLoss, fit
from handpose.train.monitor import Monitor
from handpose.train.sampler import Sampler
from handpose.train.state import TrainState


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
    val_fraction: float | None

    def identity(self) -> dict:
        """What a checkpoint must have been made with to be resumed."""
        return {"config": self.config.as_dict(), "sources": self.sources, "seed": self.seed, "validate": self.validate,
                "init": self.init, "splits": list(self.splits), "watch": self.watch,
                "val_fraction": self.val_fraction, "reading": self.reading}  # fmt: skip

    @property
    def checkpoint(self) -> Path:
        """The file of its checkpoint."""
        return self.out / "checkpoint.pt"


def train(
    config: Config, sources: Sequence[str], out: str | os.PathLike, *, seed: int = 0, validate: str | None = None,
    splits: tuple[str, str] = ("train", "val"), watch: Sequence[str] = (), init: str | os.PathLike | None = None,
    device: str | None = None, resume: bool = False, branch: str | os.PathLike | None = None,
    decay: int | None = None, progress: bool = True, loaded: dict[str, crops.Crops] | None = None,
    reading: dict | None = None, val_fraction: float | None = None,
) -> dict:  # fmt: skip
    """One training run, to the end of its schedule, scored on the whole validation split (Chapters 7 and 13).

    Args:
        config: what to train.
        sources: data sets as on the command line, "NAME[:PATH]".
        out: folder of the run; made if needed.
        seed: reaches every random choice.
        validate: data set scored during and after the run; the first source by default. Where it is, by its name or
            content, a source without splits of its own, that is divided; see `handpose.data.division`.
        splits: what is trained on, and what is scored.
        watch: further sets that are scored during and after the run, "NAME[:PATH]/SPLIT".
        init: a file of weights to start from, for fine-tuning; its network must be the configuration's.
        device: None chooses CUDA, MPS or CPU.
        resume: go on from the checkpoint in `out`. branch: go on from this one of another folder, in `out`.
        decay: of a "stable" schedule: so many steps are left, in which the rate falls.
        progress: show progress bars. loaded: crops of the sources by name, cut before, which runs of one process share.
        reading: `joint_order` and `unturned` of `data.open`, for those of the sets that take them.
        val_fraction: of a set that is divided, the part that is scored; a fifth by default.

    Returns:
        The record, also written to ``record.json``; the weights are in ``weights.safetensors``. An empty one in
        processes other than the first.

    Raises:
        TrainingError: the folder cannot be written, or holds another run; what is scored is trained on, or cannot be
            scored; labels have changed since the run began; the loss is not finite; another process was lost.
        Interrupted: Ctrl-C or SIGTERM; the run was saved.
        handpose.data.DataError: a data set is not there.
    """
    plan = _plan(config, sources, out, seed, validate, splits, watch, init, reading or {}, val_fraction)
    torch_device, progress = devices.choose(distributed.device(device)), progress and distributed.is_first()
    versions = records.versions(torch_device, training=True) | {"ranks": distributed.ranks()}
    identity = plan.identity() | {"versions": versions}
    saved = _saved(plan, identity, source := Path(branch) if branch else plan.checkpoint if resume else None, decay)
    opened, held_out = open_sets(plan.sources, plan.splits, plan.validate, plan.watch, val_fraction, plan.reading,
                                 progress=progress)  # fmt: skip
    state, commit = _begin(plan, torch_device, saved, decay), records.commit()
    alone = checkpoint.locked(plan.out) if distributed.is_first() else contextlib.nullcontext()
    with alone, distributed.group(torch_device):
        sets, about, digests = _read(plan, opened, held_out, loaded or {}, progress)
        if source and saved and distributed.is_first():
            checkpoint.check_data(source, saved, digests)
        names = [f"{c.name}/{i}" for c in sets for i in c.ids]
        batch_loss = _batch_loss(plan, state, sets, _scenery(plan, opened, torch_device))
        del sets  # they are on the device now
        looking = config.evaluate_every < state.schedule.steps and distributed.is_first()
        evaluation = held_out.scorer(config.crop.size, progress) if looking else None
        monitor = Monitor(state, plan.checkpoint, identity | {"data_digests": digests}, config.checkpoint_every,
                          config.evaluate_every, evaluation, names, progress)  # fmt: skip
        fit(state, batch_loss, monitor, seed=seed)
        del batch_loss  # and with it what averages gradients: it must not outlive the group of processes
        about |= {"notes": held_out.notes, "commit": commit, "versions": versions}
        return _finish(plan, state, held_out, about) if distributed.is_first() else {}


def _plan(config, sources, out, seed, validate, splits, watch, init, reading, val_fraction) -> Plan:
    """A plan whose parts fit together."""
    if not sources:
        raise TrainingError("no data set to train on was named")
    if not 0 <= seed < 2**31:
        raise TrainingError(f"the seed is {seed}; it must lie between 0 and 2**31 - 1")
    distributed.part(config.schedule.batch)  # raises where the batch cannot be divided
    return Plan(config, list(sources), Path(out), seed, validate or sources[0], tuple(splits), list(watch),
                str(init) if init else None, {k: v for k, v in reading.items() if v}, val_fraction)  # fmt: skip


def _saved(plan: Plan, identity: dict, file: Path | None, decay: int | None) -> dict | None:
    """The checkpoint to go on from; None for a run that begins."""
    if decay is not None and file is None:
        raise TrainingError("--decay ends a run that is resumed: add --resume or --branch")
    if file != plan.checkpoint:
        checkpoint.check_free(plan.out)
        if file and not file.exists():
            checkpoint.check_unfinished(file.parent)
            raise TrainingError(f"--branch {file}: there is no such checkpoint")
    return checkpoint.read(file, identity) if file else None


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
        try:
            state.schedule = schedule.ending(state.schedule, state.step, decay)
        except ValueError as error:
            raise TrainingError(f"{plan.out}: {error}") from None
    return state


def _read(plan: Plan, opened: list, held_out: HeldOut, loaded: dict[str, crops.Crops], progress: bool) -> tuple:
    """Read all hands, those to be scored first.

    Returns:
        The crops to train on; what a record says of the data; by which a run that is resumed knows them again.
    """
    size, sets, names = plan.config.crop.size, [], records.short_names(plan.sources)
    if distributed.is_first():
        held_out.read(size, progress, plan.init)
    for source, samples in zip(plan.sources, opened, strict=True):
        known = None if isinstance(samples, Part) else loaded.get(source)  # which holds the whole of a divided set
        sets.append(known or crops.load_crops(source.partition(":")[0], samples, size, progress=progress))
    about: dict[str, Any] = {"data_sha256": {name: c.fingerprint() for name, c in zip(names, sets, strict=True)}}
    if held_out.divided:
        about["division"] = held_out.divided.about()
    before = pretrained.trained_on(plan.init) if plan.init else set()
    about["trained_on"] = before | {key for source, c in zip(plan.sources, sets, strict=True)
                                    if source.partition(":")[0] in OWN for key in c.image_keys}  # fmt: skip
    if shared := held_out.shared(sets, before):
        about["also_trained_on"] = shared
    return sets, about, {name: c.digests() for name, c in zip(names, sets, strict=True)} | held_out.digests()


def _batch_loss(plan: Plan, state: TrainState, sets: list[crops.Crops], scenery: Tensor | None) -> BatchLoss:
    """One step's batch, prediction and loss, of crops that are held on the device."""
    config, device = plan.config, state.device
    hands = crops.Joined(sets, device)
    sampler, loss = Sampler.of_crops(sets, config.balance), PoseLoss(**dataclasses.asdict(config.loss))
    net, part = distributed.wrapped(state.net), distributed.part(config.schedule.batch)
    use_bfloat16 = devices.half_precision(device)

    def batch_loss(rng: augment.Random) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        samples = sampler.sample_batch(rng, config.schedule.batch)
        inputs, targets, labelled = augment.batch(
            *hands[samples], size=config.crop.size, rng=rng, crop=config.crop, augmentation=config.augment,
            backgrounds=scenery,
        )  # fmt: skip
        with torch.autocast(device.type, torch.bfloat16, enabled=use_bfloat16):
            maps = net(inputs[part].contiguous(memory_format=torch.channels_last))
        return *loss(maps, targets[part], labelled[part]), samples

    return batch_loss


def _scenery(plan: Plan, opened: list, device: torch.device) -> Tensor | None:
    """Backgrounds for masked hands: windows of the photographs among the sources, and of drawn scenes."""
    if not plan.config.augment.background:
        return None
    size = plan.config.crop.size
    windows = [crops.backgrounds(samples, size, seed=plan.seed)
               for source, samples in zip(plan.sources, opened, strict=True)
               if source.partition(":")[0] == "hand-keypoints"]  # fmt: skip
    return torch.cat([*windows, crops.drawn_backgrounds(size, seed=plan.seed)]).to(device)


def _finish(plan: Plan, state: TrainState, held_out: HeldOut, about: dict) -> dict:
    """Keep the weights, score what is kept, write the record."""
    config = dataclasses.replace(plan.config, schedule=state.schedule)
    size = config.crop.size
    pretrained.save(plan.out / "weights.safetensors", state.averaged(), size, trained_on=about["trained_on"])
    net, _ = pretrained.load(plan.out / "weights.safetensors", state.device)
    found, *others = [evaluate.evaluate(net, hands) for hands in held_out.cut.values()]
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
    record |= {key: about[key] for key in ("division", "also_trained_on") if key in about}
    if others:
        record["elsewhere"] = dict(zip(plan.watch, others, strict=True))
    record["history"] = state.history
    files.write_json(plan.out / "record.json", record)
    plan.checkpoint.unlink(missing_ok=True)
    return record
