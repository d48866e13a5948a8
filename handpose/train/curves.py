"""A run's history as files that a person looks at while it goes on: a table, a picture, TensorBoard's events."""

import csv
import importlib.util
from pathlib import Path
from typing import Any

from handpose import files


def flat(entry: dict, prefix: str = "") -> dict[str, float]:
    """An entry of the history, nested tables under joined names such as "watch wild/val pck_box_0.1"."""
    found: dict[str, float] = {}
    for key, value in entry.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{key} ")
        else:
            found[f"{prefix}{key}"] = value
    return found


def write(folder: Path, history: list[dict]) -> None:
    """``history.csv`` and, where Matplotlib is installed, ``curves.png``, whole or not at all."""
    rows = [flat(entry) for entry in history]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with files.writing(folder / "history.csv") as unfinished, open(unfinished, "w", newline="") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        writer.writerows(rows)
    if importlib.util.find_spec("matplotlib"):
        with files.writing(folder / "curves.png") as unfinished:
            _draw(unfinished, rows)


def _draw(file: Path, rows: list[dict[str, float]]) -> None:
    """Losses, learning rate and scores against steps, one below the other."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # here: a training needs no figure to run
    from matplotlib.figure import Figure

    names = [key for key in dict.fromkeys(key for row in rows for key in row) if key != "step"]
    scores = [name for name in names if not any(name in row and "rate" in row for row in rows)]
    panels = {"loss": [n for n in names if n not in scores and n != "rate"], "learning rate": ["rate"], "score": scores}
    panels = {label: shown for label, shown in panels.items() if any(n in names for n in shown)}
    figure = Figure(figsize=(8, 2.6 * max(1, len(panels))), layout="constrained")
    FigureCanvasAgg(figure)
    for at, (label, shown) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(len(panels), 1, at)
        for name in shown:
            points = [(row["step"], row[name]) for row in rows if name in row]
            axes.plot(*zip(*points, strict=True), label=name, marker="o" if label == "score" else None, markersize=3)
        axes.set(xlabel="step", ylabel=label)
        if label != "learning rate":
            axes.legend(fontsize="small")
    figure.savefig(file, format="png", dpi=100)


def events(folder: Path) -> Any:
    """A writer of TensorBoard's event files; None where TensorBoard is not installed."""
    if not importlib.util.find_spec("tensorboard"):
        return None
    from torch.utils.tensorboard import SummaryWriter  # here: it is optional, and slow to import

    return SummaryWriter(folder / "tensorboard")


def add(writer: Any, entry: dict) -> None:
    """An entry of the history as scalars."""
    for name, value in flat(entry).items():
        if name != "step":
            writer.add_scalar(name, value, entry["step"])
