"""A chapter on paper: what a browser prints, and how many sheets it takes."""

import re

import pytest

SHOWN = """(selector) => [...document.querySelectorAll(selector)].filter(e => e.getClientRects().length).length"""
# Code, output and pictures that reach beyond the text on a sheet
TOO_WIDE = """[...document.querySelectorAll('.bd-article :is(pre, img, table)')]
    .filter(e => e.getClientRects().length && e.scrollWidth > e.clientWidth + 1).map(e => e.outerHTML.slice(0, 80))"""


@pytest.fixture
def printed(site, chromium):
    page = chromium.open(site / "chapters" / "06-attention.html", width=720)
    page.tab.emulate_media(media="print")
    yield page
    page.tab.emulate_media(media="screen")


def test_a_chapter_takes_few_sheets(printed):
    file = printed.tab.pdf(format="Letter", print_background=True)
    sheets = len(re.findall(rb"/Type\s*/Page\b", file))
    assert 8 <= sheets <= 16


def test_what_is_folded_stays_away_and_what_is_shown_fits(printed):
    count = lambda selector: printed.evaluate(f"({SHOWN})({selector!r})")  # noqa: E731
    assert count(".bd-article h1") == 1 and count(".bd-article pre") > 20 and count(".exercise") >= 5
    for left_out in (".solution", "details.hide", "details.checked", "figure.explorer input", ".bd-sidebar-primary"):
        assert printed.evaluate(f"document.querySelectorAll({left_out!r}).length"), f"no {left_out} on the page at all"
        assert not count(left_out), f"{left_out} is printed"
    assert count("figure.explorer img") == printed.evaluate("document.querySelectorAll('figure.explorer').length")
    assert not printed.evaluate(TOO_WIDE)
