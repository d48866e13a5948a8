"""No chapter is longer than a reader takes in at once: words outside cells, and the minutes that it says it takes."""

import re

import pytest

from tests.book.test_quoted import BLOCK
from tools import notebooks

MOST_WORDS, MOST_MINUTES = 3_500, 45
SOLUTION = re.compile(r"^(`{3,}|:{3,})\{solution-start\}.*?^(`{3,}|:{3,})\{solution-end\} *\n\2 *$", re.M | re.S)


def words(text: str) -> int:
    """Words that stand on the page: without code, displayed formulas, addresses, and what is folded away."""

    def block(found: re.Match) -> str:
        _, directive, rest, body = found.groups()
        if directive in (None, "{code-cell}") or body.startswith(":class: dropdown"):
            return ""
        return rest + BLOCK.sub(block, body)

    text = re.sub(r"\A---\n.*?^---\n", "", SOLUTION.sub("", text), flags=re.M | re.S)
    text = BLOCK.sub(block, text)
    text = re.sub(r"^\$\$.*?\$\$|^:\w+:.*?$|(?<=\])\([^)\n]*\)", "", text, flags=re.M | re.S)
    return sum(bool(re.search(r"\w", word)) for word in text.split())


@pytest.mark.parametrize("source", notebooks.sources(), ids=lambda path: path.stem)
def test_a_chapter_is_read_at_one_sitting(source):
    text = source.read_text(encoding="utf-8")
    assert words(text) <= MOST_WORDS
    assert int(re.search(r"\| \*\*It takes\*\* \| (\d+) minutes", text)[1]) <= MOST_MINUTES


def test_what_is_counted():
    text = "---\nkey: value\n---\n\nTwo words, [a link](page.md).\n\n```{code-cell} ipython3\nx = 1\n```\n\n"
    text += "$$\nx\n$$\n\n```{admonition} A title\n:class: dropdown\n\nFolded.\n```\n\n"
    text += "```{admonition} Three more words\n:class: tip\n\nYes.\n```\n"
    text += "````{solution-start} a\n:class: dropdown\n````\n\nFolded too.\n\n````{solution-end}\n````\n"
    assert words(text) == 2 + 2 + 3 + 1
