"""Measure how letters are read from key-points (section 4.1), and train the bundled classifier.

    python data_scripts/train_gestures.py tracker           Massey's letters from a tracker's key-points
    python data_scripts/train_gestures.py rendered          the rendered German alphabet, true points and estimated ones
    python data_scripts/train_gestures.py tuning --pose W   fine-tune W on 0, 10, 50, 500 labelled frames, freeze, read
    python data_scripts/train_gestures.py bundle            train the bundled classifier, test it on new people

Each writes one record, book/results/gestures/NAME.json. W is a pose network that has never seen a Massey hand: that of
data_scripts/experiments/gestures.toml. Fine-tuned networks are kept under --out, and a run that was killed continues
with them.
"""

import argparse
import dataclasses
import shutil
import sys
import time
from pathlib import Path

import numpy as np
from gesture_bundle import bundle

from handpose import data, devices, files, gesturenet, pretrained
from handpose.data.readers.labelled import LabelFile
from handpose.data.synthetic.letters import RenderedAlphabet
from handpose.study import fingerspelling
from handpose.train import config, records, train
from handpose.train.checkpoint import TrainingError

ROOT = Path(__file__).resolve().parent.parent
LOOK_ALIKES = {"0": "o", "2": "v", "6": "w"}  # one shape each in the Massey set
FRAMES = (0, 10, 50, 500)  # labelled frames to fine-tune on
TUNING_STEPS = 150
READERS = {
    "gesturenet": fingerspelling.network_reader(),
    "literal": fingerspelling.network_reader(literal=True),
    "fully-connected": fingerspelling.network_reader(gesturenet.FullyConnected),
    "nearest": fingerspelling.neighbour_reader,
}


def hand_of(sample) -> str:
    """Whose hand a Massey sample shows, "hand3"."""
    return sample.group.partition("-")[0]


def massey(size: int) -> fingerspelling.Pictures:
    """All Massey pictures, cut out around the hand's outline: no key-point is used."""
    return fingerspelling.cut(data.open("massey", "all"), size, fingerspelling.mask_box, person=hand_of, progress=True)


def without_z(signs: fingerspelling.Signs, name: str) -> fingerspelling.Signs:
    """Table 3 has 35 outputs and the set 36 shapes: the literal reader is spared the z, whose still shape is a 1."""
    return signs[signs.labels != "z"] if name == "literal" else signs


def compare(signs: fingerspelling.Signs) -> dict:
    """All readers, each with one person left out and, for comparison, on a random sixth of all pictures."""
    found = {}
    for name, make in READERS.items():
        chosen = without_z(signs, name)
        entry = fingerspelling.report(fingerspelling.leave_one_out(chosen, make), chosen, LOOK_ALIKES)
        read, true = fingerspelling.random_split(chosen, make, 200 / 1160)
        entry["random_split"] = float((read != true).mean())
        found[name] = entry
        print(f"  {name:16} one hand left out {entry['wer']:.3f}, random split {entry['random_split']:.3f}", flush=True)
    return found


def tracker(_: argparse.Namespace) -> dict:
    return {"readers": compare(fingerspelling.with_labels(data.open("massey", "all"), person=hand_of))}


def rendered(_: argparse.Namespace) -> dict:
    """Readers learn from 30 persons and read 30 others: what do errors of the points cost?"""
    net, size = pretrained.load()
    sets = {split: RenderedAlphabet(30, split) for split in ("train", "test")}
    samples = {split: [signs[i] for i in range(len(signs))] for split, signs in sets.items()}
    keypoints = {
        "true": {split: fingerspelling.with_labels(signs) for split, signs in samples.items()},
        "estimated": {
            split: fingerspelling.look(net, fingerspelling.cut(signs, size)) for split, signs in samples.items()
        },
    }
    found = {}
    for learned in keypoints:
        for name, make in READERS.items():
            reader = make(keypoints[learned]["train"])
            for shown in keypoints:
                test = keypoints[shown]["test"]
                entry = fingerspelling.report(reader(test.keypoints), test)
                entry.pop("persons")
                found[f"{name}, learned from {learned}, reads {shown}"] = entry
                print(f"  {name:16} learned from {learned:9} reads {shown:9} {entry['wer']:.3f}", flush=True)
    return {"readers": found}


