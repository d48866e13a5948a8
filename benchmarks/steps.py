"""The training step: the package's, part by part, a plain loop's, other networks', and the least that it can take."""

import time

import run_experiments
import timing
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from handpose import PoseEstimationNet, PoseLoss, cpm, devices
from handpose.data import augment, crops
from handpose.train import config

BATCH = 24
PARTS = ("data", "augmentation", "forward", "backward", "optimiser")


class StoredCrops(Dataset):
    """Crops in memory, augmented one by one, as a plain loop does."""

    def __init__(self, images, keypoints, visible, size: int, settings: config.Config) -> None:
        self.images, self.keypoints, self.visible, self.size, self.settings = images, keypoints, visible, size, settings
        self.augmenting = 0.0

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int):
        one, start = slice(i, i + 1), time.perf_counter()
        made = augment.batch(self.images[one], self.keypoints[one], self.visible[one], size=self.size,
                             rng=augment.Random(0, i), crop=self.settings.crop,
                             augmentation=self.settings.augment)  # fmt: skip
        self.augmenting += time.perf_counter() - start
        return tuple(m[0] for m in made)


class Loop:
    """A network, its optimiser, and the seconds that each part of its steps took.

    Args:
        plain: float32, contiguous memory, a `DataLoader`, augmentation one by one, the loss read at every step.
    """

    def __init__(self, net: nn.Module, size: int, device: torch.device, *, plain: bool, batch: int = BATCH) -> None:
        self.size, self.device, self.plain, self.batch = size, device, plain, batch
        self.settings = config.load("laptop")
        self.half = devices.half_precision(device) and not plain
        self.form = torch.contiguous_format if plain else torch.channels_last
        self.net = net.to(device, memory_format=self.form)
        self.optimiser = torch.optim.Adam(self.net.parameters(), fused=not plain)
        self.loss, self.seconds = PoseLoss(), dict.fromkeys(PARTS, 0.0)
        side, rng = crops.kept_side(size), torch.Generator().manual_seed(0)
        storage = torch.device("cpu") if plain else device
        self.images = torch.randint(0, 255, (4 * batch, side, side, 4), dtype=torch.uint8, generator=rng).to(storage)
        self.keypoints = (torch.rand(4 * batch, 21, 2, generator=rng) * side / 2 + side / 4).to(storage)
        self.visible = torch.ones(4 * batch, 21, dtype=torch.bool, device=storage)
        self.step_number = 0
        if plain:
            self.stored = StoredCrops(self.images, self.keypoints, self.visible, size, self.settings)
            self.batches = iter(())

    def _mark(self, part: str) -> None:
        timing.wait(self.device)
        now = time.perf_counter()
        self.seconds[part] += now - self.at
        self.at = now

    def _our_batch(self):
        rng = augment.Random(0, self.step_number, self.device)
        index = torch.randint(len(self.images), (self.batch,), generator=rng.small).to(self.device)
        images, keypoints, labelled = self.images[index], self.keypoints[index], self.visible[index]
        self._mark("data")
        inputs, targets, visible = augment.batch(images, keypoints, labelled, size=self.size, rng=rng,
                                                 crop=self.settings.crop,
                                                 augmentation=self.settings.augment)  # fmt: skip
        inputs = inputs.contiguous(memory_format=self.form)
        self._mark("augmentation")
        return inputs, targets, visible

    def _plain_batch(self):
        self.stored.augmenting = 0.0
        made = next(self.batches, None)
        if made is None:
            self.batches = iter(DataLoader(self.stored, self.batch, shuffle=True))
            made = next(self.batches)
        made = tuple(m.to(self.device) for m in made)
        self._mark("data")
        self.seconds["data"] -= self.stored.augmenting
        self.seconds["augmentation"] += self.stored.augmenting
        return made

    def step(self) -> None:
        self.at = time.perf_counter()
        inputs, targets, visible = self._plain_batch() if self.plain else self._our_batch()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            maps = self.net(inputs)
        total, _ = self.loss(maps, targets, visible)
        self._mark("forward")
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        self._mark("backward")
        self.optimiser.step()
        if self.plain:
            total.item()
        self._mark("optimiser")
        self.step_number += 1


