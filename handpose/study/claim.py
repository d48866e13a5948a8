"""The records of a table of runs on attention, and what the rule says of them (Chapter 9)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from handpose.study import verdict

HELD_OUT = "hand-keypoints/val"
SETS = {HELD_OUT: "held-out blocks", "wild/val": "wild", "asl-letters/all": "asl-letters", "synthetic/test": "rendered"}
PRIMARY, EXACT = (HELD_OUT, "wild/val", "asl-letters/all"), "synthetic/test"  # exact labels turn no verdict
OURS, CONTROLS = "msahp", ("conv-params", "conv-ops")
STAGES = ("stage1", "last")
ENOUGH = 6  # seeds of the plan of thirty-six runs
FIRST, PLANNED = "attention", "claim"  # tables of runs, and their folders under book/results
BONE = ("pck_bone", "0.2")

#: What a verdict says in a sentence, of the block that attention makes.
WORDS = {
    "supported": "attention does what convolutions of its size do not",
    "the block helps": "the block helps; that it must be attention is not shown",
    "no gain of a point": "there is no gain of a point",
    "undecided": "whether the block helps is undecided",
    "contradicted": "attention is no better use of its place",
}


@dataclass
class Table:
    """Runs of one table: records by (method, seed), and the comparisons between methods."""

    name: str
    seeds: tuple[int, ...]
    records: dict[tuple[str, int], dict]
    compared: dict[str, dict]  # opponent of `OURS` -> its entry in comparisons.json

    @property
    def opponents(self) -> tuple[str, ...]:
        """Those compared with `OURS`, in the order of the chapter."""
        return tuple(m for m in ("none", *CONTROLS, "cpm") if m in self.compared)

    @property
    def controls(self) -> tuple[str, ...]:
        """The convolutions among them."""
        return tuple(m for m in self.opponents if m in CONTROLS)

    @property
    def sets(self) -> tuple[str, ...]:
        """Of `SETS`, those on which these runs were scored."""
        scored = self.compared["none"]["sets"]
        return tuple(name for name in SETS if name in scored)

    @property
    def steps(self) -> int:
        """How long each run was trained."""
        return self.records[OURS, self.seeds[0]]["steps"]

    def scores(self, method: str, where: str, stage: str, measure: Sequence[str] = BONE) -> list[float]:
        """PCK of a method's runs, one number a seed; `stage` is one of `STAGES`, `measure` a unit and a threshold."""
        found = [self.records[method, seed] for seed in self.seeds]
        found = found if where == HELD_OUT else [record["elsewhere"][where] for record in found]
        key = "metrics_stage1" if stage == "stage1" else "metrics"
        return [record[key][measure[0]][measure[1]] for record in found]

    def difference(self, other: str, where: str = HELD_OUT, stage: str = "last", measure: Sequence[str] = BONE) -> dict:
        """`OURS` minus another method: ``{"difference", "interval", "runs"}``, as `verdict.side` takes it."""
        entry = self.compared[other]["sets"][where][stage][measure[0]][measure[1]]
        return entry | {"runs": tuple(self.scores(m, where, stage, measure) for m in (OURS, other))}

    def against(self, where: str, stage: str, measure: Sequence[str] = BONE) -> list[dict]:
        """The differences that a verdict on attention is made of: with `none`, then with the controls."""
        return [self.difference(other, where, stage, measure) for other in ("none", *self.controls)]

    def verdict(self, where: str, stage: str) -> str:
        """The rule's answer at one stage on one set."""
        return verdict.verdict(*self.against(where, stage))


