"""The decks of the four sessions: they fit their time, give no answer away, and open without a network."""

import re
import tomllib

import cv2
import numpy as np
import pytest

from tools import minutes, notebooks, questions, slides
from tools.slide_parts import parts

DECKS = sorted(slides.PLANS.glob("session-*.toml"))

# What sticks out of the slide that is shown, or out of the window
OUTSIDE = """(() => { const slide = Reveal.getCurrentSlide(), a = slide.getBoundingClientRect();
    return [...slide.querySelectorAll(":not(aside, aside *)")].filter(e => e.getClientRects().length)
        .map(e => [e, e.getBoundingClientRect()])
        .filter(([, b]) => b.right > Math.min(a.right, innerWidth) + 1 || b.bottom > Math.min(a.bottom, innerHeight) + 1
            || b.left < Math.max(a.left, 0) - 1 || b.top < Math.max(a.top, 0) - 1)
        .map(([e]) => `${e.tagName} ${e.className} ${e.textContent.trim().slice(0, 40)}`); })()"""
# What can be seen of the options of a question, as the browser computes it
LOOKS = """(() => { const look = e => { const made = getComputedStyle(e);
    return ["color", "backgroundColor", "borderColor", "opacity", "visibility", "fontWeight", "willChange", "transform",
        "filter"].map(name => made[name]).join("; "); };
    return [...Reveal.getCurrentSlide().querySelectorAll("ol li")].map(
        option => [option, ...option.querySelectorAll("*")].map(look)); })()"""
DRAWN = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))"
PLACE = "[Reveal.getIndices().h, Reveal.isLastSlide() && !Reveal.availableFragments().next]"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("für die Klasse")
    assert slides.main(["--out", str(folder)]) == 0
    return folder


def slides_of(plan):
    with plan.open("rb") as file:
        return tomllib.load(file)["slide"]


@pytest.mark.parametrize("plan", DECKS, ids=[plan.stem for plan in DECKS])
def test_a_deck_fits_its_session(plan):
    """90 minutes with a pause and an exercise, by the rule, and not by what the deck says of itself."""
    shown = slides_of(plan)
    assert 75 <= sum(map(slides.time_of, shown)) <= 86, "the rule can be 4 % below a teacher's estimate"
    assert [each["minutes"] for each in shown if each.get("kind") == "pause"] == [5]
    exercises = [each for each in shown if "exercise" in each]
    assert exercises and all(8 <= each["minutes"] <= 10 for each in exercises)
    assert 4 <= sum("question" in each for each in shown) <= 6
    pause = next(number for number, each in enumerate(shown) if each.get("kind") == "pause")
    assert 40 <= sum(map(slides.time_of, shown[:pause])) <= 60
    titles = [each["title"] for each in shown if "question" not in each]
    assert len(titles) == len(set(titles)) and all(each["notes"] for each in shown if "question" not in each)
    for each in shown:
        if "question" not in each and minutes.tasks(each["notes"]) and "?" in each["notes"]:
            assert "*Answer:*" in each["notes"] or "Let" in each["notes"], f"no answer: {each['notes']}"


def test_the_page_for_instructors_says_what_the_rule_gives():
    text = (slides.BOOK / "teaching.md").read_text(encoding="utf-8")
    for plan in DECKS:
        shown, session = slides_of(plan), plan.stem[-1]
        asked = [each["question"] for each in shown if "question" in each]
        took = {kind: sum(slides.time_of(each) for each in shown if kind in (*each, each.get("kind")))
                for kind in ("question", "exercise", "pause")}  # fmt: skip
        whole = sum(map(slides.time_of, shown))
        cells = [whole - sum(took.values()), *took.values(), whole]
        row = re.search(rf"^\| {session} \((\d+ and \d+)\) \| ([^a-z]+) \| (\d+) \|$", text, re.M)
        assert [int(cell.strip("* ")) for cell in row[2].split("|")] == [round(cell) for cell in cells]
        chapters = [f"{int(number):02}" for number in re.findall(r"\d+", row[1])]
        sources = [next(notebooks.SOURCES.glob(f"{number}-*")).read_text("utf-8") for number in chapters]
        stated = [int(re.search(r"\*\*It takes\*\* \| (\d+) minutes", source)[1]) for source in sources]
        assert int(row[3]) == sum(stated)
        item = re.search(rf"^{session}\. .*?\*In class:\* (.*)$", text, re.M)[1]
        left = re.findall(r"\b\d\.\d\b", item)
        assert sorted(left + asked) == sorted(f"{int(c)}.{k}" for c in chapters for k in range(1, 7))
        exercise = next(each["exercise"] for each in shown if "exercise" in each)
        assert f"`{exercise.partition(': ')[2]}`" in item.partition("*Homework:*")[0]


