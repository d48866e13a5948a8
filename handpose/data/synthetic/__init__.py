"""A rendered hand: an endless, exactly labelled data set that needs no download.

``SyntheticHands(seed, split)[i]`` is one labelled picture; ``render("open")`` draws a chosen hand.
Chapter 15 takes the drawing apart.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from handpose.data.sample import Sample
from handpose.data.synthetic import background as backgrounds
from handpose.data.synthetic.alphabet import VIEWS
from handpose.data.synthetic.anatomy import ANGLES, LIMITS, Identity, Pose, joints, random_identity
from handpose.data.synthetic.camera import Camera
from handpose.data.synthetic.effects import camera_effects, ground_shadow, motion
from handpose.data.synthetic.render import Drawing, Light, draw
from handpose.data.synthetic.shapes import SHAPES, mix, random_pose, shape
from handpose.gesturenet import GERMAN_ALPHABET
from handpose.skeleton import tight_box

__all__ = [
    "ANGLES", "GERMAN_ALPHABET", "LIMITS", "SHAPES", "Camera", "Identity", "Light", "Pose", "SyntheticHands",
    "joints", "mix", "random_camera", "random_identity", "random_light", "random_pose", "render", "shape",
]  # fmt: skip

SPLITS = {"train": 0, "val": 1, "test": 2}
Background = str | Path | np.ndarray | Callable[[np.random.Generator, int], np.ndarray]


def random_camera(rng: np.random.Generator, variety: float = 1.0, name: str = "") -> Camera:
    """A view of the hand, mostly of palm or back with the fingers up, as a webcam sees it.

    Args:
        variety: 0 keeps close to that view; at 1 it wanders, and one in four looks from anywhere. Above a half, two
            in five hands hang down.
        name: of the hand shape; letters that are held sideways or down are seen so half of the time, and one
            other hand in eight points to a side.
    """
    if rng.random() >= 0.25 * variety:
        yaw = rng.normal(0, 10 + 22 * variety)
        tilt, roll = rng.normal(0, 8 + 16 * variety), rng.normal(0, 14 + 18 * variety)
        if name in VIEWS and rng.random() < 0.5:
            yaw, tilt, roll = np.add((yaw, tilt, roll), VIEWS[name])
        else:
            yaw += 180 if rng.random() < 0.42 else 0
            roll += rng.choice([-90, 90]) if rng.random() < 0.12 else 0
        if variety > 0.5:
            roll += 180 if rng.random() < 0.4 else 0
    else:
        yaw, roll = rng.uniform(-180, 180, 2)
        tilt = np.rad2deg(np.arcsin(rng.uniform(-1, 1)))
    fill = rng.uniform(0.55 - 0.25 * variety, 0.86)
    slack = 0.5 * max(0.0, 0.94 - fill)
    centre = 0.5 + np.clip(rng.normal(0, 0.5, 2), -1, 1) * slack
    if rng.random() < 0.06 * variety:  # some fingers leave the picture
        centre = centre + rng.normal(0, 0.16, 2)
    distance = float(np.exp(rng.uniform(np.log(280), np.log(1500))))
    return Camera(float(yaw), float(tilt), float(roll), distance, float(fill), tuple(centre))


def random_light(rng: np.random.Generator) -> Light:
    """Mostly from above or from the camera's side, hard or soft, warm or cool."""
    direction = np.array([rng.normal(0, 0.7), -abs(rng.normal(0.5, 0.5)), -abs(rng.normal(0.6, 0.4)) + 0.15])
    warmth = rng.normal(0, 0.09)
    ambient = rng.uniform(0.12, 0.8)
    return Light(
        direction=tuple(direction / np.linalg.norm(direction)),
        colour=(1 + warmth, 1.0, 1 - 1.2 * warmth),
        strength=float(np.clip(1.15 - 0.75 * ambient + rng.normal(0, 0.12), 0.15, 1.6)),
        ambient=float(ambient),
        above=tuple(1 + rng.normal(0, 0.05, 3)),
        below=tuple(rng.uniform(0.5, 1.0) * (1 + rng.normal(0, 0.07, 3))),
        shine=float(rng.uniform(0.1, 1.0)),
    )


