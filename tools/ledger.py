"""The ledger: every number of the paper with ours beside it, as a page of the book.

    python tools/ledger.py            write book/ledger.md from book/ledger.toml and the records
    python tools/ledger.py --check    write nothing; exit status 1 when a page is not what would be written

A verdict is computed wherever it can be: a number of ours that is made from the package is compared with the printed
one. Where there is no number yet, the page says what it waits for.

The introduction's two sentences on what attention is worth are made here too, from the same records as Chapter 9's.
"""

import argparse
import json
import sys
import tomllib
from collections import Counter
from pathlib import Path

import torch

from handpose import gesturenet, metrics, posenet, skeleton
from handpose.data.readers import rwth
from handpose.data.synthetic import GERMAN_ALPHABET
from handpose.study import claim, paper, reproduce, verdict
from handpose.train import config
from handpose.train.schedule import learning_rate

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tools import marked

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "book" / "results"
BUILT, NOT_BUILT, MEASURED = "built as printed", "built otherwise", "measured by us beside the paper's"
IMPOSSIBLE, WAITS = "impossible as printed", "not run yet"
VERDICTS = {
    BUILT: "a size or a setting: the package has the printed one. It says nothing of how well that works",
    NOT_BUILT: "a size or a setting: the package has another one",
    MEASURED: "a result: ours was measured under other conditions, named beside it and in the note: not comparable",
    IMPOSSIBLE: "the number contradicts itself or what stands beside it",
    WAITS: "there is no number of ours; the note says what it waits for",
}
KEYS = {"what", "printed", "compute", "record", "gain", "verdict", "otherwise", "under", "why", "needs"}
HEAD = """# The ledger

Every number that the paper prints, and ours. This page is made by `tools/ledger.py` from `book/ledger.toml` and the
records of our runs; no number of ours on it was typed.

"""


class LedgerError(ValueError):
    """An entry that cannot be used; the message names it."""


# Numbers that are made from the package. Each returns text in the form in which the paper's number is written down.


def joints() -> str:
    return str(skeleton.NUM_JOINTS)


def table1(row: str) -> str:
    """Kernel and output of a row."""
    if row == "0":
        net = posenet.PoseEstimationNet(attention=False)
        return f"{crop()}×{next(m for m in net.modules() if isinstance(m, torch.nn.Conv2d)).in_channels}"
    return typed(reproduce.measured1()[row])


def table3(row: str) -> str:
    """Kernel and output of a row of GestureNet, or the part that its dropout drops ("4_dropout")."""
    net = gesturenet.GestureNet(literal=True)
    if row == "0":
        return f"2×{skeleton.NUM_JOINTS}"
    number, _, dropout = row.partition("_")
    return f"{ {'4': net.hidden, '5': net.out}[number][-1].p:g}" if dropout else typed(reproduce.measured3()[row])


def typed(found: tuple[str, str]) -> str:
    """A kernel, where there is one, and an output as the ledger writes them."""
    return ", ".join(part.replace("*", "×") for part in found if part != "-")


def recordings(what: str) -> str:
    """A number that the reader of the RWTH videos follows."""
    return {"gestures": str(len(rwth.GESTURES)), "side": f"{rwth.SIDE}×{rwth.SIDE}", "val": str(rwth.PAPER_VAL)}[what]


def _paper(key: str):
    value = config.load("paper").as_dict()
    for part in key.split("."):
        value = value[part]
    return value


def setting(key: str) -> str:
    return f"{_paper(key):g}"


def pixels(key: str) -> str:
    return f"{_paper(key) * _paper('crop.size'):g} pixels"


def crop() -> str:
    return f"{_paper('crop.size')}×{_paper('crop.size')}"


def _rates() -> list[float]:
    schedule = config.load("paper").schedule
    return [learning_rate(schedule, step) for step in range(schedule.steps)]


def warm_up() -> str:
    return str(next(step for step, rate in enumerate(_rates(), 1) if rate >= 3e-4))


def steps_at(rate: str) -> str:
    at = [r == float(rate) for r in _rates()]
    if float(rate) == 3e-4:
        at = at[int(warm_up()) :]
    return str(at.count(True))


def until_the_end(rate: str) -> str:
    return "until the end" if _rates()[-1] == float(rate) else "not at the end"


