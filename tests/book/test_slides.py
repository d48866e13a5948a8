"""The decks of the four sessions: they fill their time, and open from a folder without a network."""

import tomllib

import pytest

from tools import slides

DECKS = sorted(slides.PLANS.glob("session-*.toml"))

# What sticks out of the slide that is shown, or out of the window
OUTSIDE = """(() => { const slide = Reveal.getCurrentSlide(), a = slide.getBoundingClientRect();
    return [...slide.querySelectorAll(":not(aside, aside *)")].filter(e => e.getClientRects().length)
        .map(e => [e, e.getBoundingClientRect()])
        .filter(([, b]) => b.right > Math.min(a.right, innerWidth) + 1 || b.bottom > Math.min(a.bottom, innerHeight) + 1
            || b.left < Math.max(a.left, 0) - 1 || b.top < Math.max(a.top, 0) - 1)
        .map(([e]) => `${e.tagName} ${e.className} ${e.textContent.trim().slice(0, 40)}`); })()"""
PLACE = "[Reveal.getIndices().h, Reveal.isLastSlide() && !Reveal.availableFragments().next]"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("für die Klasse")
    assert slides.main(["--out", str(folder)]) == 0
    return folder


@pytest.mark.parametrize("plan", DECKS, ids=[plan.stem for plan in DECKS])
def test_a_deck_fills_its_session(plan):
    with plan.open("rb") as file:
        shown = tomllib.load(file)["slide"]
    assert 20 <= len(shown) <= 25 and sum(each["minutes"] for each in shown) == 90
    assert sum("question" in each for each in shown) >= 6
    titles = [each["title"] for each in shown if "question" not in each]
    assert len(titles) == len(set(titles)) and all(each["notes"] for each in shown if "question" not in each)


@pytest.mark.parametrize("plan", DECKS, ids=[plan.stem for plan in DECKS])
def test_a_deck_opens_without_a_network(written, chromium, plan):
    page = chromium.open(written / f"{plan.stem}.html", width=1280, height=720)
    page.tab.wait_for_function("window.Reveal && Reveal.isReady()")
    total, seen, last = page.evaluate("Reveal.getTotalSlides()"), [], False
    while not last and len(seen) <= total:
        at, last = page.evaluate(PLACE)
        if at not in seen[-1:]:
            seen.append(at)
            assert page.evaluate(OUTSIDE) == [], f"slide {len(seen)}"
        page.press("ArrowRight")
    assert seen == [*range(total)], "not all slides are reached by the arrow key"
    assert page.evaluate(
        "[...document.querySelectorAll('.slides img:not(label img)')].every(i => i.naturalWidth && i.alt)"
    )
    assert page.evaluate("document.querySelectorAll('.fragment.right.visible').length") == page.evaluate(
        "document.querySelectorAll('section.question').length"
    )
    assert not page.evaluate("document.querySelectorAll('mjx-merror').length") and not page.errors
    inside = (written.resolve().as_uri(), "data:", "blob:", "about:")
    assert not [address for address in page.requests if not address.startswith(inside)]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('figure = "04: No such heading"', "'04: No such heading' fits 0 cells"),
        ('cell = "04: import"', "cells of the chapter, and is to fit one"),
        ('figure = "How wide?"', "not of the form"),
        ('figure = "77: How wide?"', "there is no chapter 77"),
        ('question = "4.7"', "there is no question 4.7"),
    ],
)
def test_what_is_not_there_is_said(tmp_path, monkeypatch, capsys, line, words):
    head = 'title = "T"\n\n[[slide]]\ntitle = "A"\nminutes = 1\nnotes = "n"\n'
    (tmp_path / "session-9.toml").write_text(head + line, encoding="utf-8")
    for name in ("deck.html", "reveal.zip"):
        (tmp_path / name).write_bytes((slides.PLANS / name).read_bytes())
    monkeypatch.setattr(slides, "PLANS", tmp_path)
    assert slides.main(["--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert words in said and "session-9.toml, slide 1" in said and not (tmp_path / "out" / "session-9.html").exists()
