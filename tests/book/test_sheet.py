"""The sheet with the paper's tables: every number as printed, on one page."""

import re

import pytest

from tools import sheet


def test_the_numbers_are_those_of_the_paper():
    made = sheet.page()
    rows = [re.findall(r"<t[dh]>(.*?)</t[dh]>", row) for row in re.findall(r"<tr>(.*?)</tr>", made)]
    assert len(rows) == 1 + 22 + 1 + 2 + 1 + 3 and not re.search(r"%\w+%", made)
    assert rows[1] == ["–", "Input image", "–", "256×256×3"] and rows[13] == ["12", "Concat(10,11)", "–", "32×32×277"]
    assert rows[20] == ["19", "conv", "1×3", "32×32×21"]
    assert rows[23] == ["hPCK (mm)", "0.15", "0.2", "0.25", "0.3"]
    assert rows[25] == ["Proposed", "84.68 %", "99.05 %", "91.2 %", "93.68 %"]
    assert [row[1] for row in rows[27:]] == ["35.7 %", "36.6 %", "34.6 %"]
    assert "Zhiqin Zhang, Bo Zhang, Fen Li, Dehua Kong: Multihead Self Attention Hand Pose Estimation" in made


@pytest.mark.parametrize("paper", ["A4", "Letter"])
def test_it_prints_on_one_page(tmp_path, chromium, paper):
    assert sheet.main(["--out", str(tmp_path / "class" / "tables.html")]) == 0
    page = chromium.open(tmp_path / "class" / "tables.html")
    pdf = page.tab.pdf(format=paper, prefer_css_page_size=False)
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 1
    assert not page.errors and len(page.requests) == 1


def test_a_number_that_is_gone_is_said(tmp_path, monkeypatch, capsys):
    (tmp_path / "ledger.toml").write_text('[[section]]\ntitle = "T"\nentry = []\n', encoding="utf-8")
    monkeypatch.setattr(sheet, "BOOK", tmp_path)
    assert sheet.main(["--out", str(tmp_path / "tables.html")]) == 1
    assert "book/ledger.toml has no entry 'thresholds'" in capsys.readouterr().err
    assert not (tmp_path / "tables.html").exists()
