"""Make the slides of the four sessions: one deck each, from the chapters' figures and cells and the concept questions.

    python -m tools.slides               all decks into book/class/slides
    python -m tools.slides --out DIR     another folder

A deck is described in book/slides/session-N.toml. Each of its slides has ``title`` and ``notes``, and what it shows:
``text`` (Markdown), ``figure``, ``table`` and ``cell``, which name a chapter and a heading or a piece of its code, such
as "04: How wide?"; an ``exercise``, such as "04: vertex-by-hand"; or a ``question``, such as "4.2". One more key press
shows what a cell printed, a figure that is ``hidden``, and the right answer. Figures and outputs come from the executed
chapters, so a deck changes with them. tools/minutes.py says how long a slide takes; ``minutes`` is what comes on top,
for an exercise or a pause. reveal.js and MathJax are put beside the decks, which open from a folder without a network.
"""

import argparse
import html
import shutil
import sys
import tomllib
import zipfile
from pathlib import Path

from pygments.formatters import HtmlFormatter

from book._ext.offline import mathjax_folder
from tools import minutes, notebooks, questions
from tools.live_runtime import SOURCE_MAP
from tools.slide_parts import SlideError, code, data, drawn, figure, is_wide, markdown, parts, table, task

BOOK = notebooks.ROOT / "book"
PLANS = BOOK / "slides"
TARGET = BOOK / "class" / "slides"
MATHJAX_PARTS = ("tex-chtml.js", "output/chtml/fonts")


def asked_as(number: str) -> questions.Question:
    """The concept question with this number."""
    asked = questions.read().get(number)
    if asked is None:
        raise SlideError(f"there is no question {number}")
    return asked


def question(number: str) -> tuple[str, str, str]:
    """Title, slide and notes of a concept question; one more key press marks the right answer."""
    asked, rows = asked_as(number), ""
    for letter, option in asked.options:
        kind = "fragment right" if letter == asked.right else ""
        rows += f'<li class="{kind}"><b>{letter}</b><span>{inline(option)}</span></li>'
    right = markdown(f"**{asked.right}.** {asked.answer}")
    return asked.title, f'<div class="question">{markdown(asked.stem)}<ol>{rows}</ol></div>', right


def inline(text: str) -> str:
    return markdown(text).strip().removeprefix("<p>").removesuffix("</p>")


def time_of(plan: dict) -> float:
    """Minutes of a slide, by the rule."""
    if plan.get("kind") == "pause":
        return plan["minutes"]
    if "question" in plan:
        asked = asked_as(plan["question"])
        return minutes.of_vote(" ".join([asked.stem, *(option for _, option in asked.options)]), plan.get("notes", ""))
    shown = "\n".join(parts(plan["cell"])) if "cell" in plan else ""
    lines = sum(bool(line.strip()) for line in shown.splitlines())
    explorer = "figure" in plan and data(drawn(plan["figure"]), "text/html") is not None
    words = plan.get("text", "") + " " + (task(plan["exercise"]) if "exercise" in plan else "")
    return minutes.of_slide({**plan, "text": words}, lines, explorer)


def slide(plan: dict, begins: float = 0) -> str:
    """One slide, as reveal.js wants it, which begins so many minutes after the session."""
    title, body = plan.get("title", ""), []
    takes = round(2 * time_of(plan)) / 2
    notes = f"<p><b>{takes:g} min, from minute {begins:.0f}.</b></p>"
    if "question" in plan:
        title, asked, right = question(plan["question"])
        body.append(asked)
        notes += markdown(plan.get("notes", "Vote; let neighbours talk; vote again.")) + right
    else:
        notes += markdown(plan["notes"])
    heading = f"<h2>{html.escape(title)}</h2>"
    words = [f"<div>{markdown(plan['text'])}</div>"] if "text" in plan else []
    words += [f"<div>{markdown(task(plan['exercise']))}</div>"] if "exercise" in plan else []
    words += [f"<div>{code(plan['cell'])}</div>"] if "cell" in plan else []
    covered = "fragment" if plan.get("hidden") else ""
    if words and "figure" in plan and not is_wide(plan["figure"]):
        left = heading + "".join(words)
        body.append(f'<div class="beside"><div>{left}</div><div class="{covered}">{figure(plan["figure"])}</div></div>')
    else:
        shown = [make(plan[kind]) for kind, make in (("figure", figure), ("table", table)) if kind in plan]
        body = [heading, *body, *words, *(f'<div class="{covered}">{one}</div>' for one in shown)]
    kind = plan.get("kind", next((name for name in ("question", "exercise") if name in plan), ""))
    colour = ' data-background-color="#00466e"' if kind in ("title", "pause") else ""
    return f'<section class="{kind}"{colour}>{"".join(body)}<aside class="notes">{notes}</aside></section>'


def deck(plan: Path) -> tuple[str, float]:
    """The page of a deck, and its minutes."""
    with plan.open("rb") as file:
        wanted = tomllib.load(file)
    made, begins = [], 0.0
    for number, each in enumerate(wanted["slide"], start=1):
        try:
            made.append(slide(each, begins))
            begins += time_of(each)
        except SlideError as error:
            raise SlideError(f"{plan.name}, slide {number}: {error}") from None
        except KeyError as error:
            raise SlideError(f"{plan.name}, slide {number}: has no {error}") from None
    page = (PLANS / "deck.html").read_text(encoding="utf-8")
    style = HtmlFormatter(style="default").get_style_defs("pre")
    controls = {
        name: (BOOK / "_static" / name).read_text(encoding="utf-8") for name in ("explorers.css", "explorers.js")
    }
    parts = {"title": html.escape(wanted["title"]), "highlight": style, **controls, "slides": "\n".join(made)}
    for name, value in parts.items():
        page = page.replace(f"%{name}%", value)
    return page, begins


def write_static(target: Path) -> None:
    """Put reveal.js and MathJax into a folder."""
    target.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(PLANS / "reveal.zip") as packed:
        for name in packed.namelist():
            (target / name).write_bytes(SOURCE_MAP.sub(b"", packed.read(name)))
    for part in MATHJAX_PARTS:
        source, copied = mathjax_folder() / part, target / "mathjax" / part
        copied.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copied, dirs_exist_ok=True)
        else:
            shutil.copy2(source, copied)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=TARGET, help="folder to write (default: book/class/slides)")
    asked = parser.parse_args(arguments)
    write_static(asked.out / "static")
    for plan in sorted(PLANS.glob("session-*.toml")):
        try:
            page, takes = deck(plan)
        except SlideError as error:
            print(f"slides: {error}", file=sys.stderr)
            return 1
        target = asked.out / f"{plan.stem}.html"
        target.write_text(page, encoding="utf-8")
        print(f"{target}: {page.count('<section')} slides, {takes:.0f} minutes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
