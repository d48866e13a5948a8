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

#: What a control has in common with attention.
EQUAL = {"conv-ops": "need as many operations", "conv-params": "have as many parameters"}
#: What a verdict says, as a clause.
WORDS = {
    "supported": "attention helps the network, and more than convolutions of its size do",
    "the block helps": "the block helps the network, but it is not shown that it must be attention",
    "no gain of a point": "the block gains less than a point",
    "undecided": "it is undecided whether the block helps",
    "contradicted": "the network does better with convolutions, or with nothing, in attention's place",
}
MORE_THAN_ONE = "attention helps the network, and more than convolutions that {} do"
#: What the side of a difference says of attention beside an opponent, as a clause.
BESIDE = {
    "above": "attention does better than {}",
    "below": "{} do better than attention",
    "alike": "attention and {} are within a point of each other",
    "open": "these runs cannot tell whether attention does better than {}",
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
    def complete(self) -> bool:
        """Whether all controls have run; until then a verdict is provisional."""
        return set(self.controls) == set(CONTROLS)

    @property
    def rival(self) -> str:
        """The control that a sentence names: the one with as many operations where it has run, else the other."""
        return "conv-ops" if "conv-ops" in self.controls else self.controls[0]

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


def interval(entry: Mapping) -> str:
    """The interval of a difference, in points of PCK, for a sentence."""
    low, high = entry["interval"]
    return f"{100 * low:+.1f} to {100 * high:+.1f}".replace("-", "−")


def in_points(entry: Mapping) -> str:
    """A difference in points of PCK with its interval, for a sentence."""
    return f"{100 * entry['difference']:+.1f} ".replace("-", "−") + f"({interval(entry)})"


def gained(entries: Sequence[Mapping]) -> list[str]:
    """The differences at the stages for a sentence, in points, with a verb: at the last stage only where it changes."""
    verbs = ["gains" if entry["difference"] >= 0 else "loses" for entry in entries]
    sizes = [f"{abs(100 * entry['difference']):.1f}" for entry in entries]
    return [f"{verbs[0]} {sizes[0]}", sizes[1] if verbs[0] == verbs[1] else f"{verbs[1]} {sizes[1]}"]


def staged(first: str, last: str) -> str:
    """What holds at each stage, in clauses; once where it is the same."""
    return first if first == last else f"at stage 1 {first}; at the last stage {last}"


def clauses(table: Table) -> dict[str, str]:
    """`WORDS` for a table: while a control is missing, "more" is only more than the other."""
    return WORDS | ({} if table.complete else {"supported": MORE_THAN_ONE.format(EQUAL[table.rival])})


def _sentence(clause: str) -> str:
    return clause[0].upper() + clause[1:] + "."


def elsewhere(table: Table) -> list[str]:
    """The verdicts on the sets beside the held-out blocks, each with the sets and stages it holds for."""
    found: dict[str, list[str]] = {}
    for name in (n for n in table.sets if n != HELD_OUT):
        hands = "rendered hands" if name == EXACT else f"`{SETS[name]}`"
        first, last = (table.verdict(name, stage) for stage in STAGES)
        if first == last:
            found.setdefault(first, []).append(f"on {hands} at both stages")
        else:
            found.setdefault(first, []).append(f"on {hands} at stage 1")
            found.setdefault(last, []).append(f"on {hands} at the last stage")
    clause = clauses(table)
    return [_sentence(f"{clause[v]}: {', '.join(sets)}") for v, sets in found.items()]


def answer(table: Table) -> list[str]:
    """The verdict in a sentence or two, the differences behind it, and a list of how far it goes."""
    verdicts = [table.verdict(HELD_OUT, stage) for stage in STAGES]
    rival = f"convolutions that {EQUAL[table.rival]}"
    against = {other: [table.difference(other, stage=stage) for stage in STAGES] for other in ("none", table.rival)}
    beside = staged(*(BESIDE[verdict.side(entry)].format(rival) for entry in against[table.rival]))
    one = _sentence(
        ("" if table.complete else "provisional, as one control has not run: ")
        + staged(*(clauses(table)[v] for v in verdicts))
    )
    one = f"**{one}**" if set(verdicts) == {"supported"} else f"**{one} {_sentence(beside)}**"
    two = f"""The numbers are points of PCK at 0.2 of $s$ after {table.steps:,} steps: means over {len(table.seeds)}
seeds, each with its 95 % interval. """
    for other, name in (("none", "nothing in its place"), (table.rival, rival)):
        gains, (low, high) = gained(against[other]), (interval(entry) for entry in against[other])
        two += f"Compared with {name}, attention {gains[0]} at stage 1 ({low}) and {gains[1]} at the last ({high}). "
    one, two = (" ".join(paragraph.split()) for paragraph in (one, two))
    three = "This is for the held-out blocks, photographs of `hand-keypoints` that training left out. Elsewhere:\n\n"
    return [one, two, three + "\n".join(f"* {line}" for line in elsewhere(table))]


def seeds_needed(table: Table, other: str, where: str = HELD_OUT, stage: str = "last", most: int = 40) -> int | None:
    """With how many seeds an interval would find a difference of the size that was found, in four cases of five.

    Returns:
        None where even `most` would not: then the choice of pictures hides it.
    """
    spread = verdict.spread(table.against(where, stage))
    size = abs(table.difference(other, where, stage)["difference"])
    counts = [n for n in (3, 6, 9, 12, 18, 24, 30, most) if n <= most]
    return next((n for n in counts if verdict.chances(size, n, *spread, repeats=1000)["interval"] >= 0.8), None)
