"""The ledger: complete, generated, and with verdicts that are computed where they can be."""

import json
import re
import sys
import tomllib

import pytest

from tests.conftest import ROOT
from tools import ledger

# The numbers of the paper's tables, copied once by hand from the paper.
TABLE1 = [
    "256×256×3", "3×3, 256×256×64", "2×2, 128×128×64", "3×3, 128×128×96", "3×3, 128×128×96", "2×2, 64×64×96",
    "3×3, 64×64×128", "3×3, 64×64×128", "2×2, 32×32×128", "3×3, 32×32×256", "3×3, 32×32×256", "1×1, 32×32×21",
    "32×32×277", "3×3, 32×32×128", "3×3, 32×32×128", "5×5, 32×32×128", "5×5, 32×32×128", "32×32×128",
    "3×3, 32×32×128", "1×3, 32×32×21", "3×1, 32×32×21", "1×1, 32×32×21",
]  # fmt: skip
TABLE2 = ["84.7 %", "88.5 %", "90.9 %", "92.6 %", "84.68 %", "99.05 %", "91.2 %", "93.68 %"]
TABLE3 = ["2×21", "1×7, 2×21×16", "1×7, 2×21×16", "2×1, 1×21×16", "128", "0.5", "35", "0.2"]
TABLE4 = ["35.7 %", "36.6 %", "34.6 %"]


def printed(title: str) -> list[str]:
    sections = tomllib.loads((ROOT / "book" / "ledger.toml").read_text(encoding="utf-8"))["section"]
    (section,) = (s for s in sections if title in s["title"])
    return [entry["printed"] for entry in section["entry"]]


def test_the_page_is_what_the_tool_makes():
    assert (ROOT / "book" / "ledger.md").read_text(encoding="utf-8") == ledger.page()


def test_the_introduction_says_what_the_records_say():
    text = (ROOT / "book" / "intro.md").read_text(encoding="utf-8")
    assert ledger.worth() in text and text == ledger.introduction(text)
    assert ledger.introduction(text.replace(ledger.worth(), "It adds 99 points.")) == text


@pytest.mark.parametrize(
    ("title", "numbers"), [("Table 1", TABLE1), ("Table 2", TABLE2), ("Table 3", TABLE3), ("Table 4", TABLE4)]
)
def test_every_number_of_the_tables_has_an_entry(title, numbers):
    shown = printed(title)
    for number in numbers:
        assert number in shown, f"{title}: {number} is not in the ledger"
        shown.remove(number)


def test_a_computed_verdict_follows_the_number():
    entry = {"what": "row 9", "printed": "3×3, 32×32×256", "compute": "table1 9"}
    assert ledger.judge(entry, "")[1] == "built as printed"
    assert ledger.judge(entry | {"printed": "3×3, 32×32×255"}, "")[1] == "built otherwise"
    assert ledger.share("34.5", "200") == "34.5 %" and ledger.share("34.6", "200") == "34.5 % or 35 %"


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(ledger, "ROOT", tmp_path)
    monkeypatch.setattr(ledger, "RESULTS", tmp_path)
    return tmp_path


def test_a_record_that_is_not_there_waits_and_one_without_the_key_is_an_error(results):
    entry = {"what": "PCK", "printed": "84.7 %", "record": "one-s*.json:metrics.pck_bone.0.15",
             "under": "other data", "why": "Other labels."}  # fmt: skip
    assert ledger.judge(entry, "Table 2")[:2] == ("–", "not run yet")
    for seed, value in enumerate((0.25, 0.75)):
        record = {"metrics": {"pck_bone": {"0.15": value}}}
        (results / f"one-s{seed}.json").write_text(json.dumps(record))
    assert ledger.judge(entry, "Table 2")[:2] == ("50.0 % (other data)", "measured by us beside the paper's")
    (results / "one-s2.json").write_text(json.dumps({"metrics": {}}))
    with pytest.raises(ledger.LedgerError, match=r"one-s2.json: no key 'metrics.pck_bone.0.15'"):
        ledger.judge(entry, "Table 2")


@pytest.mark.parametrize(
    ("entry", "says"),
    [({"what": "a", "printed": "1"}, "needs a verdict"), ({"what": "a", "verdict": "built as printed"}, "the reason"),
     ({"what": "a", "record": "x:y", "verdict": "impossible as printed", "why": "b"}, "needs the conditions"),
     ({"what": "a", "compute": "magic"}, "computes no 'magic'"), ({"what": "a", "wy": "x"}, "unknown key 'wy'")],
)  # fmt: skip
def test_an_incomplete_entry_is_named(entry, says):
    with pytest.raises(ledger.LedgerError, match=says):
        ledger.judge(entry, "Table 9")


def test_no_score_stands_beside_the_papers_without_a_word_for_its_data():
    rows = [line.split(" | ") for line in ledger.page().splitlines() if " beside the paper's" in line and "[" in line]
    assert len(rows) >= 15 and all(re.search(r"\((other \w+)\)$", row[2]) for row in rows)


def test_check_says_when_the_page_is_old(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["ledger", "--check"])
    assert ledger.main() == 0
    monkeypatch.setattr(ledger, "page", lambda: "another page\n")
    assert ledger.main() == 1
    assert "not up to date" in capsys.readouterr().err
