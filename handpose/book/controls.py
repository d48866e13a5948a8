"""The controls of an explorer under a kernel: a slider for numbers, buttons for names, a hand for joints (Chapter 2).

The page draws the same three with its own script, book/_static/explorers.js.
"""

import re
from collections.abc import Sequence

import ipywidgets
import traitlets

from handpose.skeleton import FINGER_JOINTS, JOINTS

_WIDE = {"width": "100%", "max_width": "760px", "overflow": "hidden"}
_NUMBER = re.compile(r"[-+−]?\.?\d")

#: The rows of a hand's tips, from the top: the middle finger reaches furthest, the thumb least.
_TIPS = {"thumb": 4, "index": 2, "middle": 1, "ring": 2, "little": 3}


def control(name: str, values: Sequence, texts: Sequence[str], index: int) -> ipywidgets.ValueWidget:
    """The control for one axis of an explorer; its ``value`` is one of `values`.

    Args:
        name: what it is called.
        values: what it chooses among.
        texts: what each value is called. Joints (`handpose.skeleton.JOINTS`) are chosen on a hand, other names with
            buttons, numbers, with or without a unit, with a slider.
        index: the position chosen first.
    """
    options = list(zip(texts, values, strict=True))
    if set(texts) <= set(JOINTS):
        return JointChoice(name, values, texts, index)
    if all(_NUMBER.match(text) for text in texts):
        return ipywidgets.SelectionSlider(
            options=options, index=index, description=name, style={"description_width": "initial"}, layout=_WIDE,
        )  # fmt: skip
    return ipywidgets.ToggleButtons(
        options=options, index=index, description=name, layout={"max_width": "760px"},
        style={"description_width": "initial", "button_width": "auto"},
    )  # fmt: skip


class JointChoice(ipywidgets.VBox, ipywidgets.ValueWidget):
    """Buttons with the names of joints, where the joints of a hand are: a finger a column, its tip on top."""

    value = traitlets.Any()

    def __init__(self, name: str, values: Sequence, texts: Sequence[str], index: int) -> None:
        self._name, self._title, self._buttons = name, ipywidgets.Label(), []
        for value, text in zip(values, texts, strict=True):
            row, column = _cell(JOINTS.index(text))
            button = ipywidgets.Button(
                description=text, layout={"grid_row": str(row), "grid_column": str(column), "width": "auto"}
            )
            button.on_click(lambda _, value=value: self.set_trait("value", value))
            self._buttons.append((value, button))
        grid = ipywidgets.GridBox(
            [button for _, button in self._buttons],
            layout={"grid_template_columns": "repeat(5, 1fr)", "max_width": "560px", "grid_gap": "2px"},
        )
        super().__init__([self._title, grid])
        self.observe(self._show, "value")
        self.value = values[index]

    def _show(self, _: object) -> None:
        for value, button in self._buttons:
            button.button_style = "primary" if value == self.value else ""
            if value == self.value:
                self._title.value = f"{self._name}: {button.description}"


def _cell(joint: int) -> tuple[int, int]:
    """Row and column of a joint, from 1; right hand, its palm towards us, so the thumb comes last."""
    if joint == 0:
        return 8, 3
    for column, (finger, joints) in enumerate(reversed(FINGER_JOINTS.items()), start=1):
        if joint in joints:
            return _TIPS[finger] + joints[-1] - joint, column
    raise ValueError(f"there is no joint {joint}")
