"""Which triangles and vertices of the skin's mesh lie beside each other, and sums over them."""

from collections import Counter
from functools import lru_cache
from typing import Any

import numpy as np

from handpose.data.synthetic.surface import skin


@lru_cache(maxsize=1)
def around() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What meets in each vertex, in rows filled up with one number beyond the last, and weights for a mean.

    Returns:
        (V, m) triangles that meet in a vertex; (V, n) the vertex with its neighbours and (V, n, 1) their weights: the
        number of triangles shared, as parts of their sum.
    """
    faces, count = skin().faces, len(skin().rest)
    meet: list[list[int]] = [[] for _ in range(count)]
    for t, corners in enumerate(faces.tolist()):
        for v in corners:
            meet[v].append(t)
    near = [Counter(faces[triangles].ravel().tolist()) for triangles in meet]
    weights = [np.fromiter(n.values(), np.float32) for n in near]
    return (_rows(meet, len(faces)), _rows([list(n) for n in near], count),
            _rows([w * (1 / w.sum()) for w in weights], 0, np.float32)[..., None])  # fmt: skip


def _rows(lists: list, beyond: float, kind: type = np.intp) -> np.ndarray:
    """Lists of different lengths as one array, filled up with `beyond`."""
    table: np.ndarray = np.full((len(lists), max(map(len, lists))), beyond, kind)
    for row, values in zip(table, lists, strict=True):
        row[: len(values)] = values
    return table


def gather(values: np.ndarray, table: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Sums over the rows of `table`, added in their order: (N, C) -> (V, C)."""
    values = np.concatenate([values, np.zeros((1, values.shape[1]), values.dtype)])  # what a row is filled up with
    total: Any = 0.0  # an array from the first column on
    for k in range(table.shape[1]):
        found = values[table[:, k]]
        total = total + (found if weights is None else weights[:, k] * found)
    return total
