"""Bones, joint limits and forward kinematics of one hand, in millimetres and degrees.

The hand's own frame, for a right hand: origin at the wrist, +y along the middle finger, +z out of
the palm, +x to the thumb's side. A left hand is the mirror image, made at the very end by x -> -x.

Bone lengths are round numbers near the means of Buryanov and Kotiuk (2010), "Proportions of hand segments", most of
them a little longer.
Joint limits and the coupling DIP = 2/3 PIP follow Lin, Wu and Huang (2000), "Modeling the
constraints of human hand motion", rounded; the thumb's are rounded from the clinical literature.
"""

from dataclasses import dataclass, field, replace

import numpy as np

FINGERS = ("thumb", "index", "middle", "ring", "little")

#: What the numbers of a pose mean, in degrees. A finger's flexion is positive into the palm, its
#: abduction positive to the thumb's side and 0 when it is parallel to the hand's y axis. The thumb's
#: metacarpal points along +y at radial = palmar = 0; radial turns it away from the index finger in the
#: palm's plane, palmar lifts it out of that plane, pronation turns the pad from the palm's direction
#: (0) over the little finger's side (90) to the fingers' pads (about 140).
ANGLES = (
    tuple(f"thumb {a}" for a in ("radial", "palmar", "pronation", "MCP flexion", "IP flexion"))
    + tuple(f"{f} {a}" for f in FINGERS[1:] for a in ("MCP flexion", "MCP abduction", "PIP flexion", "DIP flexion"))
    + ("wrist flexion", "wrist deviation")
)

#: (23, 2) degrees: the range of every angle in ANGLES.
LIMITS = np.array(
    [(-10, 70), (-5, 65), (20, 150), (-10, 60), (-20, 80)]
    + [(-20, 90), (-15, 28), (0, 110), (0, 75)]
    + [(-20, 90), (-16, 16), (0, 110), (0, 75)]
    + [(-20, 90), (-24, 12), (0, 110), (0, 75)]
    + [(-20, 90), (-36, 12), (0, 110), (0, 75)]
    + [(-60, 60), (-25, 20)],
    np.float64,
)

# Angles of the pose in which the surface is made: straight fingers, well apart, so that they do not merge.
REST_ABDUCTION = np.array([14.0, 2.0, -9.0, -22.0])
REST_THUMB = (42.0, 28.0, 75.0)

# The joint each chain starts from (thumb CMC, finger MCPs), and the lengths of the three bones beyond.
# The last length ends at the tip label, about 5 mm short of the very end of the flesh.
CHAIN_START = np.array([[21, 19, 9], [23, 92, 1], [1, 94, -2], [-19, 87, -1], [-37, 76, 3]], np.float64)
BONE_LENGTHS = np.array([[45, 33, 25], [42, 25, 20], [46, 28, 21], [43, 27, 21], [34, 20, 19]], np.float64)

#: (5, 4) mm: half thickness of each chain at its four joints.
RADII = np.array(
    [[14.0, 11.5, 9.6, 7.6], [11.5, 9.1, 7.9, 6.3], [11.5, 9.3, 8.1, 6.5], [11.0, 8.7, 7.6, 6.1], [10.5, 7.7, 6.6, 5.4]]
)


@dataclass(frozen=True)
class Pose:
    """23 joint angles in degrees (Chapter 15); see ANGLES for their meaning and LIMITS for their ranges."""

    thumb: tuple = (42.0, 18.0, 60.0, 5.0, 5.0)  # radial, palmar, pronation, MCP flexion, IP flexion
    index: tuple = (5.0, 7.0, 8.0, 5.0)  # MCP flexion, MCP abduction, PIP flexion, DIP flexion
    middle: tuple = (3.0, 1.0, 8.0, 5.0)
    ring: tuple = (4.0, -6.0, 8.0, 5.0)
    little: tuple = (6.0, -15.0, 8.0, 5.0)
    wrist: tuple = (0.0, 0.0)  # flexion (to the palm), deviation (to the thumb's side)

    def to_array(self) -> np.ndarray:
        """(23,) float64 degrees, in the order of ANGLES."""
        return np.concatenate([self.thumb, self.index, self.middle, self.ring, self.little, self.wrist]).astype(float)

    @classmethod
    def from_array(cls, angles) -> "Pose":
        """The pose of (23,) angles; raises ValueError for another shape."""
        a = np.asarray(angles, float)
        if a.shape != (23,):
            raise ValueError(f"a pose has 23 angles (see ANGLES), got an array of shape {a.shape}")
        cut = [tuple(part.tolist()) for part in np.split(a, [5, 9, 13, 17, 21])]
        return cls(*cut)

    def clipped(self) -> "Pose":
        """The nearest pose within LIMITS whose fingers abduct less the more they are flexed."""
        a = np.clip(self.to_array(), LIMITS[:, 0], LIMITS[:, 1])
        for f in range(4):  # the collateral ligaments tighten: hardly any abduction is left at 90 degrees
            room = 1 - 0.75 * np.clip(a[5 + 4 * f] / 90, 0, 1)
            a[6 + 4 * f] = np.clip(a[6 + 4 * f], LIMITS[6 + 4 * f, 0] * room, LIMITS[6 + 4 * f, 1] * room)
        return Pose.from_array(a)

    def moved(self, **angles) -> "Pose":
        """The same pose with whole parts replaced, e.g. ``pose.moved(index=(0, 5, 0, 0))``."""
        return replace(self, **angles)


