"""Speed, as ratios within one run: `make bench`.

Machines differ and are busy with other things; a ratio of two medians, taken in turns, says more than either.

    python benchmarks/bench.py [--json F] [--repeats N]
"""

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import torch

from handpose import (
    HandPose,
    PoseEstimationNet,
    PoseLoss,
    attention,
    augment,
    config,
    crop,
    detector,
    devices,
    evaluation,
    pretrained,
    records,
)
from handpose.data import SyntheticHands, crops
from handpose.training import keep_freed_memory

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "data_scripts"))
import run_experiments  # noqa: E402


def alternate(repeats: int, **tasks) -> dict[str, float]:
    """Median seconds of each task, run in turns after one warm-up round."""
    taken = {name: [] for name in tasks}
    for round_ in range(repeats + 1):
        for name, task in tasks.items():
            start = time.perf_counter()
            task()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if round_:
                taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in taken.items()}


def training_step(size: int, width: float, device: torch.device, repeats: int) -> dict:
    """One step of 24: the package's (bfloat16 where it pays, channels-last) and a plain float32 one; its parts."""
    settings = config.load("laptop")
    side, half = crops.kept_side(size), devices.half_precision(device)
    images = torch.randint(0, 255, (24, side, side, 4), dtype=torch.uint8, device=device)
    points = torch.rand(24, 21, 2, device=device) * side / 2 + side / 4
    seen = torch.ones(24, 21, dtype=torch.bool, device=device)
    loss, net = PoseLoss(), {}
    for name in ("ours", "plain"):
        net[name] = PoseEstimationNet(width=width).to(device)
    net["ours"].to(memory_format=torch.channels_last)
    fused = {n: torch.optim.Adam(m.parameters(), fused=n == "ours") for n, m in net.items()}

    def augmented():
        return augment.batch(images, points, seen, size=size, rng=augment.Random(0, 0, device), crop=settings.crop,
                             how=settings.augment)  # fmt: skip

    def step(name: str) -> None:
        inputs, targets, visible = augmented()
        if name == "ours":
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16, enabled=half and name == "ours"):
            maps = net[name](inputs)
        total, _ = loss(maps, targets, visible)
        fused[name].zero_grad(set_to_none=True)
        total.backward()
        fused[name].step()

    taken = alternate(repeats, ours=lambda: step("ours"), plain=lambda: step("plain"), augmentation=augmented)
    return {
        "images_per_second": 24 / taken["ours"], "plain_images_per_second": 24 / taken["plain"],
        "speed_up": taken["plain"] / taken["ours"], "augmentation_share": taken["augmentation"] / taken["ours"],
    }  # fmt: skip


def rivals(device: torch.device, repeats: int) -> dict:
    """The networks of the attention experiment: images a second in a training step and in prediction, batch 24."""
    table = run_experiments.read(ROOT / "data_scripts" / "experiments" / "attention.toml")
    halves, loss, tasks = devices.half_precision(device), PoseLoss(), {}
    size = config.load(table["config"]).crop.size
    inputs = torch.rand(24, 3, size, size, device=device).contiguous(memory_format=torch.channels_last)
    points = torch.rand(24, 21, 2, device=device) * size
    seen = torch.ones(24, 21, dtype=torch.bool, device=device)
    for run in table["run"]:
        net = config.build(run_experiments.settings(table, run).network)
        net.to(device, memory_format=torch.channels_last)
        optimiser = torch.optim.Adam(net.parameters(), fused=True)

        def train(net=net, optimiser=optimiser) -> None:
            net.train()
            with torch.autocast(device.type, torch.bfloat16, enabled=halves):
                maps = net(inputs)
            optimiser.zero_grad(set_to_none=True)
            loss(maps, points, seen)[0].backward()
            optimiser.step()

        def predict(net=net) -> None:
            with torch.inference_mode():
                net.eval()(inputs)

        tasks |= {f"training_{run['method']}": train, f"prediction_{run['method']}": predict}
    return {f"images_per_second_{name}": 24 / seconds for name, seconds in alternate(repeats, **tasks).items()}


def prediction(device: torch.device, repeats: int) -> dict:
    """The bundled network alone, on 1 and on 32 crops."""
    net, size = pretrained.load(None, device)
    rng = np.random.default_rng(0)
    one, many = (rng.integers(0, 255, (n, size, size, 3), dtype=np.uint8) for n in (1, 32))
    taken = alternate(
        repeats, one=lambda: evaluation.estimate(net, one), many=lambda: evaluation.estimate(net, many)
    )  # fmt: skip
    return {
        "milliseconds_one": 1e3 * taken["one"], "images_per_second_batch_32": 32 / taken["many"],
        "gain_from_batching": 32 * taken["one"] / taken["many"],
    }  # fmt: skip


