"""The command ``compare``: paired differences between runs."""

import argparse
from pathlib import Path

from handpose.cli import check_json
from handpose.cli.evaluate import add_reading, reading

HELP = "say which of several trained networks is better"


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    command.description = (
        "Score finished runs on one set and print the difference of every two methods with its 95 % interval, over "
        "people and, where a method was run with several seeds, over seeds."
    )
    command.add_argument(
        "records", nargs="+", type=Path, metavar="RECORD", help="folder of a run, or the record.json in it"
    )
    command.add_argument("--data", metavar="NAME[:PATH]", help="set to compare on (default: the first run's own)")
    command.add_argument("--split", help="split of the set (default: the first run's own)")
    add_reading(command)
    command.add_argument("--json", metavar="F", help="write everything to this .json file; replaces only results")


def main(arguments: argparse.Namespace) -> int:
    """Score, print, and write what is asked for."""
    from handpose import files
    from handpose.study import compare

    check_json(arguments.json)
    found = compare.compare(arguments.records, arguments.data, arguments.split, reading(arguments))
    print(f"{found['images']} hands of {found['data']}, {found['split']}; PCK at 0.2 of s and at 0.1 of the box")
    for name, seeds in found["scores"].items():
        for seed, scores in seeds.items():
            print(f"{name + ', seed ' + seed:32}{scores['pck_bone']['0.2']:8.3f}{scores['pck_box']['0.1']:8.3f}")
    for pair in found["comparisons"]:
        cells = []
        for key, t in (("pck_bone", "0.2"), ("pck_box", "0.1")):
            ends = pair[key][t]["interval"]
            between = f"{ends[0]:+.3f} to {ends[1]:+.3f}" if ends else "no interval: too few groups"
            cells.append(f"{pair[key][t]['difference']:+.3f} ({between})")
        print(f"{pair['first'] + ' - ' + pair['second']:32}{cells[0]:26} {cells[1]}")
        if min(pair["seeds"]) < compare.FEWEST:
            print(f"{'':32}fewer than {compare.FEWEST} seeds of each: luck of the training is not ruled out")
    if arguments.json:
        files.write_json(arguments.json, found)
    return 0
