"""The training loop of section 3.3: one readable loop, resumable to the bit (Chapters 7 and 13).

A run lives in one folder: ``checkpoint.pt`` while it goes on, ``weights.safetensors`` and ``record.json``
when it has ended. All random choices of step t follow from (seed, t) alone, so a run that was killed and
resumed draws what it would have drawn. Under ``torchrun`` several processes share the work, see `distributed`.
"""

import ctypes
import dataclasses
import math
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from handpose import data, devices, files, pretrained
from handpose.data import augment, crops
from handpose.losses import PoseLoss
from handpose.train import checkpoint, distributed, evaluate, records
from handpose.train.checkpoint import TrainingError
from handpose.train.config import Config, Schedule, build

EVALUATED = 500  # at most this many validation hands during a run; all of them at its end


class Interrupted(TrainingError):
    """Ctrl-C or SIGTERM: the run was saved and can be resumed."""


def learning_rate(schedule: Schedule, step: int) -> float:
    """Learning rate at a step, counted from 0.

    "paper" (section 3.3): linear warm-up over 2,000 steps, 3e-4 until 12,000, 3e-5 until 20,000, 3e-6 to
    30,000. The paper does not say whether the warm-up is part of the first 10,000; we count it before them. With
    another number of steps the corners move in proportion.
    "one-cycle": linear rise to the peak over the first tenth, then half a cosine to a thousandth of it.
    "stable": linear rise over `warmup` steps, then the peak for as long as one likes, and over the last `decay` of the
    steps, once their number is known, half a cosine to a thousandth.
    """
    if schedule.kind == "paper":
        at = step * 30_000 / schedule.steps
        if at < 2_000:
            return 3e-4 * (at + 30_000 / schedule.steps) / 2_000
        return 3e-4 if at < 12_000 else 3e-5 if at < 20_000 else 3e-6
    if schedule.kind == "stable":
        rise, fall = schedule.warmup, schedule.decay
    else:
        rise = max(1, schedule.steps // 10)
        fall = schedule.steps - rise
    if step < min(rise, schedule.steps - fall):
        return schedule.peak * (step + 1) / rise
    left = min(1, (schedule.steps - step) / max(1, fall))  # 1 until the rate falls, then to 0
    return schedule.peak * max(1e-3, 0.5 - 0.5 * math.cos(math.pi * left))


class Sampler:
    """Which samples make a batch: sources by share, the parts of a source equally, then any sample (Chapter 13)."""

    def __init__(self, sources: list[crops.Crops], balance: dict[str, float]) -> None:
        self.members, weights, start = [], [], 0
        for source in sources:
            kinds = source.parts.unique()
            for kind in kinds:
                self.members.append(start + (source.parts == kind).nonzero()[:, 0])
                weights.append(balance.get(source.name, 1.0) / len(kinds))
            start += len(source)
        self.weights = torch.tensor(weights)

    def draw(self, rng: augment.Random, batch: int) -> Tensor:
        """Indices (batch,) into all sources joined."""
        strata = torch.multinomial(self.weights, batch, replacement=True, generator=rng.small)
        u = torch.rand(batch, generator=rng.small)
        return torch.stack([self.members[s][int(v * len(self.members[s]))] for s, v in zip(strata, u, strict=True)])


def watched(name: str) -> tuple[str, str]:
    """Set and split of "NAME[:PATH]/SPLIT".

    Raises:
        TrainingError: no split.
    """
    source, _, split = name.rpartition("/")
    if not source or not split:
        raise TrainingError(f"{name}: name the split of a set to be watched, as in wild/val or asl-letters/all")
    return source, split


class Run:
    """One training run (Chapters 7 and 13).

    Args:
        config: what to train.
        sources: data sets as on the command line, "NAME[:PATH]".
        out: folder of the run; made if needed.
        seed: reaches every random choice.
        validate: data set scored during and after the run; the first source by default.
        watch: further sets that are scored during and after the run, "NAME[:PATH]/SPLIT".
        decay: of a "stable" schedule: from here on, so many steps are left, in which the rate falls.
        branch: a checkpoint of another run, in another folder, to go on from; `out` holds the rest of it.
        splits: what is trained on, and what is scored.
        init: a file of weights to start from, for fine-tuning; its network must be the configuration's.
        device: None chooses CUDA, MPS or CPU.
        progress: show progress bars.
        kept: crops of the sources by name, cut before, so that several runs in one process share them.

    Raises:
        TrainingError: the folder cannot be written, or holds another run.
        handpose.data.DataError: a data set is not there.
    """

    def __init__(
        self, config: Config, sources: list[str], out: str | os.PathLike, *, seed: int = 0, validate: str | None = None,
        init: str | os.PathLike | None = None, device: str | None = None, resume: bool = False, progress: bool = True,
        splits: tuple[str, str] = ("train", "val"), watch: Sequence[str] = (), decay: int | None = None,
        branch: str | os.PathLike | None = None, kept: dict[str, crops.Crops] | None = None,
    ) -> None:  # fmt: skip
        self.config, self.sources, self.out, self.seed = config, sources, Path(out), seed
        self.validate = validate or (sources[0] if sources else None)
        self.progress, self.kept = progress and distributed.is_first(), kept or {}
        self.init, self.splits = str(init) if init else None, list(splits)
        self.device, self.part = devices.choose(distributed.device(device)), distributed.part(config.schedule.batch)
        self.versions = records.versions(self.device) | {"ranks": distributed.ranks()}
        self.commit = records.commit()
        self.checkpoint = self.out / "checkpoint.pt"
        if not sources:
            raise TrainingError("no data set to train on was named")
        if self.validate in sources and self.validate.startswith("labelled:"):
            raise TrainingError(f"{self.validate} is one set without a split; validate on another set (--validate)")
        if not 0 <= seed < 2**31:
            raise TrainingError(f"the seed is {seed}; it must lie between 0 and 2**31 - 1")
        if not resume and self.checkpoint.exists():
            raise TrainingError(f"{self.out} holds a run; add --resume to go on with it, or choose another --out")
        if not resume and (self.out / "record.json").exists():
            raise TrainingError(f"{self.out} holds a finished run; choose another --out")
        self.watch = list(watch)
        saved = self._saved(branch or (self.checkpoint if resume else None), decay)
        self.opened = [(name.partition(":")[0], data.open(name, splits[0])) for name in sources]
        self.held_out = {self.validate: data.open(self.validate, splits[1])}
        for name in self.watch:
            self.held_out[name] = data.open(*watched(name))
        try:
            files.check(self.checkpoint)
        except files.OutputError as error:
            raise TrainingError(f"{error}; choose another --out") from None

        torch.manual_seed(seed)
        self.net = build(config.network)
        if self.init:
            start, _ = pretrained.load(self.init)
            if type(start) is not type(self.net) or start.options != self.net.options:
                what = checkpoint.difference(
                    {"kind": type(start).__name__} | start.options, {"kind": type(self.net).__name__} | self.net.options
                )
                raise TrainingError(f"{self.init}: weights of another network than the configuration's ({what})")
            self.net.load_state_dict(start.state_dict())
        self.net.to(self.device, memory_format=torch.channels_last)
        self.loss = PoseLoss(**dataclasses.asdict(config.loss))
        schedule = config.schedule
        if schedule.weight_decay:
            self.optimiser = torch.optim.AdamW(self.net.parameters(), fused=True, weight_decay=schedule.weight_decay)
        else:
            self.optimiser = torch.optim.Adam(self.net.parameters(), fused=True)
        self.average = None
        if schedule.average:
            self.average = {k: v.detach().clone() for k, v in self.net.state_dict().items()}
        self.step, self.seconds, self.history = 0, 0.0, []
        if saved:
            self.net.load_state_dict(saved["net"])
            self.optimiser.load_state_dict(saved["optimiser"])
            if self.average is not None:
                self.average = {k: v.to(self.device) for k, v in saved["average"].items()}
            self.step, self.seconds, self.history = saved["step"], saved["seconds"], saved["history"]

    def _saved(self, file: str | os.PathLike | None, decay: int | None) -> dict | None:
        """The state to go on from; a "stable" schedule takes its length from there, or from `decay`."""
        stable = self.config.schedule.kind == "stable"
        if decay is not None and (not stable or file is None or decay < 1):
            raise TrainingError("--decay N, with N at least 1, ends a run with a stable schedule that is resumed")
        if file is None:
            return None
        length = checkpoint.schedule(Path(file)) if stable else {}
        schedule = dataclasses.replace(
            self.config.schedule, **{k: length[k] for k in ("steps", "decay") if k in length}
        )
        self.config = dataclasses.replace(self.config, schedule=schedule)
        saved = checkpoint.read(Path(file), self.identity(), self.versions)
        if decay is not None:
            if schedule.decay:
                raise TrainingError(f"{file}: its rate falls already, until step {schedule.steps}; leave --decay out")
            schedule = dataclasses.replace(schedule, steps=saved["step"] + decay, decay=decay)
            self.config = dataclasses.replace(self.config, schedule=schedule)
        return saved

    def identity(self) -> dict:
        """What a checkpoint must have been made with to be resumed."""
        return {"config": self.config.as_dict(), "sources": self.sources, "seed": self.seed, "validate": self.validate,
                "init": self.init, "splits": self.splits, "watch": self.watch}  # fmt: skip

    def save(self) -> None:
        """Write the checkpoint; the first of several processes does."""
        if not distributed.is_first():
            return
        state = {
            "net": self.net.state_dict(), "average": self.average, "optimiser": self.optimiser.state_dict(),
            "step": self.step, "seconds": self.seconds, "history": self.history, "versions": self.versions,
        }  # fmt: skip
        checkpoint.write(self.checkpoint, state | self.identity())

    def averaged(self) -> nn.Module:
        """The network to evaluate and keep: with the running average of the weights where there is one."""
        if self.average is None:
            return self.net
        net = type(self.net)(**self.net.options).to(self.device, memory_format=torch.channels_last)
        net.load_state_dict(self.average)
        return net

    def train(self) -> dict:
        """Train to the end of the schedule, then score on the whole validation split.

        Returns:
            The record, also written to ``record.json``; the weights are in ``weights.safetensors``. An empty one in
            processes other than the first.

        Raises:
            TrainingError: the loss is not finite, a file cannot be written, or another process was lost.
            Interrupted: Ctrl-C; the run was saved.
        """
        with distributed.group(self.device):
            prints = self._steps()
            return self._finish(prints) if distributed.is_first() else {}

    def _steps(self) -> dict[str, str]:
        """All steps of the schedule that are left; the fingerprints of the data."""
        config, size = self.config, self.config.crop.size
        keep_freed_memory()
        kept = [self.kept.get(name) or crops.build(name, source, size, progress=self.progress)
                for name, source in self.opened]  # fmt: skip
        prints = {c.name: c.fingerprint() for c in kept}
        scenery = self._scenery(size)
        sampler = Sampler(kept, config.balance)
        ids = [f"{c.name}/{i}" for c in kept for i in c.ids]
        images, points, visible = (
            torch.cat([getattr(c, k) for c in kept]).to(self.device) for k in ("images", "points", "visible")
        )
        del kept
        quick_look = {}
        if config.evaluate_every < config.schedule.steps and distributed.is_first():
            quick_look = {name: evaluate.cut(samples, size, limit=EVALUATED, progress=self.progress)
                          for name, samples in self.held_out.items()}  # fmt: skip
        halves, net = devices.half_precision(self.device), distributed.wrapped(self.net)

        stop = {"asked": False}

        def ask(*_: object) -> None:
            stop["asked"] = True

        before = {}
        try:
            for number in (signal.SIGINT, signal.SIGTERM):
                before[number] = signal.signal(number, ask)
        except ValueError:  # not the main thread, as in some notebooks
            pass
        bar = tqdm(total=config.schedule.steps, initial=self.step, disable=not self.progress, unit="step")
        began, seconds_before = time.monotonic(), self.seconds
        unread: list[tuple[int, Tensor, Tensor]] = []  # steps, samples and losses since the last look
        try:
            self.net.train()
            while self.step < config.schedule.steps:
                rng = augment.Random(self.seed, self.step, self.device)
                index = sampler.draw(rng, config.schedule.batch)
                there = index.to(self.device)
                inputs, targets, seen = augment.batch(
                    images[there], points[there], visible[there], size=size, rng=rng, crop=config.crop,
                    how=config.augment, backgrounds=scenery,
                )  # fmt: skip
                inputs, targets, seen = (whole[self.part] for whole in (inputs, targets, seen))
                rate = learning_rate(config.schedule, self.step)
                for group in self.optimiser.param_groups:
                    group["lr"] = rate
                with torch.autocast(self.device.type, torch.bfloat16, enabled=halves):
                    maps = net(inputs.contiguous(memory_format=torch.channels_last))
                loss, parts = self.loss(maps, targets, seen)
                self.optimiser.zero_grad(set_to_none=True)
                loss.backward()
                self.optimiser.step()
                unread.append((self.step, index, distributed.mean(loss.detach())))
                self.step += 1
                self._update_average()
                last = self.step == config.schedule.steps
                noted = last or self.step % 10 == 0
                # Several processes agree on stopping, and only now and then: asking waits for the device.
                stopping = (noted or distributed.ranks() == 1) and distributed.any_of(stop["asked"], self.device)
                saving = stopping or last or self.step % config.checkpoint_every == 0
                if saving or noted:  # reading a loss waits for the device, so not at every step
                    value = self._checked(unread, ids)
                    unread.clear()
                self.seconds = seconds_before + time.monotonic() - began
                if noted:
                    parts = {k: round(float(v), 4) for k, v in parts.items()}
                    self.history.append({"step": self.step, "rate": rate, "loss": round(value, 4), **parts})
                    bar.set_postfix(loss=f"{value:.3f}", refresh=False)
                if self.step % config.evaluate_every == 0 and not last and quick_look:
                    self.history.append({"step": self.step, **self._look(quick_look, bar)})
                bar.update()
                if saving:
                    self.save()
                if stopping and not last:
                    raise Interrupted(
                        f"stopped at step {self.step} of {config.schedule.steps} and saved; go on with --resume"
                    )
        finally:
            bar.close()
            for number, handler in before.items():
                signal.signal(number, handler)
        return prints

    def _look(self, sets: dict[str, evaluate.Cut], bar: tqdm) -> dict:
        """PCK on the validation set and, under "watch", on the others; one line each."""
        net, scores = self.averaged(), {}
        for name, hands in sets.items():
            found = evaluate.score(net, hands, intervals=False)["metrics"]
            scores[name] = {"pck_bone_0.2": round(found["pck_bone"]["0.2"], 4),
                            "pck_box_0.1": round(found["pck_box"]["0.1"], 4)}  # fmt: skip
            bar.write(
                f"step {self.step}: PCK at 0.2 of s {scores[name]['pck_bone_0.2']:.3f}, at 0.1 of the box "
                f"{scores[name]['pck_box_0.1']:.3f} on {len(hands.ids)} hands of {name}"
            )
        first = scores.pop(self.validate)
        return first | ({"watch": scores} if scores else {})

    def _checked(self, unread: list[tuple[int, Tensor, Tensor]], ids: list[str]) -> float:
        """The last of some losses; raises TrainingError at the first that is not finite."""
        values = torch.stack([loss for _, _, loss in unread]).tolist()
        for (step, index, _), value in zip(unread, values, strict=True):
            if not math.isfinite(value):
                names = ", ".join(ids[i] for i in index.tolist())
                last = (
                    f"the last good checkpoint is {self.checkpoint}"
                    if self.checkpoint.exists()
                    else "there is no checkpoint yet"
                )
                raise TrainingError(f"the loss became {value} at step {step}; {last}; the batch was {names}")
        return values[-1]

    def _scenery(self, size: int) -> Tensor | None:
        """Backgrounds for masked hands: windows of the photographs among the sources, else of drawn scenes."""
        if not self.config.augment.background:
            return None
        windows = [crops.backgrounds(s, size, seed=self.seed) for name, s in self.opened if name == "hand-keypoints"]
        windows.append(crops.drawn_backgrounds(size, seed=self.seed))
        return torch.cat(windows).to(self.device)

    @torch.no_grad()
    def _update_average(self) -> None:
        if self.average is None:
            return
        decay = min(self.config.schedule.average, (1 + self.step) / (10 + self.step))
        mine, theirs = [], []
        for name, value in self.net.state_dict().items():
            if value.is_floating_point():
                mine.append(self.average[name])
                theirs.append(value)
            else:
                self.average[name].copy_(value)
        torch._foreach_lerp_(mine, theirs, 1 - decay)

    def _finish(self, prints: dict[str, str]) -> dict:
        config, net = self.config, self.averaged()
        pretrained.save(self.out / "weights.safetensors", net, config.crop.size)
        kept, _ = pretrained.load(self.out / "weights.safetensors", self.device)  # what is scored is what is kept
        found, *others = [evaluate.score(kept, evaluate.cut(samples, config.crop.size, progress=self.progress))
                          for samples in self.held_out.values()]  # fmt: skip
        found |= {"elsewhere": dict(zip(self.watch, others, strict=True))} if others else {}
        about = {
            "experiment": config.name, "method": records.method(config), "scale": config.name,
            "config": config.as_dict(), "data": self.sources, "split": self.splits[0], "data_sha256": prints,
            "validation": self.validate, "validation_split": self.splits[1], "init": self.init,
            "seed": self.seed, "steps": self.step, "commit": self.commit,
            "device": self.versions["device"], "threads": self.versions["threads"], "versions": self.versions,
            "seconds": round(self.seconds, 1), "params": sum(p.numel() for p in net.parameters()),
            "gmac": round(records.macs(net, config.crop.size) / 1e9, 4),
        }  # fmt: skip
        record = about | found | {"history": self.history}
        records.write_json(self.out / "record.json", record)
        self.checkpoint.unlink(missing_ok=True)
        return record


def keep_freed_memory() -> None:
    """Tell glibc to keep freed blocks of up to 32 MB: handing a step's buffers back and forth costs a tenth of it."""
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(-3, 32 * 2**20)  # M_MMAP_THRESHOLD: below this, use the heap
        libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD: do not give its end back
    except (OSError, AttributeError):
        pass  # another system, another allocator
