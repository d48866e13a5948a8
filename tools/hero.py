"""Draw book/_static/hand.png, the picture above the fold: a rendered hand, its key-points, what eight heads read.

python tools/hero.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

from handpose import HandPose, attention, crop, scoremap
from handpose.book import figures
from handpose.data.synthetic import render

JOINT = 8  # index fingertip
ORANGE, BLUE = np.array([0.92, 0.38, 0.0]), "#0050d0"  # as in the chapter on attention and in the live page


def main() -> None:
    figures.style()
    hp = HandPose.from_pretrained(device="cpu", backend="torch")
    hand = render("L", size=384, background="plain", seed=4)
    found = hp(hand.image, boxes=[hand.box])[0]
    warped = crop.crop_box(hand.image, hand.box, hp.size)
    with attention.record(hp.net) as weights, torch.no_grad():
        hp.net(torch.from_numpy(warped.image).permute(2, 0, 1)[None].float() / 255)
    cells = hp.size // 8
    point = torch.from_numpy(crop.apply(warped.matrix, found.keypoints[JOINT]))
    x, y = scoremap.to_cells(point).round().long().clamp(0, cells - 1).tolist()
    heads = weights[0][0, :, y * cells + x].reshape(-1, cells, cells).numpy()  # what each head reads for this cell

    fig = plt.figure(figsize=(12, 3.05))
    grid = fig.add_gridspec(2, 8)
    left, middle = fig.add_subplot(grid[:, :2]), fig.add_subplot(grid[:, 2:4])
    left.imshow(hand.image)
    figures.plot_hand(middle, hand.image, found.keypoints, size=5, line=2.4)
    for number, values in enumerate(heads):
        ax = fig.add_subplot(grid[number // 4, 4 + number % 4])
        frame = (-0.5, cells - 0.5, cells - 0.5, -0.5)
        ax.imshow(warped.image.mean(-1), cmap="gray", vmin=-60, vmax=270, extent=frame, interpolation="bilinear")
        colour = np.broadcast_to(ORANGE, (cells, cells, 3))
        ax.imshow(np.dstack([colour, 0.95 * values / values.max()]), extent=frame, interpolation="nearest")
        ax.add_patch(plt.Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, edgecolor=BLUE, linewidth=1.6))
    for ax in fig.axes:
        ax.set_axis_off()
    file = Path(__file__).resolve().parent.parent / "book" / "_static" / "hand.png"
    fig.savefig(file, dpi=100)
    print(file, file.stat().st_size // 1024, "KB")


if __name__ == "__main__":
    main()
