"""Named hand shapes as joint angles, and random poses made from them."""

import numpy as np

from handpose.data.synthetic.anatomy import LIMITS, Identity, Pose
from handpose.data.synthetic.collision import penetration

# Fingers in short: (MCP flexion, abduction, PIP flexion, DIP flexion).
_UP = {"index": (2, 4, 4, 3), "middle": (0, 1, 4, 3), "ring": (2, -3, 4, 3), "little": (4, -8, 4, 3)}
_FOLD = {"index": (84, 2, 103, 62), "middle": (86, 0, 104, 62), "ring": (86, -3, 103, 60), "little": (84, -6, 100, 58)}
_WIDE = {"index": (0, 15, 4, 3), "middle": (0, 3, 4, 3), "ring": (0, -10, 4, 3), "little": (2, -25, 4, 3)}
# The thumb: (radial, palmar, pronation, MCP flexion, IP flexion).
_OUT, _SIDE, _PALM = (58, 8, 60, -4, -8), (8, 10, 55, 0, 0), (5, 22, 107, 60, 56)
_ON_MIDDLE, _ON_RING = (18, 46, 98, 33, 59), (1, 42, 96, 38, 48)  # its pad on the folded finger


def _make(thumb, up="", base=None, **parts) -> Pose:
    """Fingers whose initial (i, m, r, l) stands in ``up`` are straight, the others folded."""
    fingers = {f: (_UP if f[0] in up else _FOLD)[f] for f in _UP} if base is None else dict(base)
    fingers.update(parts)
    return Pose(thumb=thumb, **fingers)


_V = {"index": (2, 12, 4, 3), "middle": (2, -8, 4, 3)}
_W = {"index": (2, 14, 4, 3), "ring": (2, -12, 4, 3)}
_CURVE = {"index": (38, 3, 50, 30), "middle": (38, 0, 52, 32), "ring": (38, -3, 50, 30), "little": (38, -6, 48, 28)}