def test_the_page_for_instructors_states_the_rule():
    text = (slides.BOOK / "teaching.md").read_text(encoding="utf-8")
    stated = re.search(r"^\| what \| minutes \|\n\|---\|---\|\n(\| a slide.*?)\n\n", text, re.M | re.S)[1]
    assert [line.split("|")[2].strip() for line in stated.splitlines()] == [
        f"{minutes.TAKEN_IN:g}", f"1 for each {minutes.SPOKEN} words", f"{minutes.FIGURE:g}", f"{minutes.EXPLORER:g}",
        f"{minutes.CELL:g}, and {minutes.LINE:g} for each line", f"{minutes.ASKED:g}", f"{minutes.BOARD:g}",
        f"{minutes.VOTE:g}, and its words", "as planned",
    ]  # fmt: skip
    vote = next(line for line in stated.splitlines() if line.startswith("| a vote"))
    assert sum(map(float, re.findall(r"\d+(?:\.\d)?", vote.split("|")[1]))) == minutes.VOTE and minutes.CUES == 2


def test_the_rule_counts_what_takes_time():
    vote = minutes.of_vote("one two three " * 20)
    assert vote == minutes.VOTE + 60 / minutes.SPOKEN
    plain = {"notes": "Say this."}
    longer = [{**plain, "figure": "f"}, {**plain, "cell": "c"}, {**plain, "table": "t"}, {**plain, "minutes": 1},
              {"notes": "Say this on the board."}, {"notes": "Say this?"}, {"notes": "Let them say this."},
              {**plain, "text": "shown " * 65}]  # fmt: skip
    assert all(minutes.of_slide(each) > minutes.of_slide(plain) + 0.4 for each in longer)
    assert minutes.of_slide({**plain, "cell": "c"}, lines=10) == minutes.of_slide({**plain, "cell": "c"}) + 1
    assert minutes.of_slide({**plain, "figure": "f"}, explorer=True) > minutes.of_slide({**plain, "figure": "f"})
    assert minutes.tasks("What is it? Wait. It is so. *Answer:* is it? yes.") == 2
    assert minutes.tasks("| a | ? |\n| b | ? |\n\nWhy?") == 1


def test_the_rule_agrees_with_a_teacher():
    """What a teacher estimated for slides of the kinds that the decks have, from their first version."""
    vote, figure = minutes.of_vote("word " * 60), {"notes": "word " * 30, "figure": "f"}
    assert 3 < vote < 6
    assert minutes.of_slide(figure) == pytest.approx(4, abs=1)
    assert minutes.of_slide(figure, explorer=True) == pytest.approx(5, abs=1)
    derived = {"notes": "On the board. " + "word " * 15, "text": "word " * 40}
    assert minutes.of_slide(derived) == pytest.approx(6, abs=1.5)


@pytest.mark.parametrize("plan", DECKS, ids=[plan.stem for plan in DECKS])
def test_a_vote_comes_before_its_answer(plan):
    """The right option does not stand on an earlier slide, unless a key press is needed to see it."""
    before = ""
    for each in slides_of(plan):
        if "question" in each:
            right = dict(questions.read()[each["question"]].options)
            right = right[questions.read()[each["question"]].right].strip(".")
            assert not re.search(rf"(?<![\w.]){re.escape(right)}(?![\w.])", before), f"{each['question']}: {right}"
        before += f" {each.get('text', '')} " + (" ".join(parts(each["cell"])) if "cell" in each else "")


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


def pixels(page):
    """The options of the question that is shown; around them, arrows and the bar of progress move."""
    shown = page.tab.locator("section.present ol").screenshot()
    return cv2.imdecode(np.frombuffer(shown, np.uint8), cv2.IMREAD_COLOR)