def read(results: Path, name: str) -> Table | None:
    """The table whose records lie in ``results/name``; None while its comparisons are not there.

    A comparison with fewer seeds than another one's is left out until it is complete.
    """
    file = results / name / "comparisons.json"
    if not file.exists():
        return None
    pairs = [p for p in json.loads(file.read_text(encoding="utf-8"))["comparisons"] if p["first"] == OURS]
    seeds = max((tuple(p["seeds"]) for p in pairs), key=len, default=())
    compared = {p["second"]: p for p in pairs if tuple(p["seeds"]) == seeds}
    records = {}
    for method in (OURS, *compared):
        for seed in seeds:
            text = (results / name / f"{method}-s{seed}.json").read_text(encoding="utf-8")
            records[method, seed] = json.loads(text)
    return Table(name, seeds, records, compared)


def newest(results: Path) -> Table:
    """The planned runs once all their seeds are there for `none` and a control, else the first fifteen."""
    planned = read(results, PLANNED)
    if planned and len(planned.seeds) >= ENOUGH and "none" in planned.compared and planned.controls:
        return planned
    first = read(results, FIRST)
    if first is None:
        raise FileNotFoundError(f"{results / FIRST}: has no comparisons.json; this is not the book's folder of results")
    return first


def keypoints(entry: Mapping) -> str:
    """A difference in points of PCK with its interval, for a sentence."""
    low, high = entry["interval"]
    return f"{100 * entry['difference']:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})".replace("-", "−")


def answer(table: Table) -> list[str]:
    """Three sentences: what is gained over nothing, how convolutions compare, and how far that goes."""
    first, last = (table.verdict(HELD_OUT, stage) for stage in STAGES)
    gains = [keypoints(table.difference("none", stage=stage)) for stage in STAGES]
    says = WORDS[first] if first == last else f"at stage 1 {WORDS[first]}; at the last stage {WORDS[last]}"
    provisional = "" if set(table.controls) == set(CONTROLS) else ", provisionally, for one control is missing"
    one = f"""After {table.steps:,} steps, over {len(table.seeds)} seeds, attention adds {gains[0]} points to nothing
in its place at stage 1, and {gains[1]} at the last stage; by the rule{provisional}, {says}."""
    control = "conv-ops" if "conv-ops" in table.controls else table.controls[0]
    rivals = [table.difference(control, stage=stage) for stage in STAGES]
    means = {"above": "ahead", "below": "behind", "alike": "within a point", "open": "not to be told apart"}
    sides = [means[verdict.side(entry)] for entry in rivals]
    two = "From" if set(sides) == {means["open"]} else "Beside"
    two += f""" convolutions with the same {"operations" if control == "conv-ops" else "parameters"} it is
{sides[0]} at stage 1, {keypoints(rivals[0])}, {"or" if sides[0] == sides[1] else f"and {sides[1]}"} at the last stage,
{keypoints(rivals[1])}."""
    found = {name: [table.verdict(name, stage) for stage in STAGES] for name in table.sets if name != HELD_OUT}
    differ = {name: pair for name, pair in found.items() if name in PRIMARY and pair != [first, last]}
    three = "These are verdicts on the held-out blocks, "
    three += (
        "which other photographs share"
        if not differ
        else "and not general: "
        + "; ".join(f"on {SETS[name]}, {a} at stage 1 and {b} at the last" for name, (a, b) in differ.items())
    )
    if exact := found.get(EXACT):
        three += f". On rendered hands, with exact labels, the rule would say: {exact[0]}, {exact[1]}"
    return [" ".join(sentence.split()) for sentence in (one, two, three + ".")]


def seeds_needed(table: Table, other: str, where: str = HELD_OUT, stage: str = "last", most: int = 40) -> int | None:
    """With how many seeds an interval would find a difference of the size that was found, in four cases of five.

    Returns:
        None where even `most` would not: then the choice of pictures hides it.
    """
    spread = verdict.spread(table.against(where, stage))
    size = abs(table.difference(other, where, stage)["difference"])
    counts = [n for n in (3, 6, 9, 12, 18, 24, 30, most) if n <= most]
    return next((n for n in counts if verdict.chances(size, n, *spread, repeats=1000)["interval"] >= 0.8), None)
