"""Hard cases scored from the weights that runs left: records, comparisons, and what is refused."""

import json
import sys

import pytest

from handpose import PoseEstimationNet, pretrained
from tests.conftest import ROOT

sys.path.insert(0, str(ROOT / "data_scripts"))
import evaluate_claim  # noqa: E402

TABLE = """
config = "quick"
data = ["synthetic"]
validate = "synthetic"
seeds = [0, 1]
run = [{ method = "msahp" }, { method = "none" }]
compare = [{ first = "msahp", second = "none" }]
"""


def run(monkeypatch, folder, *more):
    folders = "--out", str(folder / "runs"), "--results", str(folder / "results")
    monkeypatch.setattr(sys, "argv", ["evaluate_claim", str(folder / "tiny.toml"), *folders, *more])
    return evaluate_claim.main()


def test_runs_are_scored_as_they_are_there(monkeypatch, tmp_path, capsys):
    (tmp_path / "tiny.toml").write_text(TABLE)
    assert run(monkeypatch, tmp_path) == 1 and "no run is finished" in capsys.readouterr().err
    for method, attention in (("msahp", (10,)), ("none", False)):
        folder = tmp_path / "runs" / "tiny" / f"{method}-s0"
        folder.mkdir(parents=True)
        pretrained.save(folder / "weights.safetensors", PoseEstimationNet(attention=attention, width=0.125), 32)
        (folder / "record.json").write_text('{"commit": "abc", "steps": 3}')
    assert run(monkeypatch, tmp_path, "--cases", "hidden,wrong") == 1 and "--cases wrong" in capsys.readouterr().err

    monkeypatch.setitem(evaluate_claim.CASES, "crossed", (evaluate_claim.cases.crossed, "synthetic:60", "test"))
    assert run(monkeypatch, tmp_path, "--cases", "hidden,crossed", "--limit", "30") == 0
    results = tmp_path / "results" / "tiny-cases"
    record = json.loads((results / "none-s0.json").read_text())
    assert (record["trained_at"], record["steps"], record["experiment"]) == ("abc", 3, "tiny-cases")
    assert set(record["data_sha256"]) == {"hidden", "crossed"} and record["cases"]["hidden"]["hands"] == 30
    (pair,) = json.loads((results / "comparisons.json").read_text())["comparisons"]
    assert pair["seeds"] == [0]
    ours = json.loads((results / "msahp-s0.json").read_text())
    assert "heads" not in record and [len(h) for h in ours["heads"]["shares"]] == [4] * 8
    assert len(ours["heads"]["lost"]["wrist"]) == 8 and ours["heads"]["hands"] == 30
    for case in ("hidden", "crossed"):
        for stage in ("stage1", "last"):
            for kind in ("hard", "easy"):
                scores = (r["cases"][case][stage][kind] for r in (ours, record))
                assert pair["cases"][case][stage][kind]["difference"] == pytest.approx(next(scores) - next(scores))

    predict, calls = evaluate_claim.cases.evaluate.predict, []
    monkeypatch.setattr(evaluate_claim.cases.evaluate, "predict", lambda *a: calls.append(a) or predict(*a))
    assert run(monkeypatch, tmp_path, "--cases", "hidden,crossed", "--limit", "30") == 0 and not calls
    again = json.loads((results / "msahp-s0.json").read_text())
    assert (again["cases"], again["heads"]) == (ours["cases"], ours["heads"])
    # One case more: only that is predicted, by the network with a position code once for each way the crops move.
    monkeypatch.setitem(
        evaluate_claim.CASES, "border-code", (evaluate_claim.cases.border_with_code, "synthetic:30", "test")
    )
    assert run(monkeypatch, tmp_path, "--cases", "hidden,border-code", "--limit", "30") == 0 and len(calls) == 4 + 1
    assert json.loads((results / "msahp-s0.json").read_text())["cases"]["hidden"] == ours["cases"]["hidden"]
    monkeypatch.undo()
    weights = tmp_path / "runs" / "tiny" / "none-s0" / "weights.safetensors"
    pretrained.save(weights, PoseEstimationNet(attention=False, width=0.125), 32)  # trained anew
    assert run(monkeypatch, tmp_path, "--cases", "hidden", "--limit", "30") == 0
    assert json.loads((results / "none-s0.json").read_text())["cases"]["hidden"] != record["cases"]["hidden"]
