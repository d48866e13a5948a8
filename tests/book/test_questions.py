"""The concept questions: complete, true where the package can tell, and their answers away where they are to be."""

import collections
import math
import re
import shutil

import numpy as np
import pytest
import torch

from handpose import detector, scoremap
from handpose.posenet import PoseEstimationNet
from tools import notebooks, questions

PAGES = sorted(questions.FOLDER.glob("*.md"))
INDEX = questions.FOLDER.with_suffix(".md")
ASKED = questions.read()


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_a_page_is_complete(page):
    text, source = page.read_text("utf-8"), notebooks.SOURCES / page.name
    chapter, headings = source.read_text("utf-8"), re.findall(r"^#+ (.+)$", source.read_text("utf-8"), re.M)
    own = {number: q for number, q in ASKED.items() if number.split(".")[0] == str(int(page.name[:2]))}
    assert [*own] == [f"{int(page.name[:2])}.{k}" for k in range(1, 7)] and text.count("} Answer\n") == 6
    for number, q in own.items():
        assert [letter for letter, _ in q.options] == [*"ABCD"], number
        assert sorted(re.findall(r"^\* \*([A-D])\* ", q.answer, re.M)) == sorted({*"ABCD"} - {q.right}), number
        assert re.search(r"^In the chapter: \*(.+)\*\.$", q.answer, re.M)[1] in headings, number
        assert len(q.stem.split()) <= 60, f"{number} takes more than a minute to read"
    labels = re.findall(r"^\* \{ref\}`(.+)`: ", text, re.M)
    assert labels and all(f":label: {label}\n" in chapter for label in labels)


def test_no_letter_gives_the_answer_away():
    counted = collections.Counter(q.right for q in ASKED.values())
    assert len(ASKED) == 60 and all(counted[letter] >= 10 for letter in "ABCD")
    longest = sum(max(q.options, key=lambda option: len(option[1]))[0] == q.right for q in ASKED.values())
    assert longest <= 20, "the longest option is too often the right one"


def right(number: str) -> str:
    return dict(ASKED[number].options)[ASKED[number].right]


def test_what_the_package_can_tell_is_true():
    square, shifted = (torch.tensor([[x, 0.0, x + 2, 2]]) for x in (0.0, 1.0))
    assert right("3.1") == "One third" and math.isclose(detector.iou(square, shifted).item(), 1 / 3, rel_tol=1e-5)
    assert right("4.2") == "3.5" and scoremap.to_pixels(torch.tensor(0.0)) == 3.5
    at, every = torch.tensor([2.25, 3.0]).expand(1, 21, 2), torch.ones(1, 21, dtype=torch.bool)
    maps = scoremap.encode(at, every, 8, 1.0)
    assert right("4.4").startswith("The same point")
    assert torch.allclose(scoremap.decode_maps(maps)[0], scoremap.decode_maps(maps / 2)[0], atol=1e-4)
    noisy = scoremap.encode(torch.tensor([2.0, 16.0]).expand(1, 21, 2), every, 32, 2.65)[0, 0]
    noisy = noisy + (0.1 * torch.randn(32, 32, generator=torch.Generator().manual_seed(0))).clamp(min=0)
    assert right("4.5") == "Towards the middle of the map" and (noisy.sum(0) @ torch.arange(32.0)) / noisy.sum() > 4
    counts = [sum(p.numel() for p in PoseEstimationNet(norm_after_relu=after).parameters()) for after in (True, False)]
    assert right("1.6").startswith("Nothing about the order") and counts[0] == counts[1]
    assert right("9.3") == "1 in 20" and math.comb(6, 3) == 20
    assert right("7.5") == "The squared error only"
    assert np.allclose(torch.arange(4.0).softmax(0), (torch.arange(4.0) + 5).softmax(0))


def test_a_book_for_a_class_has_no_answer_left(tmp_path):
    shutil.copytree(questions.FOLDER, tmp_path / "questions")
    shutil.copy(INDEX, tmp_path)
    questions.strip_answers(tmp_path)
    for path in (*PAGES, INDEX):
        whole, left = path.read_text("utf-8"), (tmp_path / path.relative_to(INDEX.parent)).read_text("utf-8")
        assert "dropdown answer" in whole and "```" not in left and "**Full.**" not in left
        assert re.findall(r"^#+ .+$|^\* \*\*[A-D]\.\*\* .+$", left, re.M) == re.findall(
            r"^#+ .+$|^\* \*\*[A-D]\.\*\* .+$", whole, re.M
        )
