"""The quiet line on the built page behind which a cell's assertions stand."""

import re
import sys

import nbformat
import pytest

from tools import notebooks

sys.path.insert(0, str(notebooks.ROOT / "book" / "_ext"))
import checks  # noqa: E402

CELL = """gap = np.abs(ours - theirs).max()
print(f"mean {ours.mean():.2f}")
print(f"largest difference {gap:.4f} mm")
assert gap < 1e-6, "what the package gives"
for row in rows:
    assert row > 0
last = rows[-1]  # used below"""


def test_a_cell_is_divided_into_what_it_shows_and_what_it_checks():
    shown, folded, printed, gone = checks.divide(CELL, "mean 3.00\nlargest difference 0.0000 mm\n")
    assert shown == 'gap = np.abs(ours - theirs).max()\nprint(f"mean {ours.mean():.2f}")\nlast = rows[-1]  # used below'
    assert folded.splitlines()[0].startswith("print(f") and folded.count("assert") == 2 and "for row" in folded
    assert (printed, gone) == ("mean 3.00", "largest difference 0.0000 mm")
    assert checks.summary(folded) == "Checked: equal to the package, within 1e-06"


@pytest.mark.parametrize(
    ("code", "output"),
    [("print(f'largest difference {x:.1f}')\nx = 1", "largest difference 0.0"),  # nothing bounds it: a result
     ("x = 1; assert x", ""), ("%matplotlib inline\nassert x", ""),
     ("while x:\n    assert x\n    x -= 1", "")],
)  # fmt: skip
def test_what_stays_as_it_is(code, output):
    assert checks.divide(code, output) == (code, "", output, "")


def test_a_difference_that_is_not_zero_stays_in_sight():
    shown, folded, printed, gone = checks.divide(CELL, "mean 3.00\nlargest difference 0.0100 mm\n")
    assert "largest difference" in shown and "assert" in folded
    assert "0.0100" in printed and not gone


def test_a_summary_says_what_was_checked():
    assert checks.summary("assert a == b\nassert c") == "Checked: 2 assertions"
    assert checks.summary("assert np.allclose(a, b)") == "Checked: equal"
    assert checks.summary("assert np.allclose(a, b, atol=1e-3)") == "Checked: equal, within 0.001"


@pytest.mark.parametrize("source", notebooks.sources(), ids=lambda path: path.stem)
def test_assertions_are_folded_on_the_page(site, source):
    """All at the top level of cells in sight; the page keeps every one of them, folded or not."""
    page = (site / "chapters" / f"{source.stem}.html").read_text(encoding="utf-8")
    lines = re.findall(r'<details class="checked"><summary>Checked: [^<]+</summary>', page)
    chapter = nbformat.read(notebooks.chapter_of(source), as_version=4)
    codes = [cell.source for cell in chapter.cells if cell.cell_type == "code"]
    wanted = sum(len(re.findall(r"^assert\b", code, flags=re.M)) for code in codes)
    assert wanted == 0 or lines, "no assertion is folded"
    assert page.count('<span class="k">assert</span>') >= wanted
    if not lines:
        return
    folded = "".join(re.findall(r'<details class="checked">.*?</details>', page, re.S))
    inside = folded.count('<span class="k">assert</span>')
    assert inside >= len(lines)
