"""How long a slide takes in class, by one rule for all decks; book/teaching.md states it.

The rule is an estimate. It was set so that it gives what a teacher estimated, slide by slide, for a session; no class
has been timed with it.
"""

import re

SPOKEN = 130  # words a minute
TAKEN_IN = 1.0  # a slide is looked at before anybody speaks, and left with a sentence
CUES = 2  # notes are cues: what is said is so many times as long
FIGURE = 2.0  # what its axes and colours are, and what is to be seen
EXPLORER = 3.0  # the same, with two or three settings tried
CELL, LINE = 1.0, 0.1  # a cell: what it is for, and six seconds for each line of code and of output
ASKED = 1.0  # a question or a small task for the class: a pause, an answer, a word on it
BOARD = 3.0  # two lines derived at the board
VOTE = 5.0  # think 1, vote 0.5, one reason 1; neighbours 1.5, vote again and a reason 1

TASK = re.compile(r"\b(?:Ask|Let|let|Collect|collect|Sketch|Wait|wait)\b")


def words(text: str) -> int:
    """The words of Markdown; a formula counts as one word for each of its parts that is read out."""
    return len(re.findall(r"[^\W_]+(?:['’.,-][^\W_]+)*", re.sub(r"\\[a-zA-Z]+", " x ", text)))


def tasks(text: str) -> int:
    """The sentences that ask something of the class: questions, and those with a word such as "let" or "wait"."""
    asked = re.sub(r"^\|.*$|\*Answer:\*.*$", "", text, flags=re.M)  # a table's cells are no sentences
    return sum(one.endswith("?") or bool(TASK.search(one)) for one in re.split(r"(?<=[.?!])\s+", asked.strip()))


def of_vote(asked: str, notes: str = "") -> float:
    """Minutes of a vote, counted with the second one that follows when neighbours have talked.

    Args:
        asked: the question's stem and options
        notes: what the speaker's notes say besides
    """
    return VOTE + words(asked) / SPOKEN + CUES * words(notes) / SPOKEN


def of_slide(plan: dict, lines: int = 0, explorer: bool = False) -> float:
    """Minutes of any other slide.

    Args:
        plan: the slide as the deck describes it: ``text``, ``notes``, ``figure``, ``table``, ``cell``, and ``minutes``
            for what is given a fixed time, such as an exercise, whose own questions then cost nothing more
        lines: of the cell's code and output
        explorer: whether the figure is one with sliders
    """
    text, notes = plan.get("text", ""), plan.get("notes", "")
    made = TAKEN_IN + (words(text) + CUES * words(notes)) / SPOKEN + plan.get("minutes", 0)
    made += ASKED * (tasks(notes) + (0 if "exercise" in plan else tasks(text))) + BOARD * bool(
        re.search(r"\bboard\b", notes)
    )
    if "figure" in plan:
        made += EXPLORER if explorer else FIGURE
    return made + FIGURE * ("table" in plan) + (CELL + LINE * lines) * ("cell" in plan)
