"""The Stereo Hand Pose benchmark (Zhang et al. 2016): 18,000 pairs of pictures of one left hand, 640x480.

Layout: ``images/B1Counting/BB_left_0.png`` and so on, six backgrounds times {Counting, Random}, 1500 frames each,
with the prefixes BB_left_, BB_right_ (a stereo camera), SK_color_ and SK_depth_ (a depth camera).
``labels/B1Counting_{BB,SK}.mat`` hold ``handPara``, 3 x 21 x 1500: the joints in mm in the frame of the left camera
(BB) or of the depth sensor (SK). There are no labels in pixels; they are projected, with the published constants.

Joint 0 is the centre of the palm, not the wrist. It is kept by default; see `wrist_from_palm`.
"""

import os
from pathlib import Path

import cv2
import numpy as np

from handpose.data.common import DataError, locate, make_sample, read_image
from handpose.data.readers import matlab
from handpose.data.sample import Sample
from handpose.skeleton import STB_ORDER

WIDTH, HEIGHT = 640, 480
LARGEST = 1e6  # mm; what is farther away is no coordinate
SEQUENCES = tuple(f"B{number}{kind}" for number in range(1, 7) for kind in ("Counting", "Random"))

BASELINE = 120.054  # mm from the left to the right camera, along x
STEREO_CAMERA = np.array([[822.79041, 0, 318.47345], [0, 822.79041, 250.31296], [0, 0, 1]])  # of both
COLOUR_CAMERA = np.array([[607.92271, 0, 314.78337], [0, 607.88192, 236.42484], [0, 0, 1]])
# From the colour camera's frame to the depth sensor's: x_depth = R x_colour + t.
DEPTH_ROTATION = cv2.Rodrigues(np.array([0.00531, -0.01196, 0.00301]))[0]
DEPTH_OFFSET = np.array([-24.0381, -0.4563, -1.2326])  # mm

#: What can be looked at, and the label file that goes with it.
VIEWS = {"BB_left": "BB", "BB_right": "BB", "SK_color": "SK"}

#: The usual split tests on the first background. The paper writes only "1500" and "16500 images" of 18,000:
#: we read one sequence and the eleven others, of the left camera.
SPLITS = {
    "train": SEQUENCES[2:],
    "val": SEQUENCES[:2],
    "all": SEQUENCES,
    "paper-train": tuple(name for name in SEQUENCES if name != "B1Random"),
    "paper-val": ("B1Random",),
    "random-train": SEQUENCES,
    "random-val": SEQUENCES,
}
#: "1500 of 18,000" may as well be frames at random. Neighbours in time are then on both sides: an exhibit of that leak.
RANDOM_VAL, RANDOM_ALL, RANDOM_SEED = 1500, 18_000, 0
BLOCK = 50  # frames that count as one group; a sequence is too long to be one, with two of them in "val"

#: Where the wrist is looked for: on the line from these joints' mean through the palm, so many times as far.
WRIST_RULES = {"ring": ((13,), 2.0), "middle": ((9,), 2.2), "mean": ((5, 9, 13, 17), 2.25)}


def wrist_from_palm(keypoints: np.ndarray, rule: str) -> np.ndarray:
    """Joint 0 moved from the palm's centre to about the wrist.

    Args:
        keypoints: (..., 21, 3) mm, canonical order, joint 0 the palm.
        rule: "ring" (from the ring finger's MCP joint, 2.0 times the way to the palm; Zimmermann and Brox 2017),
            "middle" (middle finger's, 2.2) or "mean" (of the four fingers', 2.25; both in later code).

    Returns:
        (..., 21, 3), a copy with another joint 0. The rules differ, and the benchmark itself gives none.

    Raises:
        DataError: an unknown rule.
    """
    if rule not in WRIST_RULES:
        raise DataError(f"no rule {rule!r} from palm to wrist; choose one of {', '.join(WRIST_RULES)}, or None")
    joints, times = WRIST_RULES[rule]
    keypoints = np.array(keypoints, np.float64)
    base = keypoints[..., list(joints), :].mean(-2)
    keypoints[..., 0, :] = base + times * (keypoints[..., 0, :] - base)
    return keypoints


def seen_from(keypoints: np.ndarray, view: str) -> tuple[np.ndarray, np.ndarray]:
    """Labels in the frame of the camera that took the picture.

    Args:
        keypoints: (..., 3) mm, as the label file of this view has them.
        view: "BB_left", "BB_right" or "SK_color".

    Returns:
        points (..., 3) mm, x right, y down, z away from the camera, and its matrix (3, 3).
    """
    keypoints = np.asarray(keypoints, np.float64)
    if view == "SK_color":
        return (keypoints - DEPTH_OFFSET) @ DEPTH_ROTATION, COLOUR_CAMERA  # the inverse turn, written for rows
    return keypoints - np.array([BASELINE if view == "BB_right" else 0.0, 0, 0]), STEREO_CAMERA


def project(keypoints: np.ndarray, camera: np.ndarray) -> np.ndarray:
    """(..., 3) mm in a camera's frame -> (..., 2) pixels."""
    return keypoints[..., :2] / keypoints[..., 2:] * camera[[0, 1], [0, 1]] + camera[:2, 2]


