"""Figures: read on light and on dark pages, and with any common colour vision."""

import base64
import itertools
import re

import cv2
import nbformat
import numpy as np
import pytest

from handpose.book import figures
from tools import notebooks

# What a dichromat sees of linear RGB, after Machado, Oliveira and Fernandes (2009), at full severity
VISION = {
    "usual": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def linear(colour: str) -> np.ndarray:
    """The colour #rrggbb as linear RGB, 0 to 1."""
    value = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def contrast(a: str, b: str) -> float:
    """The contrast of WCAG between two colours, 1 to 21."""
    bright, dark = sorted((linear(c) @ [0.2126, 0.7152, 0.0722] for c in (a, b)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def apart(a: str, b: str, vision: str) -> float:
    """How far two colours lie apart in CIE Lab for somebody with this vision; about 2 can just be seen."""
    rgb = np.clip([np.array(VISION[vision]) @ linear(c) for c in (a, b)], 0, 1).astype(np.float32)
    standard = np.where(rgb <= 0.0031308, 12.92 * rgb, 1.055 * rgb ** (1 / 2.4) - 0.055).astype(np.float32)
    lab = cv2.cvtColor(standard[None], cv2.COLOR_RGB2Lab)[0]
    return float(np.linalg.norm(lab[0] - lab[1]))


def test_text_in_figures_can_be_read_from_the_back_of_a_room():
    assert contrast(figures.INK, "#ffffff") >= 7
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


def test_dark_pages_frame_figures_in_their_own_white():
    style = (notebooks.ROOT / "book" / "_static" / "custom.css").read_text(encoding="utf-8")
    rule = r'html\[data-theme="dark"\] \.bd-content div\.cell_output img \{\s*background-color: ([^;]+);'
    ground = re.search(rule, style)
    assert ground[1] == "#fff"


@pytest.mark.parametrize("vision", VISION)
def test_fingers_can_be_told_apart(vision):
    fingers = {name: colour for name, colour in figures.COLOURS.items() if name != "wrist"}  # the wrist is one point
    for (one, a), (other, b) in itertools.combinations(fingers.items(), 2):
        assert apart(a, b, vision) > 10, f"{one} and {other}"
    if vision == "deuteranopia":  # the measure itself: red and green of one brightness, which is what it is for
        assert apart("#b04000", "#577800", vision) < 10 < apart("#b04000", "#577800", "usual")


def images(chapter):
    """Each PNG among a chapter's outputs, with the number of its cell."""
    for number, cell in enumerate(chapter.cells, 1):
        for output in cell.get("outputs", []):
            code = output.get("data", {}).get("image/png")
            if code:
                yield number, cv2.imdecode(np.frombuffer(base64.b64decode(code), np.uint8), cv2.IMREAD_UNCHANGED)


@pytest.mark.parametrize("source", notebooks.sources(), ids=lambda path: path.stem)
def test_figures_stand_on_white(source):
    """A transparent figure is unreadable wherever the page is dark and does not know of it: JupyterLab, a viewer."""
    for number, image in images(nbformat.read(notebooks.chapter_of(source), as_version=4)):
        assert (image[[0, 0, -1, -1], [0, -1, 0, -1]] == 255).all(), f"cell {number}: the corners are not white"
