"""A hand that moves smoothly before cameras that stand still, drawn for each of them.

The renderer places its camera around the hand. A camera that stands still sees the hand off its axis, so a second
camera in the same place is turned towards the hand, the renderer draws for that one, and the picture is brought
back: two pictures taken from one place differ by a map of the plane, K R K'^-1.
"""

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from scipy.interpolate import CubicSpline

from handpose.data.readers import stb
from handpose.data.synthetic import _compose, random_light
from handpose.data.synthetic.anatomy import Identity, Pose, joints, random_identity
from handpose.data.synthetic.background import clutter
from handpose.data.synthetic.camera import Camera
from handpose.data.synthetic.collision import penetration
from handpose.data.synthetic.render import Drawing, Light, draw
from handpose.data.synthetic.shapes import mix, random_pose, shape

KEY = 30  # frames from one key pose to the next, about a second
REST = 0.2  # part of that time in which the fingers hold still
TURN = 45  # frames between the keys of position and orientation
ALLOWED = 3.5  # mm that parts of the hand may overlap, as in random_pose
MARGIN = 20  # pixels that every joint keeps from the edge; flesh reaches past joints


@dataclass(frozen=True)
class TurnedCamera(Camera):
    """The renderer's camera with its orientation given as a matrix."""

    turn: np.ndarray = field(default_factory=lambda: np.diag([1.0, -1.0, -1.0]))  # (3, 3), hand's frame to camera's

    def rotation(self) -> np.ndarray:
        return self.turn


def _own_joints(pose: Pose, identity: Identity) -> np.ndarray:
    return joints(pose, identity) * ((-1, 1, 1) if identity.hand == "left" else 1)


def _towards(point: np.ndarray) -> np.ndarray:
    """(3, 3): the smallest rotation that brings a point onto the z axis."""
    x, y, z = point / np.linalg.norm(point)
    axis = np.array([y, -x, 0.0])  # point x z; its length is the sine
    return cv2.Rodrigues(axis * (np.arctan2(np.hypot(x, y), z) / max(np.hypot(x, y), 1e-12)))[0]


def draw_fixed(
    pose: Pose,
    identity: Identity,
    turn: np.ndarray,
    wrist: np.ndarray,
    light: Light,
    camera: np.ndarray,
    width: int,
    height: int,
) -> Drawing:
    """Draw a hand as a camera with the matrix K sees it.

    Args:
        turn: (3, 3) from the hand's frame (y along the middle finger, z out of the palm) to the camera's.
        wrist: (3,) mm in the camera's frame (x right, y down, z away).
        light: its direction is in the camera's frame.
        camera: (3, 3) with the focal length and the principal point in pixels.

    Returns:
        a Drawing of (height, width) pixels whose ``keypoints3d`` are in the camera's frame.

    Raises:
        ValueError: a joint is nearer to the camera than 90 mm.
    """
    own = _own_joints(pose, identity)
    points = wrist + own @ turn.T
    middle = 0.5 * (own.min(0) + own.max(0))
    centre = wrist + turn @ middle  # the renderer puts this point on the turned camera's axis
    aside = _towards(centre)
    in_camera = points @ aside.T
    if in_camera[:, 2].min() < 90:
        raise ValueError(f"a joint is {in_camera[:, 2].min():.0f} mm from the camera; a hand is drawn from 90 mm on")
    # A focal length that keeps the hand's size in pixels, and a square that holds the whole fixed picture.
    focal = camera[0, 0] * (in_camera[:, 2].mean() / points[:, 2].mean()) ** 2
    corners = np.array([(0, 0), (width - 1, 0), (0, height - 1), (width - 1, height - 1)], np.float64)
    rays = np.column_stack([corners, np.ones(4)]) @ np.linalg.inv(camera).T @ aside.T
    rays = focal * rays[:, :2] / rays[:, 2:]
    principal = 2 - rays.min(0)
    size = int(np.ceil(np.ptp(rays, axis=0).max())) + 4
    flat = in_camera[:, :2] / in_camera[:, 2:]
    low, high = flat.min(0), flat.max(0)
    turned = TurnedCamera(
        distance=float(np.linalg.norm(centre)), fill=float(focal * (high - low).max() / size),
        centre=tuple((principal + 0.5 + 0.5 * focal * (low + high)) / size), turn=aside @ turn,
    )  # fmt: skip
    light = replace(light, direction=tuple(aside @ np.array(light.direction)))
    drawing = draw(pose, identity, turned, light, size)
    back = camera @ aside.T @ np.linalg.inv(drawing.camera)
    layers = np.dstack([drawing.colour, drawing.alpha])
    layers = cv2.warpPerspective(layers, back, (width, height), flags=cv2.INTER_LINEAR)
    keypoints = stb.project(points, camera)
    return Drawing(layers[..., :3], layers[..., 3], keypoints, points, drawing.occluded, camera)


