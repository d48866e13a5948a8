"""Every number in the prose that looks like a result is the paper's, or stands on its page, or in a list with a reason.

Looked at: percentages, numbers with a point, and numbers of four digits or more with their comma, in the text of the
chapters outside cells, boxes that state the paper, `code`, formulas and citations. Such a number must be

* one that any page may say: the ledger has it as printed in the paper, the package or the catalogue as a setting or a
  size, the record of the bundled weights as their steps; or
* on the same page: in the output of a cell, to the digits given (66 % for 0.658), or in a cell's code, as a setting; or
* in PLAIN, with the reason why nothing computes it.

That finds numbers that no cell knows; it does not prove the others right. Of percentages drawn at random a page accepts
every second one without a decimal, and one in twenty to six with one. Whole numbers below a thousand and words
("three times") are not looked at. Pages without cells may have such numbers only where any page may, between the marks
of a tool that makes them, or in PLAIN.
"""

import re
import tomllib

import nbformat
import pytest

from handpose import crop, scoremap, skeleton
from handpose.data import catalogue
from tests.conftest import ROOT
from tools import notebooks, publish

BOOK = ROOT / "book"
PAGES = [ROOT / "README.md", BOOK / "intro.md", BOOK / "teaching.md", BOOK / "notation.md"]
#: Numbers that are no results of ours, or that nothing computes: where, which, why.
PLAIN = {
    "01-reading-the-paper.md": {"17.5": "millions, counted in Experiments", "2.7": "millions, counted on the page"},
    "04-score-maps.md": {
        "1,024": "32 times 32",
        "1,260": "60 hands of 21 joints",
        "5.7": "4 times the root of 2",
        "0.33": "a tenth of the largest of a thousand normal deviates",
    },
    "06-attention.md": {"22.5": "from the formulas in the figure's cell", "5,760": "the same, times 256"},
    "07-loss-and-training.md": {
        "3.7": "a curve of somebody else's",
        "99 %": "cells before it have the two errors",
        "3,600": "steps times batch",
    },
    "08-experiments.md": {"95 %": "the level of an interval", "0.91": "made up for an exercise"},
    "09-does-attention-help.md": dict.fromkeys(
        ("0.32", "0.27", "0.46", "0.39", "0.67", "0.66"), "a prototype's, in the plan: it left no record"
    ),
    "README.md": {"1.1": "gigabytes that a command writes"},
    "teaching.md": {"150 %": "how much to enlarge a page"}
    | dict.fromkeys(("0.1", "1.5", "2.5"), "minutes of the rule for slides, which test_slides compares"),
}
NUMBER = re.compile(r"(?<![\w.,])\d+(?:,\d{3})*(?:\.\d+)?(?![\w]|\.\d|,\d)(?:\s?%)?")
BLOCK = re.compile(r"^(`{3,}|:{3,})(\{[\w-]+\})?([^\n]*\n)(.*?)^\1 *$", re.M | re.S)
OUTSIDE = [  # what is no prose of ours, or no result
    r"\A---\n.*?^---\n", r"<!-- (\w+) -->.*?<!-- /\1 -->", r"^\$\$.*?\$\$",
    r"`[^`\n]*`", r"\$[^$\n]*\$", r"\]\([^)\n]*\)", r"<[^>\n]*>", r"^:\w+:.*?$",
    r"\b[Ss]ections? \d\.\d", r"\bCC BY[-A-Z]* 4\.0", r"\bPython 3\.\d+(?: (?:or|to) 3\.\d+)?",
    r"\b95 % (?:bootstrap )?intervals?", r"[Ww]ilson's 95 %", r"\*Questions left:\* [\d., ]+",
]  # fmt: skip


def prose(text: str) -> str:
    """The text without what is not prose of ours; every line stays where it is."""

    def block(found: re.Match) -> str:
        _, directive, _, body = found.groups()
        if directive in (None, "{code-cell}") or body.startswith(":class: paper"):
            return "\n" * found[0].count("\n")
        return f"\n{BLOCK.sub(block, body)}"

    text = BLOCK.sub(block, text)
    for pattern in OUTSIDE:
        text = re.sub(pattern, lambda found: " " + "\n" * found[0].count("\n"), text, flags=re.M | re.S)
    return text


def quoted(text: str) -> list[tuple[int, str]]:
    """Line and number."""
    lines = enumerate(prose(text).splitlines(), 1)
    found = [(number, match[0]) for number, line in lines for match in NUMBER.finditer(line)]
    return [(line, number) for line, number in found if re.search("[%.,]", number)]


