"""The German finger alphabet as a data set: every person shows all 30 letters that are held still."""

from dataclasses import replace

import numpy as np

from handpose.data.sample import Sample
from handpose.data.synthetic import SPLITS, _behind, _compose, _sample, _source, random_light
from handpose.data.synthetic.alphabet import view
from handpose.data.synthetic.anatomy import Pose, random_identity
from handpose.data.synthetic.effects import camera_effects
from handpose.data.synthetic.render import draw
from handpose.data.synthetic.shapes import shape
from handpose.gesturenet import GERMAN_ALPHABET

SLOPPY = 5.0  # degrees, standard deviation of every joint angle around the letter's own
ASIDE = (12.0, 9.0, 9.0)  # degrees, standard deviations of yaw, tilt and roll around the letter's own view


class RenderedAlphabet:
    """`Sample`s with `shape` (the letter) and `group` (the person), person after person, letter after letter.

    A letter is what the hand does *and* where it points: G and D are one shape in two directions. So each is seen as
    the person that it is shown to would see it, give or take some degrees.

    Args:
        persons: how many; person k of a split is the same whatever their number.
        split: "train", "val" or "test", which share no person.
        size: side of the pictures in pixels.
        seed: any whole number from 0.

    Raises:
        ValueError: no person, a negative seed, or an unknown split.
    """

    def __init__(self, persons: int, split: str = "train", *, size: int = 192, seed: int = 0) -> None:
        if split not in SPLITS:
            raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
        if persons < 1 or seed < 0:
            raise ValueError(f"persons must be at least 1 and seed not negative, got {persons} and {seed}")
        self.persons, self.split, self.size, self.seed = persons, split, size, seed

    def __len__(self) -> int:
        return self.persons * len(GERMAN_ALPHABET)

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < len(self):
            raise IndexError(f"index {index} is not in 0..{len(self) - 1}")
        person, letter = divmod(int(index), len(GERMAN_ALPHABET))
        name = GERMAN_ALPHABET[letter]
        # 7 sets these draws apart from those of SyntheticHands, which has the same seed and splits.
        identity = random_identity(np.random.default_rng([self.seed, SPLITS[self.split], person, 7]))
        rng = np.random.default_rng([self.seed, SPLITS[self.split], person, 7, letter])
        angles = shape(name).to_array()
        pose = Pose.from_array(angles + rng.normal(0, SLOPPY, angles.shape)).clipped()
        usual, off = view(name), rng.normal(0, ASIDE)
        side = -1 if identity.hand == "left" else 1  # a left hand shows the mirror image
        yaw, tilt, roll = np.add((side * usual.yaw, usual.tilt, side * usual.roll), off).tolist()
        distance, fill = float(rng.uniform(400, 900)), float(rng.uniform(0.6, 0.85))
        camera = replace(usual, yaw=yaw, tilt=tilt, roll=roll, distance=distance, fill=fill)
        drawing = draw(pose, identity, camera, random_light(rng), self.size)
        behind = _behind(_source("clutter"), rng, self.size)
        image = camera_effects(rng, _compose(drawing.colour, drawing.alpha, behind, 1.0))
        return _sample(
            drawing, image, drawing.alpha, identity.hand, group=f"person-{self.split}-{person}",
            id=f"{name}-{self.split}-{self.seed}-{person}", shape=name,
        )  # fmt: skip
