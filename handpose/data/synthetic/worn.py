"""What lies on the skin: sleeve, ring, bracelet or watch, and the hair of arm and back."""

import numpy as np

from handpose.data.synthetic.anatomy import REST_FRAMES, Identity, rest_joints


def wear(
    albedo: np.ndarray, gloss: np.ndarray, rest: np.ndarray, volar: np.ndarray, noise: np.ndarray, person: Identity
):
    """Paint over the skin's colour and gloss, in place.

    Args:
        albedo: (P, 3) float32, linear RGB.
        gloss: (P,) float32.
        rest: (P, 3) float32 mm: points of the rest pose.
        volar: (P,): from -1, the back, to 1, the palm's side.
        noise: (P, 3): the skin's noise at these points, fine to coarse.
    """
    y = rest[:, 1]
    if person.hair > 0.05:
        some = np.flatnonzero((y < 70) & (volar < 0.4))
        x, along = rest[some, 0] + 0.4 * rest[some, 2], y[some]
        # Thin strokes that lean outwards: waves of a few lengths that seldom meet at their crests.
        phase = 0.5 * noise[some, 2] + 0.3 * noise[some, 1]
        strand = np.sin(2.6 * x + 0.5 * along + 2 * phase) * np.sin(0.9 * x - 0.33 * along + 4 * phase)
        thick = np.clip((25 - along) / 60, 0.05, 1) * np.clip(0.9 - volar[some], 0, 1)
        dark = np.float32(0.42 * min(person.hair, 1.0)) * thick * np.clip(1.6 * strand - 0.45, 0, 1)
        albedo[some] *= (1 - dark)[:, None]
    if person.ring is not None:
        finger, start, wide, metal = person.ring
        foot, frame = rest_joints()[4 * finger + 1], REST_FRAMES[finger]
        along = (rest @ frame[:, 1].astype(np.float32)) - np.float32(foot @ frame[:, 1] + start)
        across = (rest @ frame[:, 0].astype(np.float32)) - np.float32(foot @ frame[:, 0])
        on = np.flatnonzero((np.abs(along) < 0.5 * wide) & (np.abs(across) < 12.5))
        edge = 1 - (2 * along[on] / wide) ** 2
        albedo[on] = np.array(metal, np.float32) ** 2.2 * (0.35 + 0.75 * edge)[:, None]
        gloss[on] = 4.0
    if person.band is not None:
        start, wide, tone = person.band
        on = np.flatnonzero((y < -start) & (y > -start - wide))
        edge = 1 - (2 * (y[on] + start + 0.5 * wide) / wide) ** 4
        albedo[on] = np.array(tone, np.float32) ** 2.2 * (0.4 + 0.6 * edge + 0.05 * noise[on, 0])[:, None]
        gloss[on] = 1.5
        if wide > 14:  # a watch: rim and dial on the back of the wrist
            off = np.hypot(rest[:, 0], y + np.float32(start + 0.5 * wide)) / np.float32(0.62 * wide + 5)
            on = np.flatnonzero((off < 1) & (volar < 0))
            dial = np.float32(0.75 if sum(tone) < 1 and person.grain % 2 else 0.03)
            albedo[on] = np.where(off[on] < 0.82, dial, 0.45)[:, None]
            gloss[on] = 3.0
    if person.sleeve is not None:
        cloth = (y < -person.sleeve).astype(np.float32)
        hem = np.exp(-(((y + np.float32(person.sleeve + 12)) / 0.8) ** 2))
        weave = np.array(person.cloth, np.float32) ** 2.2 * (1 + 0.06 * noise[:, :1] - 0.3 * hem[:, None])
        albedo += cloth[:, None] * (weave - albedo)
        gloss *= 1 - 0.9 * cloth
