"""Chapters, exercises and references carry the chapter's number on the built page."""

import re

import pytest

from book._ext import symbols


@pytest.mark.parametrize(("number", "source"), [*enumerate(symbols.chapters().values(), 1)])
def test_title_and_exercises_have_the_chapters_number(site, number, source):
    stem = source.stem
    page = (site / "chapters" / f"{stem}.html").read_text(encoding="utf-8")
    assert re.search(rf'<h1><span class="section-number">{number}\. </span>', page)
    titles = re.findall(r'<span class="caption-number">Exercise ([\d.]+)', page)
    wanted = source.read_text(encoding="utf-8").count("{exercise}")
    assert titles == [f"{number}.{k}" for k in range(1, wanted + 1)]


def test_the_sidebar_and_references_have_them_too(site):
    page = (site / "chapters" / "05-the-network.html").read_text(encoding="utf-8")
    sidebar = re.search(r'<nav class="bd-links.*?</nav>', page, re.S)[0]
    assert re.search(r"4\. Score maps</a>", sidebar) and "Appendices" in sidebar
    assert re.search(r"Score maps(?:</span>)?</a><span> \(chapter 4\)</span>", page)
    assert re.search(r"Training at scale(?:</span>)?</a><span> \(appendix 13\)</span>", page)
    maps = (site / "chapters" / "04-score-maps.html").read_text(encoding="utf-8")
    assert re.search(r'href="#forget-half-pixel"[^>]*>(?:<span[^>]*>)?An exercise(?:</span>)?</a><span> \(4\.\d', maps)
    intro = (site / "intro.html").read_text(encoding="utf-8")
    assert "(chapter 4)" not in re.search(r"<ol.*?</ol>", intro, re.S)[0]  # its list has the numbers already


@pytest.mark.parametrize(("number", "source"), [*enumerate(symbols.chapters().values(), 1)])
def test_figures_are_numbered_in_their_order(site, number, source):
    """Every caption behind a picture's cell, and no other text in italics."""
    page = (site / "chapters" / f"{source.stem}.html").read_text(encoding="utf-8")
    found = re.findall(r'<p class="numbered" id="figure-([\d-]+)"><strong>Figure ([\d.]+)</strong> <em', page)
    assert found == [(f"{number}-{k}", f"{number}.{k}") for k in range(1, len(found) + 1)]
    text = source.read_text(encoding="utf-8")
    drawn = r"^(?:fig, |fig = |explorer\b|explore\(|plt\.show\(\)).*?^``` *\n+\*(?!\*)"
    parts = re.split(r"^```\{code-cell\}", text, flags=re.M)
    assert len(found) == sum(bool(re.search(drawn, part, re.M | re.S)) for part in parts)
