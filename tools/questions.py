"""The concept questions of book/questions: read them for the slides, or take their answers away for a class."""

import functools
import re
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).resolve().parent.parent / "book" / "questions"
# What is folded on the pages for instructors: the answer of a question, a rubric
ANSWER = re.compile(r"^```\{admonition\} [^\n]*\n:class: dropdown answer\n.*?^```\n", re.M | re.S)
QUESTION = re.compile(
    r"^## (?P<number>\d+\.\d+) (?P<title>[^\n]+)\n(?P<stem>.*?)(?P<options>(?:^\* \*\*[A-D]\.\*\* [^\n]*\n)+)\n"
    r"```\{admonition\} Answer\n:class: dropdown answer\n\n\*\*(?P<right>[A-D])\.\*\*(?P<answer>.*?)^```$",
    re.M | re.S,
)


class Question(NamedTuple):
    """A concept question: Markdown, and its options as pairs of letter and Markdown."""

    title: str
    stem: str
    options: list[tuple[str, str]]
    right: str
    answer: str


@functools.cache
def read() -> dict[str, Question]:
    """All questions, by number such as "4.2"."""
    found = {}
    for page in sorted(FOLDER.glob("*.md")):
        for match in QUESTION.finditer(page.read_text(encoding="utf-8")):
            options = re.findall(r"^\* \*\*([A-D])\.\*\* (.*)$", match["options"], re.M)
            stem, answer = match["stem"].strip(), match["answer"].strip()
            found[match["number"]] = Question(match["title"], stem, options, match["right"], answer)
    return found


def strip_answers(pages: Path) -> None:
    """Take answers and rubrics out of the pages of a folder and below."""
    for path in sorted(pages.rglob("*.md")):
        text = path.read_text(encoding="utf-8")
        path.write_text(ANSWER.sub("", text), encoding="utf-8")
