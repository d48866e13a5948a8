"""Explorers on the page: a slider for numbers, and for names what they name; by keyboard, by finger and on paper."""

import itertools

import matplotlib.pyplot as plt
import pytest

from handpose.book.explore import explore
from handpose.skeleton import JOINTS
from tests.conftest import ROOT
from tools import notebooks

STATIC = ROOT / "book" / "_static"
EXPLORERS = [source for source in notebooks.sources() if "explore(" in source.read_text(encoding="utf-8")]
SHAPES = ((1280, False), (390, True))
# What an explorer shows: the picture (its end stands for all of it), its text, and whether both fit
SHOWN = """(async (f) => { const i = f.querySelector("img"); await i.decode();
    return [i.src.slice(-2000), i.alt, i.naturalWidth > 0 && f.getBoundingClientRect().right <= innerWidth]; })"""
# The side of the smallest option, in pixels, and the distance between the two nearest
SMALLEST = """(group) => Math.min(...[...group.querySelectorAll(".options label")].flatMap(
    label => [label.clientWidth, label.clientHeight]))"""
NEAREST = """(group) => { const at = [...group.querySelectorAll(".options label")].map(label => {
        const b = label.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; });
    return Math.min(...at.flatMap(([x, y], i) => at.slice(i + 1).map(([u, v]) => Math.hypot(x - u, y - v)))); }"""
KINDS = "[...document.querySelectorAll('fieldset.choice')].map(e => e.className.split(' ')[1])"
# Which of the options of each chapter's explorers are not a slider's
CHOSEN = {"02-hand-representation": ["buttons", "buttons"], "03-finding-the-hand": [], "04-score-maps": [],
          "05-the-network": ["buttons", "buttons"], "06-attention": ["joints", "thumbnails"],
          "07-loss-and-training": [], "08-experiments": ["buttons"], "09-does-attention-help": ["buttons", "buttons"],
          "10-reading-finger-spelling": ["buttons"], "15-the-rendered-hand": ["thumbnails"]}  # fmt: skip


@pytest.mark.parametrize("source", EXPLORERS, ids=[path.stem for path in EXPLORERS])
def test_explorers_answer_the_keyboard(site, chromium, source):
    """Each control is reached, named, wide enough for a finger, and changes picture and text by an arrow key."""
    page = chromium.open(site / "chapters" / f"{source.stem}.html")
    count = page.evaluate('document.querySelectorAll("figure.explorer").length')
    assert count == source.read_text(encoding="utf-8").count("explore(") >= 1
    assert page.evaluate(KINDS) == CHOSEN[source.stem]
    for width, dark in SHAPES:
        page.shape(width, dark=dark)
        for index in range(count):
            figure = f'document.querySelectorAll("figure.explorer")[{index}]'
            controls = f"{figure}.querySelectorAll('input[type=range], fieldset.choice')"
            for number in range(page.evaluate(f"{controls}.length")):
                slider = f"{controls}[{number}]"
                if page.evaluate(f"{slider}.type == 'range'"):
                    page.evaluate(f"{slider}.focus()")
                    assert page.evaluate(
                        f"{slider}.getAttribute('aria-label').length > 2 && {slider}.clientWidth > 150"
                    )
                    last = page.evaluate(f"{slider}.value == {slider}.max")
                else:
                    page.evaluate(f"{slider}.querySelector(':checked').focus()")
                    assert page.evaluate(f"({SMALLEST})({slider})") >= 24
                    last = page.evaluate(f"{slider}.querySelector('label:last-child input').checked")
                before = page.evaluate(f"{SHOWN}({figure})")
                page.press("ArrowLeft" if last else "ArrowRight")
                after = page.evaluate(f"{SHOWN}({figure})")
                assert before[0] != after[0] and before[1] != after[1], f"explorer {index}, control {number}: no change"
                assert before[2] and after[2]
        assert not page.serious("figure.explorer")
    assert not page.errors


def draw(joint, head):
    figure, ax = plt.subplots(figsize=(2, 1))
    ax.text(0, 0, f"{joint} {head}")
    return figure


@pytest.fixture(scope="module")
def alone(tmp_path_factory, chromium):
    """An explorer of all joints on a page that has nothing else."""
    heads = (1, 2, "mean of heads")
    words = lambda joint, head: f"{joint}, head {head}"  # noqa: E731
    made = explore(draw, {"joint": JOINTS, "head": heads}, alt=words, start={"joint": "index tip", "head": 2},
                   names={"joint": "Key-point", "head": "Head"})  # fmt: skip
    style, script = ((STATIC / f"explorers.{end}").read_text(encoding="utf-8") for end in ("css", "js"))
    head = '<meta charset="utf-8"><title>T</title><link rel="icon" href="data:,">'
    path = tmp_path_factory.mktemp("für die Klasse") / "explorer.html"
    body = f"<main><h1>T</h1>{made.data}</main><script>{script}</script>"
    path.write_text(f'<!doctype html><html lang="en">{head}<style>{style}</style>{body}</html>', encoding="utf-8")
    yield chromium.open(path, width=390, has_touch=True)
    chromium.open(path)  # the next test's profile is the common one again


def test_a_hand_of_all_joints_to_tap(alone):
    """Named in the order of the package, none in the way of another, and each leads to its own picture."""
    texts = alone.evaluate("[...document.querySelectorAll('.joints label')].map(e => e.textContent)")
    assert tuple(texts) == JOINTS
    assert alone.evaluate(f"({NEAREST})(document.querySelector('.joints'))") >= 28
    for joint in JOINTS:
        alone.tab.get_by_role("radio", name=joint, exact=True).tap()
        shown = alone.evaluate("[document.querySelector('img').alt, document.querySelector('output').textContent]")
        assert shown == [f"{joint}, head 2", joint]
    assert not alone.serious() and not alone.errors


def test_small_pictures_follow_the_joint(alone):
    """The picture of each head is the one that its choice shows, for the joint that is chosen."""
    for joint, head in itertools.product(("wrist", "little tip"), ("1", "2", "mean of heads")):
        alone.tab.get_by_role("radio", name=joint, exact=True).check()
        small = alone.tab.locator(".thumbnails label").filter(has_text=head)
        source = small.locator("img").get_attribute("src")
        small.tap()
        assert alone.tab.locator("figure > img").get_attribute("src") == source
        assert alone.tab.locator("figure > img").get_attribute("alt") == f"{joint}, head {head}"
    assert alone.tab.get_by_role("group", name="Head").get_by_role("radio", checked=True).get_attribute("value") == "2"


def test_on_paper_it_is_a_picture_with_what_is_chosen(alone):
    alone.tab.get_by_role("radio", name="thumb IP", exact=True).check()
    alone.tab.emulate_media(media="print")
    try:
        assert (
            alone.evaluate("document.querySelector('figure').innerText")
            .split("\n")[0]
            .startswith("Key-point: thumb IP")
        )
        assert not alone.evaluate("[...document.querySelectorAll('.options')].some(e => e.getClientRects().length)")
    finally:
        alone.tab.emulate_media(media="screen")
