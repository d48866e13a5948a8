"""Train HandDecNet on photographs, composed scenes and pictures without a hand, turned by any angle, and score it.

    python data_scripts/train_detector.py --out runs/detector --init handpose/weights/detector.safetensors
    python data_scripts/train_detector.py --out runs/detector --resume     # goes on where it was stopped
    python data_scripts/train_detector.py --out runs/detector --resume --decay 2000     # the end

The learning rate is constant until `--decay` names the number of steps left, so that a run may be stopped whenever its
curve has flattened. Needs hand-keypoints, asl-letters, massey-asl and wild under $HANDPOSE_DATA. Writes
weights.safetensors and record.json into --out. tools/publish.py bundles the result.
"""

import argparse
import dataclasses
import json
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from handpose import data, detector, devices, files, pretrained
from handpose.data import augment, crops, scenes
from handpose.data.readers.asl_letters import AslLetters
from handpose.study import detection
from handpose.train import checkpoint, config, records
from handpose.train.loop import learning_rate

BATCH = 16
PEAK = 1e-3  # learning rate
AVERAGE = 0.998  # decay of the running average of the weights
OPEN_END = 10**6  # steps, without --decay
SAVED, LOOKED = 100, 1000  # steps from one checkpoint to the next, from one look at the recall to the next
#: Share of each source in a batch.
SHARES = {
    "A": 0.06,
    "B": 0.17,
    "C": 0.03,
    "asl-letters": 0.1,
    "wild": 0.34,
    "hands": 0.06,
    "scenes": 0.12,
    "windows": 0.12,
}
AUGMENT = config.Augment(
    rotation=20, scale=1.0, stretch=0.25, flip=0.5, colour=0.4, grey=0.1, blur=0.15, noise=0.02, cutout=0.2
)
ALONE = ("digits", "aslalpha")  # sources of `wild` that show one hand, of people who are not in its whole photographs


