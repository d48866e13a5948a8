import json
import re
import threading
import time

import ipywidgets
import matplotlib.pyplot as plt
import pytest

from handpose.book import controls
from handpose.book.explore import explore
from handpose.skeleton import JOINTS


def draw(width, place):
    figure, ax = plt.subplots(figsize=(2, 1))
    ax.plot([0, width], [0, place])
    return figure


@pytest.fixture(scope="module")
def explorer():
    return explore(
        draw, {"width": (1, 2, 3), "place": (4, 5)}, alt=lambda width, place: f"a line to {width}, {place} </script>",
        start={"place": 5}, names={"width": "width, px"}, form=lambda v: f"{v} units",
    )  # fmt: skip


def test_one_picture_and_one_text_for_each_combination(explorer):
    frames = json.loads(re.search(r"frames = (\[.*?\]\]),", explorer.data)[1].replace("<\\/", "</"))
    assert [alt[: alt.index(" <")] for _, alt in frames] == [f"a line to {w}, {p}" for w in (1, 2, 3) for p in (4, 5)]
    assert len({source for source, _ in frames}) == 6
    assert explorer.data.count("</script>") == 1  # a text cannot end the script
    assert not plt.get_fignums()


def test_it_starts_where_it_should_and_loads_nothing(explorer):
    shown = re.search(r'<img src="(data:[^"]+)" alt="([^"]+)"', explorer.data)
    assert shown[2].startswith("a line to 1, 5")
    assert explorer.data.count('type="range"') == 2 and 'aria-label="width, px"' in explorer.data
    assert 'aria-valuetext="5 units"' in explorer.data
    assert "http" not in explorer.data.replace("http-equiv", "")


def test_the_same_every_time(explorer):
    again = explore(
        draw, {"width": (1, 2, 3), "place": (4, 5)}, alt=lambda width, place: f"a line to {width}, {place} </script>",
        start={"place": 5}, names={"width": "width, px"}, form=lambda v: f"{v} units",
    )  # fmt: skip
    assert again.data == explorer.data


def test_live_sliders_call_the_function(explorer):
    width, place, image = explorer.live().children
    before = image.value
    assert (width.value, place.value) == (1, 5) and before[:4] == b"\x89PNG"
    width.value = 3
    assert image.value != before


def test_two_sliders_may_be_moved_at_once():
    """JupyterLab calls back from several threads; pyplot knows one current figure."""
    inside, most = [], []

    def slow(width, place):
        inside.append(width)
        most.append(len(inside))
        time.sleep(0.02)
        inside.pop()
        return draw(width, place)

    made = explore(slow, {"width": (1, 2, 3), "place": (4, 5, 6)}, alt=lambda **_: "words")
    *sliders, image = made.live().children
    moves = [threading.Thread(target=setattr, args=(slider, "index", i)) for i in (1, 2) for slider in sliders]
    for move in moves:
        move.start()
    for move in moves:
        move.join()
    assert max(most) == 1 and image.value[:4] == b"\x89PNG" and not plt.get_fignums()


def test_without_a_kernel_there_is_only_the_page(explorer):
    assert set(explorer._repr_mimebundle_()) == {"text/plain", "text/html"}


def test_unknown_start():
    with pytest.raises(ValueError, match="place=6"):
        explore(draw, {"width": (1,), "place": (4, 5)}, alt=lambda **_: "", start={"place": 6})


def test_live_names_are_buttons_and_joints_a_hand():
    def drawn(joint, sign, step):
        return draw(step, len(joint + sign))

    axes = {"joint": ("wrist", "thumb tip", "index tip"), "sign": ("A", "SCH", "1"), "step": (1, 2)}
    joints, signs, steps, image = (
        explore(drawn, axes, alt=lambda **_: "words", start={"joint": "index tip"}).live().children
    )
    assert (joints.value, signs.value, steps.value) == ("index tip", "A", 1)
    assert isinstance(joints, controls.JointChoice) and joints.children[0].value == "joint: index tip"
    assert isinstance(signs, ipywidgets.ToggleButtons) and isinstance(steps, ipywidgets.SelectionSlider)
    before = image.value
    wrist = next(button for button in joints.children[1].children if button.description == "wrist")
    wrist.click()
    assert joints.value == "wrist" and joints.children[0].value == "joint: wrist" and wrist.button_style == "primary"
    assert image.value != before


def test_each_joint_has_its_own_place_on_a_hand():
    hand = controls.control("joint", JOINTS, JOINTS, 0).children[1].children
    assert len({(button.layout.grid_row, button.layout.grid_column) for button in hand}) == len(JOINTS) == 21
