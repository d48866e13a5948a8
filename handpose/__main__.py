"""The command line: ``python -m handpose train | evaluate | predict | export | reproduce | data | doctor``."""

import argparse
import os
import sys
from pathlib import Path

from handpose import data, devices, files, pretrained
from handpose.apply import export
from handpose.cli import data as datasets
from handpose.cli import doctor, predict
from handpose.detector import HandDecNet
from handpose.study import fingerspelling, reproduce
from handpose.train import checkpoint, config, evaluate, records, train
from handpose.train.monitor import Interrupted


def parser() -> argparse.ArgumentParser:
    """The arguments of all commands."""
    top = argparse.ArgumentParser(prog="python -m handpose", description="21 key-points of a hand from one picture.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    sets = (
        f"NAME or NAME:PATH; NAME is one of {', '.join(data.SOURCES)}. Without PATH the set is looked for in the "
        "folder that the environment variable HANDPOSE_DATA names; synthetic needs no files."
    )

    train = commands.add_parser("train", help="train a network", description="Train a network and score it.")
    train.add_argument("--config", required=True, help=f"{', '.join(config.available())}, or a .toml file")
    train.add_argument("--data", required=True, help=f"data to train on, separated by commas. {sets}")
    train.add_argument("--out", required=True, help="folder for checkpoint, weights and record")
    train.add_argument("--validate", help="data set whose val split is scored (default: the first of --data)")
    train.add_argument("--init", metavar="W", help=".safetensors file to start from, for fine-tuning")
    train.add_argument("--seed", type=int, default=0, help="reaches every random choice (default: 0)")
    train.add_argument("--device", help="cpu, cuda or mps (default: the fastest there is)")
    train.add_argument("--watch", default="", metavar="SETS", help="further sets to score during and after the run, "
                       "NAME[:PATH]/SPLIT, separated by commas: wild/val,asl-letters/all")  # fmt: skip
    train.add_argument("--resume", action="store_true", help="go on with the run in --out")
    train.add_argument("--branch", metavar="C", help="go on from this checkpoint of another folder instead")
    train.add_argument("--decay", type=int, metavar="STEPS", help="with --resume or --branch, of a stable schedule: "
                       "so many steps are left, in which the rate falls")  # fmt: skip
    train.set_defaults(run=run_train)

    evaluate = commands.add_parser(
        "evaluate",
        help="score a network on a labelled set",
        description="Score a network on a labelled set, with 95 % intervals. PCK is the part of joints that lie within "
        "a threshold of their label: of s, the index finger's first bone, or of the longer side of the hand's box. "
        "AUC is the area under PCK over 0 to 30 pixels. On rwth, letters are read instead, with their word error rate.",
    )
    evaluate.add_argument("--weights", help=".safetensors file (default: the bundled weights)")
    evaluate.add_argument("--data", required=True, help=sets)
    evaluate.add_argument("--split", default="val", help="split of the set (default: val)")
    evaluate.add_argument("--json", metavar="F", help="write everything to this file")
    evaluate.add_argument("--device", help="cpu, cuda or mps (default: the fastest there is)")
    evaluate.set_defaults(run=run_evaluate)

    predict.add(commands)
    reproduce.add(commands)
    datasets.add(commands)
    export.add(commands)
    doctor.add(commands)
    return top


def run_train(arguments: argparse.Namespace) -> int:
    settings = config.load(arguments.config)
    record = train(
        settings, [s for s in arguments.data.split(",") if s], arguments.out, seed=arguments.seed,
        validate=arguments.validate, init=arguments.init, device=arguments.device, resume=arguments.resume,
        watch=[s for s in arguments.watch.split(",") if s], decay=arguments.decay, branch=arguments.branch,
    )  # fmt: skip
    if record:  # of several processes the first one reports
        print_scores(record)
        print(f"weights and record are in {arguments.out}")
    return 0


def run_evaluate(arguments: argparse.Namespace) -> int:
    if arguments.json:
        files.check(arguments.json)
    place = devices.choose(arguments.device)
    net, size = pretrained.load(arguments.weights, place)
    name, _, path = arguments.data.partition(":")
    if name == "rwth":  # letters instead of key-points
        finder, _ = pretrained.load(None, place, kind=HandDecNet)
        score = fingerspelling.score_rwth(net, size, finder, path or None, arguments.split)
        return letters_read(arguments, score)
    cut = evaluate.cut(data.open(arguments.data, arguments.split), size, progress=True)
    found = {
        "data": arguments.data.partition(":")[0], "split": arguments.split, "images": len(cut.ids),
        "weights": Path(arguments.weights or pretrained.bundled()).name,
    } | evaluate.score(net, cut)  # fmt: skip
    print_scores(found)
    if arguments.json:
        records.write_json(Path(arguments.json), found)
    return 0


def letters_read(arguments: argparse.Namespace, score: dict) -> int:
    """Print and write what `evaluate` found of letters."""
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
        records.write_json(Path(arguments.json), found | more)
    return 0


def print_scores(found: dict) -> None:
    """The table that `train` and `evaluate` print."""
    print(f"{found['images']} hands", end="")
    print(" (labels made by MediaPipe, so this is agreement with it)" if "hand-keypoints" in str(found["data"]) else "")
    names = {"pck_bone": "of s", "pck_box": "of the box"}
    rows = [(f"PCK at {t} {names[k]}", k, t) for k in names for t in found["metrics"][k]]
    parts = found.get("parts", {})
    print(f"{'':22}{'all':>8}  {'95 % interval':16}" + "".join(f"{'part ' + p:>8}" for p in parts))
    for label, key, t in rows:
        low, high = found["intervals"][key][t]
        print(f"{label:22}{found['metrics'][key][t]:8.3f}  {low:6.3f} to {high:5.3f} "
              + "".join(f"{parts[p][key][t]:8.3f}" for p in parts))  # fmt: skip
    for label, key in (
        ("AUC, 0-30 px", "auc_30px"),
        ("mean error, px", "epe_mean_px"),
        ("median error, px", "epe_median_px"),
    ):
        low, high = found["intervals"][key]
        print(f"{label:22}{found['metrics'][key]:8.3f}  {low:6.3f} to {high:5.3f} "
              + "".join(f"{parts[p][key]:8.3f}" for p in parts))  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Run a command; errors a user can cause become one line and exit status 1."""
    try:
        chosen = parser().parse_args(arguments)
        return chosen.run(chosen)
    except Interrupted as error:
        print(f"\n{error}", file=sys.stderr)
        return 130
    except (ValueError, checkpoint.TrainingError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever reads the output, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