def thresholds() -> str:
    return ", ".join(f"{t:g}" for t in metrics.BONE_THRESHOLDS)


def alphabet() -> str:
    return str(len(GERMAN_ALPHABET))


def total(*numbers: str) -> str:
    return str(int(numbers[0]) + int(numbers[1]))


def share(percent: str, number: str) -> str:
    """The percentage itself where some count of `number` rounds to it, else the nearest ones."""
    wanted, number = float(percent), int(number)
    possible = [100 * k / number for k in range(number + 1)]
    if any(round(p, 1) == wanted for p in possible):
        return f"{wanted:g} %"
    near = sorted(possible, key=lambda p: abs(p - wanted))[:2]
    return " or ".join(f"{p:g} %" for p in sorted(near))


COMPUTED = (joints, table1, table3, recordings, setting, pixels, crop, warm_up, steps_at, until_the_end, thresholds,
            alphabet, total, share)  # fmt: skip


def from_record(where: str) -> str | None:
    """The mean of a key over the records that are there, a share as a percentage; None without any."""
    files, _, key = where.partition(":")
    values = []
    for file in sorted(RESULTS.glob(files)):
        value = json.loads(file.read_text(encoding="utf-8"))
        try:
            # A threshold such as 0.2 is one key: the last part is whatever remains.
            parts = key.split(".", 2) if key.count(".") > 1 else key.split(".")
            for part in parts:
                value = value[part]
        except (KeyError, TypeError):
            raise LedgerError(f"{file.relative_to(ROOT)}: no key {key!r}") from None
        values.append(value)
    if not values:
        return None
    mean = torch.tensor(values, dtype=torch.float64).mean().item()
    return f"{100 * mean:.1f} %" if mean <= 1 else f"{mean:,.0f}"


def gain(threshold: str) -> str | None:
    """msahp minus cpm in points with its interval."""
    file = RESULTS / "attention" / "comparisons.json"
    if not file.exists():
        return None
    for entry in json.loads(file.read_text(encoding="utf-8"))["comparisons"]:
        if (entry["first"], entry["second"]) == ("msahp", "cpm"):
            found = entry["sets"]["hand-keypoints/val"]["last"]["pck_bone"][threshold]
            value, low, high = (f"{100 * v:+.1f}".replace("-", "−") for v in (found["difference"], *found["interval"]))
            return f"{value} ({low} to {high})"
    raise LedgerError(f"{file.relative_to(ROOT)}: no comparison of msahp and cpm")


def judge(entry: dict, section: str) -> tuple[str, str, str]:
    """Ours, the verdict and the note of an entry."""
    where = f"{section}, {entry.get('what')!r}"
    if unknown := set(entry) - KEYS:
        raise LedgerError(f"{where}: unknown key {sorted(unknown)[0]!r}")
    why = entry.get("why", "")
    if "compute" in entry:
        name, *arguments = entry["compute"].split()
        made = next((f for f in COMPUTED if f.__name__ == name), None)
        if made is None:
            raise LedgerError(f"{where}: tools/ledger.py computes no {name!r}")
        ours = made(*arguments)
        same = ours == entry["printed"]
        return ours, BUILT if same else entry.get("otherwise", NOT_BUILT), why
    if "needs" in entry:
        return "–", WAITS, f"Waits for {entry['needs']}."
    verdict = entry.get("verdict", MEASURED if "under" in entry else None)
    if verdict not in VERDICTS or not why:
        raise LedgerError(f"{where}: needs a verdict of {', '.join(VERDICTS)}, and the reason (why)")
    if "record" not in entry and "gain" not in entry:
        return "–", verdict, why
    if "under" not in entry:
        raise LedgerError(f"{where}: a result of ours needs the conditions under which it was measured (under)")
    ours = from_record(entry["record"]) if "record" in entry else gain(entry["gain"])
    if ours is None:
        return ("–", verdict, why) if verdict == IMPOSSIBLE else ("–", WAITS, "Waits for the runs. " + why)
    return f"{ours} ({entry['under']})", verdict, why  # a score never stands beside the paper's without that word


