"""A closer look for small hands: four overlapping quarters of a picture, each given to the detector (Chapter 3).

The detector sees a picture shrunk to 256 pixels, in which a hand of a tenth of its side has as many pixels as a
fingernail in a crop. In a quarter it is seen half as large again.
"""

import numpy as np

from handpose import arrays

#: Of the picture's sides, so that a hand of a third of them is whole in some tile. On the 139 photographs of
#: `wild/scenes-val` 0.6 finds one hand in 16 more than the whole picture alone, of those of 0.1 to 0.2 of its side;
#: 2/3 finds three.
PART = 2 / 3
CUT = 0.02  # a box that comes so close (a part of the tile's longer side) to an inner border shows part of a hand


def quarters(height: int, width: int) -> list[tuple[int, int, int, int]]:
    """The four tiles (x0, y0, x1, y1) of a picture: whole pixels, the ends not included."""
    w, h = max(1, round(PART * width)), max(1, round(PART * height))
    return [(x, y, x + w, y + h) for y in (0, height - h) for x in (0, width - w)]


def detect(
    net, image: np.ndarray, *, threshold: float, overlap: float = 0.45, most: int = 20
) -> tuple[np.ndarray, np.ndarray]:
    """Boxes of the hands in the four quarters of a picture (H, W, 3) uint8, best first, without those cut off.

    Args:
        net, threshold, overlap, most: as for `arrays.detect`.

    Returns:
        Boxes (n, 4) float32 in the picture's pixels and confidences (n,) float32.
    """
    height, width = image.shape[:2]
    tiles = quarters(height, width)
    found = arrays.detect(net, [image[y0:y1, x0:x1] for x0, y0, x1, y1 in tiles], threshold=threshold, most=most)
    tile_boxes, tile_scores = [], []
    for (x0, y0, x1, y1), (boxes, scores) in zip(tiles, found, strict=True):
        near = CUT * max(x1 - x0, y1 - y0)
        uncut = np.ones(len(boxes), bool)
        for edge, column, inner in ((x0, 0, x0 > 0), (y0, 1, y0 > 0), (x1, 2, x1 < width), (y1, 3, y1 < height)):
            own = boxes[:, column] + (x0, y0)[column % 2]
            uncut &= (not inner) | (np.abs(own - (edge - 0.5)) > near)
        tile_boxes.append(boxes[uncut] + np.array([x0, y0, x0, y0], np.float32))
        tile_scores.append(scores[uncut])
    boxes, scores = np.concatenate(tile_boxes), np.concatenate(tile_scores)
    chosen = arrays.nms(boxes, scores, overlap)[:most]
    return boxes[chosen], scores[chosen]
