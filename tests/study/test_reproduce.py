"""The paper's tables from one command each."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from handpose import __main__ as command
from handpose.study import fingerspelling, paper
from tests.scripts.test_render_synthetic import script
from tests.study.test_fingerspelling import videos  # noqa: F401, a fixture

ROOT = Path(__file__).resolve().parents[2]
TINY = """
evaluate_every = 100
[network]
width = 0.0625
attention = [10]
[crop]
size = 64
[schedule]
kind = "one-cycle"
steps = 3
batch = 4
peak = 1e-3
"""


@pytest.fixture(scope="module")
def stb(tmp_path_factory):
    """Rendered hands in the layout of the Stereo Hand Pose benchmark, two frames of each sequence."""
    root = tmp_path_factory.mktemp("stb")
    assert script.main([str(root), "--layout", "stb", "--number", "2", "--workers", "1"]) == 0
    return root


def test_what_the_paper_prints_is_written_down_once_and_the_same():
    """The ledger's transcription and the package's agree."""
    sections = tomllib.loads((ROOT / "book" / "ledger.toml").read_text(encoding="utf-8"))["section"]
    printed = {s["title"].split(":")[0]: {e["what"]: e["printed"] for e in s["entry"]} for s in sections}
    for title, table in (("Table 1", paper.TABLE1), ("Table 3", paper.TABLE3)):
        for row, _, kernel, output in table[1:]:
            cell = ", ".join(part for part in (kernel, output) if part != "-").replace("*", "×")
            assert printed[title][f"row {row}"] == cell
    for method, name in (("cpm", "CPM"), ("msahp", "proposed")):
        for t, value in zip(paper.TABLE2_THRESHOLDS, paper.TABLE2[method], strict=True):
            assert printed["Table 2"][f"{name}, {t:g}"].startswith(f"{value:g}")
    wer = [v for k, v in printed["Section 4.1 and Table 4"].items() if k.startswith("WER")]
    assert [float(v.removesuffix(" %")) for v in wer] == [percent for _, percent in paper.TABLE4]


@pytest.mark.parametrize(("table", "rows", "params"), [("table1", 21, "2,735,992"), ("table3", 5, "49,587")])
def test_tables_of_layers(table, rows, params, tmp_path, capsys):
    assert command.main(["reproduce", table, "--results", str(tmp_path)]) == 0
    stdout = capsys.readouterr().out
    assert stdout.count("the same") == rows and "DIFFERENT" not in stdout and params in stdout
    record = json.loads((tmp_path / "reproduce" / f"{table}.json").read_text())
    assert record["the_same"] == record["rows"] == rows


@pytest.mark.parametrize("division", ["paper", "community", "random"])
def test_table2_on_a_set_in_stbs_layout(stb, division, tmp_path, capsys):
    config = tmp_path / "tiny.toml"
    config.write_text(TINY)
    call = ["reproduce", "table2", "--data", f"stb:{stb}", "--config", str(config), "--out", str(tmp_path / "runs"),
            "--results", str(tmp_path / "results"), "--division", division]  # fmt: skip
    assert command.main(call) == 0
    stdout = capsys.readouterr().out
    assert "99.05%" in stdout and ("leaks" in stdout) == (division == "random")
    ours = [line for line in stdout.splitlines() if ", ours" in line]
    assert [line.split(",")[0] for line in ours] == ["CPM", "Proposed", "Proposed - CPM"]
    assert all(len(re.findall(r"\(", line)) == 4 for line in ours)
    record = json.loads((tmp_path / "results/reproduce" / f"table2-stb-{division}-tiny.json").read_text())
    assert record["images"] == {"paper": 2, "community": 8, "random": 2}[division]
    assert set(record["methods"]) == {"cpm", "msahp"} and record["methods"]["cpm"][0]["steps"] == 3
    assert command.main(call) == 0  # nothing is trained again
    assert "training" not in capsys.readouterr().out


def test_table4_on_written_videos(videos, tmp_path, monkeypatch, capsys):  # noqa: F811
    original = fingerspelling.score_rwth
    monkeypatch.setattr(fingerspelling, "score_rwth", lambda *a, **k: original(*a, **k, steps=100))
    assert command.main(["reproduce", "table4", "--data", f"rwth:{videos}", "--results", str(tmp_path)]) == 0
    stdout = capsys.readouterr().out
    assert all(f"{percent}%" in stdout for _, percent in paper.TABLE4) and "signers kept apart" in stdout
    record = json.loads((tmp_path / "reproduce" / "table4-rwth.json").read_text())
    assert set(record["splits"]) == {"paper-val", "val"} and record["splits"]["val"]["signs"] == 6


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (["table2"], "needs --data"),
        (["table2", "--data", "stb:/nowhere"], "/nowhere: no such folder"),
        (["table2", "--data", "synthetic:9", "--division", "random"], "STB's"),
        (["table2", "--data", "synthetic:9", "--seeds", "0"], "at least one run"),
        (["table4"], "RWTH"),
        (["table4", "--data", "stb:x"], "RWTH"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(call, words, tmp_path, capsys):
    assert command.main(["reproduce", *call, "--out", str(tmp_path / "runs"), "--results", str(tmp_path)]) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and words in lines[0]
    assert not list(tmp_path.rglob("*.json"))