def reproduced() -> list[str]:
    """A section with the tables that ``python -m handpose reproduce`` made, where there are any."""
    lines = []
    for file in sorted((RESULTS / "reproduce").glob("*.json")):
        record = json.loads(file.read_text(encoding="utf-8"))
        about = f"{record['method']} | {record['device']}"
        if "methods" in record:
            for method, runs in record["methods"].items():
                shares = (f"{100 * sum(r['metrics']['pck_bone'][t] for r in runs) / len(runs):.1f} %"
                          for t in map(str, paper.TABLE2_THRESHOLDS))  # fmt: skip
                number = f"{len(runs)} run" + "s" * (len(runs) > 1)
                lines.append(f"| {about} | {method}, {number}, {runs[0]['steps']:,} steps: PCK {', '.join(shares)} |")
        elif "splits" in record:
            for split, score in record["splits"].items():
                low, high = score["interval"]
                lines.append(
                    f"| {about} | {split}: WER {100 * score['wer']:.1f} % ({100 * low:.1f} to {100 * high:.1f}) |"
                )
        else:
            lines.append(f"| {about} | {record['the_same']} of {record['rows']} rows as printed |")
    if not lines:
        return []
    note = ("The records that `python -m handpose reproduce` left. `table2-stb` in this repository was run on rendered "
            "hands in that benchmark's layout.")  # fmt: skip
    return ["## Made by `reproduce`", "", note, "", "| table | machine | ours |", "|---|---|---|", *lines, ""]


def page(path: Path = ROOT / "book" / "ledger.toml") -> str:
    """The page's text.

    Raises:
        LedgerError: an entry is incomplete, or a record lacks the key that it names.
    """
    try:
        sections = tomllib.loads(path.read_text(encoding="utf-8"))["section"]
    except (OSError, KeyError, tomllib.TOMLDecodeError) as error:
        raise LedgerError(f"{path}: {error}") from None
    counts, body = Counter(), []
    for section in sections:
        body += [f"## {section['title']}", ""] + ([section["note"], ""] if "note" in section else [])
        body += ["| what | paper | ours | verdict |", "|---|---|---|---|"]
        notes: list[str] = []
        for entry in section["entry"]:
            ours, verdict, note = judge(entry, section["title"])
            counts[verdict] += 1
            if note and note not in notes:
                notes.append(note)
            mark = f" [{notes.index(note) + 1}]" if note else ""
            body.append(f"| {entry['what']} | {entry['printed']} | {ours} | {verdict}{mark} |")
        body += ["", *(f"{number}. {note}" for number, note in enumerate(notes, 1)), *([""] if notes else [])]
    body += reproduced()
    summary = ["| verdict | numbers | meaning |", "|---|---|---|"]
    summary += [f"| {verdict} | {counts[verdict]} | {meaning} |" for verdict, meaning in VERDICTS.items()]
    return HEAD + "\n".join([*summary, "", *body]).rstrip() + "\n"


def worth() -> str:
    """What attention adds, against nothing and against convolutions of equal work or size, in two sentences."""
    table = claim.newest(RESULTS)
    nothing, rivals = ([table.difference(o, stage=s) for s in claim.STAGES] for o in ("none", table.rival))
    (one, two), (first, last) = claim.gained(nothing), claim.gained(rivals)
    words = {"above": "attention is better", "below": "the convolutions are better", "alike": "less than a point"}
    sides = [words.get(verdict.side(r), "these runs cannot tell which is better") for r in rivals]
    found = sides[0] if sides[0] == sides[1] else f"{sides[0]} in the first, and {sides[1]} in the last"
    return (f"Compared with a network that has nothing in its place, attention {one} points of PCK (the percentage of "
            f"correct key-points) in the network's first answer and {two} in its last. Compared with convolutions "
            f"that {claim.EQUAL[table.rival]}, it {first} and {last}: {found}.")  # fmt: skip


def introduction(text: str) -> str:
    """The introduction with these sentences between their marks."""
    return marked.fill(text, "answer", worth())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only say whether the page is up to date")
    arguments = parser.parse_args()
    intro = ROOT / "book" / "intro.md"
    try:
        pages = {ROOT / "book" / "ledger.md": page(), intro: introduction(intro.read_text(encoding="utf-8"))}
    except LedgerError as error:
        print(f"ledger: {error}", file=sys.stderr)
        return 1
    for target, text in pages.items():
        if not arguments.check:
            target.write_text(text, encoding="utf-8", newline="\n")
        elif not target.exists() or target.read_text(encoding="utf-8") != text:
            print(f"ledger: book/{target.name} is not up to date; run python tools/ledger.py", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
