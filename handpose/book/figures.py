"""Drawing hands, score maps and the network. Fingers have the same five colours everywhere.

The colours are those of Okabe and Ito, which readers with any common colour vision can tell apart; lines
also differ in place, and no figure relies on colour alone. Figures stand on white, on light and dark pages, on slides
and on paper: transparent ones need a grey that reads on white and on black, and on a projector it reads on neither.
What stands outside a picture is drawn in INK.
"""

from collections.abc import Sequence

import cv2
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

from handpose.posenet import TABLE1, PoseEstimationNet
from handpose.skeleton import BONES, FINGER_JOINTS, FINGERS, JOINTS, NUM_JOINTS

COLOURS = {"wrist": "#7f7f7f", "thumb": "#d55e00", "index": "#e69f00", "middle": "#009e73", "ring": "#0072b2",
           "little": "#cc79a7"}  # fmt: skip

#: The finger (or "wrist") that each joint belongs to, and its colour.
FINGER_OF = tuple("wrist" if j == 0 else FINGERS[(j - 1) // 4] for j in range(NUM_JOINTS))
JOINT_COLOURS = tuple(COLOURS[finger] for finger in FINGER_OF)

#: Text, axes and arrows: a contrast of 13 on white, soft enough beside black, which marks what is in a picture.
INK = "#333333"

__all__ = ["COLOURS", "FINGER_JOINTS", "FINGER_OF", "INK", "JOINTS", "JOINT_COLOURS", "draw_hands", "new", "plot_hand",
           "plot_map", "plot_network", "style"]  # fmt: skip


def style() -> None:
    """The book's look for matplotlib: call once at the top of a chapter."""
    plt.rcParams.update({
        "figure.dpi": 100, "savefig.dpi": 100, "figure.facecolor": "white", "savefig.facecolor": "white",
        "axes.facecolor": "white", "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK,
        "xtick.color": INK, "ytick.color": INK, "grid.color": INK,
        "font.size": 11, "axes.linewidth": 1.0, "xtick.major.width": 1.0, "ytick.major.width": 1.0,
        "axes.spines.top": False, "axes.spines.right": False, "image.interpolation": "nearest",
        "axes.prop_cycle": plt.cycler(color=["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"]),
        "legend.frameon": False, "figure.constrained_layout.use": True,
    })  # fmt: skip


def new(columns: int = 1, *, rows: int = 1, height: float = 2.6, width: float = 7.0, images: bool = False):
    """A figure and its axes (always an array); `images` hides ticks and frames."""
    fig, axes = plt.subplots(rows, columns, figsize=(width, height * rows), squeeze=False)
    if images:
        for ax in axes.flat:
            ax.set_axis_off()
    return fig, axes.ravel()


def plot_hand(
    ax: Axes, image: np.ndarray | None, keypoints: np.ndarray, visible: np.ndarray | None = None, *,
    occluded: np.ndarray | None = None, size: float = 4, line: float = 1.8, alpha: float = 1.0,
) -> None:  # fmt: skip
    """A picture (or nothing) with the hand's bones and joints over it.

    Args:
        image: (H, W, 3) uint8, or None.
        keypoints: (21, 2) pixels.
        visible: (21,) bool; bones with an invisible end are left out.
        occluded: (21,) bool; these joints are drawn as white dots with a coloured rim.
    """
    if image is not None:
        ax.imshow(image)
    visible = np.ones(NUM_JOINTS, bool) if visible is None else visible
    for a, b in BONES:
        if visible[a] and visible[b]:
            ax.plot(*keypoints[[a, b]].T, color=JOINT_COLOURS[b], linewidth=line, alpha=alpha, solid_capstyle="round")
    shown = np.flatnonzero(visible)
    ax.scatter(keypoints[shown, 0], keypoints[shown, 1], s=size**2, c=[JOINT_COLOURS[j] for j in shown],
               edgecolors="white", linewidths=0.6, zorder=3, alpha=alpha)  # fmt: skip
    if occluded is not None:
        hidden = np.flatnonzero(occluded & visible)
        ax.scatter(keypoints[hidden, 0], keypoints[hidden, 1], s=(size + 1) ** 2, facecolor="white", linewidth=1.8,
                   zorder=4, edgecolor=[JOINT_COLOURS[j] for j in hidden])  # fmt: skip
    ax.set_aspect("equal")
    ax.set_axis_off()


def plot_map(ax: Axes, values: np.ndarray, *, title: str = "", limits: tuple[float, float] | None = None):
    """A score map (h, w) as squares; returns the image for a colour bar."""
    low, high = limits or (None, None)
    shown = ax.imshow(values, cmap="viridis", vmin=low, vmax=high)
    ax.set_title(title, fontsize=10)
    ax.set_xticks([])
    ax.set_yticks([])
    return shown


def draw_hands(image: np.ndarray, hands: Sequence) -> np.ndarray:
    """The picture with the key-points of each hand drawn in, at the picture's own resolution.

    Args:
        image: (H, W, 3) uint8.
        hands: `handpose.pipeline.Hand`s. Joints with a score below 0.1 are drawn hollow.

    Returns:
        A new (H, W, 3) uint8 array.
    """
    drawn = image.copy()
    for hand in hands:
        x0, y0, x1, y1 = hand.box
        unit = max(1, round(max(x1 - x0, y1 - y0) / 120))
        # A wrong point may lie far outside the picture, where OpenCV's whole numbers overflow.
        limits = np.array(image.shape[1::-1])
        at = [tuple(int(v) for v in p) for p in np.clip(hand.keypoints.round(), -limits, 2 * limits)]
        for a, b in BONES:
            cv2.line(drawn, at[a], at[b], _rgb(JOINT_COLOURS[b]), 2 * unit, cv2.LINE_AA)
        for j, point in enumerate(at):
            cv2.circle(drawn, point, 2 * unit + 1, (255, 255, 255), -1, cv2.LINE_AA)
            cv2.circle(
                drawn, point, 2 * unit, _rgb(JOINT_COLOURS[j]), -1 if hand.scores[j] >= 0.1 else unit, cv2.LINE_AA
            )
    return drawn


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def plot_network(net: PoseEstimationNet, outputs: dict[int, "np.ndarray"]) -> Figure:
    """Our Figure 1: the network's rows from top to bottom, drawn from the model itself.

    A block's width is the side of its map, its thickness grows with the channels. The concatenation and the
    residual sum are drawn as brackets, attention blocks, which the paper's table leaves out, in their own colour.
    With more than two stages the last one is drawn.

    Args:
        net: the network.
        outputs: what `handpose.posenet.row_outputs` gives for it.
    """
    colours = {"Conv+relu+bn": "#8cc9ee", "Conv+relu": "#8cc9ee", "conv": "#f0b63c", "maxpool": "#c8c8c8",
               "Concat(10,11)": "#ededed", "ElementAdd(16,15)": "#ededed"}  # fmt: skip
    texts = {"Conv+relu+bn": "conv {}, ReLU, BN", "Conv+relu": "conv {}, ReLU", "conv": "conv {}",
             "maxpool": "max pool {}", "Concat(10,11)": "concatenate 10, 11",
             "ElementAdd(16,15)": "add 16 + 15"}  # fmt: skip
    attended, heads = net.options["attention"] or (), net.options["heads"]
    first, last = outputs[1], max(outputs)
    lines: list[tuple[str, str, str, tuple[int, ...]]] = [("", "input crop", "white", (3, *first.shape[2:]))]
    at: dict[int, int] = {}  # row -> the line that holds what later rows read
    for row, output in outputs.items():
        name, kernel, *_ = TABLE1[row]
        size = tuple(output.shape[1:])
        text = texts[name].format("×".join(map(str, kernel or ())))
        at[row] = len(lines)
        lines.append((str(row), text, colours[name], size))
        if row in attended:
            at[row] = len(lines)
            lines.append(("", f"attention, {heads} head" + "s" * (heads > 1), "#cc79a7", size))

    fig, ax = plt.subplots(figsize=(5.6, 0.29 * len(lines) + 0.2))
    ax.set_xlim(0, 5.6)
    ax.set_ylim(len(lines) - 0.3, -0.7)
    ax.set_axis_off()
    middle, widest, side = 2.95, 1.7, max(size[1] for *_, size in lines)
    ax.plot([middle, middle], [0, len(lines) - 1], color=INK, linewidth=1, zorder=0)
    for y, (row, text, colour, (channels, height, width)) in enumerate(lines):
        broad, thick = widest * height / side, min(0.34 + 0.5 * channels / 277, 0.9)
        corner = (middle - broad / 2, y - thick / 2)
        ax.add_patch(Rectangle(corner, broad, thick, facecolor=colour, edgecolor="black", linewidth=0.8))
        ax.text(0.28, y, row, ha="right", va="center", fontsize=10, fontweight="bold")
        ax.text(0.38, y, text, va="center", fontsize=9.5)
        ax.text(4.85, y, f"{height}×{width}×{channels}", ha="right", va="center", fontsize=9.5)
    for stage, row in enumerate([11, last] if last > 11 else [11], start=1):
        number = net.options["stages"] if stage == 2 else 1
        arrow = dict(boxstyle="rarrow,pad=0.22", facecolor=colours["conv"], linewidth=0.8)
        ax.text(4.98, at[row], f"stage {number}", va="center", fontsize=9, color="black", bbox=arrow)
    # A bracket leaves a block on its right and enters another one there.
    for start, end in [(10, 12), (15, 17)] if last > 11 else []:
        right = middle + widest * lines[at[start]][3][1] / side / 2
        bend = right + 0.42
        ax.plot([right, bend, bend], [at[start], at[start], at[end]], color=INK, linewidth=1.2)
        ax.add_patch(FancyArrowPatch((bend, at[end]), (right, at[end]), arrowstyle="-|>", mutation_scale=10,
                                     linewidth=1.2, color=INK, shrinkA=0, shrinkB=0))  # fmt: skip
    return fig
