"""Draw book/_static/hand.png, the picture above the fold: a rendered hand, its key-points, what one joint reads.

python tools/hero.py
"""

from pathlib import Path

import cv2
import matplotlib.pyplot as plt
import numpy as np
import torch

from handpose import HandPose, attention, crop, scoremap
from handpose.book import figures
from handpose.data.synthetic import render

JOINT = 8  # index fingertip


def main() -> None:
    figures.style()
    hp = HandPose.from_pretrained(device="cpu", backend="torch")
    hand = render("L", size=384, background="plain", seed=4)
    found = hp(hand.image, boxes=[hand.box])[0]
    taken = crop.crop_box(hand.image, hand.box, hp.size)
    with attention.record(hp.net) as weights, torch.no_grad():
        hp.net(torch.from_numpy(taken.image).permute(2, 0, 1)[None].float() / 255)
    cells = hp.size // 8
    at = (
        scoremap.to_cells(torch.from_numpy(crop.apply(taken.matrix, found.keypoints[JOINT])))
        .round()
        .long()
        .clamp(0, cells - 1)
    )
    reads = weights[0][0, :, int(at[1]) * cells + int(at[0])]  # (heads, L): what each head reads for this cell
    entropy = torch.special.entr(reads).sum(-1)
    shown = reads[int(entropy.argmin())].reshape(cells, cells).numpy()  # the most decided head

    large = crop.crop_box(hand.image, hand.box, 384).image
    fig, axes = plt.subplots(1, 3, figsize=(12, 4.05))
    axes[0].imshow(hand.image)
    figures.plot_hand(axes[1], hand.image, found.keypoints, size=6, line=2.6)
    axes[2].imshow(large)
    smooth = cv2.resize(shown, (384, 384), interpolation=cv2.INTER_LINEAR)
    axes[2].imshow(smooth, cmap="magma", alpha=0.35 + 0.5 * np.clip(smooth / smooth.max(), 0, 1))
    x, y = (at.numpy() + 0.5) * 384 / cells - 0.5
    axes[2].scatter([x], [y], s=130, facecolors="none", edgecolors="white", linewidths=2)
    for ax in axes:
        ax.set_axis_off()
    file = Path(__file__).resolve().parent.parent / "book" / "_static" / "hand.png"
    fig.savefig(file, dpi=100)
    print(file, file.stat().st_size // 1024, "KB")


if __name__ == "__main__":
    main()
