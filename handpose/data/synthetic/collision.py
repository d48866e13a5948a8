"""Do fingers run into each other or into the palm? Spheres strung along the bones, compared pairwise."""

import numpy as np

from handpose.data.synthetic.anatomy import RADII, Identity, Pose, joints

# Spheres at these parts of every bone; the last bone's end is included.
_STEPS = np.array([0.0, 0.25, 0.5, 0.75])


def _spheres(points: np.ndarray, thickness: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    chains = points[1:].reshape(5, 4, 3)
    radii = RADII * thickness[:5, None]
    mix = (chains[:, :3, None] + _STEPS[:, None] * (chains[:, 1:] - chains[:, :3])[:, :, None]).reshape(5, 12, 3)
    size = (radii[:, :3, None] + _STEPS * (radii[:, 1:] - radii[:, :3])[:, :, None]).reshape(5, 12)
    fingers = np.concatenate([mix, chains[:, 3:]], 1)
    size = np.concatenate([size, radii[:, 3:]], 1)
    # The palm: six spheres along each finger's metacarpal.
    part = np.linspace(0.2, 0.95, 6)
    palm = (points[0] + part[:, None] * (chains[1:, :1] - points[0])).reshape(24, 3)
    return np.concatenate([fingers.reshape(65, 3), palm]), np.concatenate(
        [size.ravel(), np.full(24, 11.0 * thickness[5])]
    )


def _pairs() -> np.ndarray:
    part = np.concatenate([np.repeat(np.arange(5), 13), np.full(24, 5)])
    step = np.concatenate([np.tile(np.arange(13), 5), np.zeros(24, int)])
    a, b = np.meshgrid(np.arange(89), np.arange(89), indexing="ij")
    test = (part[a] < part[b]) & (part[b] >= 0)
    # Bases are one flesh: neighbouring fingers may touch below the web, the proximal bones may touch the palm.
    neighbours = (part[b] - part[a] == 1) & (part[a] >= 1) & (part[b] < 5) & (step[a] < 3) & (step[b] < 3)
    rooted = (part[b] == 5) & (step[a] < np.where(part[a] == 0, 7, 5))
    thenar = (part[a] == 0) & (step[a] < 5)
    return np.stack([a, b])[:, test & ~neighbours & ~rooted & ~thenar]


_A, _B = _pairs()


def penetration(pose: Pose, identity: Identity | None = None) -> float:
    """The deepest overlap of two parts of the hand in mm; 0 when nothing touches."""
    thickness = np.ones(6) if identity is None else identity.thickness
    size = 1.0 if identity is None else identity.size
    centres, radii = _spheres(joints(pose, identity) / size, thickness)
    apart = centres[_A] - centres[_B]
    gap = np.sqrt(np.einsum("ni,ni->n", apart, apart)) - radii[_A] - radii[_B]
    return float(max(0.0, -gap.min()) * size)
