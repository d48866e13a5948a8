"""Drawing hands, score maps and the network. Fingers have the same five colours everywhere.

The colours are those of Okabe and Ito, which readers with any common colour vision can tell apart; lines
also differ in place, and no figure relies on colour alone.
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

__all__ = ["COLOURS", "FINGER_JOINTS", "FINGER_OF", "JOINTS", "JOINT_COLOURS", "draw_hands", "new", "plot_hand",
           "plot_map", "plot_network", "style"]  # fmt: skip


def style() -> None:
    """The book's look for matplotlib: call once at the top of a chapter."""
    plt.rcParams.update({
        "figure.dpi": 100, "savefig.dpi": 100, "figure.facecolor": "white", "savefig.facecolor": "white",
        "font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "image.interpolation": "nearest",
        "axes.prop_cycle": plt.cycler(color=["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"]),
        "legend.frameon": False, "figure.constrained_layout.use": True,
    })  # fmt: skip


def new(columns: int = 1, *, rows: int = 1, height: float = 2.6, width: float = 7.0, pictures: bool = False):
    """A figure and its axes (always an array); `pictures` hides ticks and frames."""
    fig, axes = plt.subplots(rows, columns, figsize=(width, height * rows), squeeze=False)
    if pictures:
        for ax in axes.flat:
            ax.set_axis_off()
    return fig, axes.ravel()


def plot_hand(
    ax: Axes, image: np.ndarray | None, points: np.ndarray, visible: np.ndarray | None = None, *,
    size: float = 4, line: float = 1.8, alpha: float = 1.0,
) -> None:  # fmt: skip
    """A picture (or nothing) with the hand's bones and joints over it.

    Args:
        image: (H, W, 3) uint8, or None.
        points: (21, 2) pixels.
        visible: (21,) bool; bones with an invisible end are left out.
    """
    if image is not None:
        ax.imshow(image)
    visible = np.ones(NUM_JOINTS, bool) if visible is None else visible
    for a, b in BONES:
        if visible[a] and visible[b]:
            ax.plot(*points[[a, b]].T, color=JOINT_COLOURS[b], linewidth=line, alpha=alpha, solid_capstyle="round")
    shown = np.flatnonzero(visible)
    ax.scatter(*points[shown].T, s=size**2, c=[JOINT_COLOURS[j] for j in shown], edgecolors="white", linewidths=0.6,
               zorder=3, alpha=alpha)  # fmt: skip
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
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def plot_network(net: PoseEstimationNet, outputs: dict[int, "np.ndarray"]) -> Figure:
    """Our Figure 1: the network's rows as blocks, drawn from the model itself.

    A block's height is the side of the map, its width grows with the channels. Attention blocks, which the
    paper's table leaves out, are marked.

    Args:
        net: the network.
        outputs: what `handpose.posenet.row_outputs` gives for it.
    """
    fig, ax = plt.subplots(figsize=(10, 3.6))
    kinds = {"Conv+relu+bn": "#56b4e9", "Conv+relu": "#56b4e9", "conv": "#e69f00", "maxpool": "#bbbbbb",
             "Concat(10,11)": "#dddddd", "ElementAdd(16,15)": "#dddddd"}  # fmt: skip
    attended = net.options["attention"] or ()
    side = max(o.shape[-1] for o in outputs.values())
    x, places = 0.0, {}
    for row, output in outputs.items():
        channels, cells = output.shape[1], output.shape[-1]
        height, width = 0.35 + 2.6 * cells / side, 0.12 + 0.34 * np.sqrt(channels / 64)
        ax.add_patch(
            Rectangle(
                (x, -height / 2), width, height, facecolor=kinds[TABLE1[row][0]], edgecolor="black", linewidth=0.7
            )
        )
        ax.text(x + width / 2, height / 2 + 0.08, str(row), ha="center", fontsize=8)
        ax.text(x + width / 2, -height / 2 - 0.1, f"{channels}", ha="center", va="top", fontsize=6.5, color="#444444")
        places[row] = (x, width, height)
        x += width + 0.12
        if row in attended:
            ax.add_patch(Rectangle((x, -0.55), 0.42, 1.1, facecolor="#cc79a7", edgecolor="black", linewidth=0.7))
            ax.text(x + 0.21, 0, "attention", ha="center", va="center", fontsize=7.5, rotation=90)
            x += 0.54

    def arrow(start: int, end: int, height: float) -> None:
        (a, aw, ah), (b, bw, bh) = places[start], places[end]
        up = np.sign(height)
        ax.add_patch(FancyArrowPatch((a + aw / 2, up * (ah / 2 + 0.28)), (b + bw / 2, up * (bh / 2 + 0.28)), arrowstyle="->",
                                     connectionstyle=f"arc3,rad={-0.3 * up}", mutation_scale=9, linewidth=0.9, color="#333333"))  # fmt: skip

    if 12 in places:
        arrow(10, 12, 1)
        arrow(15, 17, 1)
    ax.set_xlim(-0.2, x + 0.1)
    ax.set_ylim(-2.0, 2.1)
    ax.set_axis_off()
    return fig