def labels_file(hand: str, number: int, folder: Path) -> Path:
    """`number` labelled frames of the other hands, spread over the shapes, in the labelling tool's form."""
    samples = data.open("massey", "all")
    rows = [i for i, row in enumerate(samples.rows) if f"hand{row[3]}" != hand]
    turns = fingerspelling.in_turns(np.random.default_rng(0).permutation(rows), [row[2] for row in samples.rows])
    file = folder / f"{hand}-{number}.json"
    file.unlink(missing_ok=True)
    labels = LabelFile(file)
    for i in turns[:number]:
        height, width = samples[i].image.shape[:2]
        labels.put((samples.root / samples.rows[i][0]).resolve(), (width, height), samples.rows[i][1].tolist())
    labels.save()
    return file


def tuned(start: Path, hand: str, number: int, folder: Path) -> Path:
    """Weights fine-tuned on `number` labelled frames of the other hands, or those that an earlier call made.

    Every batch varies the frames anew, beyond the paper's 500 variants.
    """
    weights = folder / "weights.safetensors"
    if (folder / "record.json").exists():
        return weights
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    labels = labels_file(hand, number, folder.parent)
    net, size = pretrained.load(start)
    laptop = config.load("laptop")
    settings = dataclasses.replace(
        laptop, network=dataclasses.replace(laptop.network, width=net.options["width"]),
        crop=dataclasses.replace(laptop.crop, size=size), balance={},
        schedule=dataclasses.replace(laptop.schedule, steps=TUNING_STEPS, peak=5e-4, average=0.98),
    )  # fmt: skip
    train(settings, [f"labelled:{labels}"], folder, init=start, validate="synthetic:50", progress=False)
    return weights


def tuning(chosen: argparse.Namespace) -> dict:
    if chosen.pose is None:
        raise ValueError("tuning needs --pose W, the weights of a pose network that has never seen a Massey hand")
    start, size = pretrained.load(chosen.pose)
    images = massey(size)
    untuned = fingerspelling.look(start, images)
    readers, curve = compare(untuned), {}
    for number in FRAMES:
        read = np.empty_like(untuned.labels)
        for hand in sorted(set(untuned.persons)):
            signs = untuned
            if number:
                weights = tuned(chosen.pose, hand, number, chosen.out / "gestures" / f"{hand}-{number}")
                signs = fingerspelling.look(pretrained.load(weights)[0], images)
            out = signs.persons == hand
            read[out] = READERS["gesturenet"](signs[~out])(signs.keypoints[out])
        curve[str(number)] = fingerspelling.report(read, untuned, LOOK_ALIKES)
        print(f"  {number} labelled frames: {curve[str(number)]['wer']:.3f}", flush=True)
    return {"pose": chosen.pose.name, "readers": readers, "curve": curve, "tuning_steps": TUNING_STEPS}


EXPERIMENTS = {"tracker": tracker, "rendered": rendered, "tuning": tuning, "bundle": bundle}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", choices=EXPERIMENTS)
    parser.add_argument("--pose", type=Path, help="weights of the pose network (tuning)")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "runs", help="folder for fine-tuned networks (default: runs)"
    )
    parser.add_argument(
        "--results", type=Path, default=ROOT / "book" / "results", help="folder for the records (default: book/results)"
    )
    chosen = parser.parse_args()
    began, about = time.monotonic(), records.read_metadata("gestures", chosen.experiment, 0, devices.choose("cpu"))
    try:
        found = EXPERIMENTS[chosen.experiment](chosen)
        about["seconds"] = round(time.monotonic() - began, 1)
        (chosen.results / "gestures").mkdir(parents=True, exist_ok=True)
        files.write_json(chosen.results / "gestures" / f"{chosen.experiment}.json", about | found)
    except (ValueError, TrainingError) as error:
        print(f"train_gestures: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("train_gestures: stopped; call it again to go on", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