def between(a: Pose, b: Pose, part: float, detour: float) -> Pose:
    """The pose at a part (0 to 1) of the way from a to b: at rest at both ends, opening by ``detour`` halfway.

    Hands move from rest to rest with the least jerk (Flash and Hogan 1985): 10 t^3 - 15 t^4 + 6 t^5.
    """
    t = np.clip((part - REST / 2) / (1 - REST), 0, 1)
    s = t**3 * (10 - 15 * t + 6 * t * t)
    opened = replace(Pose(), wrist=mix(a, b, s).wrist)
    return mix(mix(a, b, s), opened, detour * 16 * (t * (1 - t)) ** 2)


def _detour(a: Pose, b: Pose, identity: Identity) -> tuple[float, float]:
    """How far the fingers should open on the way so that they do not run into each other, and the overlap left (mm)."""
    best = (0.0, np.inf)
    for detour in (0.0, 0.25, 0.5, 0.75, 1.0):
        way = [between(a, b, part, detour).clipped() for part in np.linspace(0.15, 0.85, 13)]
        deepest = max(penetration(pose, identity) for pose in way)
        if deepest < best[1]:
            best = (detour, deepest)
        if deepest <= ALLOWED:
            break
    return best


def finger_motion(rng: np.random.Generator, identity: Identity, frames: int, counting: bool) -> list[Pose]:
    """One pose a frame: from key pose to key pose, 1 to 5 over and over (counting) or drawn at random."""

    def key(number: int) -> Pose:
        if counting:
            wrist = (float(rng.normal(0, 9)), float(rng.normal(0, 5)))
            held = shape(str(number % 5 + 1)).moved(wrist=wrist).clipped()
            for part in (0, 0.08, 0.16, 0.24):  # thick fingers cannot close as far
                loose = mix(held, Pose().moved(wrist=wrist), part)
                if penetration(loose, identity) <= ALLOWED:
                    break
            return loose
        return random_pose(rng, identity, variety=0.8)[0]

    keys, detours = [key(0)], []
    for number in range(1, (frames - 1) // KEY + 2):
        tries = [key(number)]
        ways = [_detour(keys[-1], tries[0], identity)]
        while ways[-1][1] > ALLOWED and not counting and len(tries) < 6:  # another pose may be easier to reach
            tries.append(key(number))
            ways.append(_detour(keys[-1], tries[-1], identity))
        easiest = int(np.argmin([overlap for _, overlap in ways]))
        keys.append(tries[easiest])
        detours.append(ways[easiest][0])
    at = [divmod(frame, KEY) for frame in range(frames)]
    return [between(keys[k], keys[k + 1], rest / KEY, detours[k]).clipped() for k, rest in at]


class StereoSequence:
    """One sequence as the Stereo Hand Pose benchmark has them: one left hand, one light, one background.

    Args:
        seed: any whole number from 0. Person, light and background belong to the background's number.
        name: "B1Counting" to "B6Random".
        frames: how many, at least 1.

    Attributes:
        points: (frames, 21, 3) float64 mm, canonical order with the wrist, in the left camera's frame.
    """

    def __init__(self, seed: int, name: str, frames: int) -> None:
        if name not in stb.SEQUENCES:
            raise ValueError(f"no sequence {name!r}; there are {', '.join(stb.SEQUENCES)}")
        if seed < 0 or frames < 1:
            raise ValueError(f"seed must not be negative and frames at least 1, got seed={seed}, frames={frames}")
        self.name, number, counting = name, int(name[1]), name.endswith("Counting")
        self._noise = [seed, number, int(counting)]
        room, rng = np.random.default_rng([seed, number]), np.random.default_rng([seed, number, int(counting), 1])
        straight = (float(room.uniform(0, 15)), float(room.uniform(-15, 15)))  # the arm leaves the picture
        self.identity = replace(random_identity(room), hand="left", elbow=straight)
        self.light = random_light(room)
        self.wall = clutter(room, stb.WIDTH + 64)  # a square picture; both cameras look at parts of it
        self.wall_shift = int(room.integers(32, 62))  # pixels between the two views: a wall 1.6 to 3.1 m away
        self.cast = 1 + room.normal(0, 0.03, 3).astype(np.float32)
        self.grain = float(room.uniform(0.002, 0.012))
        self.poses = finger_motion(rng, self.identity, frames, counting)
        self._draw_motion(rng, frames, counting)
        # The camera meters the first picture and stays so.
        first = self.drawing(0, "BB_left")
        mean = float(first.colour.sum() / max(3 * first.alpha.sum(), 1e-6))
        self.exposure = float((0.25 / max(mean, 0.01)) ** 0.35 * np.exp(room.normal(0, 0.15)))

    def __len__(self) -> int:
        return len(self.poses)

    def _draw_motion(self, rng: np.random.Generator, frames: int, counting: bool) -> None:
        """Orientation and place of every frame, on splines; drawn in until both cameras see every joint."""
        keys = (frames - 1) // TURN + 3
        spread = np.array([20, 12, 14] if counting else [45, 25, 30])
        angles = rng.normal(0, 1, (keys, 3)) * spread + [0 if rng.random() < 0.6 else 180, 8, 0]
        away = rng.uniform(470, 760, keys)
        aside = rng.normal(0, (0.07, 0.05), (keys, 2)) * away[:, None]
        frame = np.arange(frames)
        curve = CubicSpline(TURN * (np.arange(keys) - 0.5), np.column_stack([angles, aside, away]))(frame)
        self.turns = np.stack([Camera(*row[:3]).rotation() for row in curve])
        anchor = np.array([0, 90 * self.identity.size * self.identity.palm[1], 0])  # about the middle of the hand
        own = np.stack([_own_joints(pose, self.identity) for pose in self.poses])
        turned = own @ self.turns.transpose(0, 2, 1)
        for step in range(30):
            reach, push = max(0.0, 1 - 0.2 * step), 1.0 + 0.04 * max(0, step - 5)
            centre = np.column_stack([reach * curve[:, 3:5], push * curve[:, 5]]) + [stb.BASELINE / 2, 0, 0]
            self.wrists = centre - self.turns @ anchor
            self.points = self.wrists[:, None] + turned
            flat = [stb.project(*stb.seen_from(self.points, view)) for view in ("BB_left", "BB_right")]
            if np.min(flat) >= MARGIN and (np.max(flat, (0, 1, 2)) < [stb.WIDTH - MARGIN, stb.HEIGHT - MARGIN]).all():
                return
        raise RuntimeError(f"{self.name}: the hand does not fit into both pictures")

    def drawing(self, frame: int, view: str) -> Drawing:
        """The hand of one frame, without background, as "BB_left" or "BB_right" sees it."""
        wrist, camera = stb.seen_from(self.wrists[frame], view)
        return draw_fixed(
            self.poses[frame], self.identity, self.turns[frame], wrist, self.light, camera, stb.WIDTH, stb.HEIGHT
        )

    def image(self, frame: int, view: str) -> np.ndarray:
        """(480, 640, 3) uint8 RGB."""
        right = view == "BB_right"
        drawing = self.drawing(frame, view)
        left = self.wall_shift if right else 0
        top = (len(self.wall) - stb.HEIGHT) // 2
        behind = self.wall[top : top + stb.HEIGHT, left : left + stb.WIDTH]
        image = _compose(drawing.colour, drawing.alpha, behind, self.exposure) * self.cast
        noise = np.random.default_rng([*self._noise, 2 + frame, int(right)])
        image += np.float32(self.grain) * noise.standard_normal(image.shape, np.float32)
        return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)

    def hand_para(self) -> np.ndarray:
        """(3, 21, frames) float64: ``handPara`` as the label file has it, joint 0 the palm's centre.

        The palm's centre is put halfway between the wrist and the ring finger's MCP joint: the point from which
        the first of `stb.WRIST_RULES` finds the wrist again.
        """
        points = self.points.copy()
        points[:, 0] = 0.5 * (points[:, 0] + points[:, 13])
        return points[:, list(stb.STB_ORDER)].transpose(2, 1, 0)  # the map is its own inverse
