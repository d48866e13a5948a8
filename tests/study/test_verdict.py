"""The rule by which runs are judged, and what a number of runs can find; the plan's page says what these compute."""

import json
import re

import numpy as np
import pytest

from handpose.study import verdict
from tests.conftest import ROOT

SETS = {"held-out blocks": "hand-keypoints/val", "`asl-letters`": "asl-letters/all", "rendered hands": "synthetic/test"}


def entry(low, high, ours, other):
    return {"interval": (low, high), "runs": (ours, other)}


UP = entry(0.02, 0.06, (0.50, 0.51, 0.52), (0.46, 0.47, 0.48))
DOWN = entry(-0.06, -0.02, (0.50, 0.51, 0.52), (0.54, 0.55, 0.56))
TINY = entry(0.001, 0.008, (0.50, 0.51, 0.52), (0.49, 0.49, 0.49))
TORN = entry(0.01, 0.07, (0.50, 0.51, 0.52), (0.45, 0.46, 0.51))  # one of theirs is as good as ours


def test_the_rule():
    assert [verdict.side(e) for e in (UP, DOWN, TINY, TORN)] == ["above", "below", "alike", "open"]
    assert verdict.verdict(UP, UP, UP) == "supported" and verdict.verdict(UP, UP, TORN) == "the block helps"
    assert verdict.verdict(UP, DOWN, DOWN) == verdict.verdict(DOWN, UP, UP) == "contradicted"
    assert verdict.verdict(TINY, UP, UP) == "no gain of a point" and verdict.verdict(TORN, UP, UP) == "undecided"


def test_spread_finds_what_the_comparisons_were_made_with():
    rng = np.random.default_rng(0)
    seeds, images, made = 0.012, 0.006, []
    for _ in range(60):
        runs = rng.normal(0.5, seeds, (2, 4))
        half = 1.96 * np.sqrt(images**2 + (runs.var(1) / 4).sum())
        made.append(entry(-half, half, *runs))
    assert verdict.spread(made) == pytest.approx((seeds, images), rel=0.1)


def test_equal_methods_and_very_different_ones():
    equal, apart = verdict.chances(0, 3, 0.01, 0.0), verdict.chances(0.2, 3, 0.01, 0.005)
    assert equal["above"] < 0.06 and abs(equal["above"] - equal["below"]) < 0.02 and apart["above"] == 1
    assert equal["interval"] > 2 * 0.025  # intervals of three runs are too narrow, so the rule asks for more
    assert sum(equal[side] for side in verdict.SIDES) == pytest.approx(1)
    with pytest.raises(ValueError, match="no difference up to 20 points is found with 3 runs"):
        verdict.smallest_seen(3, 0.5, 0.0)


def comparisons(where: str, stage: str) -> list[dict]:
    """msahp against the three opponents of attention in the first table of runs."""
    folder = ROOT / "book" / "results" / "attention"

    def scores(method: str) -> list[float]:
        found = [json.loads((folder / f"{method}-s{seed}.json").read_text()) for seed in range(3)]
        found = found if where == SETS["held-out blocks"] else [record["elsewhere"][where] for record in found]
        return [r["metrics_stage1" if stage == "stage 1" else "metrics"]["pck_bone"]["0.2"] for r in found]

    pairs = json.loads((folder / "comparisons.json").read_text())["comparisons"]
    return [
        {"interval": pair["sets"][where]["stage1" if stage == "stage 1" else "last"]["pck_bone"]["0.2"]["interval"],
         "runs": (scores("msahp"), scores(pair["second"]))}
        for pair in pairs if pair["first"] == "msahp" and pair["second"] != "cpm"
    ]  # fmt: skip


def test_the_plan_says_what_is_computed():
    """Each row of its table: spreads, half an interval of six runs; and the power at the differences it names."""
    page = (ROOT / "book" / "plan.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|,]+), (stage 1|last) \|" + 5 * r" ([\d.]+) \|", page, re.M)
    assert len(rows) == 6
    for where, stage, *numbers in rows:
        between, images, half, by_interval, by_rule = (float(n) / 100 for n in numbers)
        found = verdict.spread(comparisons(SETS[where], stage))
        assert found == pytest.approx((between, images), abs=6e-5)
        assert half == pytest.approx(1.96 * np.sqrt(found[1] ** 2 + 2 * found[0] ** 2 * 5 / 36), abs=6e-5)
        for named, by in ((by_interval, "interval"), (by_rule, "above")):
            assert verdict.chances(named, 6, *found, repeats=2000)[by] >= 0.8
            assert verdict.chances(named - 0.001, 6, *found, repeats=2000)[by] < 0.8
