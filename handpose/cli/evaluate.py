"""The command ``evaluate``: a network's scores on a labelled set. ``train`` prints the same table."""

import argparse
from pathlib import Path

from handpose.cli import check_json
from handpose.data import SOURCES

HELP = "score a network on a labelled set"
SETS = (
    f"NAME or NAME:PATH; NAME is one of {', '.join(SOURCES)}. Without PATH the set is looked for in the "
    "folder that the environment variable HANDPOSE_DATA names; synthetic needs no files."
)


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    command.description = (
        "Score a network on a labelled set, with 95 % intervals. PCK is the share of joints that are within a "
        "threshold of their labels. The threshold is a fraction of s, the index finger's first bone, or of the longer "
        "side of the hand's box. AUC is the mean of PCK over thresholds from 0 to 30 pixels. On rwth, the command "
        "reads letters and gives the word error rate."
    )
    command.add_argument("--weights", help=".safetensors file (default: the bundled weights)")
    command.add_argument("--data", required=True, help=SETS)
    command.add_argument("--split", default="val", help="split of the set (default: val)")
    add_reading(command)
    command.add_argument("--json", metavar="F", help="write everything to this .json file; replaces only results")
    command.add_argument("--device", help="cpu, cuda or mps (default: the fastest there is)")


def add_reading(command: argparse.ArgumentParser) -> None:
    """How labels of one's own are to be read; `data show`, `train` and `compare` have these arguments too."""
    command.add_argument("--joint-order", metavar="ORDER", help="for coco and yolo-pose: canonical, rhd, or 21 names "
                         "of joints separated by commas, in place of the order in the label file")  # fmt: skip
    command.add_argument("--unturned", action="store_true", help="for coco and yolo-pose: the labels were made on the "
                         "pixels as stored, before the photograph's EXIF rotation")  # fmt: skip


def reading(arguments: argparse.Namespace) -> dict:
    """What is given of `add_reading`."""
    return {key: value for key in ("joint_order", "unturned") if (value := getattr(arguments, key))}


def opened(source: str, split: str, arguments: argparse.Namespace):
    """The set that a command line names; what its reader decided or left out is printed."""
    from handpose import data

    samples = data.open(source, split, joint_order=arguments.joint_order, unturned=arguments.unturned)
    print_notes(source, getattr(samples, "notes", []))
    return samples


def print_notes(source: str, notes: list[str]) -> None:
    """What a reader decided or left out, each in a line."""
    for note in notes:
        print(f"{source.partition(':')[0]}: {note}")


def main(arguments: argparse.Namespace) -> int:
    """Score, print, and write what is asked for."""
    from handpose import devices, files, pretrained
    from handpose.detector import HandDecNet
    from handpose.study import fingerspelling
    from handpose.train import evaluate
    from handpose.train.unseen import unseen

    check_json(arguments.json)
    device = devices.choose(arguments.device)
    net, size = pretrained.load(arguments.weights, device)
    name, _, path = arguments.data.partition(":")
    if name == "rwth":  # letters instead of key-points
        detector, _ = pretrained.load(None, device, kind=HandDecNet)
        score = fingerspelling.score_rwth(net, size, detector, path or None, arguments.split)
        return letters_read(arguments, score)
    samples = opened(arguments.data, arguments.split, arguments)
    scored, left_out = unseen(samples, arguments.split, arguments.weights)
    cut = evaluate.crop_dataset(scored, size, progress=True)
    cut.left_out |= left_out
    found = {
        "data": arguments.data.partition(":")[0], "split": arguments.split, "images": len(cut.ids),
        "weights": Path(arguments.weights or pretrained.bundled()).name,
        "notes": list(getattr(samples, "notes", [])),
    } | evaluate.evaluate(net, cut)  # fmt: skip
    print_scores(found)
    if arguments.json:
        files.write_json(arguments.json, found)
    return 0


def letters_read(arguments: argparse.Namespace, score: dict) -> int:
    """Print and write what `main` found of letters."""
    from handpose import files, pretrained

    low, high = score["interval"]
    print(f"{score['signs']} signs, read by a GestureNet that learned from {score['learned_from']} others")
    print(f"word error rate {score['wer']:.3f}, 95 % interval {low:.3f} to {high:.3f}")
    for person, entry in score["persons"].items():
        print(f"  {person:12}{entry['wer']:.3f} of {entry['signs']}")
    if score["skipped"]:
        print(f"files skipped: {len(score['skipped'])}; they are named above")
    if arguments.json:
        found = {"data": "rwth", "split": arguments.split, "images": score["signs"],
                 "weights": Path(arguments.weights or pretrained.bundled()).name,
                 "metrics": {"wer": score["wer"]}, "intervals": {"wer": score["interval"]}}  # fmt: skip
        more = {key: score[key] for key in ("persons", "skipped", "learned_from")}
        files.write_json(arguments.json, found | more)
    return 0


def print_scores(found: dict) -> None:
    """The table that `train` and `evaluate` print."""
    from handpose.metrics import FEWEST

    print(f"{found['images']} hands", end="")
    print(" (labels made by MediaPipe, so this is agreement with it)" if "hand-keypoints" in str(found["data"]) else "")
    for reason, ids in found["left_out"].items():
        print(f"left out of the scores: {len(ids)} ({reason}): {', '.join(ids[:5])}{', ...' * (len(ids) > 5)}")
    names = {"pck_bone": "of s", "pck_box": "of the box"}
    rows = [(f"PCK at {t} {names[k]}", k, t) for k in names for t in found["metrics"][k]]
    parts = found.get("parts", {})
    print(f"{'':22}{'all':>8}  {'95 % interval':16}" + "".join(f"{'part ' + p:>8}" for p in parts))
    for label, key, t in rows:
        print(f"{label:22}{found['metrics'][key][t]:8.3f}  {between(found['intervals'][key][t])}"
              + "".join(f"{parts[p][key][t]:8.3f}" for p in parts))  # fmt: skip
    for label, key in (
        ("AUC, 0-30 px", "auc_30px"),
        ("mean error, px", "epe_mean_px"),
        ("median error, px", "epe_median_px"),
    ):
        print(f"{label:22}{found['metrics'][key]:8.3f}  {between(found['intervals'][key])}"
              + "".join(f"{parts[p][key]:8.3f}" for p in parts))  # fmt: skip
    number, kind = found["groups"]["number"], found["groups"]["kind"]
    kinds = "" if kind is None else f", each a {kind}"
    if number < FEWEST:
        print(f"no intervals: {number} group{'s' * (number > 1)}{kinds}; at least {FEWEST} are needed")
    else:
        print(f"intervals by drawing whole groups: {number}{kinds}")


def between(ends: list[float] | None) -> str:
    """An interval in the table's width; a dash where there is none."""
    return f"{'-':^15} " if ends is None else f"{ends[0]:6.3f} to {ends[1]:5.3f} "