# The thumb's angles, and those of fingers that touch it, were fitted so that flesh meets flesh.
_SHAPES = {
    "open": Pose(),
    "spread": _make(_OUT, base=_WIDE),
    "flat": _make(_SIDE, base=_UP),
    "relaxed": Pose((32, 25, 72, 12, 12), (18, 4, 28, 16), (24, 0, 32, 20), (28, -3, 34, 20), (30, -7, 32, 18)),
    "fist": _make((32, 42, 90, 37, 63)),
    "point": _make(_ON_MIDDLE, "i"),
    "thumbs-up": _make((52, 10, 60, -5, -12)),
    "gun": _make((62, 8, 60, -4, -8), "i"),
    "pinch": Pose((20, 43, 124, 17, 20), (46, 2, 45, 30), (50, 0, 60, 36), (54, -3, 62, 38), (56, -6, 60, 36)),
    "ok": Pose((20, 43, 124, 17, 20), (46, 2, 45, 29), (16, 0, 16, 10), (8, -6, 12, 8), (4, -16, 10, 6)),
    "claw": Pose((48, 30, 80, 10, 35), (8, 12, 62, 40), (6, 2, 64, 42), (8, -8, 62, 40), (10, -20, 58, 38)),
    "three-fingers": _make((-5, 39, 96, 46, 50), "imr", **_W),
    "horns": _make((6, 44, 97, 39, 54), "il"),
    "I-love-you": _make(_OUT, "il", little=(2, -18, 4, 3)),
    "A": _make((28, 21, 60, 27, 16)),
    "B": _make(_PALM, base=_UP),
    "C": Pose((30, 45, 110, 10, 25), **_CURVE),
    "D": Pose((2, 43, 90, 30, 26), _UP["index"], (57, -4, 55, 36), (50, -3, 70, 46), (49, 4, 53, 35)),
    "E": Pose((6, 40, 94, 31, 58), (49, -2, 82, 54), (48, 0, 93, 61), (42, -3, 91, 60), (48, -5, 89, 59)),
    "F": Pose((21, 43, 125, 17, 19), (47, 2, 46, 30), (6, 2, 8, 5), (2, -8, 6, 4), (2, -20, 6, 4)),
    "G": _make(_ON_MIDDLE, "i"),
    "H": _make(_ON_RING, "im", index=(2, 1, 4, 3), middle=(2, 0, 4, 3)),
    "I": _make((34, 41, 83, 41, 65), "l"),
    "K": _make((6, 25, 105, 16, 8), index=(4, 10, 4, 3), middle=(53, 2, 7, 5)),
    "L": _make(_OUT, "i"),
    "M": _make((-5, 42, 97, 43, 40), index=(78, 0, 10, 6), middle=(78, 0, 10, 6), ring=(78, -2, 10, 6)),
    "N": _make((1, 42, 97, 43, 20), index=(78, 0, 10, 6), middle=(78, 0, 10, 6)),
    "O": Pose((11, 48, 113, 22, 21), (52, -4, 47, 30), (54, -4, 59, 40), (51, 1, 57, 37), (50, 6, 42, 28)),
    "P": _make((6, 25, 105, 16, 8), index=(4, 10, 4, 3), middle=(53, 2, 7, 5)),
    "Q": _make((25, 41, 50, 18, 9), index=(72, 4, 4, 3)),
    "R": _make((1, 40, 93, 36, 52), "im", index=(7, -5, 2, 1), middle=(-4, 7, 10, 6)),
    "S": _make(_ON_MIDDLE),
    "T": _make((16, 4, 112, 6, 15), "i"),
    "U": _make(_ON_RING, "im", index=(2, 1, 4, 3), middle=(2, 0, 4, 3)),
    "V": _make(_ON_RING, "im", **_V),
    "W": _make((-5, 39, 96, 46, 50), "imr", **_W),
    "X": _make(_ON_MIDDLE, "i", index=(6, 3, 88, 50)),
    "Y": _make(_OUT, "l", little=(0, -26, 4, 3)),
    "SCH": _make(_OUT, base=_WIDE),
    "1": _make((52, 10, 60, -5, -12)),
    "2": _make(_OUT, "i"),
    "3": _make(_OUT, "im", **_V),
    "4": _make(_PALM, base=_WIDE),
    "5": _make(_OUT, base=_WIDE),
    "ASL G": _make((24, 36, 90, 8, 5), index=(70, 4, 4, 3)),
    "ASL M": _make((-5, 42, 97, 43, 40), index=(58, 0, 60, 38), middle=(58, 0, 62, 38), ring=(58, -2, 60, 38)),
    "ASL N": _make((1, 42, 97, 43, 20), index=(58, 0, 60, 38), middle=(58, 0, 62, 38)),
    "ASL T": _make((16, 44, 104, 31, 38), index=(58, -2, 94, 61)),
    "ASL 1": _make(_ON_MIDDLE, "i"),
    "6": Pose((-6, 49, 108, 31, 32), (2, 10, 4, 3), (0, 1, 4, 3), (2, -8, 4, 3), (58, 3, 47, 31)),
    "7": Pose((3, 50, 109, 25, 26), (2, 10, 4, 3), (2, 0, 4, 3), (57, 0, 50, 33), (4, -18, 4, 3)),
    "8": Pose((12, 49, 120, 21, 23), (2, 10, 4, 3), (54, 0, 50, 33), (4, -8, 4, 3), (4, -18, 4, 3)),
    "9": Pose((21, 43, 125, 17, 19), (47, 2, 46, 30), (6, 2, 8, 5), (2, -8, 6, 4), (2, -20, 6, 4)),
}

#: Names of the hand shapes: everyday ones, letters of the finger alphabets, digits.
SHAPES = tuple(_SHAPES)


def shape(name: str) -> Pose:
    """The pose of a named shape; raises ValueError for an unknown name."""
    if name not in _SHAPES:
        raise ValueError(f"no hand shape {name!r}; there are {', '.join(SHAPES)}")
    return _SHAPES[name]


