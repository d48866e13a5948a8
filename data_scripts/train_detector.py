"""Train HandDecNet on photographs, composed scenes and pictures without a hand, turned by any angle, and score it.

    python data_scripts/train_detector.py --out runs/detector --init handpose/weights/detector.safetensors
    python data_scripts/train_detector.py --out runs/detector --resume     # continues a run
    python data_scripts/train_detector.py --out runs/detector --resume --decay 2000     # the end

The learning rate is constant until `--decay` names the number of steps left, so that a run may be stopped whenever its
curve has flattened. Needs hand-keypoints, asl-letters, massey-asl and wild under $HANDPOSE_DATA. Writes
weights.safetensors and record.json into --out. tools/publish.py bundles the result.
"""

import argparse
import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from handpose import crop, data, detector, devices, files, pretrained
from handpose.data import augment, crops, scenes
from handpose.data.readers.asl_letters import AslLetters
from handpose.study import detection
from handpose.train import checkpoint, records
from handpose.train.loop import BatchLoss, fit
from handpose.train.monitor import Interrupted, Monitor
from handpose.train.sampler import Sampler
from handpose.train.schedule import Schedule, ending
from handpose.train.state import TrainState

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
AUGMENT = augment.Augment(
    rotation=20, scale=1.0, stretch=0.25, flip=0.5, colour=0.4, grey=0.1, blur=0.15, noise=0.02, cutout=0.2
)
ALONE = ("digits", "aslalpha")  # sources of `wild` that show one hand, of people who are not in its whole photographs


def load(seed: int, number: int) -> dict[str, list[scenes.Picture]]:
    """The training pictures by source; `number` scenes."""
    photos = data.open("hand-keypoints", "train")
    letters = AslLetters(None, "train", min_score=0.0)
    found: dict[str, list] = {part: [] for part in "ABC"}
    for part, image in zip(photos.parts, scenes.labelled(photos), strict=True):
        found[part].append(image)
    found["asl-letters"] = scenes.labelled(letters)
    found["wild"] = scenes.photographs(data.open("wild", "scenes-train"))
    hands = data.open("wild", "train")
    found["hands"] = scenes.labelled([hands[i] for i, part in enumerate(hands.parts) if part in ALONE])
    massey = crops.load_crops("massey", data.open("massey", "train"), scenes.POOL)
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
    parser.add_argument(
        "--scenes", type=int, default=2000, help="number of composed scenes to train on (default: 2000)"
    )
    parser.add_argument("--init", type=Path, help="weights of a detector to start from")
    parser.add_argument("--decay", type=int, help="with --resume: end after this many more steps, while the rate falls")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device")
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args()
    try:
        train(arguments)
    except Interrupted as error:
        print(f"train_detector: {error}", file=sys.stderr)
        return 130
    except (data.DataError, checkpoint.TrainingError, files.OutputError, ValueError) as error:
        print(f"train_detector: {error}", file=sys.stderr)
        return 1
    return 0


def train(arguments: argparse.Namespace) -> None:
    device, out, seed = devices.choose(arguments.device), arguments.out, arguments.seed
    schedule = Schedule(kind="stable", steps=OPEN_END, batch=BATCH, peak=PEAK, weight_decay=1e-4, average=AVERAGE)
    identity = {"scenes": arguments.scenes, "seed": seed, "init": str(arguments.init),
                "versions": records.versions(device, training=True)}  # fmt: skip
    saved = checkpoint.read(out / "checkpoint.pt", identity) if arguments.resume else None
    if not saved:
        checkpoint.check_free(out)
    torch.manual_seed(seed)
    net = pretrained.load(arguments.init, kind=detector.HandDecNet)[0] if arguments.init else detector.HandDecNet()
    state = TrainState.begin(net, schedule, device)
    if saved:
        state.restore(saved)
    if arguments.decay is not None:
        state.schedule = ending(state.schedule, state.step, arguments.decay)
    with checkpoint.locked(out):
        sources = load(seed, arguments.scenes)
        counts = {name: len(sources[name]) for name in SHARES}
        batch_loss = losses(state, sources)
        del sources
        quick = detection.QuickScores()

        def score(network: detector.HandDecNet) -> tuple[dict, str]:
            scores = quick(network.eval())
            return scores, json.dumps(scores)

        fit(state, batch_loss, Monitor(state, out / "checkpoint.pt", identity, SAVED, LOOKED, score), seed=seed)
        finish(arguments, state, counts, identity["versions"])


def losses(state: TrainState, sources: dict[str, list[scenes.Picture]]) -> BatchLoss:
    """One step's batch, prediction and loss; all pictures are held on the device."""
    device, size = state.device, detector.SIZE
    examples = [p for name in SHARES for p in sources[name]]
    small = [crop.letterbox(p.image, size) for p in tqdm(examples, desc="resizing", unit="picture")]
    images = torch.from_numpy(np.stack([image for image, _ in small])).to(device)
    outlines = [torch.from_numpy((p.outlines + 0.5) * f - 0.5).float()
                for p, (_, f) in zip(examples, small, strict=True)]  # fmt: skip
    ends = np.cumsum([len(sources[name]) for name in SHARES])
    members = [[torch.arange(e - len(sources[name]), e)] for name, e in zip(SHARES, ends, strict=True)]
    sampler, loss = Sampler(members, list(SHARES.values())), detector.DetectionLoss(size).to(device)
    use_bfloat16 = devices.half_precision(device)

    def batch_loss(rng: augment.Random) -> tuple[torch.Tensor, dict[str, torch.Tensor], torch.Tensor]:
        samples = sampler.sample_batch(rng, BATCH)
        inputs, targets = scenes.batch(images[samples.to(device)], [outlines[i] for i in samples], rng, AUGMENT)
        with torch.autocast(device.type, torch.bfloat16, enabled=use_bfloat16):
            logits, offsets = state.net(inputs.contiguous(memory_format=torch.channels_last))
        return *loss(logits, offsets, [t.to(device) for t in targets]), samples

    return batch_loss


def finish(arguments: argparse.Namespace, state: TrainState, counts: dict[str, int], versions: dict) -> None:
    """Keep the weights, score what is kept, write the record."""
    out, size = arguments.out, detector.SIZE
    pretrained.save(out / "weights.safetensors", state.averaged(), size)
    net, _ = pretrained.load(out / "weights.safetensors", state.device, kind=detector.HandDecNet)
    record = {
        "experiment": "detector", "method": "handdecnet", "seed": arguments.seed, "steps": state.step, "batch": BATCH,
        "size": size, "init": str(arguments.init), "schedule": dataclasses.asdict(state.schedule),
        "data": ["hand-keypoints", "asl-letters", "massey", "wild", "synthetic"], "split": "train", "shares": SHARES,
        "pictures": counts, "commit": records.commit(),
        "device": versions["device"], "threads": versions["threads"], "versions": versions,
        "seconds": round(state.seconds, 1), "params": sum(p.numel() for p in net.parameters()),
        "gmac": round(records.macs(net, size) / 1e9, 4), "history": state.history,
    }  # fmt: skip
    files.write_json(out / "record.json", record | detection.score_everywhere(net))
    (out / "checkpoint.pt").unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
