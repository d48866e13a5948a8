"""What `gpu_run.py` and its checks share: configurations by scale, short runs on rendered hands, copies of weights."""

import dataclasses
import sys
import threading
import time
from pathlib import Path

import torch

from handpose import data, pretrained
from handpose.data import packed
from handpose.train import config, train

#: What differs from the configuration `best`, by scale: nothing, or for trying the script out.
SCALES = {
    "full": {},
    "tiny": {"network": {"width": 0.0625}, "crop": {"size": 64}, "augment": {"background": 0.0},
             "schedule": {"batch": 4}},
}  # fmt: skip
COPIED = 20  # seconds from one copy of the weights in training to the next


def settings(scale: str, base: dict | None = None, **schedule) -> config.Config:
    """The configuration `best`, or `base` as a dictionary, at a scale, with a schedule's fields replaced."""
    values = base or dataclasses.asdict(config.load("best"))
    for part, changes in SCALES[scale].items():
        values[part] = values[part] | changes
    values["schedule"] = values["schedule"] | schedule
    steps = values["schedule"]["steps"]
    often = {"evaluate_every": max(1, steps // 4), "checkpoint_every": max(1, steps // 20)}
    return config.from_dict(values | often, "gpu_run")


@dataclasses.dataclass
class Work:
    """Where checks work, and on what."""

    folder: Path
    device: torch.device
    scale: str

    @property
    def hands(self) -> str:
        """The rendered hands of all checks, as `data.open` wants them named."""
        return f"synthetic:{self.folder / 'hands.npz'}"

    def draw(self) -> None:
        """Draw those hands, once for all processes."""
        hands = {
            split: data.SyntheticHands(split=split, length=n, size=192) for split, n in (("train", 32), ("val", 8))
        }
        packed.write(self.folder / "hands.npz", {"synthetic": hands}, quality=95)

    def run(self, name: str, steps: int, *, resume: bool = False, measured: bool = False, **schedule) -> dict:
        """Train a few steps in a folder of this name; the record."""
        short = settings(self.scale, steps=steps, **schedule)
        short = dataclasses.replace(short, evaluate_every=steps, checkpoint_every=max(1, steps // 3))
        if not measured:  # drawing scenes takes seconds, and each process would do it anew
            short = dataclasses.replace(short, augment=dataclasses.replace(short.augment, background=0.0))
        return train(short, [self.hands], self.folder / name, device=str(self.device), resume=resume,
                     progress=False)  # fmt: skip

    def weights(self, name: str) -> bytes:
        return (self.folder / name / "weights.safetensors").read_bytes()


def speed(net, images: torch.Tensor) -> float:
    """Images a second over about a second, after a warm-up."""
    for timed in (False, True):
        wait(images.device)
        began, passes = time.monotonic(), 0
        while passes < 3 or (timed and time.monotonic() - began < 1):
            net(images)
            passes += 1
            wait(images.device)
    return passes * len(images) / (time.monotonic() - began)


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class Copies:
    """While the block lasts, the weights in a run's checkpoint are copied to the results every `COPIED` seconds."""

    def __init__(self, folder: Path, file: Path, settings: config.Config) -> None:
        self.checkpoint, self.file, self.settings = folder / "checkpoint.pt", file, settings
        self.over, self.of = threading.Event(), None
        self.thread = threading.Thread(target=self.work, daemon=True)

    def work(self) -> None:
        while not self.over.wait(COPIED):
            self.copy()

    def copy(self) -> None:
        try:
            if self.of == (saved := self.checkpoint.stat().st_mtime_ns):
                return
            state = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
            net = config.build(self.settings.network)
            net.load_state_dict(state["average"] or state["net"])
            pretrained.save(self.file, net, self.settings.crop.size)
            self.of = saved
        except (OSError, ValueError) as error:  # no checkpoint yet, or a full disk: training goes on
            if self.checkpoint.exists():
                print(f"note: the weights were not copied ({error})", file=sys.stderr)

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()
        self.copy()
