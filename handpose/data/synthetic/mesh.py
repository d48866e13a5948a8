"""A surface net: triangles from a field that is sampled on a grid.

One vertex stands in every grid cell that the surface passes through, one quad around every grid edge that it crosses.
"""

import numpy as np


def surface_net(field: np.ndarray, axes: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Mesh the zero level of a field sampled on a grid.

    Args:
        field: (X, Y, Z), negative inside.
        axes: the grid's coordinates along each axis; they need not be evenly spaced.

    Returns:
        vertices (V, 3) and triangles (T, 3), wound anticlockwise seen from outside.
    """
    inside = field < 0
    n = np.array(field.shape) - 1
    corner = [(i, j, k) for i in (0, 1) for j in (0, 1) for k in (0, 1)]
    count = sum(inside[i : i + n[0], j : j + n[1], k : k + n[2]].astype(np.int8) for i, j, k in corner)
    cells = np.argwhere((count > 0) & (count < 8))
    number = np.full(n, -1)
    number[tuple(cells.T)] = np.arange(len(cells))
    total, hits = np.zeros((len(cells), 3)), np.zeros((len(cells), 1))
    quads = []
    for axis in range(3):
        step = np.eye(3, dtype=int)[axis]
        u, v = (axis + 1) % 3, (axis + 2) % 3
        for du in (0, 1):
            for dv in (0, 1):  # the cell's four edges along this axis
                low = cells.copy()
                low[:, u] += du
                low[:, v] += dv
                f0, f1 = field[tuple(low.T)], field[tuple((low + step).T)]
                cross = (f0 < 0) != (f1 < 0)
                t = f0 / np.where(cross, f0 - f1, 1)
                at = np.stack([axes[a][low[:, a]] for a in range(3)], 1).astype(float)
                at[:, axis] += t * (axes[axis][low[:, axis] + 1] - axes[axis][low[:, axis]])
                total += np.where(cross[:, None], at, 0)
                hits += cross[:, None]
        lead = np.moveaxis(inside, axis, 0)
        edges = np.argwhere(np.moveaxis(lead[1:] != lead[:-1], 0, axis))
        edges = edges[(edges[:, u] > 0) & (edges[:, v] > 0) & (edges[:, u] < n[u]) & (edges[:, v] < n[v])]
        back_u, back_v = np.eye(3, dtype=int)[u], np.eye(3, dtype=int)[v]
        ring = [number[tuple((edges - du * back_u - dv * back_v).T)] for du, dv in ((0, 0), (1, 0), (1, 1), (0, 1))]
        ring = np.stack(ring, 1)
        outward = inside[tuple(edges.T)]
        quads.append(np.where(outward[:, None], ring, ring[:, ::-1]))
    quads = np.concatenate(quads)
    return total / hits, np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