def read_labels(file: Path) -> np.ndarray:
    """A label file's joints: (frames, 21, 3) float64 mm, canonical order, joint 0 the palm.

    Raises:
        DataError: no such file, no MATLAB file, no ``handPara`` of 3 x 21 x frames finite numbers, or a joint
            behind the camera.
    """
    if not file.is_file():
        raise DataError(f"{file}: no such label file; unpack labels.zip of the Stereo Hand Pose benchmark there")
    try:
        values = matlab.load(file, "handPara")
    except ValueError as error:
        raise DataError(f"{file}: not a MATLAB file that can be read ({error})") from None
    if values is None:
        raise DataError(f"{file}: holds no handPara")
    if values.ndim == 2:  # MATLAB drops the last axis of a single frame
        values = values[..., None]
    if values.ndim != 3 or values.shape[:2] != (3, 21) or values.dtype.kind not in "fiu":
        raise DataError(f"{file}: handPara is {values.dtype} of shape {values.shape}, not numbers of 3 x 21 x frames")
    keypoints = values.transpose(2, 1, 0).astype(np.float64)[:, list(STB_ORDER)]
    good = (np.abs(keypoints) <= LARGEST).all((1, 2)) & (keypoints[..., 2] >= 1).all(1)  # NaN is not
    if not good.all():
        raise DataError(f"{file}: frame {np.argmin(good)} has a joint that is not a number or not before the camera")
    return keypoints


class Stb:
    """The benchmark, or rendered hands in its layout, as `Sample`s: sequence by sequence, frame by frame.

    Args:
        path: the folder that holds ``images`` and ``labels``; None looks for ``$HANDPOSE_DATA/stb``.
        split: "train" (backgrounds 2 to 6), "val" (background 1), "all", "paper-train" (eleven sequences),
            "paper-val" (B1Random), or, leaking, "random-train" and "random-val": of all frames 1500 of 18,000, of a
            smaller set as large a part, drawn once and for all. Sequences without labels are left out; `sequences`
            names those in use.
        views: some of "BB_left", "BB_right", "SK_color"; both stereo cameras when None, and the left one alone
            for the paper and random splits. All views of a frame are on one side.
        wrist: a rule of `wrist_from_palm`; None keeps the palm's centre as joint 0.

    Raises:
        DataError: unknown split, view or rule, no sequence, unusable labels, or pictures that are missing.
    """

    def __init__(
        self,
        path: str | os.PathLike | None = None,
        split: str = "train",
        *,
        views: tuple[str, ...] | None = None,
        wrist: str | None = None,
    ) -> None:
        if split not in SPLITS:
            raise DataError(f"stb has no split {split!r}; choose one of {', '.join(SPLITS)}")
        self.views = views or (("BB_left", "BB_right") if split in ("train", "val", "all") else ("BB_left",))
        if unknown := [view for view in self.views if view not in VIEWS]:
            raise DataError(f"stb has no view {unknown[0]!r}; choose among {', '.join(VIEWS)}")
        self.root, self.split = locate("stb", path), split
        kinds = sorted({VIEWS[view] for view in self.views})
        self.sequences = [s for s in SPLITS[split] if all(self._label_file(s, kind).is_file() for kind in kinds)]
        if not self.sequences:
            wanted = self._label_file(SPLITS[split][0], kinds[0])
            raise DataError(f"{wanted}: no labels for split {split!r}; the folder should hold images/ and labels/")
        self._points = {(s, kind): read_labels(self._label_file(s, kind)) for s in self.sequences for kind in kinds}
        if wrist is not None:
            self._points = {key: wrist_from_palm(keypoints, wrist) for key, keypoints in self._points.items()}
        self.rows: list[tuple[str, int, str]] = []
        for sequence in self.sequences:
            folder = self.root / "images" / sequence
            file_names = set(os.listdir(folder)) if folder.is_dir() else set()
            frames = min(len(self._points[sequence, kind]) for kind in kinds)
            rows = [(sequence, frame, view) for frame in range(frames) for view in self.views]
            for _, frame, view in rows:
                if f"{view}_{frame}.png" not in file_names:
                    raise DataError(f"{folder / f'{view}_{frame}.png'}: missing, though there are {frames} labels")
            self.rows += rows
        if split.startswith("random"):
            frames = sorted({row[:2] for row in self.rows})
            order = np.random.default_rng(RANDOM_SEED).permutation(len(frames))
            val = {frames[i] for i in order[: round(len(frames) * RANDOM_VAL / RANDOM_ALL)]}
            self.rows = [row for row in self.rows if (row[:2] in val) == (split == "random-val")]
        if not self.rows:
            raise DataError(f"{self.root}: too few frames for split {split!r}")

    def _label_file(self, sequence: str, kind: str) -> Path:
        return self.root / "labels" / f"{sequence}_{kind}.mat"

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Sample:
        sequence, frame, view = self.rows[index]
        file = self.root / "images" / sequence / f"{view}_{frame}.png"
        image = read_image(file)
        if image.shape[:2] != (HEIGHT, WIDTH):
            size = f"{image.shape[1]}x{image.shape[0]}"
            raise DataError(f"{file}: is {size}, but the cameras' constants hold for {WIDTH}x{HEIGHT} pixels")
        keypoints, camera = seen_from(self._points[sequence, VIEWS[view]][frame], view)
        return make_sample(
            image, project(keypoints, camera), np.ones(21, bool), group=f"{sequence}-{frame // BLOCK}",
            id=f"{sequence}/{view}_{frame}", hand="left", keypoints3d=keypoints.astype(np.float32),
            camera=camera.astype(np.float32),
        )  # fmt: skip
