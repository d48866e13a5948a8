"""Explorers: a function of a few values, with a control for each, that live with and without a kernel (Chapter 2).

One cell gives both forms. Where there is no kernel, in the built book, the pictures are drawn beforehand for
all combinations and shown by a piece of HTML that needs no network and no library: it works from a file, on a
phone, by keyboard and with a screen reader. It has a slider for each value; in the book and on slides
book/_static/explorers.js puts a hand, small pictures or buttons in the place of those whose values are names. Under
a kernel the controls are ipywidgets (`handpose.book.controls`), and each move calls the function itself, so a student
can change it and see.
"""

import base64
import hashlib
import html
import io
import itertools
import json
import os
import threading
from collections.abc import Callable, Sequence

import cv2
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

#: JupyterLab may call two sliders back at the same time, and pyplot draws one figure at a time.
_DRAWING = threading.Lock()

_PAGE = """<figure class="explorer" id="{id}" style="margin:0;max-width:{width}px">
<img src="{source}" alt="{alt}" style="width:100%;height:auto;display:block" class="dark-light">
{controls}
<figcaption style="font-size:.85em">Drag the slider{plural}, or use the arrow keys.</figcaption>
<script>(() => {{
  const root = document.getElementById("{id}"), frames = {frames}, image = root.querySelector("img");
  const inputs = [...root.querySelectorAll("input")], labels = {labels};
  const show = () => {{
    let at = 0;
    inputs.forEach((input, i) => {{
      at = at * labels[i].length + Number(input.value);
      input.setAttribute("aria-valuetext", labels[i][input.value]);
      input.parentNode.querySelector("output").textContent = labels[i][input.value];
    }});
    image.src = frames[at][0]; image.alt = frames[at][1];
  }};
  inputs.forEach(input => input.addEventListener("input", show));
}})();</script></figure>"""

_CONTROL = """<label style="display:block;margin:.4em 0"><span>{name}: </span><output>{shown}</output>
<input type="range" min="0" max="{last}" step="1" value="{start}" aria-label="{name}" aria-valuetext="{shown}"
 style="display:block;width:100%;height:2em"></label>"""


def explore(
    draw: Callable[..., Figure],
    axes: dict[str, Sequence],
    *,
    alt: Callable[..., str],
    start: dict[str, object] | None = None,
    names: dict[str, str] | None = None,
    form: Callable[[object], str] = str,
    quality: int = 80,
) -> "Explorer":
    """An explorer of `draw` over all combinations of its arguments' values.

    Args:
        draw: takes one value per axis by name, returns a matplotlib figure (closed here).
        axes: argument name -> its values, one control each.
        alt: the same arguments -> the picture in words, for readers who cannot see it.
        start: values shown first; the first of each axis by default.
        names: argument name -> the control's label.
        form: a value -> its text.
        quality: of the WebP pictures, 1 to 100.

    Returns:
        An object that Jupyter shows; its ``data`` is the HTML.

    Raises:
        ValueError: a start value that is not among an axis' values.
    """
    positions = dict.fromkeys(axes, 0)
    for name, value in (start or {}).items():
        if name not in axes or value not in axes[name]:
            raise ValueError(f"start {name}={value!r} is not among the values of an axis")
        positions[name] = list(axes[name]).index(value)
    labels = {name: (names or {}).get(name, name) for name in axes}
    frames = []
    for values in itertools.product(*axes.values()):
        arguments = dict(zip(axes, values, strict=True))
        figure = draw(**arguments)
        frames.append((_image(figure, quality), alt(**arguments)))
        width = int(figure.get_figwidth() * 100)
        plt.close(figure)
    at = 0
    for name, values in axes.items():
        at = at * len(values) + positions[name]
    controls = "".join(
        _CONTROL.format(name=html.escape(labels[name]), last=len(values) - 1, start=positions[name],
                        shown=html.escape(form(values[positions[name]])))
        for name, values in axes.items()
    )  # fmt: skip
    data = json.dumps(frames)
    page = _PAGE.format(
        id="explorer-" + hashlib.sha256(data.encode()).hexdigest()[:10], width=width, source=frames[at][0],
        alt=html.escape(frames[at][1]), controls=controls, frames=data.replace("</", "<\\/"),
        labels=json.dumps([[form(v) for v in values] for values in axes.values()]), plural="s" if len(axes) > 1 else "",
    )  # fmt: skip
    return Explorer(page, draw, axes, positions, labels, form)


class Explorer:
    """Both forms of one explorer; see `explore` (Chapter 2)."""

    def __init__(self, data: str, draw: Callable[..., Figure], axes: dict, positions: dict, labels: dict, form) -> None:
        self.data, self.draw, self.axes = data, draw, axes
        self.positions, self.labels, self.form = positions, labels, form

    def live(self):
        """The explorer as ipywidgets, which call the function at every move."""
        import ipywidgets

        from handpose.book.controls import control

        # Not wider than on the page, and low enough for a projector to show the controls too.
        image = ipywidgets.Image(format="png", layout={"max_height": "55vh", "object_fit": "contain"})
        controls = {
            name: control(self.labels[name], values, [self.form(v) for v in values], self.positions[name])
            for name, values in self.axes.items()
        }

        def show(_=None) -> None:
            with _DRAWING:
                figure = self.draw(**{name: chosen.value for name, chosen in controls.items()})
                image.layout.max_width = f"{figure.get_figwidth() * 100:.0f}px"
                buffer = io.BytesIO()
                figure.savefig(buffer, format="png", dpi=160)
                image.value = buffer.getvalue()
                plt.close(figure)

        for chosen in controls.values():
            chosen.observe(show, "value")
        show()
        return ipywidgets.VBox([*controls.values(), image])

    def _repr_mimebundle_(self, **_: object) -> dict:
        bundle = {"text/plain": "an explorer: sliders over pictures", "text/html": self.data}
        if _under_a_kernel():
            widget = self.live()._repr_mimebundle_()
            bundle |= {kind: value for kind, value in widget.items() if "widget-view" in kind}
        return bundle


def _under_a_kernel() -> bool:
    """Whether a Jupyter kernel runs this, and not the machine that executes the chapters for the book."""
    from IPython import get_ipython

    shell = get_ipython()
    return shell is not None and hasattr(shell, "kernel") and "HANDPOSE_BOOK" not in os.environ


def _image(figure: Figure, quality: int) -> str:
    """A figure as a data URI, with more pixels than it is shown with."""
    figure.set_dpi(160)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # `savefig` would draw twice, and pack what is unpacked again for WebP
    pixels = cv2.cvtColor(np.asarray(canvas.buffer_rgba()), cv2.COLOR_RGBA2BGRA)
    _, code = cv2.imencode(".webp", pixels, [cv2.IMWRITE_WEBP_QUALITY, quality])
    return "data:image/webp;base64," + base64.b64encode(code.tobytes()).decode()
