"""The skin: an implicit surface around the rest pose, meshed once, and bent with the joints.

The surface is where a field of smoothly blended round cones is zero; `mesh` makes triangles of it. A
pose bends the mesh joint by joint from the tips inwards; near a joint a vertex turns by a part of the
joint's angle, which keeps the finger's girth where blended matrices would pinch it.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from handpose.data.synthetic.anatomy import RADII, REST_FRAMES, Identity, Pose, bends, rest_joints, rotate
from handpose.data.synthetic.mesh import surface_net

ELBOW = np.array([0.0, -255.0, 0.0])


def round_cone(p: np.ndarray, a, b, ra: float, rb: float) -> np.ndarray:
    """Distance (mm, negative inside) of points (N, 3) to a cone with round ends from a to b."""
    a, axis = np.asarray(a, np.float32), np.asarray(b, np.float32) - np.asarray(a, np.float32)
    t = np.clip((p - a) @ axis / (axis @ axis), 0, 1)
    return np.linalg.norm(p - a - t[:, None] * axis, axis=1) - (ra + t * (rb - ra))


def blend(a: np.ndarray, b: np.ndarray, k: float) -> np.ndarray:
    """The union of two fields, rounded where they meet over about k mm."""
    h = np.maximum(k - np.abs(a - b), 0) / k
    return np.minimum(a, b) - h * h * k / 4


def _finger(p, c, joints):
    """Three bones, and on the palm's side the soft pads between the joints."""
    chain, r, volar = joints[4 * c + 1 : 4 * c + 5], RADII[c], REST_FRAMES[c][:, 2]
    first = 1 if c == 0 else 0
    d = None
    for k in range(first, 3):
        ra = r[k] if k else r[1] + 0.6
        bone = round_cone(p, chain[k], chain[k + 1], ra, r[k + 1])
        mid = 0.5 * (chain[k] + chain[k + 1]) + volar * (0.16 * r[k + 1] + (0.6 if k == 2 else 0))
        half = 0.22 * (chain[k + 1] - chain[k])
        pad = round_cone(p, mid - half, mid + half, 0.5 * (ra + r[k + 1]), 0.5 * (ra + r[k + 1]) - 0.3)
        bone = blend(bone, pad, 4)
        d = bone if d is None else blend(d, bone, 3)
    return d


def hand_field(p: np.ndarray) -> np.ndarray:
    """The field of hand and arm in the rest pose: (N, 3) mm -> (N,) mm, negative inside."""
    p = np.asarray(p, np.float32)
    j = rest_joints()
    d = None
    for c in range(1, 5):  # metacarpals make the palm's slab
        foot = np.array([(9, 4, -10, -16)[c - 1], 14, -1])
        bone = round_cone(p, foot, j[4 * c + 1], 15, 11.8 - 0.5 * (c == 4))
        d = bone if d is None else blend(d, bone, 14)
    assert d is not None
    for a, b, ra, rb in (
        ((14, 12, 7), j[2] - (4, 4, 0), 15, 12),  # thenar
        ((18, 34, 4), (25, 62, 3), 13, 10),  # towards the index finger
        ((-19, 12, 6), (-34, 55, 5), 14, 11.5),  # hypothenar
    ):
        d = blend(d, round_cone(p, a, b, ra, rb), 12)
    thumb_web = round_cone(p, 0.45 * j[1] + 0.55 * j[2], (24, 68, 2), 7, 8)
    d = blend(d, thumb_web, 14)
    arm = None
    for x in (-1, 1):
        for a, b, ra, rb, wa, wb in (
            (14, -30, 16.5, 17.5, 12, 11),
            (-30, -150, 17.5, 29, 11, 14),
            (-150, -255, 29, 32, 14, 11),
            (-255, -330, 32, 40, 11, 8),
            (-330, -585, 40, 46, 8, 8),
        ):
            part = round_cone(p, (x * wa, a, -1), (x * wb, b, -1), ra, rb)
            arm = part if arm is None else blend(arm, part, 10)
    assert arm is not None
    d = blend(d, arm, 12)
    for c in range(1, 4):  # webs: fingers part from each other well beyond their MCP joints
        a = j[4 * c + 1] + 15 * REST_FRAMES[c][:, 1] + (0, 0, 1.0)
        b = j[4 * c + 5] + 15 * REST_FRAMES[c + 1][:, 1] + (0, 0, 1.0)
        d = blend(d, round_cone(p, a, b, 6, 6), 7)
    fingers = None
    for c in range(5):
        f = _finger(p, c, j)
        fingers = f if fingers is None else blend(fingers, f, 1.5)
    assert fingers is not None
    return blend(d, fingers, 7)