def values(text: str) -> set[str]:
    return {number.replace(",", "") for number in re.findall(r"\d+(?:,\d{3})*(?:\.\d+)?", text)}


def settled() -> set[str]:
    """What any page may say: numbers of the paper, settings, sizes of public sets, steps of the bundled weights."""
    sections = tomllib.loads((BOOK / "ledger.toml").read_text(encoding="utf-8"))["section"]
    text = " ".join(entry["printed"] for section in sections for entry in section["entry"])
    text += " ".join(entry.shows for entry in catalogue.SETS.values())
    text += (
        f" {crop.MARGIN} {skeleton.SCALE_FLOOR} {scoremap.sigma_in_cells(32):.2f} {scoremap.sigma_in_cells(256):.1f}"
    )
    return values(text) | {str(record["steps"]) for record in publish.published("msahp").values()}


def on_the_page(notebook) -> tuple[set[str], set[str]]:
    """Numbers in the outputs of a chapter, and in its code."""
    outputs, code = "", ""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            code += cell.source + "\n"
            for output in cell.outputs:
                outputs += output.get("text", "") + "\n"
                data = output.get("data", {})  # an explorer's HTML is full of numbers that nobody reads
                outputs += data.get("text/markdown", "") + "\n" + data.get("text/plain", "") + "\n"
    return {n.replace(" ", "") for n in NUMBER.findall(outputs.replace(",", ""))}, values(code.replace("_", ""))


def known(number: str, outputs: set[str]) -> bool:
    """Whether some output, rounded, is this number: of a percentage a percentage or a fraction of one."""
    wanted = number.rstrip(" %").replace(",", "")
    digits = len(wanted.partition(".")[2])
    if not number.endswith("%"):
        return any(
            f"{float(n):.{digits}f}" == wanted for n in outputs if len(n.partition(".")[2]) >= digits and "%" not in n
        )
    shares = [float(n.rstrip("%")) for n in outputs if n.endswith("%")]
    shares += [100 * float(n) for n in outputs if re.fullmatch(r"0\.\d+", n)]
    return any(f"{share:.{digits}f}" == wanted for share in shares)


def unknown(name: str, text: str, settled: set[str], outputs: set[str] = frozenset(), code: set[str] = frozenset()):
    """Numbers of a page that nothing accounts for, with their lines."""
    return [
        f"{name}:{line}: {number}"
        for line, number in quoted(text)
        if not (
            number.rstrip(" %").replace(",", "") in settled | code
            or number in PLAIN.get(name, {})
            or known(number, outputs)
        )
    ]


@pytest.mark.parametrize("source", notebooks.sources(), ids=lambda path: path.stem)
def test_numbers_of_a_chapter_are_the_papers_or_stand_on_its_page(source):
    outputs, code = on_the_page(nbformat.read(notebooks.chapter_of(source), as_version=4))
    faults = unknown(source.name, source.read_text(encoding="utf-8"), settled(), outputs, code)
    assert not faults, "\n" + "\n".join(faults)


def test_the_seconds_of_the_chapters_are_those_of_their_last_execution():
    text = notebooks.TEACHING.read_text(encoding="utf-8")
    for source in notebooks.sources():
        record = nbformat.read(notebooks.chapter_of(source), as_version=4).metadata.handpose
        assert "seconds" in record, f"{source.stem} was executed before that was recorded: run `make notebooks ALL=1`"
        assert f"(chapters/{source.stem}) | {record['seconds']} |" in text, "run `make notebooks`"
    assert text == notebooks.with_times(text), "run `make notebooks`"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_numbers_of_a_page_without_cells_are_made_by_a_tool(page):
    faults = unknown(page.name, page.read_text(encoding="utf-8"), settled())
    assert not faults, "\n" + "\n".join(faults)


@pytest.mark.parametrize("name", PLAIN)
def test_exceptions_are_still_needed(name):
    path = next(path for path in [*notebooks.sources(), *PAGES] if path.name == name)
    assert PLAIN[name].keys() <= {number for _, number in quoted(path.read_text(encoding="utf-8"))}


def test_a_typed_number_is_found():
    text = "PCK is 67 % or 0.658, 2,514 signs.\n\n```{code-cell} ipython3\nprint(0.5)\n```\n\n"
    text += "99.9 %, section 3.2, `7.7`, 0.5."
    assert unknown("x.md", text, {"0.5"}, {"0.658", "2514", "0.672"}) == ["x.md:7: 99.9 %"]
    assert unknown("x.md", text, set(), {"0.658", "0.672"}) == ["x.md:1: 2,514", "x.md:7: 99.9 %", "x.md:7: 0.5"]
