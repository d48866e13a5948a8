"""EgoHands (Bambach et al. 2015): 4,800 frames of two people at a table, filmed from the head of one; hands outlined.

Layout: ``_LABELLED_SAMPLES/ACTIVITY_PLACE_VIEWER_PARTNER/frame_*.jpg``, 100 frames of 1280x720 in each of 48 videos;
beside them ``polygons.mat`` with `polygons`: for each frame, in the order of the file names, up to four outlines (own
left, own right, other's left, other's right hand) as N x 2 points in MATLAB's pixels, which begin with 1.

For the detector: there are boxes and masks, and no key-points.
"""

import os
from pathlib import Path

import cv2
import numpy as np

from handpose.data.common import DataError, locate, make_sample, read_image
from handpose.data.readers import matlab
from handpose.data.sample import Sample

SPLITS = ("train", "val", "all")
FOLDER = "_LABELLED_SAMPLES"
LARGEST = 1e4  # pixels; what is farther away is no corner
CORNERS = 3  # an outline with fewer says that the hand is not in the picture


def recording(video: str) -> str:
    """The game that a video shows. Both players wore a camera, so each was filmed twice: "..._B_T" and "..._T_B"."""
    *scene, viewer, partner = video.split("_")
    return "_".join([*scene, *sorted((viewer, partner))])


class EgoHands:
    """The set as `Sample`s without key-points; groups are games, so that no game is on both sides of a split.

    Of the games in alphabetical order every sixth is "val", from the first: 4 of 24, or 8 of the 48 videos.

    Args:
        path: the folder that holds ``_LABELLED_SAMPLES``, or that folder; None looks for ``$HANDPOSE_DATA/egohands``.
        split: "train", "val" or "all".

    Raises:
        DataError: no videos there, a video without a readable `polygons.mat`, or with another number of frames than it.
    """

    def __init__(self, path: str | os.PathLike | None = None, split: str = "train") -> None:
        if split not in SPLITS:
            raise DataError(f"egohands has no split {split!r}; choose one of {', '.join(SPLITS)}")
        self.root, self.split = locate("egohands", path), split
        if (self.root / FOLDER).is_dir():
            self.root = self.root / FOLDER
        videos = sorted(p.name for p in self.root.iterdir() if p.is_dir() and p.name.count("_") == 3)
        if not videos:
            raise DataError(f"{self.root}: no videos such as CARDS_COURTYARD_B_T; it should hold {FOLDER}")
        games = sorted({recording(v) for v in videos})
        chosen = {"train": set(games) - set(games[::6]), "val": set(games[::6]), "all": set(games)}[split]
        self.frames: list[tuple[Path, list[np.ndarray]]] = []
        for video in videos:
            if recording(video) in chosen:
                self.frames += read_video(self.root / video)
        if not self.frames:
            raise DataError(f"{self.root}: no videos for split {split!r}; are they all there? There should be 48")

    def __len__(self) -> int:
        return len(self.frames)

    def boxes(self, index: int) -> np.ndarray:
        """Boxes of the hands of frame `index`, (n, 4) float32 pixels; n may be 0."""
        found = [np.concatenate([outline.min(0), outline.max(0)]) for outline in self.frames[index][1]]
        return np.array(found, np.float32).reshape(-1, 4)

    def __getitem__(self, index: int) -> Sample:
        """Frame `index` with the mask of all its hands; no key-point is visible, and `box` is NaN."""
        file, outlines = self.frames[index]
        image = read_image(file)
        mask = np.zeros(image.shape[:2], np.uint8)
        for outline in outlines:
            cv2.fillPoly(mask, [outline.round().astype(np.int32)], 255)
        return make_sample(image, np.full((21, 2), np.nan, np.float32), np.zeros(21, bool), mask=mask,
                           group=recording(file.parent.name), id=f"{file.parent.name}/{file.name}")  # fmt: skip


def read_video(folder: Path) -> list[tuple[Path, list[np.ndarray]]]:
    """The frames of a video with the outlines of their hands, (N, 2) float32 pixels each."""
    file = folder / "polygons.mat"
    try:
        table = matlab.load(file, "polygons")
        if table is None:
            raise ValueError("it holds no 'polygons'")
        if table.dtype.names:  # one structure a frame, one field a hand
            rows = [[frame[name] for name in table.dtype.names] for frame in table.reshape(-1)]
        else:  # a table of cells, a row a frame
            rows = [list(row) for row in table]
        outlines = [[_outline(points) for points in row] for row in rows]
    except Exception as error:  # whatever a table of another form raises
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(f"{file}: cannot be read ({reason}); copy or download it again") from None
    images = sorted(folder.glob("frame_*.jpg"))
    if len(images) != len(outlines):
        raise DataError(f"{folder}: {len(images)} frames, but polygons.mat describes {len(outlines)}")
    return [(p, [o for o in row if len(o) >= CORNERS]) for p, row in zip(images, outlines, strict=True)]


def _outline(points: np.ndarray) -> np.ndarray:
    if not isinstance(points, np.ndarray) or points.dtype.kind not in "fiu":
        raise ValueError("an outline is no array of numbers")
    points = points.astype(np.float64)
    if points.size == 0:
        return np.zeros((0, 2), np.float32)
    if points.ndim != 2 or points.shape[1] != 2 or not (np.abs(points) <= LARGEST).all():  # NaN is not
        raise ValueError(f"an outline has shape {points.shape}, or a number that cannot be")
    return (points - 1).astype(np.float32)  # MATLAB counts pixels from 1