@dataclass(frozen=True)
class Skin:
    """The mesh in the rest pose and what bends it. V vertices, T triangles."""

    rest: np.ndarray  # (V, 3) mm
    normals: np.ndarray  # (V, 3)
    faces: np.ndarray  # (T, 3)
    belongs: np.ndarray  # (V, 5): to which chain, sums to at most 1
    share: np.ndarray  # (V, 5, 3): part of each joint's turn that the vertex makes
    along: np.ndarray  # (V, 5, 5): where on the chain (foot, then its four joints); weights that sum to 1
    radial: np.ndarray  # (V, 5, 3) mm: from the chain's axis to the vertex
    arm: np.ndarray  # (V, 2): part of the wrist's and of the elbow's turn
    volar: np.ndarray  # (V,): -1 on the back of hand and fingers to 1 on the palm's side
    members: tuple  # per chain, the vertices that it moves


def smooth(x: np.ndarray) -> np.ndarray:
    """0 below 0, 1 above 1, and an even ramp without corners between."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def _feet() -> np.ndarray:
    """(5, 3): where each chain begins in the wrist's neighbourhood, before its first joint."""
    j = rest_joints()
    return np.stack([(10.0, 6.0, 3.0), *((0.4 * j[4 * c + 1][0], 8.0, 0.0) for c in range(1, 5))])


def _weights(p: np.ndarray, normals: np.ndarray) -> dict:
    j, feet = rest_joints(), _feet()
    distance, share = np.zeros((len(p), 5)), np.zeros((len(p), 5, 3))
    along, radial = np.zeros((len(p), 5, 5)), np.zeros((len(p), 5, 3))
    for c in range(5):
        nodes = np.concatenate([feet[c : c + 1], j[4 * c + 1 : 4 * c + 5]])
        radii = np.concatenate([[13.0], RADII[c]])
        best = np.full(len(p), np.inf)
        for k in range(4):
            axis = nodes[k + 1] - nodes[k]
            t = np.clip((p - nodes[k]) @ axis / (axis @ axis), 0, 1)
            arrow = p - nodes[k] - t[:, None] * axis
            d = np.linalg.norm(arrow, axis=1) - (radii[k] + t * (radii[k + 1] - radii[k]))
            nearer = d < best
            best = np.where(nearer, d, best)
            radial[nearer, c] = arrow[nearer]
            along[nearer, c] = 0
            along[nearer, c, k], along[nearer, c, k + 1] = 1 - t[nearer], t[nearer]
        distance[:, c] = best
        volar = (p - j[4 * c + 1]) @ REST_FRAMES[c][:, 2]
        for k in range(3):
            t = (p - nodes[k + 1]) @ REST_FRAMES[c][:, 1]
            half = 0.95 * RADII[c][k] if k else (17.0 if c == 0 else 13.0)
            if c and not k:  # the palm's pads stay put: the finger folds at its crease, beyond the joint
                t = t - 7 * smooth(volar / 10)
            share[:, c, k] = smooth((t + half) / (2 * half))
    near = np.exp(-(distance - distance.min(1, keepdims=True)) / np.array([4.5, 2.5, 2.5, 2.5, 2.5]))
    belongs = near / near.sum(1, keepdims=True)
    belongs[belongs < 0.02] = 0
    belongs /= belongs.sum(1, keepdims=True)
    facing = np.einsum("vi,ci->vc", normals, REST_FRAMES[:, :, 2])
    below = smooth((10 - p[:, 1]) / 30)  # the arm belongs to no finger
    volar = (1 - below) * (belongs * facing).sum(1) + below * normals[:, 2]
    belongs *= (1 - below)[:, None]
    arm = np.stack([smooth((12 - p[:, 1]) / 34), smooth((-215 - p[:, 1]) / 80)], 1)
    return dict(belongs=belongs, share=share, along=along, radial=radial, arm=arm, volar=volar)