@dataclass(frozen=True)
class Identity:
    """One person's hand: sizes relative to the mean hand, skin and sleeve (Chapter 15)."""

    hand: str = "right"
    size: float = 1.0  # all lengths
    palm: tuple = (1.0, 1.0)  # width, length
    lengths: np.ndarray = field(default_factory=lambda: np.ones((5, 3)))  # every bone beyond the chain's start
    thickness: np.ndarray = field(default_factory=lambda: np.ones(6))  # the five fingers, then palm and arm
    skin: float = 0.35  # 0 palest, 1 darkest
    redness: float = 0.5  # 0..1
    creases: float = 0.7  # 0..1
    nail: tuple | None = None  # RGB in 0..1 of nail varnish; None: bare
    sleeve: float | None = None  # mm from wrist to cuff; None: bare arm
    cloth: tuple = (0.25, 0.3, 0.42)  # RGB in 0..1
    ring: tuple | None = None  # finger 1 to 4 (index to little), mm from its MCP joint, width in mm, RGB in 0..1
    band: tuple | None = None  # mm from wrist to bracelet or watch, width in mm (a watch above 14), RGB in 0..1
    hair: float = 0.0  # 0..1, on arm and back of the hand
    elbow: tuple = (0.0, 0.0)  # degrees the upper arm turns about x and z at the elbow
    grain: int = 0  # where in the noise the skin's texture is cut from

    def __post_init__(self):
        if self.hand not in ("left", "right"):
            raise ValueError(f"hand must be 'left' or 'right', got {self.hand!r}")


def random_identity(rng: np.random.Generator) -> Identity:
    """A person drawn at random: adult hands mostly, some small as a child's; all skin tones alike often."""
    thick = rng.normal(1, 0.08)
    varnish = tuple(rng.uniform(0.02, 0.9, 3) * (1, 0.5, 0.6)) if rng.random() < 0.08 else None
    return Identity(
        hand="right" if rng.random() < 0.5 else "left",
        size=float(np.clip(rng.normal(0.97, 0.08), 0.7, 1.15)),
        palm=tuple(np.clip(rng.normal(1, (0.06, 0.05)), 0.86, 1.15)),
        lengths=np.clip(rng.normal(1, 0.05) * rng.normal(1, 0.035, (5, 3)), 0.84, 1.18),
        thickness=np.clip(thick + rng.normal(0, 0.03, 6), 0.82, 1.22),
        skin=float(np.clip(rng.beta(1.1, 1.3), 0, 1)),
        redness=float(rng.random()),
        creases=float(rng.uniform(0.25, 1)),
        nail=varnish,
        sleeve=None
        if rng.random() < 0.45
        else float(rng.uniform(12, 70) if rng.random() < 0.7 else rng.uniform(70, 240)),
        cloth=tuple(cloth_colour(rng)),
        elbow=(float(rng.uniform(-20, 50)), float(rng.uniform(-45, 45))),
        grain=int(rng.integers(1 << 16)),
        **_worn(rng),
    )


def cloth_colour(rng: np.random.Generator) -> np.ndarray:
    """(3,) RGB in 0..1: greys, blacks and whites as often as colours."""
    value = rng.beta(1.0, 1.3) * 0.9 + 0.03
    return np.clip(value * (1 + rng.normal(0, rng.choice([0.03, 0.3, 0.6]), 3)), 0.02, 0.95)


_METALS = np.array([(0.83, 0.66, 0.36), (0.78, 0.77, 0.75), (0.72, 0.52, 0.42), (0.10, 0.10, 0.11)])
_STRAPS = np.array([(0.05, 0.05, 0.06), (0.28, 0.17, 0.10), (0.62, 0.61, 0.6), (0.12, 0.16, 0.3), (0.85, 0.82, 0.78)])