def load(seed: int, number: int) -> dict[str, list[scenes.Picture]]:
    """The training pictures by source; `number` scenes."""
    photos = data.open("hand-keypoints", "train")
    letters = AslLetters(None, "train", min_score=0.0)
    found: dict[str, list] = {part: [] for part in "ABC"}
    for part, picture in zip(photos.parts, scenes.labelled(photos), strict=True):
        found[part].append(picture)
    found["asl-letters"] = scenes.labelled(letters)
    found["wild"] = scenes.photographs(data.open("wild", "scenes-train"))
    hands = data.open("wild", "train")
    found["hands"] = scenes.labelled([hands[i] for i, part in enumerate(hands.parts) if part in ALONE])
    massey = crops.build("massey", data.open("massey", "train"), scenes.POOL)
    composed = scenes.Scenes(seed, "train", number, also=[massey])
    found["scenes"] = [composed[i] for i in tqdm(range(number), desc="composing scenes", unit="scene")]
    empty = scenes.Scenes(seed + 1, "train", 300, hands=0)
    found["windows"] = (
        scenes.windows(found["A"] + found["B"], limit=600, seed=seed)
        + scenes.windows(found["asl-letters"], limit=200, seed=seed)
        + scenes.windows(found["wild"], limit=1000, seed=seed)
        + [empty[i] for i in range(len(empty))]
    )
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--scenes", type=int, default=2000, help="composed scenes to learn from (default: 2000)")
    parser.add_argument("--init", type=Path, help="weights of a detector to start from")
    parser.add_argument("--decay", type=int, help="with --resume: so many steps are left, in which the rate falls")
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
    device, out, seed, size = devices.choose(arguments.device), arguments.out, arguments.seed, detector.SIZE
    schedule = config.Schedule(kind="stable", steps=OPEN_END, batch=BATCH, peak=PEAK, weight_decay=1e-4)
    identity = {"scenes": arguments.scenes, "seed": seed, "init": str(arguments.init)}
    versions, saved = records.versions(device), None
    if arguments.resume:
        saved = checkpoint.read(out / "checkpoint.pt", identity, versions)
        schedule = dataclasses.replace(schedule, **saved["schedule"])
        if arguments.decay and not schedule.decay:
            schedule = dataclasses.replace(schedule, steps=saved["step"] + arguments.decay, decay=arguments.decay)
    elif (out / "checkpoint.pt").exists() or (out / "record.json").exists():
        raise checkpoint.TrainingError(f"{out} holds a run; add --resume to go on with it, or choose another --out")
    files.check(out / "checkpoint.pt")

    sources = load(seed, arguments.scenes)
    pictures = [p for name in SHARES for p in sources[name]]
    small = [detector.letterbox(p.image, size) for p in tqdm(pictures, desc="resizing", unit="picture")]
    images = torch.from_numpy(np.stack([image for image, _ in small])).to(device)
    outlines = [
        torch.from_numpy((p.outlines + 0.5) * f - 0.5).float() for p, (_, f) in zip(pictures, small, strict=True)
    ]
    counts = {name: len(sources[name]) for name in SHARES}
    del sources, pictures, small
    ends = np.cumsum(list(counts.values()))
    members = [torch.arange(e - n, e) for n, e in zip(counts.values(), ends, strict=True)]
    looks = detection.Looks()

    torch.manual_seed(seed)
    net = pretrained.load(arguments.init, kind=detector.HandDecNet)[0] if arguments.init else detector.HandDecNet()
    net.to(device, memory_format=torch.channels_last).train()
    loss = detector.DetectionLoss(size).to(device)
    optimiser = torch.optim.AdamW(net.parameters(), fused=True, weight_decay=schedule.weight_decay)
    average = {k: v.detach().clone() for k, v in net.state_dict().items()}
    step, seconds, history, halves = 0, 0.0, [], devices.half_precision(device)
    if saved:
        net.load_state_dict(saved["net"])
        optimiser.load_state_dict(saved["optimiser"])
        average, step, seconds, history = saved["average"], saved["step"], saved["seconds"], saved["history"]

    def averaged() -> detector.HandDecNet:
        kept = detector.HandDecNet().to(device, memory_format=torch.channels_last)
        kept.load_state_dict(average)
        return kept.eval()

    bar = tqdm(total=schedule.steps, initial=step, unit="step")
    began, before = time.monotonic(), seconds
    while step < schedule.steps:
        rng = augment.Random(seed, step, device)
        kinds = torch.multinomial(torch.tensor(list(SHARES.values())), BATCH, replacement=True, generator=rng.small)
        chosen = [members[k][int(u * len(members[k]))] for k, u in
                  zip(kinds, torch.rand(BATCH, generator=rng.small), strict=True)]  # fmt: skip
        inputs, targets = scenes.batch(
            images[torch.stack(chosen).to(device)], [outlines[i] for i in chosen], rng, AUGMENT
        )
        rate = learning_rate(schedule, step)
        for group in optimiser.param_groups:
            group["lr"] = rate
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
            history.append({"step": step, "rate": rate} | {k: round(v.item(), 4) for k, v in parts.items()})
            bar.set_postfix(loss=f"{total.item():.3f}", refresh=False)
        if step % LOOKED == 0:
            history.append({"step": step, **looks(averaged())})
            bar.write(json.dumps(history[-1]))
        bar.update()
        if step % SAVED == 0:
            state = {"net": net.state_dict(), "average": average, "optimiser": optimiser.state_dict(), "step": step,
                     "seconds": seconds, "history": history, "versions": versions,
                     "schedule": {"steps": schedule.steps, "decay": schedule.decay}}  # fmt: skip
            checkpoint.write(out / "checkpoint.pt", state | identity)
    bar.close()

    pretrained.save(out / "weights.safetensors", averaged(), size)
    kept, _ = pretrained.load(out / "weights.safetensors", device, kind=detector.HandDecNet)
    record = {
        "experiment": "detector", "method": "handdecnet", "seed": seed, "steps": step, "batch": BATCH,
        "size": size, "init": str(arguments.init), "schedule": dataclasses.asdict(schedule),
        "data": ["hand-keypoints", "asl-letters", "massey", "wild", "synthetic"], "split": "train", "shares": SHARES,
        "pictures": counts, "commit": records.commit(),
        "device": versions["device"], "threads": versions["threads"], "versions": versions,
        "seconds": round(seconds, 1), "params": sum(p.numel() for p in net.parameters()),
        "gmac": round(records.macs(net, size) / 1e9, 4), "history": history,
    }  # fmt: skip
    record |= detection.score_everywhere(kept)
    records.write_json(out / "record.json", record)
    (out / "checkpoint.pt").unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