def pipeline(device: torch.device, repeats: int) -> dict:
    """From a 640x480 picture with one hand to its key-points: the whole, its parts, and each part's share."""
    hp = HandPose.from_pretrained(device=device.type)
    photo = cv2.resize(SyntheticHands(split="test")[3].image, (640, 480))
    (hand,) = hp(photo)
    square, _ = detector.letterbox(photo)
    tensor = torch.from_numpy(square).to(device).permute(2, 0, 1)[None].float() / 255
    one = crop.take(photo, hand.box, hp.size).image[None]
    network = torch.inference_mode()(hp.detector)
    taken = alternate(
        repeats,
        whole=lambda: hp(photo),
        letterbox=lambda: detector.letterbox(photo),
        detector_network=lambda: network(tensor),
        detector=lambda: detector.detect(hp.detector, [photo], threshold=hp.threshold),
        cut=lambda: crop.take(photo, hand.box, hp.size),
        pose=lambda: evaluation.estimate(hp.net, one),
    )
    found = {f"milliseconds_{name}": 1e3 * seconds for name, seconds in taken.items()}
    shares = {f"share_{name}": taken[name] / taken["whole"] for name in ("detector", "cut", "pose")}
    return found | shares


def attention_forms(repeats: int) -> dict:
    """Readable over fused attention on the CPU: 24 images, 8 heads, 256 cells, 16 channels."""
    found = {}
    for dtype in (torch.float32, torch.bfloat16):
        inputs = [torch.randn(24, 8, 256, 16, dtype=dtype, requires_grad=True) for _ in range(3)]

        def forward(form, inputs=inputs) -> None:
            with torch.no_grad():
                form(*inputs)

        def both(form, inputs=inputs) -> None:
            out = form(*inputs)
            (out[0] if isinstance(out, tuple) else out).sum().backward()

        for name, task in (("forward", forward), ("with_gradient", both)):
            taken = alternate(
                repeats, readable=lambda t=task: t(attention.attend), fused=lambda t=task: t(attention.attend_fused)
            )
            found[f"readable_over_fused_{str(dtype)[6:]}_{name}"] = taken["readable"] / taken["fused"]
    return found


def data_sources(repeats: int) -> dict:
    """Drawn hands a second, and labelled photographs read and cut a second where there are any."""
    sets, counter = {size: SyntheticHands(size=size) for size in (128, 192, 256)}, iter(range(1, 10**9))
    for hands in sets.values():
        hands[0]
    tasks = {f"drawn_{size}": lambda h=hands: [h[next(counter)] for _ in range(8)] for size, hands in sets.items()}
    place = Path(os.environ.get("HANDPOSE_DATA", "")) / "hand-keypoints"
    if os.environ.get("HANDPOSE_DATA") and place.is_dir():
        from handpose.data.hand_keypoints import HandKeypoints

        photos = HandKeypoints(place)
        tasks["read"] = lambda: evaluation.cut(photos, 128, limit=16)
    taken = alternate(repeats, **tasks)
    found = {f"drawn_hands_per_second_{size}": 8 / taken[f"drawn_{size}"] for size in sets}
    return found | ({"photographs_read_per_second": 16 / taken["read"]} if "read" in taken else {})


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--json", metavar="F", help="write the figures to this file")
    arguments.add_argument("--repeats", type=int, default=7)
    chosen = arguments.parse_args()
    device = devices.choose()
    keep_freed_memory()
    print(f"{devices.describe(device)}; medians of {chosen.repeats}")
    found = {"machine": records.versions(device)}
    for name, task in {
        "training step, laptop network at 128 px": lambda: training_step(128, 0.5, device, chosen.repeats),
        "training step, paper's network at 256 px": lambda: training_step(
            256, 1.0, device, max(2, chosen.repeats // 3)
        ),
        "networks of the attention experiment": lambda: rivals(device, chosen.repeats),
        "pipeline, bundled weights": lambda: pipeline(device, chosen.repeats * 3),
        "prediction, bundled weights": lambda: prediction(device, chosen.repeats * 3),
        "attention on the CPU": lambda: attention_forms(chosen.repeats),
        "data": lambda: data_sources(chosen.repeats),
    }.items():
        found[name] = {key: round(value, 3) for key, value in task().items()}
        print(f"\n{name}")
        for key, value in found[name].items():
            print(f"  {key.replace('_', ' '):38}{value:10.2f}")
    if chosen.json:
        records.write_json(Path(chosen.json), found)


if __name__ == "__main__":
    main()
