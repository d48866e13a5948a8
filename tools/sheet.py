"""Make the sheet for a class: the paper's Tables 1, 2 and 4 as printed, on one page.

    python -m tools.sheet                into book/class/tables.html
    python -m tools.sheet --out FILE     another file

Table 1 comes from the package, which keeps it as printed; the others come from book/ledger.toml.
"""

import argparse
import html
import re
import sys
import tomllib
from pathlib import Path

from handpose.posenet import TABLE1
from tools import notebooks

BOOK = notebooks.ROOT / "book"
TARGET = BOOK / "class" / "tables.html"
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Tables 1, 2 and 4 of the paper</title>
<style>
@page { size: A4; margin: 14mm 16mm; }
body { max-width: 178mm; margin: 0 auto; color: #000; font: 10.5pt/1.3 system-ui, "Segoe UI", Arial, sans-serif; }
h1 { margin: 0 0 2mm; font-size: 15pt; }
h2 { margin: 4mm 0 1mm; font-size: 11.5pt; }
p { margin: 0 0 2mm; }
table { border-collapse: collapse; }
th, td { padding: 0.6mm 6mm 0.6mm 0; border-bottom: 0.2mm solid #999; text-align: left; }
</style>
</head>
<body>
<h1>The paper's Tables 1, 2 and 4</h1>
<p>Numbers as printed in: %cited%. Our copy of the paper bears neither a date nor a place of publication;
look for it by its title.</p>
<h2>Table 1: the architecture of PoseEstimationNet</h2>
%one%
<h2>Table 2: PCK for different error thresholds</h2>
%two%
<h2>Table 4: word error rates on the RWTH German Fingerspelling Database</h2>
%four%
</body>
</html>
"""


class SheetError(ValueError):
    """A number of the sheet is not where it should be."""


def table(head: list[str], rows: list[list[str]]) -> str:
    made = [
        "<tr>" + "".join(f"<{kind}>{html.escape(cell)}</{kind}>" for cell in row) + "</tr>"
        for kind, row in (("th", head), *(("td", row) for row in rows))
    ]
    return "<table>\n" + "\n".join(made) + "\n</table>"


def printed() -> dict[str, str]:
    """What the paper prints, by the name that the ledger gives it."""
    with (BOOK / "ledger.toml").open("rb") as file:
        sections = tomllib.load(file)["section"]
    return {entry["what"]: entry["printed"] for section in sections for entry in section["entry"]}


def cited() -> str:
    """Authors, title and place of the paper, from the book's references."""
    entry = re.search(r"@\w+\{msahp,(.*?)^\}", (BOOK / "references.bib").read_text(encoding="utf-8"), re.M | re.S)
    field = dict(re.findall(r"(\w+) = \{(.*?)\},?$", entry[1] if entry else "", re.M))
    if not {"author", "title", "note"} <= {*field}:
        raise SheetError("book/references.bib: the entry msahp needs an author, a title and a note")
    names = [" ".join(reversed(name.split(", "))) for name in field["author"].split(" and ")]
    return html.escape(f"{', '.join(names)}: {field['title']}. {field['note']}")


def page() -> str:
    """The whole sheet as HTML."""
    found = printed()
    side = TABLE1[1][3]
    one = [["–", "Input image", "–", f"{side}×{side}×3"]]
    for row, (name, kernel, channels, cells) in TABLE1.items():
        one.append([str(row), name, "×".join(map(str, kernel)) if kernel else "–", f"{cells}×{cells}×{channels}"])
    try:
        thresholds = found["thresholds"].split(", ")
        two = [[name, *(found[f"{key}, {t}"] for t in thresholds)]
               for name, key in (("CPM", "CPM"), ("Proposed", "proposed"))]  # fmt: skip
        rivals = {"Dreuw et al.": "Dreuw", "Dreuw et al., on the subset": "Dreuw on the subset"}
        four = [[name, found[f"WER, {key}"]] for name, key in {**rivals, "The proposed method": "proposed"}.items()]
        unit = found["their unit"]
    except KeyError as error:
        raise SheetError(f"book/ledger.toml has no entry {error}") from None
    parts = {
        "cited": cited(),
        "one": table(["id", "name", "kernel", "size of the output"], one),
        "two": table([f"hPCK ({unit})", *thresholds], two),
        "four": table(["method", "word error rate"], four),
    }
    made = PAGE
    for name, value in parts.items():
        made = made.replace(f"%{name}%", value)
    return made


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=TARGET, help="file to write (default: book/class/tables.html)")
    asked = parser.parse_args(arguments)
    try:
        made = page()
    except SheetError as error:
        print(f"sheet: {error}", file=sys.stderr)
        return 1
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(made, encoding="utf-8")
    print(f"{asked.out}: Tables 1, 2 and 4, one page to print")
    return 0


if __name__ == "__main__":
    sys.exit(main())