def mix(a: Pose, b: Pose, t: float) -> Pose:
    """The pose on the way from a (t = 0) to b (t = 1)."""
    return Pose.from_array((1 - t) * a.to_array() + t * b.to_array())


def _jitter(rng, pose: Pose, amount: float) -> Pose:
    a = pose.to_array()
    a[:21] += rng.normal(0, amount, 21) * np.where(np.arange(21) % 4 == 2, 0.5, 1.0)  # abductions move less
    a[5:21:4] += rng.normal(0, amount)  # the hand opens and closes as a whole
    return Pose.from_array(a)


def _free(rng) -> Pose:
    """A pose within limits: fingers flex alike, outer joints follow the middle ones."""
    mean_curl = rng.beta(0.8, 1.0)
    a = np.zeros(23)
    a[0], a[1] = rng.uniform(0, 62), rng.uniform(0, 55)
    a[2] = np.clip(55 + 1.1 * a[1] + rng.normal(0, 12), *LIMITS[2])
    a[3], a[4] = rng.uniform(-5, 45), rng.uniform(-15, 65)
    spread = rng.uniform(0.2, 1.6)
    for f in range(4):
        curl = np.clip(mean_curl + rng.normal(0, 0.22), 0, 1) if rng.random() < 0.75 else rng.random()
        mcp = np.clip(curl + rng.normal(0, 0.2), 0, 1)
        pip = np.clip(curl + rng.normal(0, 0.2), 0, 1)
        a[5 + 4 * f] = -12 + 95 * mcp
        a[6 + 4 * f] = (9, 1, -6, -15)[f] * spread * (1 - 0.7 * mcp) + rng.normal(0, 2.5)
        a[7 + 4 * f] = 105 * pip
        a[8 + 4 * f] = 2 / 3 * a[7 + 4 * f] * rng.uniform(0.75, 1.1)
    return Pose.from_array(a)


def random_pose(
    rng: np.random.Generator, identity: Identity | None = None, *, variety: float = 1.0, allowed: float = 3.5
) -> tuple[Pose, str]:
    """A pose and the name of its shape ("random" where it has none).

    With variety 1, two in five are a named shape with jitter, one in three lies on the way between two shapes
    or between a shape and a free pose, the rest are free; with variety 0 all are named shapes, held straighter.
    Poses whose parts overlap by more than ``allowed`` mm are drawn again, six times at most; then the best is
    opened step by step until it is clear. With an infinite ``allowed`` nothing is tested.
    """
    best, least, name = Pose(), np.inf, "random"
    kind = rng.choice(3, p=[1 - 0.58 * variety, 0.33 * variety, 0.25 * variety])
    first, second = rng.choice(len(SHAPES), 2)
    for _ in range(6):
        if kind == 0:
            pose, label = _jitter(rng, _SHAPES[SHAPES[first]], 3.0 + 2.0 * variety), SHAPES[first]
        elif kind == 1:
            other = _SHAPES[SHAPES[second]] if rng.random() < 0.6 else _free(rng)
            pose, label = _jitter(rng, mix(_SHAPES[SHAPES[first]], other, rng.uniform(0.2, 0.8)), 4.0), "random"
        else:
            pose, label = _free(rng), "random"
        wrist = (float(rng.normal(0, 6 + 12 * variety)), float(rng.normal(0, 4 + 5 * variety)))
        pose = pose.moved(wrist=wrist).clipped()
        depth = penetration(pose, identity) if np.isfinite(allowed) else 0.0
        if depth < least:
            best, least, name = pose, depth, label
        if least <= allowed:
            return best, name
    # Towards the shape itself, which is clear or nearly so, then towards the open hand, which always is.
    way = [Pose()] if name == "random" else [_SHAPES[name], Pose()]
    for goal in way:
        for t in (0.2, 0.4, 0.6, 0.8, 1.0):
            opened = mix(best, goal.moved(wrist=best.wrist), t).clipped()
            if penetration(opened, identity) <= allowed:
                return opened, name if goal is not way[-1] or t < 0.5 else "random"
    return opened, "random"