def step(size: int, width: float, device: torch.device, repeats: int, limit: dict, *, batch: int = BATCH) -> dict:
    """Images a second of our loop, a plain loop, a convolutional pose machine of that width, the floor; the parts."""
    loops = {
        "ours": Loop(PoseEstimationNet(width=width), size, device, plain=False, batch=batch),
        "plain": Loop(PoseEstimationNet(width=width), size, device, plain=True, batch=batch),
        "cpm": Loop(cpm.ConvolutionalPoseMachine(width=width), size, device, plain=False, batch=batch),
    }
    if device.type == "cuda":
        compiled = loops["compiled"] = Loop(PoseEstimationNet(width=width), size, device, plain=False, batch=batch)
        compiled.net = torch.compile(compiled.net, mode="reduce-overhead")  # with CUDA graphs
    for loop in loops.values():  # the first step, which is slower, is not to count
        loop.step()
        loop.seconds = dict.fromkeys(PARTS, 0.0)
    medians = timing.alternate(repeats, device, **{name: loop.step for name, loop in loops.items()})
    found = {"batch": batch} | {f"images_per_second_{name}": batch / seconds for name, seconds in medians.items()}
    for name, half in (("ours", loops["ours"].half), ("cpm", loops["cpm"].half)):
        net = getattr(loops[name].net, "_orig_mod", loops[name].net)
        found[f"floor_images_per_second_{name}"] = 1 / timing.floor(net, size, limit, training=True, half=half)
    for name in ("ours", "plain"):
        sum_of_parts = sum(loops[name].seconds.values())
        found |= {f"share_{part}_{name}": seconds / sum_of_parts for part, seconds in loops[name].seconds.items()}
    return found | {
        "ours_over_plain": medians["plain"] / medians["ours"], "ours_over_cpm": medians["cpm"] / medians["ours"],
        "part_of_floor": found["images_per_second_ours"] / found["floor_images_per_second_ours"],
        "minutes_for_30000_steps_of_24": 30_000 * BATCH / found["images_per_second_ours"] / 60,
    }  # fmt: skip


def formats(size: int, width: float, device: torch.device, repeats: int, *, batch: int = BATCH) -> dict:
    """Channels last over channels first, for a whole step in our loop: above 1, channels last is the faster."""
    loops = {}
    for name, form in (("first", torch.contiguous_format), ("last", torch.channels_last)):
        loop = loops[name] = Loop(PoseEstimationNet(width=width), size, device, plain=False, batch=batch)
        loop.form = form
        loop.net.to(memory_format=form)
    medians = timing.alternate(repeats, device, **{name: loop.step for name, loop in loops.items()})
    return {f"channels_last_gain_{size}px_width_{width}": medians["first"] / medians["last"]}


def rivals(device: torch.device, repeats: int) -> dict:
    """The networks of the attention experiment: images a second in a training step and in prediction, batch 24."""
    table = run_experiments.read(run_experiments.ROOT / "data_scripts" / "experiments" / "attention.toml")
    use_bfloat16, loss, tasks = devices.half_precision(device), PoseLoss(), {}
    size = config.load(table["config"]).crop.size
    inputs = torch.rand(BATCH, 3, size, size, device=device).contiguous(memory_format=torch.channels_last)
    keypoints = torch.rand(BATCH, 21, 2, device=device) * size
    visible = torch.ones(BATCH, 21, dtype=torch.bool, device=device)
    for run in table["run"]:
        net = config.build(run_experiments.settings(table, run).network)
        net.to(device, memory_format=torch.channels_last)
        optimiser = torch.optim.Adam(net.parameters(), fused=True)

        def train(net=net, optimiser=optimiser) -> None:
            net.train()
            with torch.autocast(device.type, torch.bfloat16, enabled=use_bfloat16):
                maps = net(inputs)
            optimiser.zero_grad(set_to_none=True)
            loss(maps, keypoints, visible)[0].backward()
            optimiser.step()

        def predict(net=net) -> None:
            with torch.inference_mode():
                net.eval()(inputs)

        tasks |= {f"training_{run['method']}": train, f"prediction_{run['method']}": predict}
    medians = timing.alternate(repeats, device, **tasks)
    return {f"images_per_second_{name}": BATCH / seconds for name, seconds in medians.items()}
