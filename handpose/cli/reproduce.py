"""The command ``reproduce``: the paper's tables, with ours beside them."""

import argparse
from pathlib import Path

HELP = "make one of the paper's tables"
ROOT = Path(__file__).resolve().parents[2]
#: The options that each table takes besides those that all of them take.
TABLES = {"table1": (), "table2": ("source", "scale", "division", "seeds", "out"), "table3": (),
          "table4": ("source", "weights")}  # fmt: skip
DIVISIONS = ("paper", "community", "random")  # `handpose.study.reproduce` says what they are; a test compares them


def folder_of_records() -> Path:
    """The book's, in a copy of the repository; else ``results`` here."""
    book = ROOT / "book" / "results"
    return book if book.is_dir() else Path("results")


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    command.description = (
        "Make one of the paper's tables, with our numbers beside the printed ones. Tables 1 and 3 describe networks "
        "and need no data. Table 2 trains two networks; if it is stopped, it continues when called again."
    )
    command.add_argument("table", choices=TABLES)
    command.add_argument("--data", dest="source", metavar="DATA", help="NAME:PATH; stb for table2, rwth for table4")
    command.add_argument("--config", dest="scale", metavar="CONFIG", default="paper",
                         help="configuration that table2 trains (default: paper, for a GPU)")  # fmt: skip
    command.add_argument("--division", choices=DIVISIONS, help="how STB is split: paper holds out one sequence of "
                         "twelve (default); community holds out one background, as is usual; random leaks")  # fmt: skip
    command.add_argument("--seeds", type=int, default=1, metavar="N", help="runs of each network (default: 1)")
    command.add_argument("--seed", type=int, default=0, help="the first seed (default: 0)")
    command.add_argument("--weights", help="pose network of table4, .safetensors (default: the bundled weights)")
    command.add_argument(
        "--out", type=Path, default=Path("runs/reproduce"), help="folder for the runs (default: runs/reproduce)"
    )
    command.add_argument("--results", type=Path, default=folder_of_records(), help="folder for the records")
    command.add_argument("--device", help="cpu, cuda or mps (default: the fastest there is)")


def main(arguments: argparse.Namespace) -> int:
    """Make the table that was asked for."""
    from handpose.study import reproduce

    options = {name: getattr(arguments, name) for name in (*TABLES[arguments.table], "results", "seed", "device")}
    getattr(reproduce, arguments.table)(**options)
    return 0
