"""The records on attention: which table is read, what is said of it, and that the answer follows the records."""

import json
import shutil

import pytest

from handpose.study import claim
from tests.conftest import ROOT

RESULTS = ROOT / "book" / "results"


def made(root, shift, seeds=6):
    """A complete planned table in a folder: the first one's records, with as many seeds, and ours shifted."""
    shutil.copytree(RESULTS / "attention", root / "attention")
    folder = root / "claim"
    folder.mkdir()
    pairs = json.loads((RESULTS / "attention" / "comparisons.json").read_text())["comparisons"]
    for method in ("msahp", "none", "conv-ops", "conv-params"):
        for seed in range(seeds):
            record = json.loads((RESULTS / "attention" / f"{method}-s{seed % 3}.json").read_text())
            if method == "msahp":
                for part in (record, *record["elsewhere"].values()):
                    for stage in ("metrics", "metrics_stage1"):
                        part[stage]["pck_bone"]["0.2"] += shift
            (folder / f"{method}-s{seed}.json").write_text(json.dumps(record))
    runs = [
        pair | {"seeds": list(range(seeds))} for pair in pairs if pair["first"] == "msahp" and pair["second"] != "cpm"
    ]
    for pair in runs:
        for stages in pair["sets"].values():
            for stage in ("stage1", "last"):
                entry = stages[stage]["pck_bone"]["0.2"]
                entry["difference"] += shift
                entry["interval"] = [end + shift for end in entry["interval"]]
    (folder / "comparisons.json").write_text(json.dumps({"comparisons": runs}))
    return root


def test_the_first_table_is_read_until_the_planned_one_is_complete(tmp_path):
    assert claim.newest(made(tmp_path / "few", 0.2, seeds=4)).name == "attention"
    table = claim.newest(made(tmp_path / "all", 0.2))
    assert (table.name, len(table.seeds), table.controls) == ("claim", 6, ("conv-params", "conv-ops"))
    assert claim.read(tmp_path / "all", "nothing") is None


def test_the_answer_follows_the_records(tmp_path):
    first = claim.newest(RESULTS) if not (RESULTS / "claim").exists() else claim.read(RESULTS, "attention")
    assert [first.verdict(claim.HELD_OUT, stage) for stage in claim.STAGES] == ["the block helps"] * 2
    one, two, three = claim.answer(first)
    assert one.startswith("**The block helps the network, but it is not shown that it must be attention. These runs")
    assert one.endswith("cannot tell whether attention does better than convolutions that need as many operations.**")
    assert "3 seeds" in two and "attention gains 6.6 at stage 1 (+4.9 to +8.5) and 2.5 at the last (+1.0 to" in two
    assert "operations, attention gains 0.3 at stage 1 (−1.5 to +2.1) and 0.4 at the last" in two
    assert "must be attention: on `asl-letters` at stage 1, on rendered hands at stage 1." in three
    assert three.endswith("the block helps: on `asl-letters` at the last stage, on rendered hands at the last stage.")

    better, worse = (
        claim.answer(claim.newest(made(tmp_path / name, shift))) for name, shift in (("up", 0.2), ("down", -0.2))
    )
    assert better[0] == "**Attention helps the network, and more than convolutions of its size do.**"
    assert better[2].endswith("size do: on `asl-letters` at both stages, on rendered hands at both stages.")
    assert "does better with convolutions, or with nothing" in worse[0]
    assert "Convolutions that need as many operations do better than attention.**" in worse[0]
    assert "attention loses 13.4 at stage 1 (−15.1 to" in worse[1]


def test_while_a_control_is_missing_no_more_is_claimed_than_was_run(tmp_path):
    table = claim.newest(made(tmp_path / "up", 0.2))
    del table.compared["conv-params"]
    assert not table.complete
    assert claim.answer(table)[0] == (
        "**Provisional, as one control has not run: attention helps the network, and more than convolutions that need "
        "as many operations do.**"
    )


def test_stages_that_differ_are_told_apart():
    assert claim.staged("a", "b") == "at stage 1 a; at the last stage b"
    assert claim.staged("a", "a") == "a"
    up, down = {"difference": 0.012}, {"difference": -0.03}
    assert claim.gained([up, up]) == ["gains 1.2", "1.2"] and claim.gained([up, down]) == ["gains 1.2", "loses 3.0"]


def test_a_difference_is_that_of_the_scores():
    table = claim.read(RESULTS, "attention")
    for other in table.opponents:
        for where in table.sets:
            entry = table.difference(other, where, "stage1")
            ours, others = entry["runs"]
            assert entry["difference"] == pytest.approx(sum(ours) / len(ours) - sum(others) / len(others), abs=1e-5)


def test_how_many_seeds_a_difference_needs():
    table = claim.read(RESULTS, "attention")
    assert claim.seeds_needed(table, "none", stage="stage1") == 3
    assert claim.seeds_needed(table, "conv-ops") is None  # the choice of pictures hides it
