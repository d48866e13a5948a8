"""Train HandDecNet on photographs and composed scenes, and score it.

    python data_scripts/train_detector.py --out runs/detector-192 --size 192 --steps 5000
    python data_scripts/train_detector.py --out runs/detector --init runs/detector-192 --steps 2500 [--resume]

Three quarters of the side cost a little more than half of the time, and most of what is to be learned can be learned
there. Needs hand-keypoints, asl-letters and massey-asl under $HANDPOSE_DATA. Writes weights.safetensors and record.json
into --out; a killed run goes on with --resume. tools/publish.py bundles the result.
"""

import argparse
import json
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from handpose import augment, checkpoint, config, data, detection, detector, devices, files, pretrained, records
from handpose.data import crops, scenes
from handpose.data.asl_letters import AslLetters
from handpose.training import learning_rate

BATCH = 16
PEAK = 2e-3  # one-cycle learning rate
AVERAGE = 0.995  # decay of the running average of the weights
#: Share of each source in a batch.
SHARES = {"A": 0.1, "B": 0.26, "C": 0.04, "asl-letters": 0.15, "scenes": 0.35, "windows": 0.1}
HOW = config.Augment(scale=0.6, stretch=0.25, flip=0.5, colour=0.4, grey=0.1, blur=0.15, noise=0.02, cutout=0.2)


def load(seed: int, number: int) -> dict[str, list[scenes.Picture]]:
    """The training pictures by source; `number` scenes."""
    photos = data.open("hand-keypoints", "train")
    letters = AslLetters(None, "train", min_score=0.0)
    found: dict[str, list] = {part: [] for part in "ABC"}
    for part, picture in zip(photos.parts, scenes.labelled(photos), strict=True):
        found[part].append(picture)
    found["asl-letters"] = scenes.labelled(letters)
    massey = crops.build("massey", data.open("massey", "train"), scenes.POOL)
    composed = scenes.Scenes(seed, "train", number, also=[massey])
    found["scenes"] = [composed[i] for i in tqdm(range(number), desc="composing scenes", unit="scene")]
    empty = scenes.Scenes(seed + 1, "train", 200, hands=0)
    found["windows"] = (
        scenes.windows(found["A"] + found["B"], limit=600, seed=seed)
        + scenes.windows(found["asl-letters"], limit=200, seed=seed)
        + [empty[i] for i in range(len(empty))]
    )
    return found