@lru_cache(maxsize=1)
def skin() -> Skin:
    """The one mesh that every hand is bent from; made on first use in about a second, then kept."""
    step = 4.6  # mm; the arm needs less
    axes = [
        np.arange(-80, 112, step),
        np.concatenate(
            [np.arange(-640, -330, 45.0), np.arange(-325, -55, 34), np.arange(-55, -20, 8), np.arange(-20, 222, step)]
        ),
        np.arange(-64, 88, step),
    ]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    vertices, faces = surface_net(hand_field(grid).reshape([len(a) for a in axes]), axes)
    for _ in range(2):  # pull the vertices onto the surface itself, along the field's gradient
        h = 0.5
        slope = np.stack([hand_field(vertices + h * e) - hand_field(vertices - h * e) for e in np.eye(3)], 1) / (2 * h)
        slope /= np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-6)
        vertices = vertices - 0.8 * hand_field(vertices)[:, None] * slope
    parts = _weights(vertices, slope)
    members = tuple(np.flatnonzero((parts["belongs"][:, c] > 0) & (parts["share"][:, c, 0] > 0)) for c in range(5))
    return Skin(vertices, slope, faces, members=members, **parts)


def deform(pose: Pose, identity: Identity) -> np.ndarray:
    """The skin of one person in one pose: (V, 3) float64 mm in the hand's frame, right hand."""
    s = skin()
    old, new = rest_joints(), rest_joints(identity)
    feet = _feet()
    scale = np.array([identity.palm[0], identity.palm[1], 1.0])
    shift = np.concatenate([feet[:, None] * (scale - 1), (new - old)[1:].reshape(5, 4, 3)], 1)
    # First the person: joints move, and flesh moves with the bones that it lies on, then swells or shrinks.
    thick = np.broadcast_to(identity.thickness[:5, None] - 1, (5, 5)).copy()
    thick[:, 0] = identity.thickness[5] - 1
    thick[1:, 1] = 0.5 * (thick[1:, 0] + thick[1:, 1])
    p = s.rest + np.einsum("vc,vcn,cnx->vx", s.belongs, s.along, shift, optimize=True)
    p += np.einsum("vc,vcn,cn,vcx->vx", s.belongs, s.along, thick, s.radial, optimize=True)
    free = 1 - s.belongs.sum(1, keepdims=True)
    p += free * s.rest * (np.array([1, 0, 1]) * (identity.thickness[5] * (0.5 + 0.5 * identity.palm[0]) - 1))
    # Then the pose, tips inwards.
    turn = bends(pose)
    bent = p.copy()
    for c in range(5):
        m = s.members[c]
        q = p[m]
        for k in (2, 1, 0):
            some = s.share[m, c, k] > 0
            q[some] = rotate(q[some], new[4 * c + 1 + k], turn[c, k], s.share[m[some], c, k])
        bent[m] += s.belongs[m, c, None] * (q - p[m])
    below = np.flatnonzero(s.arm[:, 0] > 0)
    q = bent[below]
    elbow = np.deg2rad([identity.elbow[0], 0, identity.elbow[1]])
    q = rotate(q, ELBOW, elbow, s.arm[below, 1])
    flexion, deviation = np.deg2rad(pose.wrist)  # the hand is the fixed part, so the arm turns the other way
    q = rotate(q, np.zeros(3), np.array([-flexion, 0, deviation]), s.arm[below, 0])
    bent[below] = q
    return bent * identity.size
