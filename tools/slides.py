"""Make the slides of the four sessions: one deck each, from the chapters' figures and cells and the concept questions.

    python -m tools.slides               all decks into book/class/slides
    python -m tools.slides --out DIR     another folder

A deck is described in book/slides/session-N.toml. Each of its slides has ``title``, ``minutes`` and ``notes``, and what
it shows: ``text`` (Markdown), ``figure``, ``table`` and ``cell``, which name a chapter and a heading or a piece of its
code, such as "04: How wide?", or a ``question``, such as "4.2". Figures and outputs come from the executed chapters, so
a deck changes with them. reveal.js and MathJax are put beside the decks, which open from a folder without a network.
"""

import argparse
import functools
import html
import re
import shutil
import sys
import tomllib
import zipfile
from pathlib import Path

import nbformat
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from book._ext.checks import divide
from book._ext.offline import mathjax_folder
from tools import notebooks, questions
from tools.live_runtime import SOURCE_MAP

BOOK = notebooks.ROOT / "book"
PLANS = BOOK / "slides"
TARGET = BOOK / "class" / "slides"
MATHJAX_PARTS = ("tex-chtml.js", "output/chtml/fonts")


class SlideError(ValueError):
    """A slide names something that is not there, or is there twice."""


def markdown(text: str) -> str:
    """Markdown with tables and formulas as HTML; MathJax typesets the formulas."""
    made = MarkdownIt("commonmark").enable("table")
    made.use(dollarmath_plugin, renderer=lambda body, options: html.escape(
        f"\\[{body}\\]" if options["display_mode"] else f"\\({body}\\)"))  # fmt: skip
    return made.render(text)


# What the chapters have


@functools.cache
def cells(chapter: str) -> list[tuple[str, nbformat.NotebookNode]]:
    """The code cells of the chapter with this number, each with the heading above it."""
    path = next(notebooks.CHAPTERS.glob(f"{chapter}-*.ipynb"), None)
    if path is None:
        raise SlideError(f"there is no chapter {chapter}")
    heading, found = "", []
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            found.append((heading, cell))
        elif titles := re.findall(r"^#+ (.+)$", cell.source, re.M):
            heading = titles[-1]
    return found


def data(cell: nbformat.NotebookNode, *kinds: str) -> str | None:
    """A cell's output of one of these types."""
    outputs = [output.data for output in cell.outputs if "data" in output]
    return next((output[kind] for output in outputs for kind in kinds if kind in output), None)


def one(name: str, fits) -> nbformat.NotebookNode:
    """The only cell of "chapter: place" that fits; "chapter: place / 2" is the second of several.

    Args:
        fits: from the place, the cell's heading and the cell, whether it is meant
    """
    found = re.fullmatch(r"(\d\d): (.+?)(?: / (\d+))?", name, re.S)
    if not found:
        raise SlideError(f'{name!r} is not of the form "04: How wide?"')
    chosen = [cell for heading, cell in cells(found[1]) if fits(found[2], heading, cell)]
    number = int(found[3] or 1)
    if not (len(chosen) == 1 or found[3] and len(chosen) >= number):
        raise SlideError(f"{name!r} fits {len(chosen)} cells of the chapter, and is to fit one")
    return chosen[number - 1]


def figure(name: str) -> str:
    """The picture or explorer below a heading."""
    cell = one(name, lambda below, heading, cell: heading == below and data(cell, "image/png", "text/html"))
    if page := data(cell, "text/html"):
        return f'<div class="live">{page}</div>'
    alt = html.escape(cell.metadata["mystnb"]["image"]["alt"], quote=True)
    return f'<img class="figure" alt="{alt}" src="data:image/png;base64,{data(cell, "image/png").strip()}">'


def table(name: str) -> str:
    """The table or text below a heading that its cell has written as Markdown."""
    cell = one(name, lambda below, heading, cell: heading == below and data(cell, "text/markdown"))
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", data(cell, "text/markdown"))  # links lead nowhere from here
    return f'<div class="table">{markdown(text)}</div>'


def code(name: str) -> str:
    """The cell with this piece of code, and what it printed, without what it only checks."""
    cell = one(name, lambda snippet, heading, cell: snippet in cell.source)
    printed = "".join(output.get("text", "") for output in cell.outputs)
    shown, _, printed, _ = divide(cell.source, printed)
    made = highlight(shown, PythonLexer(), HtmlFormatter(nowrap=True))
    return f"<pre>{made}</pre>" + (f'<pre class="output">{html.escape(printed.rstrip())}</pre>' if printed else "")


# Slides


def question(number: str) -> tuple[str, str, str]:
    """Title, slide and notes of a concept question; one more key press marks the right answer."""
    asked = questions.read().get(number)
    if asked is None:
        raise SlideError(f"there is no question {number}")
    rows = ""
    for letter, option in asked.options:
        kind = "fragment right" if letter == asked.right else ""
        rows += f'<li class="{kind}"><b>{letter}</b><span>{inline(option)}</span></li>'
    right = markdown(f"**{asked.right}.** {asked.answer}")
    return asked.title, f'<div class="question">{markdown(asked.stem)}<ol>{rows}</ol></div>', right


def inline(text: str) -> str:
    return markdown(text).strip().removeprefix("<p>").removesuffix("</p>")


def slide(plan: dict) -> str:
    """One slide, as reveal.js wants it."""
    title, body, notes = plan.get("title", ""), [], f"<p><b>{plan['minutes']} min.</b></p>"
    if "question" in plan:
        title, asked, right = question(plan["question"])
        body.append(asked)
        notes += markdown(plan.get("notes", "Vote; let neighbours talk; vote again.")) + right
    else:
        notes += markdown(plan["notes"])
    heading = f"<h2>{html.escape(title)}</h2>"
    words = [f"<div>{markdown(plan['text'])}</div>"] if "text" in plan else []
    words += [f"<div>{code(plan['cell'])}</div>"] if "cell" in plan else []
    if words and "figure" in plan:
        left = heading + "".join(words)
        body.append(f'<div class="beside"><div>{left}</div><div>{figure(plan["figure"])}</div></div>')
    else:
        shown = [make(plan[kind]) for kind, make in (("figure", figure), ("table", table)) if kind in plan]
        body = [heading, *body, *words, *shown]
    kind = plan.get("kind", "question" if "question" in plan else "")
    colour = ' data-background-color="#00466e"' if kind == "title" else ""
    return f'<section class="{kind}"{colour}>{"".join(body)}<aside class="notes">{notes}</aside></section>'


def deck(plan: Path) -> str:
    """The page of a deck."""
    with plan.open("rb") as file:
        wanted = tomllib.load(file)
    made = []
    for number, each in enumerate(wanted["slide"], start=1):
        try:
            made.append(slide(each))
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
    return page


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
            page = deck(plan)
        except SlideError as error:
            print(f"slides: {error}", file=sys.stderr)
            return 1
        target = asked.out / f"{plan.stem}.html"
        target.write_text(page, encoding="utf-8")
        print(f"{target}: {page.count('<section')} slides")
    return 0


if __name__ == "__main__":
    sys.exit(main())
