"""Download a public data set, unpack it and check it. The program shows its terms and asks first.

    python data_scripts/download.py NAME [--out DIR] [--yes]
    python data_scripts/download.py NAME --help                    (the set's terms, size and faults)
    python data_scripts/download.py stb --from *.zip               (files that were fetched by hand)

Called again, it resumes what was cut off, and fetches nothing that is there already.
"""

import argparse
import sys
from pathlib import Path

from downloading import fetch, terms

from handpose.data import catalogue


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line, where each set has a help page of its own."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    sets = parser.add_subparsers(dest="name", metavar="NAME", required=True)
    for name, entry in catalogue.SETS.items():
        page = sets.add_parser(name, help=entry.title, description=f"{terms.facts(entry)}\n\nIf no link works: "
                               f"{entry.manual}", formatter_class=raw)  # fmt: skip
        where = f"folder of the set (default: $HANDPOSE_DATA/{entry.folder_name}, else data/{entry.folder_name})"
        page.add_argument("--out", type=Path, default=terms.default_folder(entry), metavar="DIR", help=where)
        page.add_argument("--yes", action="store_true", help="agree to the licence without being asked")
        page.add_argument(
            "--url", action="append", metavar="URL", help="another mirror of one of the files, tried first"
        )
        page.add_argument("--from", nargs="+", dest="given", metavar="FILE", help="files fetched by hand")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns the exit status, 130 after Ctrl-C."""
    asked = parse(arguments)
    entry, command = catalogue.find(asked.name), f"download {asked.name}"
    try:
        print(fetch.download_dataset(entry, asked.out, yes=asked.yes, urls=asked.url, given=asked.given))
        print(f"use it as --data {asked.name}:{asked.out}")
    except KeyboardInterrupt:
        print(f"{command}: stopped; what was fetched is kept, and the same command goes on from there", file=sys.stderr)
        return 130
    except (ValueError, OSError) as error:  # FetchError, DataError and OutputError included
        print(f"{command}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
