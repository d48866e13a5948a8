"""Rasteriser and shading: from the bent mesh to colours, alpha, depth and labels.

Triangles are sorted from far to near and painted as numbers, at twice the size (painter's algorithm).
Each pixel then knows its triangle, and all else is worked out per pixel from that triangle's corners:
position, normal, shadow, and the place in the skin's pictures. The result is averaged down 2 x 2; where
all four pixels show the same stretch of skin, it is shaded once, at their middle.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from handpose.data.synthetic.anatomy import RADII, Identity, Pose, joints
from handpose.data.synthetic.camera import Camera, place, project
from handpose.data.synthetic.colour import surface_colour
from handpose.data.synthetic.neighbours import around, gather
from handpose.data.synthetic.surface import deform, skin, smooth

#: (21,) mm: half the flesh's thickness at each joint. Wrist, thumb base and MCP joints lie deep in a flat palm.
JOINT_RADIUS = np.concatenate([[28.0], RADII.ravel()])
JOINT_RADIUS[[1, 5, 9, 13, 17]] = 19, 14, 14, 14, 14


@dataclass(frozen=True)
class Light:
    """One soft lamp or window, and the light that comes from all around (Chapter 15)."""

    direction: tuple = (-0.5, -0.7, -0.6)  # towards the lamp, camera frame
    colour: tuple = (1.0, 0.96, 0.9)  # linear RGB
    strength: float = 1.0
    ambient: float = 0.45
    above: tuple = (1.0, 1.0, 1.05)  # tint of the ambient light from above
    below: tuple = (0.8, 0.72, 0.66)  # and from below
    shine: float = 0.25


def unit(v: np.ndarray) -> np.ndarray:
    """(N, 3) vectors of length 1."""
    return v / np.sqrt(np.maximum(np.einsum("ni,ni->n", v, v), 1e-12))[:, None]


def vertex_normals(points: np.ndarray) -> np.ndarray:
    """(V, 3) unit normals: the mean of the faces around each vertex, weighted by area."""
    faces = skin().faces
    a, b, c = points[faces[:, 0]], points[faces[:, 1]], points[faces[:, 2]]
    (ux, uy, uz), (vx, vy, vz) = (b - a).T, (c - a).T
    return unit(gather(np.stack([uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx], 1), around()[0]))


def unshadowed(points: np.ndarray, direction: np.ndarray, cell: float = 5.0, bias: float = 5.0) -> np.ndarray:
    """(V,) 0..1: how freely light from a direction reaches each vertex. Depths are splatted on a coarse grid."""
    d = direction / np.linalg.norm(direction)
    u = np.cross(d, (0.0, 1.0, 0.0) if abs(d[1]) < 0.9 else (1.0, 0.0, 0.0))
    u /= np.linalg.norm(u)
    v = np.cross(d, u)
    height = points @ d  # towards the light
    a, b = (points @ u) / cell, (points @ v) / cell
    a, b = a - a.min() + 1, b - b.min() + 1
    i, j = a.astype(np.int32), b.astype(np.int32)
    width = int(i.max()) + 3
    top = np.full((int(j.max()) + 3) * width, -1e4, np.float32)
    np.maximum.at(top, j * width + i, height.astype(np.float32))
    top = top.reshape(-1, width)
    top = np.maximum(top, np.where(top > -1e3, -1e4, cv2.dilate(top, np.ones((3, 3)))))  # close holes between vertices
    lit = np.zeros(len(points))
    for di, dj in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)):
        over = top[np.clip(j + dj, 0, len(top) - 1), np.clip(i + di, 0, width - 1)] - height
        lit += 1 - smooth((over - bias) / 6)
    return lit / 5


def paint(points: np.ndarray, flat: np.ndarray, faces: np.ndarray, size: int) -> np.ndarray:
    """Painter's algorithm: (2 size, 2 size) int32, the number of the nearest triangle plus 1; 0: background.

    ``flat`` (V, 2) are the vertices' pixels at twice the size. Back faces, triangles outside and
    triangles within 40 mm of the camera are not drawn.
    """
    image = np.zeros((2 * size, 2 * size), np.int32)
    x, y, z = flat[faces, 0], flat[faces, 1], points[faces, 2]
    facing = (x[:, 1] - x[:, 0]) * (y[:, 2] - y[:, 0]) < (y[:, 1] - y[:, 0]) * (x[:, 2] - x[:, 0])
    inside = (x.max(1) > -1) & (x.min(1) < 2 * size) & (y.max(1) > -1) & (y.min(1) < 2 * size)
    shown = np.flatnonzero(facing & inside & (z.min(1) > 40))
    shown = shown[np.argsort(-z[shown].mean(1), kind="stable")]
    fixed = np.round(flat[faces[shown]] * 16).astype(np.int32)  # four bits below the pixel
    for number, corners in zip((shown + 1).tolist(), fixed, strict=True):
        cv2.fillConvexPoly(image, corners, number, cv2.LINE_8, 4)
    return image


@dataclass
class Drawing:
    """A hand without a background, all at the final size."""

    colour: np.ndarray  # (size, size, 3) float32, linear RGB times alpha
    alpha: np.ndarray  # (size, size) float32, 0..1
    keypoints: np.ndarray  # (21, 2) pixels
    keypoints3d: np.ndarray  # (21, 3) mm
    occluded: np.ndarray  # (21,) bool
    camera: np.ndarray  # (3, 3)


# The ambient light is looked for in these directions (camera frame).
_SKY = np.array([(0.1, -1, -0.2), (0.85, -0.2, -0.5), (-0.85, -0.2, -0.5), (0, 0.5, -0.9)])


def draw(pose: Pose, identity: Identity, camera: Camera, light: Light, size: int) -> Drawing:
    """Draw one hand. The picture's side is ``size`` pixels."""
    s = skin()
    points, bones, faces = deform(pose, identity), joints(pose, identity), s.faces
    if identity.sleeve is not None:  # cloth: the arm's own skin, pushed outwards and folded
        y = s.rest[:, 1]
        folds = np.sin(y * 0.11 + 2.1 * np.sin(s.rest[:, 0] * 0.06 + identity.grain))
        folds += np.sin(y * 0.045 + s.rest[:, 2] * 0.05)
        push = smooth((-identity.sleeve - y) / 6 + 0.5) * (5.5 + 1.8 * folds)
        points = points + push[:, None] * vertex_normals(points)
    mirrored = identity.hand == "left"
    if mirrored:
        points, bones, faces = points * (-1, 1, 1), bones * (-1, 1, 1), faces[:, ::-1]
    points, bones, k = place(points, bones, camera, size)
    flat = (project(np.where(points[:, 2:] > 40, points, 1e3), k) + 0.5) * 2 - 0.5  # pixels at twice the size
    numbers = paint(points, flat, faces, size)

    towards = unit(np.array([light.direction], float))[0]
    normals = vertex_normals(points) * (-1 if mirrored else 1)
    lit = unshadowed(points, towards)
    sky = np.mean([unshadowed(points, a, 6.0, 4.0) for a in _SKY], 0)
    lit, sky = gather(np.stack([lit, sky], 1), *around()[1:]).T
    vertex = np.column_stack([normals, s.rest, points, lit, sky, s.volar]).astype(np.float32)
    chart = s.belongs[:, 0] > 0.6

    # Pixels to shade: blocks of four on one stretch of skin at their middle, the others one by one.
    quarters = [numbers[i::2, j::2].ravel() for i in (0, 1) for j in (0, 1)]
    triangle_depth = np.concatenate([[np.inf], points[faces, 2].mean(1)]).astype(np.float32)
    some = np.flatnonzero(quarters[0] | quarters[1] | quarters[2] | quarters[3])
    quarters = [q[some] for q in quarters]
    depth = [triangle_depth[q] for q in quarters]
    far, near = np.maximum(depth[0], depth[1]), np.minimum(depth[0], depth[1])
    calm = np.maximum(np.maximum(far, depth[2]), depth[3]) - np.minimum(np.minimum(near, depth[2]), depth[3]) < 8
    blocks, broken = some[calm], np.repeat(some[~calm], 4)
    corner = np.tile(np.arange(4), len(broken) // 4)
    number = np.concatenate([quarters[0][calm], np.stack([q[~calm] for q in quarters], 1).ravel()])
    x = 2 * np.concatenate([blocks % size + 0.25, broken % size + 0.5 * (corner % 2)])
    y = 2 * np.concatenate([blocks // size + 0.25, broken // size + 0.5 * (corner // 2)])
    hit = number > 0
    corners = faces[number[hit] - 1]
    weights = barycentric(x[hit], y[hit], flat[corners])
    value = np.einsum("pk,pkc->pc", weights, vertex[corners])
    grain = float(np.median(bones[:, 2])) / k[0, 0]  # mm that a pixel covers
    albedo, gloss = surface_colour(value[:, 3:6], value[:, 11], chart[corners[:, 0]], identity, grain)
    colour = shade(albedo, gloss, value[:, :3], value[:, 6:9], value[:, 9], value[:, 10], towards, light)

    shaded = np.zeros((len(number), 4), np.float32)
    shaded[hit, :3], shaded[hit, 3] = colour, 1
    image = np.zeros((size * size, 4), np.float32)
    image[blocks] = shaded[: len(blocks)]
    image[some[~calm]] = shaded[len(blocks) :].reshape(-1, 4, 4).mean(1)
    image = image.reshape(size, size, 4)
    keypoints = project(bones, k)
    hidden = occlusion(numbers, flat, points, faces, bones, keypoints, identity)
    return Drawing(image[..., :3], image[..., 3], keypoints, bones, hidden, k)


def occlusion(numbers, flat, points, faces, bones, keypoints, identity: Identity) -> np.ndarray:
    """(21,) bool: the nearest surface at the joint's pixel is in front of it by more than its radius + 3 mm."""
    at = np.round((keypoints + 0.5) * 2 - 0.5).astype(int)
    in_image = ((at >= 0) & (at < len(numbers))).all(1)
    x, y = np.clip(at, 0, len(numbers) - 1).T
    number = numbers[y, x]
    corners = faces[np.maximum(number - 1, 0)]
    nearest = (barycentric(x, y, flat[corners]) * points[corners, 2]).sum(1)
    thick = np.concatenate([identity.thickness[5:], np.repeat(identity.thickness[:5], 4)]) * identity.size
    return in_image & (number > 0) & (bones[:, 2] - nearest > thick * JOINT_RADIUS + 3)


def barycentric(x: np.ndarray, y: np.ndarray, tri: np.ndarray) -> np.ndarray:
    """(P, 3) weights of the points (x, y) in their triangles (P, 3, 2), kept within 0..1."""
    tri = tri.astype(np.float32)
    ax, ay = tri[:, 0, 0], tri[:, 0, 1]
    bx, by, cx, cy = tri[:, 1, 0] - ax, tri[:, 1, 1] - ay, tri[:, 2, 0] - ax, tri[:, 2, 1] - ay
    px, py = x.astype(np.float32) - ax, y.astype(np.float32) - ay
    area = bx * cy - by * cx
    area = np.where(np.abs(area) < 1e-6, np.float32(1e-6), area)
    wb, wc = np.clip((px * cy - py * cx) / area, 0, 1), np.clip((bx * py - by * px) / area, 0, 1)
    over = np.maximum(wb + wc, 1)
    wb, wc = wb / over, wc / over
    return np.stack([1 - wb - wc, wb, wc], 1)


def shade(albedo, gloss, normal, position, lit, sky, towards, light: Light) -> np.ndarray:
    """Linear RGB (P, 3): diffuse light that turns red at the shadow's edge, ambient light and a highlight."""
    normal, view, towards = unit(normal), unit(-position), towards.astype(np.float32)
    facing = normal @ towards
    wrap = np.array([0.32, 0.20, 0.15], np.float32)  # light scatters under the skin, red light farthest
    diffuse = np.clip((facing[:, None] + wrap) / (1 + wrap), 0, 1) * lit[:, None]
    above, below = np.array(light.above, np.float32), np.array(light.below, np.float32)
    around = below + (0.5 - 0.5 * normal[:, 1:2]) * (above - below)
    tint = np.array(light.colour, np.float32)
    bright = diffuse * (tint * np.float32(light.strength))
    bright += around * (np.float32(light.ambient) * (0.2 + 0.8 * sky))[:, None]
    half = unit(towards + view)
    highlight = np.clip(np.einsum("pi,pi->p", normal, half), 0, 1) ** 24 * lit * np.float32(light.strength)
    rim = (1 - np.clip(np.einsum("pi,pi->p", normal, view), 0, 1)) ** 4
    shine = np.float32(light.shine) * gloss * (0.16 * highlight + 0.06 * rim * sky)
    return albedo * bright + shine[:, None] * tint