def _worn(rng: np.random.Generator) -> dict:
    """Ring, band and hair of an `Identity`, drawn at random: one hand in five has a ring, one in seven a band."""
    ring = band = None
    if rng.random() < 0.2:
        metal = tuple(_METALS[rng.integers(len(_METALS))].tolist())
        ring = (int(rng.choice([1, 2, 3, 3, 3, 4])), float(rng.uniform(12, 24)), float(rng.uniform(1.8, 4.5)), metal)
    if rng.random() < 0.14:
        tone = _STRAPS[rng.integers(len(_STRAPS))] if rng.random() < 0.7 else rng.random(3)
        band = (float(rng.uniform(14, 40)), float(rng.uniform(3, 24)), tuple(np.asarray(tone).tolist()))
    return dict(ring=ring, band=band, hair=float(max(0.0, rng.normal(0.1, 0.35))))


def _turn(axis: int, degrees: float) -> np.ndarray:
    """(3, 3): the rotation about axis 0, 1 or 2."""
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    turn, u, v = np.eye(3), (axis + 1) % 3, (axis + 2) % 3
    turn[u, u] = turn[v, v] = cos
    turn[u, v], turn[v, u] = -sin, sin
    return turn


def _frames(thumb, abduction, flexion) -> np.ndarray:
    """(5, 3, 3): the orientation of each chain's first bone: y along the bone, z out of its pad's side."""
    radial, palmar, pronation = thumb
    first = _turn(2, -radial) @ _turn(0, palmar) @ _turn(1, -pronation)
    return np.stack([first, *(_turn(0, f) @ _turn(2, -a) for a, f in zip(abduction, flexion, strict=True))])


def _rotation_vectors(turns: np.ndarray) -> np.ndarray:
    """(N, 3, 3) rotations by less than 180 degrees -> (N, 3) axis times angle in radians."""
    odd = 0.5 * np.stack(
        [turns[:, 2, 1] - turns[:, 1, 2], turns[:, 0, 2] - turns[:, 2, 0], turns[:, 1, 0] - turns[:, 0, 1]], 1
    )
    sin = np.sqrt((odd * odd).sum(1))
    angle = np.arctan2(sin, 0.5 * (np.trace(turns, axis1=1, axis2=2) - 1))
    return odd * (angle / np.maximum(sin, 1e-12))[:, None]


REST_FRAMES = _frames(REST_THUMB, REST_ABDUCTION, np.zeros(4))


def bends(pose: Pose) -> np.ndarray:
    """How each joint turns away from the rest pose.

    Returns:
        (5, 3, 3) float64: for each chain and each of its three joints, base first, a rotation vector
        in radians, in the hand's frame of the rest pose. Joints are to be turned from the tip inwards.
    """
    a = pose.to_array()
    fingers = a[5:21].reshape(4, 4)
    out = np.zeros((5, 3, 3))
    out[:, 0] = _rotation_vectors(_frames(a[:3], fingers[:, 1], fingers[:, 0]) @ REST_FRAMES.transpose(0, 2, 1))
    outer = np.concatenate([a[None, 3:5], fingers[:, 2:]])
    out[:, 1:] = np.deg2rad(outer)[:, :, None] * REST_FRAMES[:, None, :, 0]
    return out


def rest_joints(identity: Identity | None = None) -> np.ndarray:
    """(21, 3) float64 mm: the joints in the rest pose, before the identity's overall size is applied."""
    start, lengths = CHAIN_START.copy(), BONE_LENGTHS
    if identity is not None:
        start[:, 0] *= identity.palm[0]
        start[:, 1] *= identity.palm[1]
        lengths = lengths * identity.lengths
    along = np.concatenate([np.zeros((5, 1)), np.cumsum(lengths, 1)], 1)
    chains = start[:, None] + along[..., None] * REST_FRAMES[:, None, :, 1]
    return np.concatenate([np.zeros((1, 3)), chains.reshape(20, 3)])


def rotate(points: np.ndarray, centre: np.ndarray, vector: np.ndarray, part: np.ndarray | float = 1.0) -> np.ndarray:
    """Turn (N, 3) points about a centre by ``part`` (a number or (N,)) of a rotation vector (Rodrigues' formula)."""
    angle = np.sqrt(vector @ vector)
    x, y, z = vector / max(angle, 1e-9)
    p = points - centre
    turn = np.asarray(part * angle)[..., None]
    across = p @ np.array([[0, z, -y], [-z, 0, x], [y, -x, 0]])  # axis x p
    along = np.outer(p @ (x, y, z), (x, y, z))
    return centre + along + (p - along) * np.cos(turn) + across * np.sin(turn)


def joints(pose: Pose, identity: Identity | None = None) -> np.ndarray:
    """Forward kinematics: (21, 3) float64 mm in the hand's frame, for a right hand."""
    out = rest_joints(identity)
    turn = bends(pose)
    for c in range(5):
        chain = slice(4 * c + 1, 4 * c + 5)
        points = out[chain]
        for k in (2, 1, 0):
            points[k + 1 :] = rotate(points[k + 1 :], points[k], turn[c, k])
        out[chain] = points
    return out * (1.0 if identity is None else identity.size)