def finished(run: Path) -> dict:
    """The record of a finished run."""
    try:
        return json.loads((run / "record.json").read_text())
    except (OSError, ValueError):
        raise checkpoint.TrainingError(f"{run}: not the folder of a finished run, which holds record.json") from None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--size", type=int, default=detector.SIZE, help="side of the input in pixels (default: 256)")
    parser.add_argument("--scenes", type=int, default=4000, help="composed scenes to learn from (default: 4000)")
    parser.add_argument("--init", type=Path, help="folder of a run to start from")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device")
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args()
    try:
        train(arguments)
    except (data.DataError, checkpoint.TrainingError, files.OutputError, ValueError) as error:
        print(f"train_detector: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("train_detector: stopped; go on from the last checkpoint with --resume", file=sys.stderr)
        return 130
    return 0


def train(arguments: argparse.Namespace) -> None:
    device, out, seed = devices.choose(arguments.device), arguments.out, arguments.seed
    schedule = config.Schedule(kind="one-cycle", steps=arguments.steps, batch=BATCH, peak=PEAK, weight_decay=1e-4)
    size = arguments.size
    identity = {"steps": arguments.steps, "scenes": arguments.scenes, "seed": seed, "size": size}
    start = None
    if arguments.init:
        start = arguments.init / "weights.safetensors", finished(arguments.init)
        identity["init"] = str(arguments.init)
    versions, saved = records.versions(device), None
    if arguments.resume:
        saved = checkpoint.read(out / "checkpoint.pt", identity, versions)
    elif (out / "checkpoint.pt").exists() or (out / "record.json").exists():
        raise checkpoint.TrainingError(f"{out} holds a run; add --resume to go on with it, or choose another --out")
    files.check(out / "checkpoint.pt")

    sources = load(seed, arguments.scenes)
    pictures = [p for name in SHARES for p in sources[name]]
    small = [detector.letterbox(p.image, size) for p in tqdm(pictures, desc="resizing", unit="picture")]
    images = torch.from_numpy(np.stack([image for image, _ in small])).to(device)
    boxes = [torch.from_numpy((p.boxes + 0.5) * f - 0.5).float() for p, (_, f) in zip(pictures, small, strict=True)]
    ends = np.cumsum([len(sources[name]) for name in SHARES])
    members = [torch.arange(e - len(sources[n]), e) for n, e in zip(SHARES, ends, strict=True)]

    torch.manual_seed(seed)
    net = pretrained.load(start[0], kind=detector.HandDecNet)[0] if start else detector.HandDecNet()
    net.to(device, memory_format=torch.channels_last).train()
    loss = detector.DetectionLoss(size).to(device)
    optimiser = torch.optim.AdamW(net.parameters(), fused=True, weight_decay=schedule.weight_decay)
    average = {k: v.detach().clone() for k, v in net.state_dict().items()}
    step, seconds, history, halves = 0, 0.0, [], devices.half_precision(device)
    if saved:
        net.load_state_dict(saved["net"])
        optimiser.load_state_dict(saved["optimiser"])
        average, step, seconds, history = saved["average"], saved["step"], saved["seconds"], saved["history"]

    bar = tqdm(total=arguments.steps, initial=step, unit="step")
    began, before = time.monotonic(), seconds
    while step < arguments.steps:
        rng = augment.Random(seed, step, device)
        kinds = torch.multinomial(torch.tensor(list(SHARES.values())), BATCH, replacement=True, generator=rng.small)
        chosen = [members[k][int(u * len(members[k]))] for k, u in
                  zip(kinds, torch.rand(BATCH, generator=rng.small), strict=True)]  # fmt: skip
        inputs, targets = scenes.batch(images[torch.stack(chosen).to(device)], [boxes[i] for i in chosen], rng, HOW)
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(schedule, step)
        with torch.autocast(device.type, torch.bfloat16, enabled=halves):
            logits, offsets = net(inputs.contiguous(memory_format=torch.channels_last))
        total, parts = loss(logits, offsets, [t.to(device) for t in targets])
        if not math.isfinite(total.item()):
            raise checkpoint.TrainingError(f"the loss became {total.item()} at step {step}; resume with another seed")
        optimiser.zero_grad(set_to_none=True)
        total.backward()
        optimiser.step()
        step += 1
        with torch.no_grad():
            decay = min(AVERAGE, (1 + step) / (10 + step))
            for name, value in net.state_dict().items():
                if value.is_floating_point():
                    average[name].lerp_(value, 1 - decay)
                else:
                    average[name].copy_(value)
        seconds = before + time.monotonic() - began
        if step % 20 == 0:
            history.append({"step": step} | {k: round(v.item(), 4) for k, v in parts.items()})
            bar.set_postfix(loss=f"{total.item():.3f}", refresh=False)
        bar.update()
        if step % 200 == 0:
            state = {"net": net.state_dict(), "average": average, "optimiser": optimiser.state_dict(), "step": step,
                     "seconds": seconds, "history": history, "versions": versions}  # fmt: skip
            checkpoint.write(out / "checkpoint.pt", state | identity)
    bar.close()

    net.load_state_dict(average)
    pretrained.save(out / "weights.safetensors", net.eval(), size)
    kept, _ = pretrained.load(out / "weights.safetensors", device, kind=detector.HandDecNet)
    record = {
        "experiment": "detector", "method": "handdecnet", "seed": seed, "steps": step, "batch": BATCH,
        "size": size, "before": start and {k: start[1][k] for k in ("steps", "batch", "size", "seconds")},
        "data": ["hand-keypoints", "asl-letters", "massey", "synthetic"], "split": "train", "shares": SHARES,
        "pictures": {name: len(sources[name]) for name in SHARES}, "commit": records.commit(),
        "device": versions["device"], "threads": versions["threads"], "versions": versions,
        "seconds": round(seconds, 1), "params": sum(p.numel() for p in net.parameters()),
        "gmac": round(records.macs(net, size) / 1e9, 4), "history": history,
    }  # fmt: skip
    if size == detector.SIZE:
        record |= detection.score_everywhere(kept)
    records.write_json(out / "record.json", record)
    (out / "checkpoint.pt").unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