def _source(background: Background) -> np.ndarray | Callable:
    """The background as a picture or a function; raises ValueError for a name that is neither known nor a folder."""
    if not isinstance(background, str | Path):
        return background
    known = {"clutter": backgrounds.clutter, "plain": backgrounds.plain}
    if isinstance(background, str) and background in known:
        return known[background]
    if not Path(background).is_dir():
        raise ValueError(
            "background must be 'clutter', 'plain', a folder of pictures, a picture or a function; "
            f"there is no folder {str(background)!r}"
        )
    return backgrounds.Folder(background)


def _behind(background: Background, rng: np.random.Generator, size: int) -> np.ndarray:
    """The background as (size, size, 3) float32 sRGB in 0..1."""
    image = background(rng, size) if callable(background) else background
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"a background picture is (H, W, 3), got shape {image.shape}")
    scale = 255.0 if image.dtype == np.uint8 else 1.0
    if image.shape[:2] != (size, size):
        image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    return image.astype(np.float32) / scale


def _sample(drawing: Drawing, image: np.ndarray, alpha: np.ndarray, hand: str, **names) -> Sample:
    size = len(image)
    keypoints = drawing.keypoints.astype(np.float32)
    visible = np.all((keypoints >= -0.5) & (keypoints <= size - 0.5), axis=1)
    # Alpha below a half counts as nothing: what remains at the rim is mostly the hand's own colour.
    mask = (np.clip(2 * alpha - 1, 0, 1) * 255 + 0.5).astype(np.uint8)
    return Sample(
        image=image, keypoints=keypoints, visible=visible, box=tight_box(keypoints, visible), hand=hand,
        occluded=drawing.occluded, keypoints3d=drawing.keypoints3d.astype(np.float32), mask=mask,
        camera=drawing.camera.astype(np.float32), **names,
    )  # fmt: skip


def _compose(colour: np.ndarray, alpha: np.ndarray, behind: np.ndarray, exposure: float) -> np.ndarray:
    """Hand (linear, times alpha) over background (sRGB): (H, W, 3) float32 sRGB."""
    hand = alpha > 0
    part = alpha[hand][:, None]
    own = np.maximum(colour[hand] / part, 0) * np.float32(exposure)
    own = (own / (1 + 0.18 * own)) ** np.float32(1 / 2.2)  # a film's gentle shoulder
    image = behind.copy()
    image[hand] += part * (own - image[hand])
    return image


