"""Explorers: a function of a few values, drawn beforehand for all of them, with a slider for each.

The result is one piece of HTML that needs no kernel, no network and no library: it works in the built book
from a file, on a phone, by keyboard and with a screen reader, and equally in JupyterLab.
"""

import base64
import hashlib
import html
import io
import itertools
import json
from collections.abc import Callable, Sequence

import cv2
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import HTML
from matplotlib.figure import Figure

_PAGE = """<figure class="explorer" id="{id}" style="margin:0;max-width:{width}px">
<img src="{source}" alt="{alt}" style="width:100%;height:auto;display:block" class="dark-light">
{controls}
<figcaption style="font-size:.85em;opacity:.8">Drag the slider{plural}, or use the arrow keys.</figcaption>
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
) -> HTML:
    """An explorer of `draw` over all combinations of its arguments' values.

    Args:
        draw: takes one value per axis by name, returns a matplotlib figure (closed here).
        axes: argument name -> its values, one slider each.
        alt: the same arguments -> the picture in words, for readers who cannot see it.
        start: values shown first; the first of each axis by default.
        names: argument name -> the slider's label.
        form: a value -> the text beside its slider.
        quality: of the WebP pictures, 1 to 100.

    Returns:
        An object that Jupyter shows; its ``data`` is the HTML.
    """
    start = start or {}
    positions = {name: list(values).index(start[name]) if name in start else 0 for name, values in axes.items()}
    frames = []
    for values in itertools.product(*axes.values()):
        arguments = dict(zip(axes, values, strict=True))
        figure = draw(**arguments)
        frames.append((_picture(figure, quality), alt(**arguments)))
        width = int(figure.get_figwidth() * 100)
        plt.close(figure)
    at = 0
    for name, values in axes.items():
        at = at * len(values) + positions[name]
    labels = [[form(v) for v in values] for values in axes.values()]
    controls = "".join(
        _CONTROL.format(name=html.escape((names or {}).get(name, name)), last=len(values) - 1, start=positions[name],
                        shown=html.escape(form(values[positions[name]])))
        for name, values in axes.items()
    )  # fmt: skip
    data = json.dumps(frames)
    page = _PAGE.format(
        id="explorer-" + hashlib.sha256(data.encode()).hexdigest()[:10], width=width, source=frames[at][0],
        alt=html.escape(frames[at][1]), controls=controls, frames=data.replace("</", "<\\/"),
        labels=json.dumps(labels), plural="s" if len(axes) > 1 else "",
    )  # fmt: skip
    return HTML(page)


def _picture(figure: Figure, quality: int) -> str:
    """A figure as a data URI, twice as many pixels as it is shown with."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=160)
    pixels = cv2.imdecode(np.frombuffer(buffer.getvalue(), np.uint8), cv2.IMREAD_COLOR)
    _, code = cv2.imencode(".webp", pixels, [cv2.IMWRITE_WEBP_QUALITY, quality])
    return "data:image/webp;base64," + base64.b64encode(code.tobytes()).decode()
