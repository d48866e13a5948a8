"""A sheet of samples with their labels drawn: what a data set looks like, at a glance."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from handpose import crop
from handpose.book import figures
from handpose.data.sample import Sample

TILE = 256  # pixels of a picture on the sheet
COLUMNS = 4


def draw(samples: Sequence[Sample], number: int, title: str) -> Figure:
    """A figure of so many of the samples, first to last at equal steps; it is closed, so that no notebook shows it."""
    chosen = np.linspace(0, len(samples) - 1, number).round().astype(int)
    rows = -(-number // COLUMNS)
    fig, axes = figures.new(COLUMNS, rows=rows, height=2.6, width=2.5 * COLUMNS, images=True)
    for ax, i in zip(axes, chosen.tolist(), strict=False):
        draw_sample(ax, samples[i])
    fig.suptitle(title, fontsize=11)
    plt.close(fig)
    return fig


def draw_sample(ax: Axes, sample: Sample) -> None:
    """One sample: cut out around its hand where it has one, with bones, joints and the outline of a mask."""
    height, width = sample.image.shape[:2]
    has_hand = np.isfinite(sample.box).all()
    box = sample.box if has_hand else np.array([0, 0, width - 1, height - 1], np.float32)
    cropped = crop.crop_box(sample.image, box, TILE, margin=1.6 if has_hand else 1.0)
    ax.imshow(cropped.image)
    if sample.mask is not None:
        mask = crop.warp(sample.mask[..., None], cropped.matrix, TILE, outside=0)[..., 0]
        ax.contour(mask, levels=[127], colors="white", linewidths=0.8)
    keypoints = crop.apply(cropped.matrix, sample.keypoints)
    hidden = np.zeros(21, bool) if sample.occluded is None else sample.occluded
    if sample.visible.any():
        figures.plot_hand(ax, None, keypoints, sample.visible, size=2.5, line=1.2, alpha=0.45)
        figures.plot_hand(ax, None, keypoints, sample.visible & ~hidden, size=3.5, line=1.6)
    ax.set(xlim=(-0.5, TILE - 0.5), ylim=(TILE - 0.5, -0.5))
    ax.set_axis_off()
    ax.set_title("  ".join(filter(None, (sample.id[-28:], sample.hand, sample.shape))), fontsize=7)