@pytest.mark.parametrize("plan", DECKS, ids=[plan.stem for plan in DECKS])
def test_the_right_option_looks_like_the_others_until_the_key_press(written, chromium, plan):
    page = chromium.open(written / f"{plan.stem}.html", width=1280, height=720)
    page.tab.wait_for_function("window.Reveal && Reveal.isReady()")
    for number, each in enumerate(slides_of(plan)):
        if "question" not in each:
            continue
        page.evaluate(f"Reveal.slide({number}, 0, -1)")
        page.evaluate(DRAWN)
        looks = page.evaluate(LOOKS)
        assert len(looks) == 4 and all(look[0] == looks[0][0] for look in looks), f"{each['question']}: {looks}"
        assert len({tuple(look[1:3]) for look in looks}) == 1
        seen = pixels(page)
        page.evaluate("Reveal.getCurrentSlide().querySelector('li.right').className = ''")
        page.evaluate(DRAWN)
        assert np.array_equal(seen, pixels(page)), f"{each['question']}: the right option is drawn in another way"
        page.evaluate("Reveal.getCurrentSlide().querySelector('li').className = 'fragment right visible'")
        page.evaluate(DRAWN)
        assert not np.array_equal(seen, pixels(page))
        changed = page.evaluate(LOOKS)
        assert changed[0][0] != changed[1][0]


@pytest.mark.parametrize("plan", DECKS, ids=[plan.stem for plan in DECKS])
def test_what_a_cell_printed_is_hidden_until_the_key_press(written, chromium, plan):
    page = chromium.open(written / f"{plan.stem}.html", width=1280, height=720)
    page.tab.wait_for_function("window.Reveal && Reveal.isReady()")
    found = 0
    for number, each in enumerate(slides_of(plan)):
        covered = "[...Reveal.getCurrentSlide().querySelectorAll('pre.output, .fragment:has(img)')]"
        shown = f"{covered}.map(e => getComputedStyle(e).visibility)"
        page.evaluate(f"Reveal.slide({number}, 0, -1)")
        if each.get("hidden") or page.evaluate(f"{covered}.length"):
            found += 1
            assert page.evaluate(shown) == ["hidden"], f"slide {number + 1}"
            page.press("ArrowRight")
            assert page.evaluate(shown) == ["visible"] and page.evaluate("Reveal.getIndices().h") == number
    assert found >= 2


def test_a_clicker_leaves_an_explorer(written, chromium):
    page = chromium.open(written / "session-2.html", width=1280, height=720)
    page.tab.wait_for_function("window.Reveal && Reveal.isReady()")
    place = next(n for n, each in enumerate(slides_of(DECKS[1])) if each.get("title") == "Explore the width")
    page.evaluate(f"Reveal.slide({place}); Reveal.getCurrentSlide().querySelector('input[type=range]').focus()")
    page.press("ArrowRight")
    assert page.evaluate("Reveal.getIndices().h") == place, "an arrow moves the slider"
    page.press("PageDown")
    assert page.evaluate("Reveal.getIndices().h") == place + 1


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('figure = "04: No such heading"', "'04: No such heading' fits 0 cells"),
        ('cell = "04: import"', "cells of the chapter, and is to fit one"),
        ('figure = "How wide?"', "not of the form"),
        ('figure = "77: How wide?"', "there is no chapter 77"),
        ('question = "4.7"', "there is no question 4.7"),
        ('exercise = "04: nothing"', "there is no exercise '04: nothing'"),
    ],
)
def test_what_is_not_there_is_said(tmp_path, monkeypatch, capsys, line, words):
    head = 'title = "T"\n\n[[slide]]\ntitle = "A"\nnotes = "n"\n'
    (tmp_path / "session-9.toml").write_text(head + line, encoding="utf-8")
    for name in ("deck.html", "reveal.zip"):
        (tmp_path / name).write_bytes((slides.PLANS / name).read_bytes())
    monkeypatch.setattr(slides, "PLANS", tmp_path)
    assert slides.main(["--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert words in said and "session-9.toml, slide 1" in said and not (tmp_path / "out" / "session-9.html").exists()
