"""RWTH German Fingerspelling Database (Dreuw et al. 2006): 35 signs, 20 signers twice each, short MPEG videos (4.1).

Layout: ``video/<gesture 1-35>/<signer>_<gesture>_<session>_<camera>.mpg``, such as ``video/1/1_1_1_cam1.mpg``. The
paper uses one camera; "cam1" is a webcam, 320x240. A few further signers were recorded in one session only.

There are no key-points; a label is the sign (`shape`, named as in ``handpose.data.synthetic.GERMAN_ALPHABET``). The
paper has 1160 pictures of the 30 signs that are held still, and no list of them; 20 signers twice would make 1200.
"""

import os
import re
import sys
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from tqdm import tqdm

from handpose.data.common import DataError, locate, make_sample
from handpose.data.sample import Sample

# A damaged video makes FFmpeg complain at each reading, without the file's name; this asks it for silence.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

SPLITS = ("train", "val", "all", "paper-train", "paper-val")
FRAMES = ("middle", "paper")
CAMERAS = ("cam1", "cam2")
FOLDER = "video"
NAME = re.compile(r"([0-9]+)_([0-9]+)_([0-9]+)_(cam[12])\.mpg")

#: The names of gestures 1 to 35, and those that move.
GESTURES = (*"ABCDEFGHIJKLMNOPQRSTUVWXYZ", "AE", "OE", "UE", "SCH", *"12345")
MOVING = ("J", "Z", "AE", "OE", "UE")

SIDE = 320  # of the pictures, pixels
PAPER_VAL, PAPER_ALL = 200, 1160  # pictures to validate on, of so many
MIN_FRAMES = 5  # a video with fewer is skipped: it has no middle that differs from its first and last fifth


class Video(NamedTuple):
    """What a file's place says of it. They sort by gesture, then signer, then session."""

    gesture: int
    signer: int
    session: int
    camera: str
    file: Path

    @property
    def name(self) -> str:
        return f"{self.file.parent.name}/{self.file.name}"


def parse_path(file: Path) -> Video:
    """Read gesture, signer, session and camera from a file's name and folder; ValueError says what is wrong."""
    match, folder = NAME.fullmatch(file.name), file.parent.name
    if not match:
        raise ValueError("its name is not <signer>_<gesture>_<session>_<cam1 or cam2>.mpg")
    signer, gesture, session = map(int, match.groups()[:3])
    if not 1 <= gesture <= len(GESTURES):
        raise ValueError(f"there is no gesture {gesture}; they are 1 to {len(GESTURES)}")
    if not re.fullmatch(f"0*{gesture}", folder):
        raise ValueError(f"its name says gesture {gesture}, but it lies in the folder {folder!r}")
    return Video(gesture, signer, session, match[4], file)


# CAP_PROP_FRAME_COUNT is never asked for and no frame is sought: an MPEG stream has no index, so OpenCV guesses both
# from times and bit rates, and is off by a frame or two, in a short video by many (14 for 24). Decoding in order is
# exact and takes milliseconds; `grab` leaves out the conversion to a picture.


def count_frames(file: Path) -> int:
    """How many frames of a video can be decoded; ValueError says why there are too few to use it.

    A truncated video decodes to fewer frames and cannot be told from a short one: with `MIN_FRAMES` it is used.
    """
    try:
        with file.open("rb") as stream:
            if not stream.read(1):
                raise ValueError("the file is empty")
    except OSError as error:
        raise ValueError(f"it cannot be read ({error.strerror or error})") from None
    video, count = cv2.VideoCapture(str(file)), 0
    while video.grab():
        count += 1
    video.release()
    if not count:
        raise ValueError("no frame can be decoded; copy or download it again")
    if count < MIN_FRAMES:
        raise ValueError(f"only {count} of at least {MIN_FRAMES} frames can be decoded")
    return count


def read_frame(file: Path, number: int) -> np.ndarray:
    """Frame `number` of a video, counted from 0 in decoding order, (H, W, 3) uint8 RGB.

    Raises:
        DataError: there is no such frame, or no such file.
    """
    video = cv2.VideoCapture(str(file))
    reached = all(video.grab() for _ in range(number + 1))
    image = video.retrieve()[1] if reached else None
    video.release()
    if image is None:
        raise DataError(f"{file}: frame {number} cannot be decoded; was the file changed or removed?")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def fit(image: np.ndarray, stretch: bool = True) -> np.ndarray:
    """A picture (H, W, 3) uint8 at 320x320, (320, 320, 3) uint8.

    It is stretched, as the paper resizes, or letterboxed on black with its proportions kept.
    """
    if stretch:
        return cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    height, width = image.shape[:2]
    w, h = (max(1, round(n * SIDE / max(height, width))) for n in (width, height))
    canvas = np.zeros((SIDE, SIDE, 3), np.uint8)
    x, y = (SIDE - w) // 2, (SIDE - h) // 2
    canvas[y : y + h, x : x + w] = cv2.resize(image, (w, h), interpolation=cv2.INTER_LINEAR)
    return canvas


