"""The command ``train``: a network, trained and scored."""

import argparse
import os
import re
import sys

from handpose.cli.evaluate import SETS, add_reading, print_scores, reading
from handpose.data import RENAMED, SOURCES
from handpose.pretrained import bundled
from handpose.train.configs import available

HELP = "train a network"


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    command.description = "Train a network and score it."
    command.add_argument("--config", required=True, help=f"{', '.join(available())}, or a .toml file")
    command.add_argument("--data", required=True, action="append", help="data sets to train on, separated by commas or "
                         f"in several --data. {SETS}")  # fmt: skip
    add_reading(command)
    command.add_argument("--out", required=True, help="folder for checkpoint, weights and record")
    command.add_argument("--validate", help="data set whose val split is scored (default: the first of --data)")
    command.add_argument("--val-fraction", type=float, metavar="F", help="fraction to hold out, by group or photo, "
                         "of a set without splits that is both trained and validated on (default: 0.2)")  # fmt: skip
    command.add_argument(
        "--init", metavar="W", help="start from the weights in this .safetensors file, for fine-tuning"
    )
    command.add_argument("--seed", type=int, default=0, help="decides every random choice (default: 0)")
    command.add_argument("--device", help="cpu, cuda or mps (default: the fastest there is)")
    command.add_argument("--watch", action="append", metavar="SETS", help="more sets to score during and after the "
                         "run, as NAME[:PATH]/SPLIT, separated by commas or in several --watch: "
                         "wild/val,asl-letters/all")  # fmt: skip
    command.add_argument("--resume", action="store_true", help="continue the run in --out")
    command.add_argument("--branch", metavar="C", help="continue in --out from this checkpoint of another run")
    command.add_argument("--decay", type=int, metavar="STEPS", help="with --resume or --branch, for a schedule with a "
                         "constant rate: end the run after this many more steps, while the rate falls")  # fmt: skip


def sources(given: list[str]) -> list[str]:
    """The sets that one or several ``--data`` or ``--watch`` name.

    A comma divides only before a name, for a path may hold one; and not at all where the whole is a path.
    """
    names = "|".join(map(re.escape, (*SOURCES, *RENAMED)))
    found: list[str] = []
    for text in given:
        path = text.partition(":")[2]
        is_path = any(map(os.path.exists, (path, re.sub(r"/[a-z-]+$", "", path))))  # the second without a split
        found += [text] if is_path else re.split(rf",+(?=(?:{names})(?:[:,/]|$))", text)
    return [name.rstrip(",") for name in found if name.strip(",")]


def main(arguments: argparse.Namespace) -> int:
    """Train, and print the scores."""
    from handpose.train import config, train

    settings = config.load(arguments.config)
    if settings.name == "tune" and not arguments.init:
        print("note: the configuration tune is for weights that are already good; without --init it starts from random "
              f"ones. For the bundled weights add --init {bundled()}", file=sys.stderr)  # fmt: skip
    record = train(
        settings, sources(arguments.data), arguments.out, seed=arguments.seed,
        validate=arguments.validate, init=arguments.init, device=arguments.device, resume=arguments.resume,
        watch=sources(arguments.watch or []), decay=arguments.decay, branch=arguments.branch,
        reading=reading(arguments), val_fraction=arguments.val_fraction,
    )  # fmt: skip
    if record:  # of several processes the first one reports
        print_scores(record)
        print(f"weights and record are in {arguments.out}")
    return 0
