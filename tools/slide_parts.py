"""What a slide takes from the executed chapters: figures, tables, cells and what they printed, exercises."""

import base64
import functools
import html
import re
import struct

import nbformat
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from book._ext.checks import divide
from tools import notebooks

EXERCISE = re.compile(r"^```\{exercise\}\n:label: (?P<label>\S+)\n(.*?)^```$", re.M | re.S)
LARGE = 13, 68  # lines and columns that fit on a slide in large letters
MINUTES = re.compile(r"^\([^()]*\b(?:minutes|hour)\b[^()]*\) |^\*\*[^*]*\b(?:minutes|hour)\b[^*]*\*\* ")


class SlideError(ValueError):
    """A slide names something that is not there, or is there twice."""


def markdown(text: str) -> str:
    """Markdown with tables and formulas as HTML; MathJax typesets the formulas."""
    text = re.sub(r"(?<=\d) (?=%)", "\N{NO-BREAK SPACE}", text)
    made = MarkdownIt("commonmark").enable("table")
    made.use(dollarmath_plugin, renderer=lambda body, options: html.escape(
        f"\\[{body}\\]" if options["display_mode"] else f"\\({body}\\)"))  # fmt: skip
    return made.render(text)


@functools.cache
def read(chapter: str) -> list[nbformat.NotebookNode]:
    """All cells of the chapter with this number."""
    path = next(notebooks.CHAPTERS.glob(f"{chapter}-*.ipynb"), None)
    if path is None:
        raise SlideError(f"there is no chapter {chapter}")
    return nbformat.read(path, as_version=4).cells


@functools.cache
def cells(chapter: str) -> list[tuple[str, nbformat.NotebookNode]]:
    """The code cells of the chapter with this number, each with the heading above it."""
    heading, found = "", []
    for cell in read(chapter):
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


def drawn(name: str) -> nbformat.NotebookNode:
    """The cell below a heading that draws a picture or an explorer."""
    return one(name, lambda below, heading, cell: heading == below and data(cell, "image/png", "text/html"))


def figure(name: str) -> str:
    """The picture or explorer below a heading."""
    cell = drawn(name)
    if page := data(cell, "text/html"):
        return f'<div class="live">{page}</div>'
    alt = html.escape(cell.metadata["mystnb"]["image"]["alt"], quote=True)
    return f'<img class="figure" alt="{alt}" src="data:image/png;base64,{data(cell, "image/png").strip()}">'


def is_wide(name: str) -> bool:
    """Whether a picture is a strip, which is too small beside a text."""
    cell = drawn(name)
    png = data(cell, "image/png")
    if data(cell, "text/html") or not png:
        return False
    width, height = struct.unpack(">II", base64.b64decode(png)[16:24])
    return width > 1.8 * height


def table(name: str) -> str:
    """The table or text below a heading that its cell has written as Markdown."""
    cell = one(name, lambda below, heading, cell: heading == below and data(cell, "text/markdown"))
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", data(cell, "text/markdown"))  # links lead nowhere from here
    return f'<div class="table">{markdown(text)}</div>'


def parts(name: str) -> tuple[str, str]:
    """The cell with this piece of code and what it printed, without what it only checks."""
    cell = one(name, lambda snippet, heading, cell: snippet in cell.source)
    shown, _, printed, _ = divide(cell.source, "".join(output.get("text", "") for output in cell.outputs))
    return shown, printed.rstrip()


def code(name: str) -> str:
    """A cell; one more key press shows what it printed."""
    shown, printed = parts(name)
    lines = [*shown.splitlines(), *printed.splitlines()]
    large = "large" if len(lines) <= LARGE[0] and max(map(len, lines)) <= LARGE[1] else ""
    made = f'<pre class="{large}">{highlight(shown, PythonLexer(), HtmlFormatter(nowrap=True))}</pre>'
    return made + (f'<pre class="output fragment {large}">{html.escape(printed)}</pre>' if printed else "")


def task(name: str) -> str:
    """The words of an exercise, such as "04: vertex-by-hand", without its minutes, which the slide gives."""
    chapter, _, label = name.partition(": ")
    text = "\n".join(cell.source for cell in read(chapter) if cell.cell_type == "markdown")
    found = [match[2] for match in EXERCISE.finditer(text) if match["label"] == label]
    if len(found) != 1:
        raise SlideError(f"there is no exercise {name!r}")
    return MINUTES.sub("", found[0].strip())