def render(
    pose: Pose | str = "open",
    *,
    identity: Identity | None = None,
    camera: Camera | None = None,
    light: Light | None = None,
    background: Background = "plain",
    size: int = 256,
    seed: int = 0,
) -> Sample:
    """Draw one chosen hand, clean: no blur, noise or compression.

    Args:
        pose: a `Pose` (23 angles in degrees) or the name of a shape in `SHAPES`.
        identity: the person; the mean right hand when None.
        camera: the view; the palm from 600 mm, fingers up, when None.
        light: the light; a lamp from above left when None.
        background: "plain", "clutter", the path of a folder of pictures, an (H, W, 3) picture (uint8, or float
            in 0..1), or a function of (generator, size) that returns one.
        size: side of the picture in pixels, at least 16.
        seed: of the background.

    Returns:
        a Sample with every label; its ``shape`` is the name, or "pose" for a given Pose.

    Raises:
        ValueError: unknown shape or background, a folder without a readable picture, or a size below 16.
    """
    if size < 16:
        raise ValueError(f"size must be at least 16 pixels, got {size}")
    name = pose if isinstance(pose, str) else "pose"
    identity, camera, light = identity or Identity(), camera or Camera(), light or Light()
    drawing = draw(shape(pose) if isinstance(pose, str) else pose, identity, camera, light, size)
    behind = _behind(_source(background), np.random.default_rng(seed), size)
    image = _compose(drawing.colour, drawing.alpha, behind, 1.0)
    image = (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
    return _sample(drawing, image, drawing.alpha, identity.hand, group="render", id=f"render-{name}-{seed}", shape=name)


class SyntheticHands:
    """An endless set of rendered hands: ``SyntheticHands(seed=0, split="train")[7]`` is a `Sample` (Chapter 15).

    Sample i depends on nothing but (seed, split, size, background, variety, i); train, val and test never share
    a sample. 25 samples in a row form a group; every sample is another person.

    Args:
        seed: any whole number from 0.
        split: "train", "val" or "test".
        size: side of the pictures in pixels, at least 16.
        background: as in `render`; "clutter" by default. Of a folder's pictures, random squares are cut.
        length: when given, ``len()`` works and iteration ends there.
        variety: each hand draws its variety of pose and view between these two, 0 (a named shape held up to the
            camera) to 1 (any pose from anywhere).

    Raises:
        ValueError: another split, a negative seed, a size below 16, a variety outside 0 to 1, an unknown background
            or a folder without a readable picture.
    """

    def __init__(
        self,
        seed: int = 0,
        split: str = "train",
        size: int = 256,
        *,
        background: Background = "clutter",
        length: int | None = None,
        variety: tuple[float, float] = (0.0, 0.5),
    ):
        if split not in SPLITS:
            raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
        if seed < 0 or size < 16:
            raise ValueError(f"seed must not be negative and size at least 16, got seed={seed}, size={size}")
        if not 0 <= variety[0] <= variety[1] <= 1:
            raise ValueError(f"variety is two numbers from 0 to 1, the lower first, got {variety}")
        self.seed, self.split, self.size, self.background, self.length = int(seed), split, int(size), background, length
        self.variety = (float(variety[0]), float(variety[1]))
        self._source = _source(background)

    @property
    def cache_key(self) -> str:
        """Names these very pictures: it changes with every argument and with the code that draws them."""
        named = self._source if isinstance(self._source, backgrounds.Folder) else self.background
        digest = hashlib.sha256(f"{self.seed} {self.split} {self.size} {named} {self.length} {self.variety}".encode())
        if isinstance(named, np.ndarray):  # its text is cut short
            digest.update(np.ascontiguousarray(named).data)
        for file in sorted(Path(__file__).parent.glob("*.py")):
            digest.update(file.read_bytes())
        return digest.hexdigest()[:16]

    def __len__(self) -> int:
        if self.length is None:
            raise TypeError("SyntheticHands is endless; give it length=N to have a len()")
        return self.length

    def __getitem__(self, index: int) -> Sample:
        index = int(index)
        if index < 0 or (self.length is not None and index >= self.length):
            raise IndexError(f"index {index} is not in 0..{'' if self.length is None else self.length - 1}")
        rng = np.random.default_rng([self.seed, SPLITS[self.split], index])
        identity = random_identity(rng)
        variety = rng.uniform(*self.variety)
        pose, name = random_pose(rng, identity, variety=variety)
        camera, light = random_camera(rng, variety, name), random_light(rng)
        drawing = draw(pose, identity, camera, light, self.size)
        layers = np.dstack([drawing.colour, drawing.alpha])
        if rng.random() < 0.2:
            layers = motion(rng, layers, 0.035 * self.size)
        behind = _behind(self._source, rng, self.size)
        if rng.random() < 0.35:
            behind = ground_shadow(rng, behind, layers[..., 3], light.direction)
        # A camera meters what it sees: dark skin comes out a little lighter, pale skin a little darker.
        mean = layers[..., :3].sum() / max(3 * layers[..., 3].sum(), 1e-6)
        exposure = float((0.28 / max(mean, 0.01)) ** 0.4 * np.exp(rng.normal(0, 0.22)))
        image = camera_effects(rng, _compose(layers[..., :3], layers[..., 3], behind, exposure))
        return _sample(
            drawing, image, layers[..., 3], identity.hand,
            group=f"synthetic-{self.split}-{index // 25}", id=f"{self.split}-{self.seed}-{index:06d}", shape=name,
        )  # fmt: skip