def random_crop(image: np.ndarray, rng: np.random.Generator, side: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """One of the paper's random 256x256 crops, every place as likely as any other.

    Returns:
        The crop (side, side, 3), a copy, and the pixel (x, y) of `image` that is its first; take it off points.

    Raises:
        ValueError: the picture is smaller than the crop.
    """
    height, width = image.shape[:2]
    if not 1 <= side <= min(height, width):
        raise ValueError(f"a crop of {side}x{side} does not fit into a picture of {width}x{height}")
    x, y = int(rng.integers(width - side + 1)), int(rng.integers(height - side + 1))
    return image[y : y + side, x : x + side].copy(), np.array([x, y])


class Rwth:
    """The database as `Sample`s without key-points, sorted by gesture, signer and session; a group is a signer.

    "train" and "val" share no signer: of the signers in order of their number every fifth is "val", from the first
    (1, 6, 11, 16, 21). All files that are named rightly count here, so that a broken video moves nobody.
    "paper-train" and "paper-val" are what the paper may have had: 200 random pictures to validate on (of fewer than
    400, the same part, 200/1160). Signers, even videos, are then on both sides: there to show what that leak is worth.

    A file that cannot be used is named on stderr with the reason, left out, and listed in `skipped`.

    Args:
        path: the folder that holds ``video``, or that folder; None looks for ``$HANDPOSE_DATA/rwth``.
        split: "train", "val", "all", "paper-train" or "paper-val".
        frames: "middle", one picture a video; or "paper", our reading of "the middle frame and randomly select the
            begin and last frames, the proportion is 2:1": besides, one of every two videos gives a frame from its
            first or its last fifth, drawn by `seed`.
        camera: "cam1" or "cam2".
        static: only the 30 gestures that are held still.
        stretch: to 320x320, or letterboxed; see `fit`.
        seed: of "paper" frames and of the paper's split.

    Raises:
        DataError: an unknown split, frames or camera, no such folder, or no video that can be used.
    """

    def __init__(
        self,
        path: str | os.PathLike | None = None,
        split: str = "train",
        *,
        frames: str = "middle",
        camera: str = "cam1",
        static: bool = True,
        stretch: bool = True,
        seed: int = 0,
    ) -> None:
        for what, value, known in (("split", split, SPLITS), ("frames", frames, FRAMES), ("camera", camera, CAMERAS)):
            if value not in known:
                raise DataError(f"rwth has no {what} {value!r}; choose one of {', '.join(known)}")
        self.root, self.split, self.stretch = locate("rwth", path), split, stretch
        if (self.root / FOLDER).is_dir():
            self.root = self.root / FOLDER
        self.skipped: list[tuple[str, str]] = []  # (folder/file, reason)
        found: list[Video] = []
        for file in sorted([*self.root.glob("*/*"), *self.root.glob("*.mpg")]):
            # Anything in a gesture's folder, and a video anywhere; the rest of a wrong folder is nobody's business.
            if not file.name.startswith(".") and (file.suffix == ".mpg" or file.parent.name.isdecimal()):
                try:
                    found.append(parse_path(file))
                except ValueError as error:
                    self._skip(file, error)
        people = sorted({video.signer for video in found})
        chosen_people = {"train": set(people) - set(people[::5]), "val": set(people[::5])}.get(split, set(people))
        gestures = {i for i, name in enumerate(GESTURES, 1) if not (static and name in MOVING)}
        wanted = sorted(v for v in found if v.camera == camera and v.signer in chosen_people and v.gesture in gestures)
        videos, counts = [], []
        for video in tqdm(wanted, desc="counting frames", unit="video", leave=False):
            try:
                counts.append(count_frames(video.file))
                videos.append(video)
            except ValueError as error:
                self._skip(video.file, error)
        rng = np.random.default_rng([seed, 0])
        # One of two neighbours, which mostly are a signer's two recordings of a sign: no sign gets more than another.
        chosen = {2 * pair + int(rng.integers(2)) for pair in range(len(videos) // 2)} if frames == "paper" else ()
        self.rows: list[tuple[Video, int]] = []  # a video and the frame picked
        for i, (video, count) in enumerate(zip(videos, counts, strict=True)):
            self.rows.append((video, count // 2))
            if i in chosen:
                part = count // 5
                self.rows.append((video, int(rng.integers(part)) + int(rng.integers(2)) * (count - part)))
        if split.startswith("paper"):
            total = len(self.rows)
            number = PAPER_VAL if total >= 2 * PAPER_VAL else round(total * PAPER_VAL / PAPER_ALL)
            val = set(np.random.default_rng([seed, 1]).permutation(total)[:number].tolist())
            self.rows = [row for i, row in enumerate(self.rows) if (i in val) == (split == "paper-val")]
        if not self.rows:
            skipped_note = f" ({len(self.skipped)} skipped)" if self.skipped else ""
            advice = f"it should hold {FOLDER}/1/1_1_1_{camera}.mpg and so on"
            raise DataError(f"{self.root}: no usable video for split {split!r}{skipped_note}; {advice}")
        self.labels = [GESTURES[video.gesture - 1] for video, _ in self.rows]  # `shape` of each sample
        self.signers = [f"signer-{video.signer}" for video, _ in self.rows]  # and its `group`

    def _skip(self, file: Path, reason: ValueError) -> None:
        name = file.relative_to(self.root).as_posix()
        name = name if name.isprintable() else ascii(name)
        self.skipped.append((name, str(reason)))
        tqdm.write(f"rwth: skipped {name}: {reason}", file=sys.stderr)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Sample:
        """Picture `index`, decoded anew; no key-point is visible, and `box` is NaN."""
        video, number = self.rows[index]
        return make_sample(
            fit(read_frame(video.file, number), self.stretch), np.full((21, 2), np.nan, np.float32),
            np.zeros(21, bool), group=self.signers[index], id=f"{video.name}#{number}", shape=self.labels[index],
        )  # fmt: skip
